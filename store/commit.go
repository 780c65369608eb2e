package store

import (
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"go.etcd.io/bbolt"

	"moot/internal/failpoint"
	"moot/protocol"
)

// Commit is one durable step of the store, made of any number of runs. It is valid until the function that it was
// given to returns and belongs to one goroutine.
type Commit struct {
	now      time.Time
	file     *file
	layer    *layer
	appended bool
	queued   []Queued
	deliver  func(*Tx, protocol.Internal) error // nil leaves what is told to the caller

	journal *journal
	records []recorded      // in the order in which they were first recorded
	places  map[address]int // in records
	looked  looked
	floor   uint64 // what was recorded before this time is forgotten
	swept   bool   // whether the journal is to give back what is forgotten
	merging bool   // whether the journal is to do as much as a commit may
	moved   bool   // whether it has moved something
}

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

// Commit runs f and makes durable what it did. The time of the commit is now, or just after the commit before it,
// whichever is later. An error of f discards everything. An error of the disk does too, and breaks the store;
// not so ErrFull, which comes before f is called.
func (s *Store) Commit(now time.Time, f func(*Commit) error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.broken != nil {
		return fmt.Errorf("%w: %w", ErrBroken, s.broken)
	}
	btx, err := s.db.Begin(true)
	if err != nil {
		return fmt.Errorf("begin a commit: %w", err)
	}
	defer btx.Rollback() //nolint:errcheck // after a successful commit it has nothing to do
	if err := s.room(btx.Size()); err != nil {
		return fmt.Errorf("commit: %w", err)
	}
	if now = now.UTC(); !now.After(s.last) {
		now = s.last.Add(1)
	}
	s.last = now
	file := newFile(btx)
	c := &Commit{now: now, file: file, layer: newLayer(file), journal: s.journal, floor: s.journal.floor}
	if err := guard(func() error { return f(c) }); err != nil {
		if errors.Is(err, ErrDamaged) {
			s.broken = err
		}
		return err
	}
	if len(c.layer.buckets)+len(c.records) == 0 && !c.swept && !c.merging {
		return nil
	}
	c.layer.put(meta.name, metaLast, []byte(Time(now)))
	failpoint.Hit(failpoint.CommitBefore)
	err = guard(func() error {
		defer faulted()
		next, err := s.journal.stage(c, btx)
		if err != nil {
			return fmt.Errorf("journal: %w", err)
		}
		if err := write(btx, c.layer); err != nil {
			return err
		}
		s.viewing.Lock()
		defer s.viewing.Unlock()
		if err := btx.Commit(); err != nil {
			return err
		}
		s.journal.publish(next, c.records)
		return nil
	})
	if err != nil {
		if !errors.Is(err, ErrDamaged) {
			err = fmt.Errorf("%w: %w", ErrWrite, err)
		}
		s.broken = err
		return fmt.Errorf("commit: %w", err)
	}
	failpoint.Hit(failpoint.CommitAfter)
	if c.moved {
		failpoint.Hit(failpoint.JournalAfter)
	}
	return nil
}

// write puts the layer into the file, in the order of the keys: unsorted writes of many keys take ninety times as
// long.
func write(btx *bbolt.Tx, l *layer) (err error) {
	for name, keys := range l.buckets {
		b, berr := btx.CreateBucketIfNotExists([]byte(name))
		if berr != nil {
			return berr
		}
		keys.Scan(func(k string, v []byte) bool {
			if v == nil {
				err = b.Delete([]byte(k))
			} else {
				err = b.Put([]byte(k), v)
			}
			return err == nil
		})
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}

// Now returns the time of the commit.
func (c *Commit) Now() time.Time { return c.now }

// Appended tells whether a run has added to the log of facts.
func (c *Commit) Appended() bool { return c.appended }

// Run runs f with writes of its own under the scope. If f returns nil and broke no rule they become part of the
// commit; otherwise nothing that it did is left, and the error says why: that of f, the broken rule, or a PanicError.
func (c *Commit) Run(scope protocol.Scope, cause protocol.Ref, f func(*Tx) error) error {
	l := newLayer(c.layer)
	tx := &Tx{now: c.now, scope: scope, shared: &shared{reader: l, seer: c, layer: l, cause: cause}}
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
	return nil
}

// protect runs f and turns a panic into an error, unless the file is at fault.
func protect(tx *Tx, f func(*Tx) error) (err error) {
	defer func() {
		switch p := recover().(type) {
		case nil:
		case fault:
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

// Deliver sets who handles what one scope tells another: f is called with a view of the same transaction under the other
// scope, after the function of the run. Its error fails the run.
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

// Read returns a transaction that reads what the commit has done so far and writes nothing.
func (c *Commit) Read() *Tx { return &Tx{now: c.now, shared: &shared{reader: c.layer, seer: c}} }

// SetCursor saves an adapter's place with the commit.
func (c *Commit) SetCursor(cur protocol.Cursor) {
	if cur.Name != "" {
		c.layer.put(cursors.name, cur.Name, []byte(cur.Value))
	}
}

// next gives out the next number of a series. Numbers of a discarded commit are given again.
func (c *Commit) next(series string) uint64 {
	n := ParseNumber(string(c.layer.get(meta.name, series+"-next")))
	if n == 0 {
		n = 1
	}
	c.layer.put(meta.name, series+"-next", []byte(Number(n+1)))
	return n
}
