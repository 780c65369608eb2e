package store

import "time"

// longTried is how long ago an attempt was begun whose time is in the future: longer than any
// network remembers it.
const longTried = 24 * time.Hour

// Horizon returns the time before which what was seen is forgotten; zero where nothing is yet.
func (tx *Tx) Horizon() time.Time {
	h := tx.Get(meta, metaHorizon)
	if h == nil {
		return time.Time{}
	}
	return seenTime(ParseNumber(string(h)), tx.seer.ahead())
}

// TurnBack makes a commit at a time before that of the last one, for a store that has followed a
// clock which was ahead. What f does is part of it. What waits goes on as if the time between had
// never been: a timer goes off as much earlier, and an attempt that was put off is due at once. An
// attempt that was begun in the future counts as begun long ago, so that it is looked for before it
// is made again. What was seen stays seen, and what was forgotten stays forgotten.
//
// The store is to be closed after it, and opened anew. A time that is not before the last commit
// changes only what f does.
func (s *Store) TurnBack(now time.Time, f func(*Commit) error) error {
	s.mu.Lock()
	by := s.last.Sub(now)
	if by > 0 {
		s.last = now.Add(-1)
	}
	s.mu.Unlock()
	return s.Commit(now, func(c *Commit) error {
		if by > 0 {
			c.turnTimers(by)
			c.turnQueue()
			// What is recorded from now on must not be taken for forgotten. The horizon stays, as the
			// file may still have what lies before it: the record goes on from where it was instead.
			if ParseNumber(string(c.layer.get(meta.name, metaHorizon))) > c.seenNow() {
				c.leads += uint64(by)
				c.layer.put(meta.name, metaAhead, []byte(Number(c.leads)))
			}
		}
		return f(c)
	})
}

// turnTimers lets the timers go off as much earlier, though not before now.
func (c *Commit) turnTimers(by time.Duration) {
	var later []Timer
	for k, v := range c.Read().Range(timers, Time(c.now), "") {
		later = append(later, decodeTimer(k, v))
	}
	for _, t := range later {
		c.EndTimer(t)
		at := t.At.Add(-by)
		if at.Before(c.now) {
			at = c.now
		}
		k := Key(t.Scope, t.Name)
		c.layer.put(timerNames.name, k, []byte(Time(at)))
		c.layer.put(timers.name, Key(Time(at), k), append([]byte{}, t.Data...))
	}
}

func (c *Commit) turnQueue() {
	var waiting []Queued
	for q := range c.Read().Queue("", 0) {
		if q.Created.After(c.now) || q.Due.After(c.now) || q.First.After(c.now) {
			waiting = append(waiting, q)
		}
	}
	for _, q := range waiting {
		if q.Created.After(c.now) {
			q.Created = c.now
		}
		if q.Due.After(c.now) {
			q.Due = time.Time{}
		}
		if q.First.After(c.now) {
			q.First = c.now.Add(-longTried)
		}
		c.putQueued(q)
	}
}
