package store

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"moot/protocol"
)

// everything does all that a commit can do.
func everything(t tb, c *Commit) {
	fillStep(t, c, 1)
	c.SetCursor(protocol.Cursor{Name: "n", Value: "v"})
	c.SweepSeen(c.Now())
	c.SweepSent(c.Now(), "", 10)
	for _, timer := range c.Due(10) {
		c.EndTimer(timer)
	}
}

func TestDiscardedCommit(t *testing.T) {
	b := newBox(t)
	b.commit(func(c *Commit) { fillStep(t, c, 0) })
	before := dump(t, b.Store)
	bytes := hash(b.Path())
	boom := errors.New("boom")
	for name, end := range map[string]func() error{
		"error":  func() error { return boom },
		"panic":  func() error { panic(boom) },
		"goexit": func() error { runtime.Goexit(); return nil },
	} {
		t.Run(name, func(t *testing.T) {
			done := make(chan any)
			go func() {
				var got any = "nothing"
				defer func() {
					if p := recover(); p != nil {
						got = p
					}
					done <- got
				}()
				got = b.Commit(b.now, func(c *Commit) error {
					everything(b.t, c)
					return end()
				})
			}()
			if got := <-done; got != map[string]any{"error": boom, "panic": boom, "goexit": "nothing"}[name] {
				t.Errorf("it ended with %v", got)
			}
			same(t, b.Store, before)
			if now := hash(b.Path()); now != bytes {
				t.Errorf("the file was %s and is now %s", bytes, now)
			}
			checkInvariants(t, b.Store)
		})
	}
	// Neither the mutex nor the transaction of bbolt is left behind.
	b.commit(func(c *Commit) { everything(t, c) })
}

func TestPanicInARun(t *testing.T) {
	b := newBox(t)
	b.commit(func(c *Commit) {
		b.in(c, "s", func(tx *Tx) { tx.Put(plainA, "before", nil) })
		err := c.Run("s", none, func(tx *Tx) error {
			tx.Put(plainA, "within", nil)
			tx.Append(nil, "x")
			tx.Enqueue(Entry{Key: "k", Lane: "l", Payload: []byte("1")})
			tx.SetTimer("n", start, nil)
			somethingThatPanics(nil)
			return nil
		})
		var p *PanicError
		if !errors.As(err, &p) || !strings.Contains(string(p.Stack), "somethingThatPanics") {
			t.Errorf("a panic became %v with the stack %s", err, p.Stack)
		}
		if _, ok := p.Value.(runtime.Error); !ok || !strings.Contains(err.Error(), "nil map") {
			t.Errorf("a panic became %v", err)
		}
		if c.Appended() || len(c.TakeQueued()) != 0 {
			t.Error("a panicking run has appended or enqueued something")
		}
		b.in(c, "s", func(tx *Tx) { tx.Put(plainA, "after", nil) })
	})
	b.view(func(tx *Tx) {
		if !tx.Has(plainA, "before") || tx.Has(plainA, "within") || !tx.Has(plainA, "after") || tx.NextFact() != 1 ||
			tx.Delivery("k").State != "" || !tx.NextTimer().IsZero() {
			t.Error("a panicking run left a trace, or its neighbours did not")
		}
	})
}

func somethingThatPanics(m map[string]int) { m["x"] = 1 }

// TestNumbersOfDiscardedRuns: neither a discarded run nor a discarded commit leaves a gap.
func TestNumbersOfDiscardedRuns(t *testing.T) {
	b := newBox(t)
	boom := errors.New("boom")
	add := func(c *Commit, name string, end error) {
		_ = c.Run("s", none, func(tx *Tx) error {
			tx.Append([]byte(name), "x")
			tx.Enqueue(Entry{Key: protocol.Key(name), Lane: "l", Payload: []byte("1")})
			return end
		})
	}
	for i := range 5 {
		b.commit(func(c *Commit) {
			add(c, fmt.Sprintf("bad%d", i), boom)
			add(c, fmt.Sprintf("good%d", i), nil)
			if l, _ := c.Bury(Letter{}); l.ID != uint64(i+1) || l.Time != c.Now() {
				t.Errorf("letter %+v", l)
			}
		})
		err := b.Commit(b.now, func(c *Commit) error { add(c, "lost", nil); c.Bury(Letter{}); return boom })
		if err != boom {
			t.Error(err)
		}
		if i == 2 {
			b.reopen()
		}
	}
	b.view(func(tx *Tx) {
		n := uint64(0)
		for got, data := range tx.Log(0) {
			if want := fmt.Sprintf("good%d", n); got != n+1 || string(data) != want ||
				tx.Delivery(protocol.Key(want)).Number != n+1 {
				t.Errorf("record %d has %q, want %q", got, data, want)
			}
			n++
		}
		if n != 5 || tx.NextFact() != 6 {
			t.Errorf("%d records, the next is %d", n, tx.NextFact())
		}
	})
}

