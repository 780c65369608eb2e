package sealed

import (
	"encoding/json"
	"fmt"
	"iter"
	"strings"
	"time"

	"moot/protocol"
	"moot/store"
)

const (
	// Wait is how long a key is waited for while the network is in reach.
	Wait = 10 * time.Minute
	// Lost is how long it is waited for while the network is out of reach, or no longer configured.
	Lost = 30 * 24 * time.Hour
	// MaxRoom is how many events of one room wait at most.
	MaxRoom = 500
	// Silence is how long a room is not told again that somebody's messages cannot be read.
	Silence = time.Hour

	timer    = "sealed"       // of a room
	reached  = "sealed.reach" // tells a room, and the network itself, that the network came into reach or was lost
	maxNamed = 5              // people in one message
)

var (
	waiting = store.ScopedBucket("sealed")
	told    = store.ScopedBucket("sealed-told")
	reach   = store.ScopedBucket("sealed-reach")
)

func key(room protocol.RoomID, event protocol.EventID) string { return store.Key(room, string(event)) }

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

// since is when the wait of an event began.
func since(v []byte) time.Time { return store.ParseTime(string(v)) }

func roomOf(k string) protocol.RoomID {
	room, _, _ := strings.Cut(k, store.Sep)
	return protocol.RoomID(room)
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
