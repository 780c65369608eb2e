package store

import (
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"moot/protocol"
)

// A store that has followed a clock ten years ahead is put right: what was seen stays so, also what
// is seen from now on, and what waits goes on as if the years had never been.
func TestTurnBack(t *testing.T) {
	path := filepath.Join(t.TempDir(), "moot.db")
	right := time.Date(2026, 11, 21, 8, 0, 0, 0, time.UTC)
	const room protocol.RoomID = "console:lobby"
	open := func() *Store {
		s, err := Open(Config{Path: path})
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	commit := func(s *Store, at time.Time, f func(*Commit)) {
		t.Helper()
		if err := s.Commit(at, func(c *Commit) error { f(c); return nil }); err != nil {
			t.Fatal(err)
		}
	}
	see := func(from, to int) func(*Commit) {
		return func(c *Commit) {
			for i := from; i < to; i++ {
				c.Record(room, protocol.EventID(fmt.Sprint("$", i)), Handled, "")
			}
		}
	}
	s := open()
	commit(s, right, see(0, 10))
	ahead := right.AddDate(10, 0, 0)
	commit(s, ahead, see(10, 20))
	commit(s, ahead, func(c *Commit) {
		if err := c.Run(protocol.Scope(room), protocol.Ref{}, func(tx *Tx) error {
			tx.SetTimer("soon", ahead.Add(time.Hour), []byte("data"))
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		c.SweepSeen(ahead.Add(-time.Hour))
	})
	var floor time.Time
	if err := s.TurnBack(right.Add(time.Minute), func(c *Commit) error {
		floor = c.Read().Horizon()
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if !floor.Round(time.Second).Equal(right.Add(time.Minute - time.Hour)) {
		t.Errorf("forgotten is what came before %s", floor)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open()
	defer s.Close()
	commit(s, right.Add(2*time.Minute), see(20, 30))
	err := s.View(func(tx *Tx) error {
		if at := tx.Now(); !at.Equal(right.Add(2 * time.Minute)) {
			t.Errorf("the store is at %s", at)
		}
		for i := 10; i < 30; i++ {
			if d := tx.Seen(room, protocol.EventID(fmt.Sprint("$", i))).Disposition; d != Handled {
				t.Errorf("event %d is %s", i, d)
			}
		}
		if at := tx.NextTimer(); at.Before(right.Add(time.Hour)) || at.After(right.Add(time.Hour+2*time.Minute)) {
			t.Errorf("the timer goes off at %s", at)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Check(); err != nil {
		t.Error(err)
	}
}

// What was forgotten stays so when the clock is turned back behind the time before which everything is:
// whether the file still has it, or has it twice, makes no difference.
func TestTurnBackRemembersNothingAnew(t *testing.T) {
	const room protocol.RoomID = "c:r"
	for _, tiny := range []bool{false, true} {
		t.Run(fmt.Sprint("checkpoints ", tiny), func(t *testing.T) {
			b := newBox(t)
			if tiny {
				b = newTinyBox(t)
			}
			record := func(from, to int) {
				b.commit(func(c *Commit) {
					for i := from; i < to; i++ {
						if d := c.Seen(room, protocol.EventID(fmt.Sprint(i))).Disposition; d != Unseen {
							t.Errorf("event %d is %s", i, d)
						}
						c.Record(room, protocol.EventID(fmt.Sprint(i)), Handled, "")
					}
				})
			}
			right := b.now
			b.now = right.AddDate(10, 0, 0)
			record(0, 40)
			b.commit(func(c *Commit) { c.SweepSeen(c.Now()) })
			record(30, 50)
			record(50, 60)
			back := right.Add(time.Minute)
			by := b.now.Add(-time.Minute).Sub(back)
			for range 2 { // the second time there is little to turn back
				b.now = back
				if err := b.TurnBack(b.now, func(*Commit) error { return nil }); err != nil {
					t.Fatal(err)
				}
				b.reopen()
			}
			b.now = back.Add(time.Minute)
			record(60, 70)
			record(10, 20)
			b.commit(func(c *Commit) { c.SweepSeen(c.Now().Add(-time.Hour)) }) // it forgets nothing more
			b.reopen()
			b.view(func(tx *Tx) {
				for i := range 70 {
					s := tx.Seen(room, protocol.EventID(fmt.Sprint(i)))
					if known := i >= 30 || i >= 10 && i < 20; known != (s.Disposition == Handled) {
						t.Errorf("event %d is %+v", i, s)
					}
					if s.Time.After(b.now) {
						t.Errorf("event %d was seen at %s, and it is %s", i, s.Time, b.now)
					}
				}
				times := map[protocol.EventID]time.Time{}
				var last time.Time
				for e := range tx.SeenIn(room, SeenPlace{}, SeenPlace{}, false) {
					if _, twice := times[e.Event]; twice || e.Time.Before(last) {
						t.Errorf("event %s comes again, or at %s after %s", e.Event, e.Time, last)
					}
					times[e.Event], last = e.Time, e.Time
				}
				if len(times) != 50 {
					t.Errorf("%d events", len(times))
				}
				n := 0
				for range tx.SeenIn(room, SeenPlace{Time: back}, SeenPlace{}, true) {
					n++
				}
				if n != 30 {
					t.Errorf("%d events since the clock was turned back by %s", n, by)
				}
			})
			if err := b.Check(); err != nil {
				t.Error(err)
			}
		})
	}
}