func TestTimeOnlyMovesForward(t *testing.T) {
	b := newBox(t)
	var last time.Time
	check := func(now time.Time, end error) {
		t.Helper()
		err := b.Commit(now, func(c *Commit) error {
			if !c.Now().After(last) || c.Now().Location() != time.UTC {
				t.Errorf("a commit at %v came after one at %v", c.Now(), last)
			}
			if now.After(last) && !c.Now().Equal(now) {
				t.Errorf("the clock says %v, the commit %v", now, c.Now())
			}
			last = c.Now()
			if end == nil {
				c.Record("c:r", protocol.EventID(fmt.Sprint(last.UnixNano())), Handled, "")
			}
			b.in(c, "s", func(tx *Tx) {
				if !tx.Now().Equal(last) || !tx.In("t").Now().Equal(last) || !c.Read().Now().Equal(last) {
					t.Errorf("a run at %v in a commit at %v", tx.Now(), last)
				}
			})
			return end
		})
		if err != end {
			t.Fatal(err)
		}
		checkInvariants(t, b.Store)
		if end == nil {
			b.view(func(tx *Tx) {
				if !tx.Now().Equal(last) {
					t.Errorf("a view at %v after a commit at %v", tx.Now(), last)
				}
			})
		}
	}
	b.view(func(tx *Tx) {
		if !tx.Now().Equal(time.Unix(0, 0)) {
			t.Errorf("a new file was last written at %v", tx.Now())
		}
	})
	east := time.FixedZone("", 5*3600)
	for _, now := range []time.Time{
		{}, {}, time.Unix(-5, 0), time.Unix(0, 0), // a machine without a clock
		start, start, start.Add(-time.Hour), start.Add(1).In(east), start.Add(time.Hour), {},
	} {
		check(now, nil)
		check(now.Add(time.Second), errors.New("discarded"))
		check(now, nil)
	}
	b.reopen()
	check(start, nil)
	check(start.Add(2*time.Hour), nil)
}

func TestEmptyCommitWritesNothing(t *testing.T) {
	b := newBox(t)
	b.commit(func(c *Commit) { fillStep(t, c, 0) })
	change := b.Change()
	b.commit(func(c *Commit) {})
	b.commit(func(c *Commit) {
		b.in(c, "s", func(tx *Tx) { tx.Get(plainA, "k"); tx.StopTimer("none"); tx.DropFact(99) })
		_ = c.Run("s", none, func(tx *Tx) error { tx.Put(plainA, "k", nil); return errors.New("boom") })
		c.SetCursor(protocol.Cursor{})
		c.SweepSent(start.Add(-time.Hour), "", 100)
	})
	if b.Change() != change || b.log.Last() != change {
		t.Errorf("there was change %d, now there is %d", change, b.Change())
	}
}

// TestConcurrency: commits wait for one another, views see whole commits, and Check may run beside
// both.
func TestConcurrency(t *testing.T) {
	b := newBox(t)
	counter := SharedBucket("counter")
	var all sync.WaitGroup
	var last time.Time // guarded by the commits
	for w := range 4 {
		all.Go(func() {
			for i := range 40 {
				err := b.Commit(start.Add(time.Duration(rand.IntN(1000))), func(c *Commit) error {
					if !c.Now().After(last) {
						t.Errorf("a commit at %v after one at %v", c.Now(), last)
					}
					last = c.Now()
					c.Record("c:r", protocol.EventID(fmt.Sprintf("%d-%d", w, i)), Handled, "")
					return c.Run("s", none, func(tx *Tx) error {
						n := ParseNumber(string(tx.Get(counter, "n")))
						tx.Put(counter, "n", []byte(Number(n+1)))
						tx.Append(nil, "x")
						tx.Put(plainA, fmt.Sprint(n), []byte(strings.Repeat("x", 500)))
						return nil
					})
				})
				if err != nil {
					t.Error(err)
				}
			}
		})
		all.Go(func() {
			for range 100 {
				err := b.View(func(tx *Tx) error {
					n, values := ParseNumber(string(tx.Get(counter, "n"))), uint64(0)
					for range tx.Range(plainA, "", "") {
						values++
					}
					if tx.NextFact() != n+1 || values != n {
						t.Errorf("a view sees %d steps, %d values and %d records", n, values, tx.NextFact()-1)
					}
					return nil
				})
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Go(func() {
		for range 20 {
			if err := b.Check(); err != nil {
				t.Errorf("check beside commits: %v", err)
			}
		}
	})
	all.Wait()
	b.view(func(tx *Tx) {
		if tx.NextFact() != 161 {
			t.Errorf("%d records of 160", tx.NextFact()-1)
		}
	})
}

func TestClosedStore(t *testing.T) {
	b := openBox(t, t.TempDir()+"/moot.db")
	for range 2 {
		if err := b.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if err := b.Commit(start, func(*Commit) error { t.Error("it ran"); return nil }); err == nil {
		t.Error("a commit of a closed store")
	}
	if err := b.View(func(*Tx) error { t.Error("it ran"); return nil }); err == nil {
		t.Error("a view of a closed store")
	}
	if err := b.Check(); err == nil {
		t.Error("a check of a closed store")
	}
}
