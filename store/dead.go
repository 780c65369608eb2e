package store

import (
	"encoding/json"
	"iter"
	"time"

	"moot/protocol"
)

var dead = SharedBucket("dead")

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

// Bury keeps a dead letter under a new number, or under its own where it has one.
func (c *Commit) Bury(l Letter) Letter {
	if l.ID == 0 {
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
	return l
}

// DropLetter removes a dead letter.
func (c *Commit) DropLetter(id uint64) { c.layer.put(dead.name, Number(id), nil) }

// DropLetter removes a dead letter.
func (tx *Tx) DropLetter(id uint64) { tx.Delete(dead, Number(id)) }

// WantRetry marks the dead letter to be tried again, and tells whether there is one.
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
