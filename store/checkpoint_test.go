package store

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"moot/protocol"
)

// TestSlowCheckpoint: while a checkpoint stands still, commits and views go on, until there is too
// much in memory; then commits wait, and go on with it.
func TestSlowCheckpoint(t *testing.T) {
	b := newTinyBox(t)
	b.writing.Lock() // nothing is written to the file
	release := func() { b.writing.Unlock() }
	defer func() { release() }()
	n := 0
	commit := func() error {
		n++
		return b.Commit(b.now, func(c *Commit) error {
			c.Record("c:r", protocol.EventID(fmt.Sprint(n)), Handled, "")
			return c.Run("s", none, func(tx *Tx) error {
				tx.Put(plainA, fmt.Sprint(n), make([]byte, 500))
				return nil
			})
		})
	}
	for b.state.Load().bytes < tinyLimits.Most*tinyLimits.Memtable || b.state.Load().upTo == 0 {
		if err := commit(); err != nil {
			t.Fatal(err)
		}
	}
	if n < 12 {
		t.Errorf("only %d commits were made", n)
	}
	done, made := make(chan error, 1), n
	go func() { done <- commit() }()
	select {
	case err := <-done:
		t.Errorf("a commit did not wait: %v", err)
	case <-time.After(100 * time.Millisecond):
	}
	b.view(func(tx *Tx) {
		for i := 1; i <= made; i++ {
			if !tx.Has(plainA, fmt.Sprint(i)) || tx.Seen(
				"c:r", protocol.EventID(fmt.Sprint(i)),
			).Disposition != Handled {
				t.Errorf("commit %d is not there", i)
			}
		}
	})
	b.writing.Unlock()
	release = func() {}
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// TestFullCheckpoint: where the disk has no space for a checkpoint the commits go on, and are
// refused once there is too much in memory. Nothing is broken, and with space it goes on.
func TestFullCheckpoint(t *testing.T) {
	b := newTinyBox(t)
	space := func(f func() error) {
		b.writing.Lock()
		b.space = f
		b.writing.Unlock()
	}
	space(func() error { return fmt.Errorf("%w: as told", ErrFull) })
	var err error
	n := 0
	for err == nil && n < 1000 {
		err = b.Commit(b.now, func(c *Commit) error {
			n++
			return c.Run("s", none, func(tx *Tx) error { tx.Put(plainA, fmt.Sprint(n), make([]byte, 500)); return nil })
		})
	}
	if !errors.Is(err, ErrFull) || n < 12 {
		t.Errorf("after %d commits: %v", n, err)
	}
	space(nil)
	if err := b.Checkpoint(t.Context()); err != nil {
		t.Error(err)
	}
	b.run("s", func(tx *Tx) { tx.Put(plainA, "k", nil) })
}

// TestViewsBesideCheckpoints: views that begin while checkpoints and merges come and go see one
// whole state each.
func TestViewsBesideCheckpoints(t *testing.T) {
	b := newTinyBox(t)
	counter := SharedBucket("counter")
	stop := make(chan struct{})
	done := make(chan error, 2)
	for range 2 {
		go func() {
			for {
				select {
				case <-stop:
					done <- nil
					return
				default:
				}
				err := b.View(func(tx *Tx) error {
					n := ParseNumber(string(tx.Get(counter, "n")))
					rows := uint64(0)
					for range tx.Range(plainA, "", "") {
						rows++
					}
					last, next := protocol.EventID(fmt.Sprint(n)), protocol.EventID(fmt.Sprint(n+1))
					if rows != n || n > 0 && tx.Seen("c:r", last).Disposition != Handled ||
						tx.Seen("c:r", next).Disposition != Unseen {
						return fmt.Errorf(
							"%d commits, %d rows, %v, %v", n, rows, tx.Seen("c:r", last),
							tx.Seen("c:r", next),
						)
					}
					return nil
				})
				if err != nil {
					done <- err
					return
				}
			}
		}()
	}
	for n := range uint64(150) {
		err := b.Commit(b.now, func(c *Commit) error {
			c.Record("c:r", protocol.EventID(fmt.Sprint(n+1)), Handled, "")
			return c.Run("s", none, func(tx *Tx) error {
				tx.Put(counter, "n", []byte(Number(n+1)))
				tx.Put(plainA, fmt.Sprint(n), make([]byte, 30))
				return nil
			})
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	close(stop)
	for range 2 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}
