package enforce

import (
	"encoding/json"
	"errors"
	"iter"
	"slices"
	"strings"
	"time"

	"moot/outbox"
	"moot/protocol"
	"moot/rooms"
	"moot/store"
)

// Sanctions knows who is challenged.
type Sanctions interface {
	// Challenged reports whether the person is challenged in the room.
	Challenged(tx *store.Tx, room protocol.RoomID, user protocol.UserID) (why protocol.Text, is bool)
	// In goes through those who are challenged in the room, but for those who were forgotten, in an order of its own.
	In(tx *store.Tx, room protocol.RoomID) iter.Seq[protocol.UserID]
	// Rooms goes through the rooms in which anybody is challenged, in order.
	Rooms(tx *store.Tx) iter.Seq[protocol.RoomID]
}

// Config says where it is enforced that somebody is challenged.
type Config struct {
	Sanctions Sanctions
	// Networks are those on which it is switched on. Nil means none.
	Networks []protocol.Network
	// Channel returns where something is announced in a room; nil means in the room itself.
	Channel func(tx *store.Tx, room protocol.RoomID) protocol.PlaceID
}

// Feature enforces challenges. It keeps nothing but what is in the store, and is used as the loop uses a feature.
type Feature struct{ Config }

// New returns the feature.
func New(c Config) (*Feature, error) {
	if c.Sanctions == nil {
		return nil, errors.New("enforce: Challenged is missing")
	}
	if c.Channel == nil {
		c.Channel = func(*store.Tx, protocol.RoomID) protocol.PlaceID { return "" }
	}
	return &Feature{c}, nil
}

const (
	timerOne  = "enforce.one/"
	timerRoom = "enforce.room"
	toldReach = "enforce.reach" // to a room: its network is in reach

	settle     = 10 * time.Second // after the bot has come into a room
	shortly    = time.Second      // after powers have changed, of which several may do so at once
	firstRetry = time.Minute      // after a fault, then twice as long each time
	lastRetry  = time.Hour
	ruleRetry  = 6 * time.Hour // after a refusal
	askExpiry  = time.Hour
	recheck    = 24 * time.Hour // after which it is asked again for what is so: somebody may have changed it
	freshly    = time.Hour      // for so long it is not asked again where much happens at once, as after a reconnect
	slice      = 64
)

// row is what was asked of the network about somebody, and what came of it.
type row struct {
	On      bool             `json:",omitempty"` // whether the network holds them back, as far as it has said
	Maybe   bool             `json:",omitempty"` // whether it may: it was asked to, and nobody knows what came of that
	Before  string           `json:",omitempty"` // what the network said that they were before
	Again   time.Time        `json:",omitzero"`  // when it is to be asked once more for what is so
	Ask     protocol.Key     `json:",omitempty"` // that is under way
	Want    bool             `json:",omitempty"` // what it asks for
	Refused protocol.Refusal `json:",omitempty"` // the last answer, if it was one
	Noted   protocol.Refusal `json:",omitempty"` // what the room was told
	Fails   int              `json:",omitempty"` // faults in a row
}

var (
	table = store.ScopedBucket("enforce")
	asks  = store.ScopedBucket("enforce-asks")
)

func get(tx *store.Tx, room protocol.RoomID, user protocol.UserID) (r row, ok bool) {
	data := tx.Get(table, store.Key(room, string(user)))
	return r, data != nil && json.Unmarshal(data, &r) == nil
}

func put(tx *store.Tx, room protocol.RoomID, user protocol.UserID, r row) {
	data, err := json.Marshal(r)
	if err != nil {
		panic(err) // strings, bools and times of this century can be encoded
	}
	tx.Put(table, store.Key(room, string(user)), data)
}

func (f *Feature) on(room protocol.RoomID) bool { return slices.Contains(f.Networks, room.Network()) }

// Changed is called in the scope of a room, in the transaction in which somebody there was challenged or restored; zero
// stands for somebody who was forgotten. Nothing happens before the next transaction.
func (f *Feature) Changed(tx *store.Tx, user protocol.UserID) {
	room := protocol.RoomID(tx.Scope())
	_, known := get(tx, room, user)
	switch {
	case user == "":
		tx.SetTimer(timerRoom, tx.Now(), nil)
	case known || f.on(room):
		tx.SetTimer(timerOne+string(user), tx.Now(), []byte(user))
	}
}

// Handle handles an event in its scope.
func (f *Feature) Handle(tx *store.Tx, ev protocol.Event) (store.Outcome, error) {
	switch b := ev.Body.(type) {
	case protocol.Answer:
		return f.answered(tx, ev.Room, b)
	case protocol.MemberChange:
		f.memberChange(tx, ev, b)
	case protocol.RoomChange:
		for _, c := range b.Changes {
			switch c.(type) {
			case protocol.PowersChanged, protocol.OwnPowersChanged:
				if f.anyRefused(tx, ev.Room) {
					tx.SetTimer(timerRoom, tx.Now().Add(shortly), nil)
				}
			}
		}
	}
	return store.Outcome{}, nil
}

func (f *Feature) memberChange(tx *store.Tx, ev protocol.Event, c protocol.MemberChange) {
	switch r, known := get(tx, ev.Room, c.User); {
	case known && c.Profile && r.Refused != "": // they may not stand as high any more
		f.look(tx, c.User, tx.Now().Add(shortly))
	case ev.Private || c.Profile || c.Membership != protocol.Joined:
	case c.Self && (f.on(ev.Room) || f.any(tx, ev.Room)):
		tx.SetTimer(timerRoom, tx.Now().Add(settle), nil)
	case known:
		if _, is := f.Sanctions.Challenged(tx, ev.Room, c.User); is {
			r.On = false // what the network did may have ended when they left
			put(tx, ev.Room, c.User, r)
		}
		f.look(tx, c.User, tx.Now())
	case f.on(ev.Room):
		if _, is := f.Sanctions.Challenged(tx, ev.Room, c.User); is {
			f.look(tx, c.User, tx.Now())
		}
	}
}

