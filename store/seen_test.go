package store

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"moot/protocol"
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

// TestRecordBadIDs: an event whose identifiers break the rules is recorded like any other, and spoils no key.
func TestRecordBadIDs(t *testing.T) {
	b := newBox(t)
	huge := strings.Repeat("x", 1<<20)
	bad := []string{"", Sep, "a" + Sep + "b", "a", "b", "\x00", "\xff", "\n", huge, huge + "y", strings.Repeat("x", 513)}
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
		if _, swept := c.SweepSeen(c.Now().Add(1), "", 1000); swept != 2*len(bad) {
			t.Errorf("%d of %d swept", swept, 2*len(bad))
		}
	})
	b.view(func(tx *Tx) {
		for range tx.Range(seen, "", "") {
			t.Error("something is left")
		}
	})
}

type address struct {
	room  protocol.RoomID
	event protocol.EventID
}

func TestSweepSeen(t *testing.T) {
	b := newBox(t)
	times := map[address]time.Time{}
	var before time.Time
	for i := range 12 {
		b.commit(func(c *Commit) {
			if i == 6 {
				before = c.Now() // what was recorded at that very time stays
			}
			for r := range 150 {
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
	old := 0
	for _, at := range times {
		if at.Before(before) {
			old++
		}
	}
	const limit = 100
	from, total, steps := "", 0, 0
	for more := true; more; steps++ {
		b.commit(func(c *Commit) {
			fresh := address{"c:rrr!", protocol.EventID(fmt.Sprintf("during-%d", steps))}
			c.Record(fresh.room, fresh.event, Handled, "")
			times[fresh] = c.Now()
			// A disposition changes while the sweep is on its way.
			c.Record("c:rrra", "11-0", Failed, "changed")
			next, swept := c.SweepSeen(before, from, limit)
			if swept > limit+4 {
				t.Fatalf("a step swept %d", swept)
			}
			total, from, more = total+swept, next, next != ""
		})
		if steps%5 == 0 {
			b.reopen()
		}
		if steps > 3*(old+150)/limit {
			t.Fatalf("it goes on for ever at %q", from)
		}
	}
	if total != old || steps < old/limit {
		t.Errorf("%d of %d swept in %d steps", total, old, steps)
	}
	b.view(func(tx *Tx) {
		for a, at := range times {
			if got := tx.Seen(a.room, a.event); got.Disposition != Unseen != !at.Before(before) {
				t.Fatalf("%v of %v is %+v; swept was before %v", a, at, got, before)
			}
		}
	})
}

// TestSweepSeenAmongManyRooms: rooms that have nothing to forget are work too.
func TestSweepSeenAmongManyRooms(t *testing.T) {
	b := newBox(t)
	b.commit(func(c *Commit) {
		for r := range 500 {
			c.Record(protocol.RoomID(fmt.Sprintf("c:%d", r)), "e", Handled, "")
		}
	})
	steps := 0
	for from, more := "", true; more; steps++ {
		b.commit(func(c *Commit) {
			var swept int
			if from, swept = c.SweepSeen(start, from, 50); swept != 0 {
				t.Errorf("%d swept", swept)
			}
			more = from != ""
		})
	}
	if steps < 10 {
		t.Errorf("500 rooms in %d steps", steps)
	}
}

// TestSeenModel races records, sweeps and reopening against a plain map.
func TestSeenModel(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	rapid.Check(t, func(t *rapid.T) {
		path := filepath.Join(dir, "seen.db")
		_ = os.Remove(path)
		b := openBox(t, path)
		defer func() { b.Close() }()
		known := map[address]Seen{}
		rooms := []protocol.RoomID{"c:a", "c:a!", "c:ab", "c:b"}
		anywhere := func() address {
			return address{rapid.SampledFrom(rooms).Draw(t, "room"), protocol.EventID(fmt.Sprint(rapid.IntRange(0, 9).Draw(t, "event")))}
		}
		from, before := "", start
		for range rapid.IntRange(1, 12).Draw(t, "commits") {
			b.now = start.Add(time.Duration(rapid.IntRange(-3, 3).Draw(t, "clock")))
			b.commit(func(c *Commit) {
				for range rapid.IntRange(0, 6).Draw(t, "steps") {
					if rapid.IntRange(0, 4).Draw(t, "kind") > 0 {
						a, d := anywhere(), Disposition(rapid.IntRange(1, 5).Draw(t, "disposition"))
						c.Record(a.room, a.event, d, "r")
						at := c.Now()
						if was, ok := known[a]; ok {
							at = was.Time
						}
						known[a] = Seen{at, d, "r"}
						continue
					}
					if from == "" { // the bound of a sweep stays until it is through
						before = start.Add(time.Duration(rapid.IntRange(-5, 12).Draw(t, "before")))
					}
					from, _ = c.SweepSeen(before, from, rapid.IntRange(1, 5).Draw(t, "limit"))
					maps.DeleteFunc(known, func(a address, was Seen) bool {
						gone := c.Seen(a.room, a.event).Disposition == Unseen
						if gone && (!was.Time.Before(before) || was.Time.Equal(c.Now())) {
							t.Fatalf("%v of %v was swept before %v", a, was.Time, before)
						}
						return gone
					})
				}
			})
			if rapid.Bool().Draw(t, "reopen") {
				b.reopen()
			}
			b.view(func(tx *Tx) {
				for _, room := range rooms {
					for e := range 10 {
						a := address{room, protocol.EventID(fmt.Sprint(e))}
						if got := tx.Seen(a.room, a.event); got != known[a] {
							t.Fatalf("%v is %+v, the model has %+v", a, got, known[a])
						}
					}
				}
			})
		}
		// A whole sweep leaves nothing older.
		limit := rapid.IntRange(1, 5).Draw(t, "last limit")
		b.commit(func(c *Commit) {
			for next, more := "", true; more; more = next != "" {
				next, _ = c.SweepSeen(c.Now(), next, limit)
			}
		})
		b.view(func(tx *Tx) {
			for k := range tx.Range(seen, "", "") {
				t.Fatalf("%q is left", k)
			}
		})
	})
}
