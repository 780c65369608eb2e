package sealed

import (
	"slices"

	"moot/internal/say"
	"moot/outbox"
	"moot/protocol"
	"moot/rooms"
	"moot/store"
)

// tell tells a room whose messages could not be read.
func tell(tx *store.Tx, room protocol.RoomID, people []protocol.UserID) error {
	for k, v := range tx.Prefix(told, string(room)+store.Sep) {
		if !lately(tx, v) {
			tx.Delete(told, k)
		}
	}
	people = slices.DeleteFunc(people, func(p protocol.UserID) bool { return tx.Has(told, store.Key(room, string(p))) })
	if len(people) == 0 {
		return tx.Err()
	}
	var names []protocol.Text
	for _, p := range people {
		tx.Put(told, store.Key(room, string(p)), []byte(store.Time(tx.Now())))
		if len(names) < maxNamed {
			names = append(names, nameOf(tx, room, p))
		}
	}
	speak := in(tx, room)
	all := speak.And(names)
	if more := len(people) - len(names); more > 0 {
		all = speak.Say("people-more", say.Person("People", say.Commas(names)), say.Number("More", more))
	}
	_, err := outbox.Send(tx, protocol.Outgoing{Room: room, Act: protocol.Say{Text: speak.Say("unread", say.Part("People", all))}})
	return err
}

// tellWithheld tells a room at once that somebody's program refuses its keys to the bot, which nothing but that person ends.
func tellWithheld(tx *store.Tx, room protocol.RoomID, user protocol.UserID) error {
	key := store.Key(room, string(user))
	if at := tx.Get(told, key); user == "" || at != nil && lately(tx, at) {
		return nil
	}
	tx.Put(told, key, []byte(store.Time(tx.Now())))
	text := in(tx, room).Say("withheld", say.Person("Who", nameOf(tx, room, user)))
	_, err := outbox.Send(tx, protocol.Outgoing{Room: room, Act: protocol.Say{Text: text}})
	return err
}

// lately reports whether a room was told so short a time ago that it is not told again. A time in the future is from before
// the clock was turned back.
func lately(tx *store.Tx, at []byte) bool {
	ago := tx.Now().Sub(store.ParseTime(string(at)))
	return ago >= 0 && ago < Silence
}

// nameOf names a person without calling for their attention.
func nameOf(tx *store.Tx, room protocol.RoomID, user protocol.UserID) protocol.Text {
	return rooms.Person(tx, room, user)
}

// named reports whether anybody was named in a room lately.
func named(tx *store.Tx, room protocol.RoomID) bool {
	for range tx.Prefix(told, string(room)+store.Sep) {
		return true
	}
	return false
}
