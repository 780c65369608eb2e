package store

import (
	"errors"
	"fmt"
	"runtime/debug"

	"moot/protocol"
	"moot/store/disk"
)

// tellRounds is how often scopes may tell each other something in one transaction.
const tellRounds = 16

// ErrTold is the error of a run in which scopes tell each other things without end.
var ErrTold = errors.New("scopes tell each other things without end")

// PanicError is the error of a run whose function panicked.
type PanicError struct {
	Value any
	Stack []byte
}

func (e *PanicError) Error() string { return fmt.Sprintf("panic: %v", e.Value) }

// Run runs f with writes of its own under the scope. If f returns nil and broke no rule they become
// part of the commit; otherwise nothing that it did is left, and the error says why: that of f, the
// broken rule, or a PanicError.
func (c *Commit) Run(scope protocol.Scope, cause protocol.Ref, f func(*Tx) error) error {
	l := newLayer(c.layer)
	tx := &Tx{now: c.now, scope: scope, shared: &shared{reader: l, seer: c, lately: c.lately, layer: l, cause: cause}}
	if err := protect(tx, func(tx *Tx) error {
		if err := f(tx); err != nil {
			return err
		}
		return c.handOn(tx)
	}); err != nil {
		return err
	}
	l.mergeInto(c.layer)
	c.appendFacts(tx.facts)
	c.enqueue(tx.sends)
	for _, key := range tx.taken {
		if q, waits := c.Queued(key); waits {
			c.Finish(q, StateEnded, protocol.Ref{}, "withdrawn")
		}
	}
	for _, e := range tx.ended {
		c.Record(e.Room, e.Event, e.Disposition, e.reason)
	}
	return nil
}

// protect runs f and turns a panic into an error, unless the file is at fault.
func protect(tx *Tx, f func(*Tx) error) (err error) {
	defer func() {
		switch p := recover().(type) {
		case nil:
		case disk.Fault:
			panic(p)
		default:
			err = &PanicError{p, debug.Stack()}
		}
	}()
	if err := f(tx); err != nil {
		return err
	}
	return tx.err
}

// Deliver sets who handles what one scope tells another: f is called with a view of the same
// transaction under the other scope, after the function of the run. Its error fails the run.
func (c *Commit) Deliver(f func(*Tx, protocol.Internal) error) { c.deliver = f }

// handOn hands on what scopes tell each other, until nobody has anything more to say.
func (c *Commit) handOn(tx *Tx) error {
	if c.deliver == nil {
		return nil
	}
	for range tellRounds {
		told := tx.TakeTold()
		if len(told) == 0 {
			return nil
		}
		for _, t := range told {
			if err := c.deliver(tx.In(t.To), t.What); err != nil {
				return fmt.Errorf("%s told to %s: %w", t.What.Kind, t.To, err)
			}
		}
	}
	return ErrTold
}