func (f *Feature) look(tx *store.Tx, user protocol.UserID, at time.Time) {
	tx.SetTimer(timerOne+string(user), at, []byte(user))
}

// Told hears that the network is in reach, and looks at the room soon. It returns false where what is told is not of this
// package.
func (f *Feature) Told(tx *store.Tx, what protocol.Internal) (bool, error) {
	if what.Kind != toldReach {
		return false, nil
	}
	tx.SetTimer(timerRoom, tx.Now().Add(settle), nil)
	return true, nil
}

// Timed handles a timer of the scope, and returns false where it was not set here.
func (f *Feature) Timed(tx *store.Tx, t protocol.Timer) (bool, error) {
	room := protocol.RoomID(tx.Scope())
	switch {
	case t.Name == timerRoom:
		return true, f.lookAtAll(tx, room, protocol.UserID(t.Data))
	case strings.HasPrefix(t.Name, timerOne):
		return true, f.bringAbout(tx, room, protocol.UserID(t.Data))
	}
	return false, nil
}

// Reach tells the rooms in which anybody is challenged that their network is in reach: what is wanted of it may have been
// switched on since, or it may have changed things behind the bot's back.
func (f *Feature) Reach(tx *store.Tx, network protocol.Network, up bool, _ time.Time) iter.Seq[store.Told] {
	return func(yield func(store.Told) bool) {
		if !up || !slices.Contains(f.Networks, network) {
			return
		}
		for room := range f.Sanctions.Rooms(tx) {
			if room.Network() == network && !yield(store.Told{To: protocol.Scope(room), What: protocol.Internal{Kind: toldReach}}) {
				return
			}
		}
	}
}

// lookAtAll looks at all in a room who are challenged, and at all of whom something was asked, in slices.
func (f *Feature) lookAtAll(tx *store.Tx, room protocol.RoomID, from protocol.UserID) error {
	var users []protocol.UserID
	prefix := store.Key(room, "")
	for k := range tx.Prefix(table, prefix) {
		users = append(users, protocol.UserID(k[len(prefix):]))
	}
	if f.on(room) {
		users = slices.AppendSeq(users, f.Sanctions.In(tx, room))
	}
	slices.Sort(users)
	n := 0
	for _, user := range slices.Compact(users) {
		if user < from {
			continue
		}
		if n++; n > slice {
			tx.SetTimer(timerRoom, tx.Now(), []byte(user))
			return nil
		}
		if r, _ := get(tx, room, user); r.On && r.Again.Sub(tx.Now()) < recheck-freshly {
			r.Again = time.Time{} // it may be otherwise by now
			put(tx, room, user, r)
		}
		if err := f.bringAbout(tx, room, user); err != nil {
			return err
		}
	}
	return nil
}

// wanted reports whether somebody is to be held back.
func (f *Feature) wanted(tx *store.Tx, room protocol.RoomID, user protocol.UserID) bool {
	_, challenged := f.Sanctions.Challenged(tx, room, user)
	return challenged && f.on(room)
}

// bringAbout asks the network for what is wanted about somebody, unless it is so already or being asked for.
func (f *Feature) bringAbout(tx *store.Tx, room protocol.RoomID, user protocol.UserID) error {
	r, known := get(tx, room, user)
	want := f.wanted(tx, room, user)
	info, _ := rooms.Get(tx, room)
	switch {
	case r.Ask != "":
		return nil // its answer leads here again
	case !want && !r.On && !r.Maybe:
		if known {
			forget(tx, room, user)
		}
		return nil
	case !info.Joined():
		return nil // the bot's return leads here again
	case want && r.On && tx.Now().Before(r.Again):
		f.look(tx, user, r.Again)
		return nil
	}
	reason := in(tx, room).Plain("reason-off")
	if want {
		reason = in(tx, room).Plain("reason-on")
	}
	key, err := outbox.Ask(tx, protocol.Ask{
		Room: room, Expires: tx.Now().Add(askExpiry), Want: protocol.AskRestrain{User: user, On: want, Reason: reason, Before: r.Before},
	})
	if err != nil {
		return err
	}
	r.Ask, r.Want = key, want
	put(tx, room, user, r)
	tx.Put(asks, store.Key(room, string(key)), []byte(user))
	return nil
}

// again returns when it is to be asked once more for what is so: after a day, or when three quarters are over of what ends
// by itself sooner. Until is zero where it does not end.
func again(until, now time.Time) time.Time {
	after := recheck
	if !until.IsZero() {
		after = min(after, max(until.Sub(now), 0)*3/4)
	}
	return now.Add(after)
}

func forget(tx *store.Tx, room protocol.RoomID, user protocol.UserID) {
	tx.Delete(table, store.Key(room, string(user)))
	tx.StopTimer(timerOne + string(user))
}

func (f *Feature) any(tx *store.Tx, room protocol.RoomID) bool {
	for range tx.Prefix(table, store.Key(room, "")) {
		return true
	}
	return false
}

func (f *Feature) anyRefused(tx *store.Tx, room protocol.RoomID) bool {
	for _, data := range tx.Prefix(table, store.Key(room, "")) {
		var r row
		if json.Unmarshal(data, &r) == nil && r.Refused != "" {
			return true
		}
	}
	return false
}
