package store

import (
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"moot/protocol"
	"moot/store/seen"
)

func TestRecord(t *testing.T) {
	b := newBox(t)
	b.commit(func(c *Commit) {
		if s := c.Seen("c:r", "e"); s != (Seen{}) {
			t.Errorf("a new event is %+v", s)
		}
		c.Record("c:r", "e", Waiting, "no key yet")
		c.Record("c:r", "e", Waiting, "still none") // twice in one commit
		c.Record("c:r2", "e", Handled, "")
		c.Record("c:r", "e2", Ignored, strings.Repeat("ä", 300))
		want := Seen{c.Now(), Waiting, "still none"}
		if s := c.Seen("c:r", "e"); s != want || c.Read().Seen("c:r", "e") != want {
			t.Errorf("within its commit it is %+v", s)
		}
	})
	b.reopen()
	b.commit(func(c *Commit) {
		if s := c.Seen("c:r", "e"); s.Disposition != Waiting || !s.Time.Equal(start) {
			t.Errorf("after reopening it is %+v", s)
		}
		c.Record("c:r", "e", Handled, "")
		c.Record("c:r", "e3", Failed, "x")
	})
	b.view(func(tx *Tx) {
		for _, c := range []struct {
			room  protocol.RoomID
			event protocol.EventID
			want  Seen
		}{
			{"c:r", "e", Seen{start, Handled, ""}}, // the time of the first record stays
			{"c:r2", "e", Seen{start, Handled, ""}},
			{"c:r", "e2", Seen{start, Ignored, strings.Repeat("ä", 199) + "…"}},
			{"c:r", "e3", Seen{start.Add(time.Minute), Failed, "x"}},
			{"c:r2", "e2", Seen{}},
			{"c:", "r" + "e", Seen{}},
		} {
			if got := tx.Seen(c.room, c.event); got != c.want {
				t.Errorf("%s %s is %+v, want %+v", c.room, c.event, got, c.want)
			}
		}
	})
}

func TestDispositionNames(t *testing.T) {
	names := map[string]bool{}
	for d := Unseen; d <= Duplicate+1; d++ {
		names[d.String()] = true
	}
	if len(names) != 8 || !names["disposition 7"] {
		t.Errorf("names %v", names)
	}
}

// TestRecordBadIDs: an event whose identifiers break the rules is recorded like any other, and
// spoils no key.
func TestRecordBadIDs(t *testing.T) {
	b := newBox(t)
	huge := strings.Repeat("x", 1<<20)
	bad := []string{
		"", Sep, "a" + Sep + "b", "a", "b", "\x00", "\xff", "\n", huge, huge + "y", strings.Repeat("x", 513),
	}
	b.commit(func(c *Commit) {
		for _, id := range bad {
			c.Record("c:r", protocol.EventID(id), Refused, id[:min(len(id), 3)])
			c.Record(protocol.RoomID(id), "e", Refused, "room")
		}
	})
	b.reopen()
	b.commit(func(c *Commit) {
		for _, id := range bad {
			if s := c.Seen("c:r", protocol.EventID(id)); s.Disposition != Refused || s.Reason != id[:min(len(id), 3)] {
				t.Errorf("%.20q is %+v", id, s)
			}
			if s := c.Read().Seen(protocol.RoomID(id), "e"); s.Disposition != Refused {
				t.Errorf("the event of room %.20q is %+v", id, s)
			}
		}
	})
	b.sweep()
	b.view(func(tx *Tx) {
		for _, id := range bad {
			if s := tx.Seen("c:r", protocol.EventID(id)); s != (Seen{}) {
				t.Errorf("%.20q is left as %+v", id, s)
			}
		}
	})
}

// address names an event.
type address struct {
	room  protocol.RoomID
	event protocol.EventID
}

// sweep forgets everything.
func (b *box) sweep() {
	b.t.Helper()
	b.commit(func(c *Commit) { c.SweepSeen(c.Now()) })
}

