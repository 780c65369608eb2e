package store

import (
	"encoding/json"
	"iter"
	"time"

	"moot/protocol"
)

// MaxLetters is how many dead letters one scope has at most.
const MaxLetters = 100

var (
	dead       = SharedBucket("dead")
	deadScopes = SharedBucket("dead-scopes") // how many each scope has
)

// Letter is an event whose handler failed, kept so that it can be handled later.
type Letter struct {
	ID    uint64 `json:"-"`
	Time  time.Time
	Scope protocol.Scope
	Event protocol.Event
	// Error is the cause, and Stack where it happened if it was a panic.
	Error string
	Stack string `json:",omitempty"`
	// Core is whether not a feature failed but what comes before all features.
	Core bool `json:",omitempty"`
	// Tries counts how often the event was handled in vain.
	Tries int
	// Retry is whether somebody wants it to be tried again.
	Retry bool `json:",omitempty"`
}

// Bury keeps a dead letter under a new number, or under its own where it has one. It returns false,
// and keeps nothing, where the scope has MaxLetters already.
func (c *Commit) Bury(l Letter) (Letter, bool) {
	if l.ID == 0 {
		n := c.layer.letters(l.Scope)
		if n >= MaxLetters {
			return l, false
		}
		c.layer.setLetters(l.Scope, n+1)
		l.ID = c.next("dead")
	}
	l.Time = c.now
	// Networks tell any time, but JSON reaches to the year 9999 only; zero means unknown.
	if l.Event.Time = l.Event.Time.UTC(); l.Event.Time.Year() < 0 || l.Event.Time.Year() > 9999 {
		l.Event.Time = time.Time{}
	}
	if _, err := json.Marshal(l.Event); err != nil {
		l.Event.Body = nil
		l.Error += "; and what happened could not be kept: " + err.Error()
	}
	c.put(dead, Number(l.ID), l)
	return l, true
}

// DropLetter removes a dead letter. One that is not there stays so.
func (c *Commit) DropLetter(id uint64) { c.layer.dropLetter(id) }

// DropLetter removes a dead letter. One that is not there stays so.
func (tx *Tx) DropLetter(id uint64) {
	if tx.writable() {
		tx.layer.dropLetter(id)
	}
}

func (l *layer) dropLetter(id uint64) {
	var was Letter
	v := l.get(dead.name, Number(id))
	if v == nil {
		return
	}
	l.put(dead.name, Number(id), nil)
	if json.Unmarshal(v, &was) == nil {
		l.setLetters(was.Scope, l.letters(was.Scope)-1)
	}
}

// letters returns how many dead letters a scope has.
func (l *layer) letters(scope protocol.Scope) int {
	return int(ParseNumber(string(l.get(deadScopes.name, deadScope(scope)))))
}

func (l *layer) setLetters(scope protocol.Scope, n int) {
	if n <= 0 {
		l.put(deadScopes.name, deadScope(scope), nil)
		return
	}
	l.put(deadScopes.name, deadScope(scope), []byte(Number(uint64(n))))
}

// deadScope is the key of a scope in the counts; the one that is none has one too.
func deadScope(scope protocol.Scope) string { return "=" + string(scope) }

// SweepLetters forgets the dead letters that were last tried before the given time, and those whose
// event is forgotten. It looks at limit of them, from the given number on, and returns where to go
// on, zero when it is through.
func (c *Commit) SweepLetters(before time.Time, from uint64, limit int) (next uint64, swept int) {
	looked := 0
	for l := range c.Read().Letters(from) {
		if looked++; looked > limit {
			return l.ID, swept
		}
		switch {
		case l.Time.Before(before) || c.Read().Forgotten(l):
			c.DropLetter(l.ID)
			swept++
		case l.Tries <= 1:
			return 0, swept // those behind it are younger
		}
	}
	return 0, swept
}

// Forgotten reports whether the event of a dead letter is no longer remembered. To handle it again
// could then do something twice.
func (tx *Tx) Forgotten(l Letter) bool {
	switch l.Event.Body.(type) {
	case protocol.Timer, protocol.Internal: // never were recorded
		return false
	}
	return tx.Seen(l.Event.Room, l.Event.ID).Disposition == Unseen
}

// WantRetry marks the dead letter to be tried again, and reports whether there is one.
func (c *Commit) WantRetry(id uint64) bool {
	l, ok := c.Read().Letter(id)
	if ok {
		l.Retry = true
		c.put(dead, Number(id), l)
	}
	return ok
}

// Letter returns a dead letter, and whether there is one.
func (tx *Tx) Letter(id uint64) (l Letter, ok bool) {
	v := tx.Get(dead, Number(id))
	ok = v != nil && json.Unmarshal(v, &l) == nil
	l.ID = id
	return l, ok
}

// Letters goes through the dead letters from the given number on, in order.
func (tx *Tx) Letters(from uint64) iter.Seq[Letter] {
	return func(yield func(Letter) bool) {
		for k, v := range tx.Range(dead, Number(from), "") {
			var l Letter
			if json.Unmarshal(v, &l) != nil {
				continue
			}
			l.ID = ParseNumber(k)
			if !yield(l) {
				return
			}
		}
	}
}
