package store

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"moot/protocol"
)

// sepTime is a time whose bytes all are separators.
var sepTime = time.Unix(0, 0x1f1f1f1f1f1f1f1f).UTC()

func TestTimers(t *testing.T) {
	b := newBox(t)
	later, past := start.Add(time.Hour), start.Add(-time.Hour)
	b.run("c:a", func(tx *Tx) {
		tx.SetTimer("n", later, []byte("replaced"))
		tx.SetTimer("n", later.Add(1), []byte("replaced too"))
		tx.SetTimer("n", later, []byte("a"))
		tx.SetTimer("past", past, nil)
		tx.SetTimer("zero", time.Time{}, []byte("z"))
		tx.SetTimer("", later, []byte("no name"))
		tx.SetTimer("stopped", later, nil)
		tx.StopTimer("stopped")
		tx.StopTimer("never set")
		tx.In("c:ab").SetTimer("n", later, []byte("ab"))
		tx.In("c:b").SetTimer("n", sepTime, []byte("b"))
		if at := tx.Timer("n"); !at.Equal(later) || string(tx.TimerData("n")) != "a" {
			t.Errorf("within its run it goes off at %v with %q", at, tx.TimerData("n"))
		}
	})
	b.reopen()
	b.view(func(tx *Tx) {
		for _, c := range []struct {
			scope protocol.Scope
			name  string
			at    time.Time
			data  string
		}{
			{"c:a", "n", later, "a"}, {"c:a", "past", past, ""}, {
				"c:a", "zero", time.Unix(0, 0), "z",
			}, {"c:a", "", later, "no name"},
			{"c:ab", "n", later, "ab"}, {"c:b", "n", sepTime, "b"}, {
				"c:a", "stopped", time.Time{}, "",
			}, {"c:", "an", time.Time{}, ""},
		} {
			tx := tx.In(c.scope)
			if at := tx.Timer(c.name); !at.Equal(c.at) || string(tx.TimerData(c.name)) != c.data {
				t.Errorf("%q of %q goes off at %v with %q", c.name, c.scope, at, tx.TimerData(c.name))
			}
			if set := tx.TimerData(c.name) != nil; set == c.at.IsZero() {
				t.Errorf("%q of %q is set: %v", c.name, c.scope, set)
			}
		}
		if next := tx.NextTimer(); !next.Equal(time.Unix(0, 0)) {
			t.Errorf("the next one goes off at %v", next)
		}
	})
	due := func(now time.Time, limit int) (names []string) {
		b.now = now
		b.commit(func(c *Commit) {
			for _, timer := range c.Due(limit) {
				names = append(names, fmt.Sprintf("%s %s %s", timer.Scope, timer.Name, timer.Data))
			}
		})
		return names
	}
	for _, c := range []struct {
		now   time.Time
		limit int
		want  []string
	}{
		{start, 10, []string{"c:a zero z", "c:a past "}},
		{start, 1, []string{"c:a zero z"}},
		{start, 0, nil},
		{later, 10, []string{"c:a zero z", "c:a past ", "c:a  no name", "c:a n a", "c:ab n ab"}},
		// due at its very time
		{sepTime.Add(-1), 10, []string{"c:a zero z", "c:a past ", "c:a  no name", "c:a n a", "c:ab n ab"}},
		{sepTime, 5, []string{"c:a zero z", "c:a past ", "c:a  no name", "c:a n a", "c:ab n ab"}},
		{sepTime, 9, []string{"c:a zero z", "c:a past ", "c:a  no name", "c:a n a", "c:ab n ab", "c:b n b"}},
	} {
		if got := due(c.now, c.limit); !slices.Equal(got, c.want) {
			t.Errorf("at %v due: %q, want %q", c.now, got, c.want)
		}
	}
}

// TestFarTimer: a timer in a thousand years does not go off now, nor every millisecond.
func TestFarTimer(t *testing.T) {
	b := newBox(t)
	far := []time.Time{start.Add(math.MaxInt64), time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC), time.Unix(1<<60, 0)}
	b.run("s", func(tx *Tx) {
		for i, at := range far {
			tx.SetTimer(fmt.Sprint(i), at, nil)
		}
	})
	b.commit(func(c *Commit) {
		if due := c.Due(10); len(due) != 0 {
			t.Errorf("due: %+v", due)
		}
		if next := c.Read().NextTimer(); next.Before(start.AddDate(200, 0, 0)) {
			t.Errorf("the next one goes off at %v", next)
		}
	})
	b.run("s", func(tx *Tx) {
		for i := range far {
			tx.StopTimer(fmt.Sprint(i))
		}
		if next := tx.NextTimer(); !next.IsZero() {
			t.Errorf("one is left at %v", next)
		}
	})
}

