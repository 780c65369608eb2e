package sealed

import (
	"encoding/json"
	"fmt"
	"iter"
	"log/slog"
	"slices"
	"time"

	"moot/protocol"
	"moot/store"
)

// Feature keeps sealed events until their key comes. It is the last that sees one.
type Feature struct {
	Log *slog.Logger // nil logs nothing
}

// Handle keeps an event that is sealed, and ends those of a room that the bot leaves, or was out of.
func (f Feature) Handle(tx *store.Tx, ev protocol.Event) (out store.Outcome, err error) {
	tx = tx.In(protocol.Scope(ev.Room))
	switch b := ev.Body.(type) {
	case protocol.Sealed:
		out, err = keep(tx, ev, b)
		out.Final = true
	case protocol.MemberChange:
		switch {
		case !b.Self || b.Profile || ev.History || b.Membership == protocol.Invited || b.Membership == protocol.Knocking:
		default:
			f.clear(tx, ev.Room)
		}
	}
	return out, err
}

func keep(tx *store.Tx, ev protocol.Event, b protocol.Sealed) (store.Outcome, error) {
	n := 0
	for range tx.Prefix(waiting, string(ev.Room)+store.Sep) {
		if n++; n == MaxRoom {
			return store.WasIgnored("its key has not come, and too many events of the room are already waiting for theirs"), nil
		}
	}
	data, err := json.Marshal(ev)
	if err != nil {
		return store.Outcome{}, fmt.Errorf("encode a sealed event: %w", err)
	}
	tx.Put(waiting, key(ev.Room, ev.ID), append([]byte(store.Time(tx.Now())), data...))
	if at, ends := tx.Timer(timer), tx.Now().Add(Wait); at.IsZero() || at.After(ends) {
		tx.SetTimer(timer, ends, nil)
	}
	if b.Withheld {
		err = tellWithheld(tx, ev.Room, ev.Sender)
	}
	return store.Outcome{Disposition: store.Waiting, Reason: because("its key has not come yet", b)}, err
}

// because adds to what is said of an event what its network says about it.
func because(why string, b protocol.Sealed) string {
	if reason := protocol.OneLine(b.Reason); reason != "" {
		why += ": " + reason
	}
	return why
}

// Opened forgets an event whose key has come, in the scope of its room.
func Opened(tx *store.Tx, ref protocol.Ref) {
	tx.Delete(waiting, key(ref.Room, ref.Event))
	for range tx.Prefix(waiting, string(ref.Room)+store.Sep) {
		return
	}
	if !named(tx, ref.Room) {
		tx.StopTimer(timer) // nothing waits any more
	}
}

// clear ends all events of a room, in its scope.
func (f Feature) clear(tx *store.Tx, room protocol.RoomID) {
	var ended []protocol.Ref
	for k := range tx.Prefix(waiting, string(room)+store.Sep) {
		ended = append(ended, refOf(room, k))
		tx.Delete(waiting, k)
	}
	for k := range tx.Prefix(told, string(room)+store.Sep) {
		tx.Delete(told, k)
	}
	tx.StopTimer(timer)
	f.end(tx, ended, "the bot left the room before its key came")
}

// end records events that nobody waits for any more.
func (f Feature) end(tx *store.Tx, ended []protocol.Ref, why string) {
	for _, ref := range ended {
		tx.Conclude(ref, store.Ignored, why)
	}
	if len(ended) > 0 && f.Log != nil {
		f.Log.Warn("events could not be read", "room", ended[0].Room, "events", len(ended), "reason", why)
	}
}

// Timed ends the events of a room that have waited for long enough. It returns false where the timer is not of this package.
func (f Feature) Timed(tx *store.Tx, t protocol.Timer) (bool, error) {
	if t.Name != timer {
		return false, nil
	}
	room := protocol.RoomID(tx.Scope())
	up, ok := inReach(tx, room.Network())
	var people []protocol.UserID
	var next time.Time
	ended := 0
	for k, v := range tx.Prefix(waiting, string(room)+store.Sep) {
		if since(v).After(tx.Now()) { // the clock was turned back
			v = append([]byte(store.Time(tx.Now())), v[8:]...)
			tx.Put(waiting, k, v)
		}
		ends := since(v).Add(Lost)
		if ok { // nothing has waited for longer than since the network was last reached
			ends = latest(since(v), up).Add(Wait)
		}
		if ends.After(tx.Now()) {
			if next.IsZero() || ends.Before(next) {
				next = ends
			}
			continue
		}
		why := "its key never came"
		if ev, err := decode(v); err == nil {
			b, _ := ev.Body.(protocol.Sealed)
			why = because(why, b)
			if ev.Sender != "" && !slices.Contains(people, ev.Sender) {
				people = append(people, ev.Sender)
			}
		}
		tx.Conclude(refOf(room, k), store.Ignored, why)
		tx.Delete(waiting, k)
		ended++
	}
	if ended > 0 && f.Log != nil {
		f.Log.Warn("events could not be read", "room", room, "events", ended, "reason", "their keys never came")
	}
	if err := tell(tx, room, people); err != nil {
		return true, err
	}
	if next.IsZero() && named(tx, room) {
		next = tx.Now().Add(Silence) // to forget who was named
	}
	if !next.IsZero() {
		tx.SetTimer(timer, next, nil)
	}
	return true, nil
}

// Reach tells the rooms in which something waits, and the network itself, that a network came into reach or was lost. No
// network stands for all.
func (Feature) Reach(tx *store.Tx, network protocol.Network, up bool, at time.Time) iter.Seq[store.Told] {
	return func(yield func(store.Told) bool) {
		what := protocol.Internal{Kind: reached}
		if up {
			what.Data = []byte(store.Time(at))
		}
		if network != "" && !yield(store.Told{To: scopeOf(network), What: what}) {
			return
		}
		if network == "" {
			for k := range tx.Range(reach, "", "") {
				if !yield(store.Told{To: protocol.Scope(k), What: what}) {
					return
				}
			}
		}
		for from := ""; ; {
			room, ok := nextRoom(tx, from)
			if !ok {
				return
			}
			if (network == "" || room.Network() == network) && !yield(store.Told{To: protocol.Scope(room), What: what}) {
				return
			}
			from = store.After(string(room) + store.Sep)
		}
	}
}

func nextRoom(tx *store.Tx, from string) (protocol.RoomID, bool) {
	for k := range tx.Range(waiting, from, "") {
		return roomOf(k), true
	}
	return "", false
}

// Told looks anew at how long a room waits, or notes since when a network is in reach. It returns false where what is told is
// not of this package.
func (Feature) Told(tx *store.Tx, what protocol.Internal) (bool, error) {
	if what.Kind != reached {
		return false, nil
	}
	scope := tx.Scope()
	switch network := protocol.RoomID(scope).Network(); {
	case scope != scopeOf(network):
		tx.SetTimer(timer, tx.Now(), nil)
	case len(what.Data) > 0:
		tx.Put(reach, string(scope), what.Data)
	default:
		tx.Delete(reach, string(scope))
	}
	return true, nil
}

// scopeOf is the scope of a network itself.
func scopeOf(network protocol.Network) protocol.Scope { return protocol.Scope(network + ":") }

// inReach reports whether a network is in reach, and since when.
func inReach(tx *store.Tx, network protocol.Network) (since time.Time, ok bool) {
	v := tx.Get(reach, string(scopeOf(network)))
	return store.ParseTime(string(v)), v != nil
}

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
