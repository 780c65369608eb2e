// Package languages keeps in which language the bot speaks where, and to whom.
//
// What is said in a room is said in the language of the room. What somebody alone reads is said in their own language, where it is
// known, and else in that of the room that it is about. Nothing that is replayed depends on a language: it is looked up where
// something is said.
package languages

import (
	"encoding/json"

	"moot/internal/say"
	"moot/protocol"
	"moot/rooms"
	"moot/store"
)

// Rooms holds what rooms have set. It is a projection of facts: who publishes them calls [SetRoom] as they are applied.
var Rooms = store.ScopedBucket("room-languages")

// people holds an [Own] for each person of whom there is something to keep.
var people = store.ScopedBucket("own-languages")

// Room returns the language of a room: English where it has set none.
func Room(tx *store.Tx, room protocol.RoomID) say.Language {
	if v := tx.Get(Rooms, string(room)); v != nil {
		return say.Language(v)
	}
	return say.English
}

// SetRoom sets the language of a room; zero takes it back. The transaction has the room as its scope.
func SetRoom(tx *store.Tx, room protocol.RoomID, l say.Language) {
	if l == "" {
		tx.Delete(Rooms, string(room))
		return
	}
	tx.Put(Rooms, string(room), []byte(l))
}

// Own is what is known of the language of a person.
type Own struct {
	// Chosen is what they have told the bot; zero if nothing.
	Chosen say.Language `json:",omitempty"`
	// Network is the language in which they use their network, where it tells so and the bot speaks it.
	Network say.Language `json:",omitempty"`
}

// Of returns what is known of the language of a person.
func Of(tx *store.Tx, person protocol.UserID) (own Own) {
	if v := tx.Get(people, string(person)); v != nil {
		_ = json.Unmarshal(v, &own) // what this package wrote it can read
	}
	return own
}

// Choose keeps which language the person of the transaction's scope wants; zero takes that back.
func Choose(tx *store.Tx, l say.Language) {
	own := Of(tx, protocol.UserID(tx.Scope()))
	own.Chosen = l
	put(tx, own)
}

// Heard keeps in which language the person of the transaction's scope uses their network. Where the network does not say so, or
// names a language that the bot does not speak, nothing changes.
func Heard(tx *store.Tx, locale string) {
	l, ok := say.Parse(locale)
	own := Of(tx, protocol.UserID(tx.Scope()))
	if !ok || own.Network == l {
		return
	}
	own.Network = l
	put(tx, own)
}

// Forget removes what is kept of the person in whose scope the transaction is, and reports whether there was anything.
func Forget(tx *store.Tx) bool {
	had := tx.Get(people, string(tx.Scope())) != nil
	put(tx, Own{})
	return had
}

func put(tx *store.Tx, own Own) {
	if own == (Own{}) {
		tx.Delete(people, string(tx.Scope()))
		return
	}
	v, err := json.Marshal(own)
	if err != nil {
		panic(err) // strings can be encoded
	}
	tx.Put(people, string(tx.Scope()), v)
}

// To returns the language of what one person alone reads: their own, that of the room which it is about, or, if that is about none,
// of the only one that they share with the bot.
func To(tx *store.Tx, person protocol.UserID, about protocol.RoomID) say.Language {
	own := Of(tx, person)
	switch {
	case own.Chosen != "":
		return own.Chosen
	case own.Network != "":
		return own.Network
	case about != "":
		return Room(tx, about)
	}
	shared := say.English
	n := 0
	for info := range rooms.Of(tx, person) {
		if info.Private {
			continue
		}
		if n++; n > 1 {
			return say.English
		}
		shared = Room(tx, info.ID)
	}
	return shared
}
