package activity

import (
	"encoding/json"
	"time"

	"moot/protocol"
	"moot/rooms"
	"moot/store"
)

const dayLength = 24 * time.Hour

// day is a day of UTC, counted from 1970.
type day int64

func dayOf(t time.Time) day { return day(t.Unix() / int64(dayLength/time.Second)) }

func (d day) start() time.Time { return time.Unix(int64(d)*int64(dayLength/time.Second), 0).UTC() }

// firstDay returns the first of the last days that a window spans, of which today is the last.
func firstDay(now time.Time, window time.Duration) day {
	return dayOf(now) - day((window+dayLength-1)/dayLength) + 1
}

// roomState is what is kept of a room beside the facts.
type roomState struct {
	// Heard is when something last came in live, give or take a minute.
	Heard time.Time `json:"h,omitzero"`
	// Quiet and Resumed are the ends of the last silence of some length that something live has ended.
	Quiet   time.Time `json:"q,omitzero"`
	Resumed time.Time `json:"r,omitzero"`
	// Out is whether the network cannot reach the room; Back is when it last could again.
	Out  bool      `json:"o,omitempty"`
	Back time.Time `json:"t,omitzero"`
	// Presences is how many were given a number.
	Presences uint64 `json:"n,omitempty"`
}

var states = store.ScopedBucket("activity-rooms")

func getState(tx *store.Tx, room protocol.RoomID) (s roomState) {
	if v := tx.Get(states, string(room)); v != nil {
		s, _ = decodedStates.Get(v, func(v []byte) (s roomState, err error) { // what this package wrote it can read
			err = json.Unmarshal(v, &s)
			return s, err
		})
	}
	return s
}

var decodedStates store.Decoded[roomState]

func putState(tx *store.Tx, room protocol.RoomID, s roomState) {
	v, err := json.Marshal(s)
	if err != nil {
		panic(err) // numbers and times of this century can be encoded
	}
	tx.Put(states, string(room), v)
}

const (
	hearStep  = time.Minute      // how exactly it is kept when something came in live
	silence   = 10 * time.Minute // what may have been a pause
	catchUpIn = time.Hour        // how long after a pause something is still caught up beside what is live
)

// hear notes that something came in live. It writes once a minute.
func hear(tx *store.Tx, room protocol.RoomID) {
	s, now := getState(tx, room), tx.Now()
	if now.Sub(s.Heard) < hearStep {
		return
	}
	if now.Sub(s.Heard) >= silence && now.Sub(s.Resumed) > catchUpIn {
		s.Quiet, s.Resumed = s.Heard, now.Round(0)
	}
	s.Heard = now.Round(0)
	putState(tx, room, s)
}

// pauseBegan returns when a pause that is being caught up now can have begun at the earliest. Networks deliver what is
// new beside what is caught up, so what was heard since the pause does not end the catching up at once.
func (s roomState) pauseBegan(now time.Time) time.Time {
	if now.Sub(s.Resumed) <= catchUpIn {
		return s.Quiet
	}
	return s.Heard
}

// moment is when something happened, as far as that matters here.
type moment struct {
	at time.Time // never after now
	// caught is whether it is the event's own time and not that of the commit.
	caught bool
	// old is whether the event's own time lies before all that counts; at is then that of the commit.
	old bool
}

// momentOf returns when an event happened. The package comment says why so.
func (f *Feature) momentOf(tx *store.Tx, ev protocol.Event) moment {
	now := moment{at: tx.Now()}
	if !ev.Backlog || ev.Time.IsZero() || ev.Time.After(now.at) {
		return now
	}
	if ev.Time.Before(firstDay(now.at, f.Window).start()) {
		now.old = true
		return now
	}
	info, _ := rooms.Get(tx, ev.Room)
	if ev.Time.Before(info.JoinedAt) || ev.Time.Before(getState(tx, ev.Room).pauseBegan(now.at)) {
		return now
	}
	if m, ok := rooms.Lookup(tx, ev.Room, ev.Sender); ok && ev.Time.Before(rooms.Since(info, m)) {
		return now
	}
	return moment{at: ev.Time.UTC().Round(0), caught: true}
}