func TestSweepSeen(t *testing.T) {
	b := newTinyBox(t)
	times := map[address]time.Time{}
	var before time.Time
	for i := range 12 {
		b.commit(func(c *Commit) {
			if i == 6 {
				before = c.Now() // what was recorded at that very time stays
			}
			for r := range 30 {
				// Names that are prefixes of one another, and around the separator in order.
				room := protocol.RoomID(fmt.Sprintf("c:%s%c", strings.Repeat("r", r/10), "!a \x7e0Zé_-."[r%10]))
				for e := range (r + i) % 5 {
					id := protocol.EventID(fmt.Sprintf("%d-%d", i, e))
					c.Record(room, id, Handled, "")
					times[address{room, id}] = c.Now()
				}
			}
		})
	}
	for step := range 4 {
		b.commit(func(c *Commit) {
			fresh := address{"c:rr!", protocol.EventID(fmt.Sprintf("during-%d", step))}
			c.Record(fresh.room, fresh.event, Handled, "")
			times[fresh] = c.Now()
			c.Record("c:rra", "11-0", Failed, "changed") // a disposition changes beside the sweep
			c.SweepSeen(before)
			c.SweepSeen(before.Add(-time.Minute)) // it never moves back
			for a, at := range times {
				if got := c.Seen(a.room, a.event); got.Disposition != Unseen != !at.Before(before) {
					t.Fatalf("%v of %v is %+v within the sweep; swept was before %v", a, at, got, before)
				}
			}
		})
		if step%3 == 0 {
			b.reopen()
		}
	}
	b.view(func(tx *Tx) {
		for a, at := range times {
			if got := tx.Seen(a.room, a.event); got.Disposition != Unseen != !at.Before(before) {
				t.Fatalf("%v of %v is %+v; swept was before %v", a, at, got, before)
			}
		}
	})
	// What is forgotten leaves the file too, once its partition of time has passed.
	b.now = b.now.Add(time.Hour)
	b.sweep()
	b.commit(func(c *Commit) { c.Record("c:r", "last", Handled, "") })
	if err := b.Checkpoint(t.Context()); err != nil {
		t.Fatal(err)
	}
	if st, err := b.Stats(); err != nil || st.Seen.Events != 1 || st.Seen.Garbage != 0 {
		t.Errorf("after everything was swept there is %+v (%v)", st, err)
	}
}

// TestSeenAgain: an event that was swept is new.
func TestSeenAgain(t *testing.T) {
	b := newTinyBox(t)
	for i := range 5 {
		b.commit(func(c *Commit) {
			for n := range 20 {
				id := protocol.EventID(fmt.Sprint(n))
				if s := c.Seen("c:r", id); s.Disposition != Unseen {
					t.Fatalf("round %d: %s is %+v", i, id, s)
				}
				c.Record("c:r", id, Handled, fmt.Sprint(i))
			}
		})
		at := b.now.Add(-time.Minute)
		b.view(func(tx *Tx) {
			if s := tx.Seen("c:r", "7"); s != (Seen{at, Handled, fmt.Sprint(i)}) {
				t.Fatalf("round %d: it is %+v", i, s)
			}
		})
		// Swept within one commit, and recorded in the same.
		b.commit(func(c *Commit) {
			c.Record("c:r", "7", Failed, "again")
			c.SweepSeen(c.Now())
			if s := c.Seen("c:r", "7"); s.Disposition != Unseen {
				t.Fatalf("round %d: swept, it is %+v", i, s)
			}
			c.Record("c:r", "7", Ignored, "new")
			if s := c.Seen("c:r", "7"); s != (Seen{c.Now(), Ignored, "new"}) {
				t.Fatalf("round %d: recorded anew, it is %+v", i, s)
			}
		})
		b.sweep()
	}
}

