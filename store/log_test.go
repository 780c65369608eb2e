package store

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"moot/protocol"
)

// terms that begin alike, also by what a number looks like.
var terms = []string{
	"vote", "vote" + Sep, "vote" + Sep + "room", "vote" + Sep + Number(1), "votes", "v", Sep, "\xff",
	"vote" + Sep + Number(2) + Sep + "x",
}

func TestLog(t *testing.T) {
	b := newBox(t)
	for i := range 600 { // numbers cross a byte twice
		if i%100 == 0 {
			b.reopen()
		}
		err := b.Commit(b.now, func(c *Commit) error {
			return c.Run("s", none, func(tx *Tx) error {
				if n := tx.NextFact(); n != uint64(i+1) {
					t.Fatalf("the next number is %d, want %d", n, i+1)
				}
				tx.Append([]byte(fmt.Sprint(i+1)), "all", "all", terms[i%len(terms)])
				if tx.Fact(uint64(i+1)) != nil {
					t.Fatal("a record is read before its commit")
				}
				return nil
			})
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	numbers := func(term string, from, to uint64) (all []uint64) {
		for n := max(from, 1); n <= 600 && (to == 0 || n < to); n++ {
			if term == "all" || terms[int(n-1)%len(terms)] == term {
				all = append(all, n)
			}
		}
		return all
	}
	ends := []uint64{0, 1, 2, 10, 255, 256, 257, 599, 600, 601, 1 << 40, 1<<64 - 1}
	b.view(func(tx *Tx) {
		for _, term := range append([]string{"all", "nothing", "al"}, terms...) {
			for _, from := range ends {
				for _, to := range ends {
					want := numbers(term, from, to)
					if term == "nothing" || term == "al" {
						want = nil
					}
					if got := slices.Collect(tx.Indexed(term, from, to, false)); !slices.Equal(got, want) {
						t.Fatalf("%q from %d to %d: %d, want %d", term, from, to, got, want)
					}
					slices.Reverse(want)
					if got := slices.Collect(tx.Indexed(term, from, to, true)); !slices.Equal(got, want) {
						t.Fatalf("%q backward from %d to %d: %d, want %d", term, from, to, got, want)
					}
				}
			}
		}
		for _, from := range ends {
			want := numbers("all", from, 0)
			for n, data := range tx.Log(from) {
				if len(want) == 0 || n != want[0] || string(data) != fmt.Sprint(n) ||
					string(tx.Fact(n)) != fmt.Sprint(n) {
					t.Fatalf("from %d: record %d is %q, want %v", from, n, data, want)
				}
				want = want[1:]
			}
			if len(want) != 0 {
				t.Fatalf("from %d: %d are missing", from, want)
			}
		}
		for range tx.Indexed("all", 0, 0, false) { // a walk may stop
			break
		}
	})
}

func TestDropRecord(t *testing.T) {
	b := newBox(t)
	b.run("s", func(tx *Tx) {
		for i := range 4 {
			tx.Append([]byte{byte(i)}, "p", fmt.Sprint("p", i))
		}
		tx.Append(nil) // neither data nor terms
		tx.DropFact(1, "p")
	})
	b.run("s", func(tx *Tx) {
		if tx.Fact(1) == nil || tx.Fact(5) == nil {
			t.Error("a record without a number was dropped, or one without data is none")
		}
		tx.DropFact(1, "p", "p0", "p3", "nothing")
		tx.DropFact(2)
		tx.DropFact(2, "p", "p1") // it is not there any more
		tx.DropFact(99, "p")
		tx.DropFact(0, "p")
		if tx.Fact(1) != nil || tx.Fact(2) != nil {
			t.Error("a dropped record is read in its own run")
		}
	})
	b.reopen()
	b.run("s", func(tx *Tx) { tx.Append(nil, "p") })
	b.view(func(tx *Tx) {
		if got := slices.Collect(tx.Indexed("p", 0, 0, false)); !slices.Equal(got, []uint64{2, 3, 4, 6}) {
			t.Errorf("listed: %d", got)
		}
		if p0, p1 := slices.Collect(
			tx.Indexed("p0", 0, 0, false),
		), slices.Collect(tx.Indexed("p1", 0, 0, true)); len(p0) != 0 || len(p1) != 1 {
			t.Errorf("listed: %d and %d", p0, p1)
		}
		var got []uint64
		for n := range tx.Log(0) {
			got = append(got, n)
		}
		if !slices.Equal(got, []uint64{3, 4, 5, 6}) || tx.NextFact() != 7 {
			t.Errorf("in the log: %d, the next is %d", got, tx.NextFact())
		}
	})
	// All dropped: numbers are not given again.
	b.run("s", func(tx *Tx) {
		for n := range tx.Log(0) {
			tx.DropFact(n, "p")
		}
		tx.Append([]byte("x"))
	})
	b.view(func(tx *Tx) {
		if tx.NextFact() != 8 || string(tx.Fact(7)) != "x" {
			t.Errorf("the next is %d", tx.NextFact())
		}
	})
}

// TestLogModel races the log against a slice.
func TestLogModel(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	type record struct {
		index   []string
		dropped bool
		forgot  bool
	}
	rapid.Check(t, func(t *rapid.T) {
		path := filepath.Join(dir, "log.db")
		remove(path)
		b := openBox(t, path)
		defer func() { b.Close() }()
		log := []record{{dropped: true, forgot: true}} // numbers count from 1
		for range rapid.IntRange(1, 8).Draw(t, "commits") {
			b.commit(func(c *Commit) {
				for range rapid.IntRange(0, 3).Draw(t, "runs") {
					fails := rapid.IntRange(0, 3).Draw(t, "fails") == 0
					next := slices.Clone(log)
					err := c.Run("s", none, func(tx *Tx) error {
						for range rapid.IntRange(0, 4).Draw(t, "appends") {
							r := record{index: rapid.SliceOfN(rapid.SampledFrom(terms), 0, 3).Draw(t, "index")}
							tx.Append([]byte(strings.Join(r.index, "|")), r.index...)
							next = append(next, r)
						}
						n, forget := rapid.IntRange(0, len(log)).Draw(t, "drop"), rapid.Bool().Draw(t, "forget")
						if forget && n < len(log) {
							tx.DropFact(uint64(n), log[n].index...)
						} else {
							tx.DropFact(uint64(n))
						}
						if n < len(log) && !next[n].dropped {
							next[n].dropped, next[n].forgot = true, forget
						}
						if fails {
							tx.Put(plainA, "", nil)
						}
						return nil
					})
					reraise(err)
					if (err != nil) != fails {
						t.Fatal(err)
					}
					if !fails {
						log = next
					}
				}
			})
			if rapid.Bool().Draw(t, "reopen") {
				b.reopen()
			}
			b.view(func(tx *Tx) {
				if tx.NextFact() != uint64(len(log)) {
					t.Fatalf("the next is %d, the model has %d", tx.NextFact(), len(log))
				}
				for n, r := range log {
					if data := tx.Fact(uint64(n)); (data == nil) != r.dropped ||
						data != nil && string(data) != strings.Join(r.index, "|") {
						t.Fatalf("record %d is %q, the model has %+v", n, data, r)
					}
				}
				from, to := uint64(
					rapid.IntRange(0, len(log)).Draw(t, "from"),
				), uint64(rapid.IntRange(0, len(log)).Draw(t, "to"))
				for _, p := range terms {
					var want []uint64
					for n, r := range log {
						n := uint64(n)
						if slices.Contains(r.index, p) && !r.forgot && n >= from && (to == 0 || n < to) {
							want = append(want, n)
						}
					}
					forward, backward := slices.Collect(
						tx.Indexed(p, from, to, false),
					), slices.Collect(tx.Indexed(p, from, to, true))
					slices.Reverse(backward)
					if !slices.Equal(forward, want) || !slices.Equal(backward, want) {
						t.Fatalf(
							"%q from %d to %d: %d, backward %d, the model has %d", p, from, to, forward,
							backward, want,
						)
					}
				}
			})
		}
	})
}

func TestCursors(t *testing.T) {
	b := newBox(t)
	b.commit(func(c *Commit) {
		c.SetCursor(protocol.Cursor{Name: "a", Value: "1"})
		c.SetCursor(protocol.Cursor{Name: "empty"})
		b.in(c, "s", func(tx *Tx) { tx.SetCursor(protocol.Cursor{Name: "b", Value: tx.Cursor("a") + "2"}) })
		c.SetCursor(protocol.Cursor{Value: "no name"})
	})
	b.reopen()
	for name, want := range map[string]string{"a": "1", "b": "12", "empty": "", "none": "", "": ""} {
		if got, err := b.Cursor(name); got != want || err != nil {
			t.Errorf("cursor %q is %q (%v)", name, got, err)
		}
	}
}

func TestLetters(t *testing.T) {
	b := newBox(t)
	sample := func(at time.Time, body protocol.Body) Letter {
		return Letter{
			Scope: "s", Error: "boom", Stack: "stack", Tries: 1,
			Event: protocol.Event{Room: "c:r", ID: "e", Sender: "c:u", Time: at, Body: body},
		}
	}
	far := time.UnixMilli(1 << 60) // a network may tell any time
	letters := []Letter{
		sample(start, protocol.Message{Text: "hi \xff\x00"}),
		sample(far, protocol.Message{Text: "from the future"}),
		sample(time.UnixMilli(-1<<60), protocol.Message{Text: "from the past"}),
		sample(start.In(time.FixedZone("", 50*3600)), protocol.Message{Text: "odd zone"}),
		sample(start, nil),
		sample(start, protocol.MemberList{Members: []protocol.Member{{User: "c:u", Since: far}}}),
		sample(
			start,
			protocol.RoomChange{
				Changes: []protocol.Change{protocol.Renamed{Name: "n"}, protocol.Upgraded{Successor: "c:r2"}},
			},
		),
		sample(start, protocol.Answer{Ask: "k", Result: protocol.Restrained{User: "c:u", On: true}}),
	}
	b.commit(func(c *Commit) {
		for i, l := range letters {
			if got, _ := c.Bury(l); got.ID != uint64(i+1) || !got.Time.Equal(c.Now()) {
				t.Errorf("buried %+v", got)
			}
		}
		if !c.WantRetry(3) || c.WantRetry(99) || c.WantRetry(0) {
			t.Error("WantRetry is wrong")
		}
	})
	b.reopen()
	b.commit(func(c *Commit) {
		l, ok := c.Read().Letter(1)
		if !ok {
			t.Fatal("it is gone")
		}
		l.Tries++
		if again, _ := c.Bury(l); again.ID != 1 {
			t.Errorf("buried again as %d", again.ID)
		}
		c.DropLetter(2)
		b.in(c, "s", func(tx *Tx) { tx.DropLetter(7) })
	})
	b.view(func(tx *Tx) {
		var ids []uint64
		for l := range tx.Letters(2) {
			ids = append(ids, l.ID)
			if l.Event.Room != "c:r" || l.Event.ID != "e" || l.Event.Sender != "c:u" || l.Scope != "s" ||
				l.Stack != "stack" || l.Retry != (l.ID == 3) {
				t.Errorf("letter %+v", l)
			}
			body := fmt.Sprint(letters[l.ID-1].Event.Body)
			lost := strings.Contains(l.Error, "could not be kept")
			if lost != (l.ID == 6) || !lost && fmt.Sprint(l.Event.Body) != body {
				t.Errorf("letter %d has the body %v and the error %q, want %v", l.ID, l.Event.Body, l.Error, body)
			}
		}
		if !slices.Equal(ids, []uint64{3, 4, 5, 6, 8}) {
			t.Errorf("letters %d", ids)
		}
		if l, ok := tx.Letter(1); !ok || l.Tries != 2 ||
			l.Event.Body.(protocol.Message).Text != "hi \ufffd\x00" || !l.Event.Time.Equal(start) {
			t.Errorf("letter %+v", l)
		}
		if l, _ := tx.Letter(3); !l.Event.Time.IsZero() {
			t.Errorf("a time before all times became %v", l.Event.Time)
		}
		if _, ok := tx.Letter(2); ok {
			t.Error("a dropped letter is there")
		}
	})
}