// TestEndTimer: what was set anew while the timer went off stays.
func TestEndTimer(t *testing.T) {
	for _, c := range []struct {
		name string
		then func(tx *Tx)
		want time.Time
	}{
		{"nothing", func(*Tx) {}, time.Time{}},
		{"set later", func(tx *Tx) { tx.SetTimer("n", start.Add(time.Hour), []byte("new")) }, start.Add(time.Hour)},
		{"stopped", func(tx *Tx) { tx.StopTimer("n") }, time.Time{}},
		{
			"set in the past", func(tx *Tx) { tx.SetTimer("n", start.Add(-time.Hour), []byte("new")) },
			start.Add(-time.Hour),
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newBox(t)
			b.run("s", func(tx *Tx) {
				tx.SetTimer("n", start, []byte("old"))
				tx.In("s2").SetTimer("n", start, nil)
			})
			b.commit(func(commit *Commit) {
				due := commit.Due(1)
				if len(due) != 1 || due[0].Scope != "s" {
					t.Fatalf("due: %+v", due)
				}
				b.in(commit, "s", c.then)
				commit.EndTimer(due[0])
				commit.EndTimer(due[0]) // once more changes nothing
			})
			b.view(func(tx *Tx) {
				if at := tx.In("s").Timer("n"); !at.Equal(c.want) {
					t.Errorf("it goes off at %v, want %v", at, c.want)
				}
				if tx.In("s2").Timer("n").IsZero() {
					t.Error("the timer of another scope is gone")
				}
			})
		})
	}
}

// TestTimersModel races timers against a plain map.
func TestTimersModel(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	type name struct {
		scope protocol.Scope
		name  string
	}
	times := []time.Time{
		start, start.Add(1), start.Add(0x1f), start.Add(-time.Hour), start.Add(time.Hour), sepTime, time.Unix(0, 0),
		start.Truncate(1 << 8).Add(0x1f), start.Truncate(1 << 16).Add(0x1f00), start.Truncate(1 << 16).Add(0x1f1f),
	}
	rapid.Check(t, func(t *rapid.T) {
		path := filepath.Join(dir, "timers.db")
		remove(path)
		b := openBox(t, path)
		defer func() { b.Close() }()
		known := map[name]Timer{}
		order := func() []Timer {
			return slices.SortedFunc(maps.Values(known), func(x, y Timer) int {
				return cmp.Or(
					x.At.Compare(y.At),
					cmp.Compare(x.Scope+Sep+protocol.Scope(x.Name), y.Scope+Sep+protocol.Scope(y.Name)),
				)
			})
		}
		draw := func() name {
			return name{
				rapid.SampledFrom([]protocol.Scope{"s", "sa", "s ", "t"}).Draw(t, "scope"),
				rapid.SampledFrom([]string{"", "a", "ab", "b"}).Draw(t, "name"),
			}
		}
		for range rapid.IntRange(1, 8).Draw(t, "commits") {
			b.now = rapid.SampledFrom(times).Draw(t, "now")
			b.commit(func(c *Commit) {
				b.in(c, "s", func(tx *Tx) {
					for range rapid.IntRange(0, 8).Draw(t, "steps") {
						n := draw()
						if rapid.IntRange(0, 3).Draw(t, "stop") == 0 {
							tx.In(n.scope).StopTimer(n.name)
							delete(known, n)
							continue
						}
						timer := Timer{
							rapid.SampledFrom(times).Draw(t, "at"), n.scope, n.name,
							[]byte(fmt.Sprint(len(known))),
						}
						tx.In(n.scope).SetTimer(n.name, timer.At, timer.Data)
						known[n] = timer
					}
				})
				limit := rapid.IntRange(0, 5).Draw(t, "limit")
				want := slices.DeleteFunc(order(), func(x Timer) bool { return x.At.After(c.Now()) })
				want = want[:min(limit, len(want))]
				due := c.Due(limit)
				for i, x := range due {
					if i >= len(want) || !x.At.Equal(want[i].At) || x.Scope != want[i].Scope ||
						x.Name != want[i].Name || string(x.Data) != string(want[i].Data) {
						t.Fatalf("at %v due: %v, the model has %v", c.Now(), due, want)
					}
					if rapid.Bool().Draw(t, "end") {
						c.EndTimer(x)
						delete(known, name{x.Scope, x.Name})
					}
				}
				if len(due) != len(want) {
					t.Fatalf("at %v due: %v, the model has %v", c.Now(), due, want)
				}
			})
			if rapid.Bool().Draw(t, "reopen") {
				b.reopen()
			}
			b.view(func(tx *Tx) {
				var next time.Time
				if all := order(); len(all) > 0 {
					next = all[0].At
				}
				if got := tx.NextTimer(); !got.Equal(next) {
					t.Fatalf("the next goes off at %v, the model has %v", got, next)
				}
				n := 0
				for range tx.Range(timers, "", "") {
					n++
				}
				for _, x := range known {
					if at := tx.In(x.Scope).Timer(x.Name); !at.Equal(x.At) || string(
						tx.In(x.Scope).TimerData(x.Name),
					) != string(x.Data) {
						t.Fatalf("%q of %q goes off at %v, the model has %v", x.Name, x.Scope, at, x.At)
					}
				}
				if n != len(known) {
					t.Fatalf("%d timers, the model has %d", n, len(known))
				}
			})
		}
	})
}
