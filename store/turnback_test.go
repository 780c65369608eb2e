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
	if !floor.Equal(right.Add(time.Minute)) {
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