// TestSeenModel races records, sweeps, checkpoints, discarded commits and reopening against a plain
// map.
func TestSeenModel(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	rapid.Check(t, func(t *rapid.T) {
		path := filepath.Join(dir, "seen.db")
		remove(path)
		l := tinyLimits
		l.Seen = seen.Limits{
			Table: rapid.IntRange(1, 12).Draw(t, "table"), Chunk: rapid.IntRange(1, 6).Draw(t, "chunk"), Block: 60,
			Slice: rapid.IntRange(1, 30).Draw(t, "slice"), Fan: rapid.IntRange(2, 3).Draw(t, "fan"),
			Span: time.Duration(rapid.IntRange(1, 9).Draw(t, "span")) * time.Minute,
		}
		b := openBoxWith(t, Config{Path: path, limits: l})
		defer func() { b.Close() }()
		known := map[address]Seen{}
		rooms := []protocol.RoomID{"c:a", "c:a!", "c:ab", "c:b"}
		anywhere := func() address {
			return address{
				rapid.SampledFrom(rooms).Draw(t, "room"),
				protocol.EventID(fmt.Sprint(rapid.IntRange(0, 9).Draw(t, "event"))),
			}
		}
		compare := func(where string, seen func(protocol.RoomID, protocol.EventID) Seen, known map[address]Seen) {
			for _, room := range rooms {
				for e := range 10 {
					a := address{room, protocol.EventID(fmt.Sprint(e))}
					if got := seen(a.room, a.event); got != known[a] {
						t.Fatalf("%s: %v is %+v, the model has %+v", where, a, got, known[a])
					}
				}
			}
		}
		both := func(tx *Tx) {
			compare("in a view", tx.Seen, known)
			for _, room := range rooms {
				from := b.now.Add(time.Duration(rapid.IntRange(-9, 1).Draw(t, "from")) * time.Minute)
				got, want := map[protocol.EventID]Seen{}, map[protocol.EventID]Seen{}
				for a, s := range known {
					if a.room == room && !s.Time.Before(from) {
						want[a.event] = s
					}
				}
				for e := range tx.SeenIn(
					room, SeenPlace{Time: from}, SeenPlace{Time: b.now.Add(time.Hour)},
					rapid.Bool().Draw(t, "backward"),
				) {
					got[e.Event] = e.Seen
				}
				if !maps.Equal(got, want) {
					t.Fatalf("since %v %s had %v, the model has %v", from, room, got, want)
				}
			}
		}
		for range rapid.IntRange(1, 25).Draw(t, "commits") {
			b.now = b.now.Add(time.Duration(rapid.IntRange(-2, 3).Draw(t, "clock")) * time.Minute)
			then := maps.Clone(known)
			boom := errors.New("boom")
			err := b.Commit(b.now, func(c *Commit) error {
				for range rapid.IntRange(0, 12).Draw(t, "steps") {
					if rapid.IntRange(0, 5).Draw(t, "kind") > 0 {
						a, d := anywhere(), Disposition(rapid.IntRange(1, 5).Draw(t, "disposition"))
						c.Record(a.room, a.event, d, d.String())
						at := c.Now()
						if was, ok := known[a]; ok {
							at = was.Time
						}
						known[a] = Seen{at, d, d.String()}
						continue
					}
					before := c.Now().Add(time.Duration(rapid.IntRange(-9, 1).Draw(t, "before")) * time.Minute)
					c.SweepSeen(before)
					if before.After(c.Now()) {
						before = c.Now()
					}
					maps.DeleteFunc(known, func(_ address, was Seen) bool { return was.Time.Before(before) })
				}
				compare("within a commit", c.Seen, known)
				if rapid.IntRange(0, 5).Draw(t, "discard") == 0 {
					return boom
				}
				return nil
			})
			if err == boom {
				known = then
			} else if err != nil {
				t.Fatalf("commit: %v", err)
			}
			checkInvariants(t, b.Store)
			switch rapid.IntRange(0, 9).Draw(t, "then") {
			case 0, 1:
				b.reopen()
			case 2:
				if err := b.Checkpoint(t.Context()); err != nil {
					t.Fatal(err)
				}
				checkInvariants(t, b.Store)
			}
			b.view(both)
		}
		b.now = b.now.Add(time.Hour)
		b.sweep()
		b.view(func(tx *Tx) { compare("after a whole sweep", tx.Seen, map[address]Seen{}) })
	})
}

// TestViewSeesItsCommit: a view that began before a commit knows nothing of it, though the tables
// do.
func TestViewSeesItsCommit(t *testing.T) {
	b := newTinyBox(t)
	at := b.now
	b.commit(func(c *Commit) { c.Record("c:r", "old", Waiting, "") })
	recorded := make(chan struct{})
	done := make(chan struct{})
	go func() {
		defer close(done)
		<-recorded
		for i := range 40 { // enough for the table to become a run and be merged
			b.commit(func(c *Commit) {
				c.Record("c:r", "old", Handled, "later")
				c.Record("c:r", protocol.EventID(fmt.Sprint(i)), Handled, "")
			})
		}
	}()
	b.view(func(tx *Tx) {
		close(recorded)
		<-done
		if s := tx.Seen("c:r", "old"); s.Disposition != Waiting {
			t.Errorf("the old one is %+v", s)
		}
		for i := range 40 {
			if s := tx.Seen("c:r", protocol.EventID(fmt.Sprint(i))); s.Disposition != Unseen {
				t.Errorf("%d is %+v", i, s)
			}
		}
	})
	b.view(func(tx *Tx) {
		if s := tx.Seen("c:r", "old"); s != (Seen{at, Handled, "later"}) {
			t.Errorf("afterwards the old one is %+v", s)
		}
	})
}
