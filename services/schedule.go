package services

import (
	"encoding/json"
	"time"

	"moot/protocol"
	"moot/store"
)

// aim sets the timer of a schedule that has none, or one of another schedule. A tick that is due stays: what was missed is
// decided when it goes off.
func (f *Feature) aim(tx *store.Tx) {
	s := f.service(tx)
	if s == nil || s.Schedule == nil {
		tx.StopTimer(timerTick)
		return
	}
	if t, ok := readTick(tx.TimerData(timerTick)); ok && t.Schedule == s.Schedule.String() {
		return
	}
	f.nextTick(tx, s)
}

func (f *Feature) nextTick(tx *store.Tx, s *Spec) {
	at := s.Schedule.Next(tx.Now())
	if at.IsZero() {
		tx.StopTimer(timerTick)
		return
	}
	data, err := json.Marshal(tick{s.Schedule.String(), at.UTC()})
	if err != nil {
		panic(err) // a text and a time of this age can be encoded
	}
	tx.SetTimer(timerTick, at, data)
}

// tick is the data of the timer of a schedule.
type tick struct {
	Schedule string
	Due      time.Time
}

func readTick(data []byte) (t tick, ok bool) { return t, json.Unmarshal(data, &t) == nil }

// ticked makes a job of a tick of the schedule, unless it was missed and is not made up for.
func (f *Feature) ticked(tx *store.Tx, data []byte) error {
	s := f.service(tx)
	if s == nil || s.Schedule == nil {
		return nil
	}
	t, ok := readTick(data)
	f.nextTick(tx, s)
	switch missed := tx.Now().Sub(t.Due) > punctual; {
	case !ok, t.Schedule != s.Schedule.String(), Paused(tx, s.Name): // while it is paused nothing is missed
		return nil
	case missed && !s.Late:
		return nil
	}
	j := Job{
		Key: protocol.DeriveKey("job", s.Name, "schedule", t.Due.Format(time.RFC3339)), Service: s.Name,
		Input: Input{Kind: "schedule", Text: s.Text, Time: t.Due},
	}
	return f.admit(tx, j)
}

// Pulse reports whether a clock that is moved does not stop at a timer: what was due meanwhile is missed, and is made up for as the
// schedule says.
func (f *Feature) Pulse(name string) bool { return name == timerTick || name == timerClear }
