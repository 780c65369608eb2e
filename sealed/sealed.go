package sealed

import (
	"encoding/json"
	"fmt"
	"iter"
	"slices"
	"time"

	"moot/outbox"
	"moot/protocol"
	"moot/rooms"
	"moot/store"
)

const (
	// Wait is for how long a key is waited for.
	Wait = 10 * time.Minute
	// MaxRoom is how many events of one room wait at most.
	MaxRoom = 500
	// Silence is after what time a room is told again that somebody's messages cannot be read.
	Silence = time.Hour
	// Timer is the name of the timer of a room.
	Timer = "sealed"

	maxNamed = 5 // people in one message
)

var (
	waiting = store.ScopedBucket("sealed")
	told    = store.ScopedBucket("sealed-told")
)

func key(room protocol.RoomID, event protocol.EventID) string { return store.Key(room, string(event)) }

// Keep keeps an event whose body is Sealed, in the scope of its room. It returns false where too many wait there already.
func Keep(tx *store.Tx, ev protocol.Event) (bool, error) {
	n := 0
	for range tx.Prefix(waiting, string(ev.Room)+store.Sep) {
		if n++; n == MaxRoom {
			return false, nil
		}
	}
	data, err := json.Marshal(ev)
	if err != nil {
		return false, fmt.Errorf("encode a sealed event: %w", err)
	}
	tx.Put(waiting, key(ev.Room, ev.ID), append([]byte(store.Time(tx.Now())), data...))
	if at, ends := tx.Timer(Timer), tx.Now().Add(Wait); at.IsZero() || at.After(ends) {
		tx.SetTimer(Timer, ends, nil)
	}
	return true, tx.Err()
}

// Opened lets go of an event whose key has come.
func Opened(tx *store.Tx, ref protocol.Ref) { tx.Delete(waiting, key(ref.Room, ref.Event)) }

// Clear lets go of all events of a room, in its scope, and returns which they were.
func Clear(tx *store.Tx, room protocol.RoomID) []protocol.Ref {
	var refs []protocol.Ref
	for k := range tx.Prefix(waiting, string(room)+store.Sep) {
		refs = append(refs, refOf(room, k))
		tx.Delete(waiting, k)
	}
	for k := range tx.Prefix(told, string(room)+store.Sep) {
		tx.Delete(told, k)
	}
	tx.StopTimer(Timer)
	return refs
}

// All goes through the events that wait in a room, or in all rooms where it is zero, in no particular order.
func All(tx *store.Tx, room protocol.RoomID) iter.Seq[protocol.Event] {
	return func(yield func(protocol.Event) bool) {
		prefix := ""
		if room != "" {
			prefix = string(room) + store.Sep
		}
		for _, v := range tx.Prefix(waiting, prefix) {
			if ev, err := decode(v); err == nil && !yield(ev) {
				return
			}
		}
	}
}

// Count returns how many events wait, up to limit.
func Count(tx *store.Tx, limit int) (n int) {
	for range tx.Prefix(waiting, "") {
		if n++; n == limit {
			break
		}
	}
	return n
}

// Expire lets go of the events of a room, in its scope, that have waited for long enough, tells the room of them, and
// returns which they were. Nothing has waited for longer than since the network was last reached, at up.
func Expire(tx *store.Tx, room protocol.RoomID, up time.Time) ([]protocol.Ref, error) {
	var ended []protocol.Ref
	var people []protocol.UserID
	var next time.Time
	for k, v := range tx.Prefix(waiting, string(room)+store.Sep) {
		ends := since(v, up).Add(Wait)
		if ends.After(tx.Now()) {
			if next.IsZero() || ends.Before(next) {
				next = ends
			}
			continue
		}
		ended = append(ended, refOf(room, k))
		if ev, err := decode(v); err == nil && ev.Sender != "" && !slices.Contains(people, ev.Sender) {
			people = append(people, ev.Sender)
		}
		tx.Delete(waiting, k)
	}
	if err := tell(tx, room, people); err != nil {
		return nil, err
	}
	if next.IsZero() && named(tx, room) {
		next = tx.Now().Add(Silence) // to forget who was named
	}
	if !next.IsZero() {
		tx.SetTimer(Timer, next, nil)
	}
	return ended, nil
}

// named tells whether anybody was named in a room lately.
func named(tx *store.Tx, room protocol.RoomID) bool {
	for range tx.Prefix(told, string(room)+store.Sep) {
		return true
	}
	return false
}

// since is when the wait of an event began.
func since(v []byte, up time.Time) time.Time {
	if at := store.ParseTime(string(v)); at.After(up) {
		return at
	}
	return up
}

func decode(v []byte) (ev protocol.Event, err error) {
	if len(v) < 8 {
		return ev, fmt.Errorf("sealed event of %d bytes", len(v))
	}
	return ev, json.Unmarshal(v[8:], &ev)
}

func refOf(room protocol.RoomID, k string) protocol.Ref {
	return protocol.Ref{Room: room, Event: protocol.EventID(k[len(room)+len(store.Sep):])}
}

// tell tells a room whose messages could not be read.
func tell(tx *store.Tx, room protocol.RoomID, people []protocol.UserID) error {
	for k, v := range tx.Prefix(told, string(room)+store.Sep) {
		if tx.Now().Sub(store.ParseTime(string(v))) >= Silence {
			tx.Delete(told, k)
		}
	}
	people = slices.DeleteFunc(people, func(p protocol.UserID) bool { return tx.Has(told, store.Key(room, string(p))) })
	if len(people) == 0 {
		return tx.Err()
	}
	var names protocol.Text
	for i, p := range people {
		tx.Put(told, store.Key(room, string(p)), []byte(store.Time(tx.Now())))
		switch {
		case i == maxNamed:
			names = protocol.Join(names, fmt.Sprintf(" and %d more", len(people)-maxNamed))
		case i > maxNamed:
		case i > 0 && i == len(people)-1:
			names = protocol.Join(names, " and ", nameOf(tx, room, p))
		case i > 0:
			names = protocol.Join(names, ", ", nameOf(tx, room, p))
		default:
			names = nameOf(tx, room, p)
		}
	}
	_, err := outbox.Send(tx, protocol.Outgoing{Room: room, Act: protocol.Say{Text: protocol.Join(
		"I could not read what ", names, " wrote: the key to it never reached me. Please write it again if it was for me; if that does not help, ",
		"restart the program that you write with.")}})
	return err
}

// nameOf names a person without calling for their attention.
func nameOf(tx *store.Tx, room protocol.RoomID, user protocol.UserID) protocol.Text {
	name := user.Local()
	if m, ok := rooms.Lookup(tx, room, user); ok && m.Name != "" {
		name = m.Name
	}
	return protocol.Person(user, name)
}
