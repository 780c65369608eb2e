package store

import (
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"moot/protocol"
)

func toSend(key protocol.Key, lane string) Entry {
	return Entry{Key: key, Lane: lane, Payload: []byte(`{"key":"` + string(key) + `"}`)}
}

func enqueue(b *box, c *Commit, entries ...Entry) {
	b.t.Helper()
	b.in(c, "s", func(tx *Tx) {
		for _, e := range entries {
			tx.Enqueue(e)
		}
	})
}

// keysOf returns the keys in a lane, in order.
func keysOf(tx *Tx, lane string, from uint64) (keys []protocol.Key) {
	for q := range tx.Queue(lane, from) {
		keys = append(keys, q.Key)
	}
	return keys
}

// nested are lanes whose names are prefixes of one another, also by what a number looks like.
var nested = []string{
	"c:a", "c:a!", "c:ab", "c:a" + Sep, "c:a" + Sep + Number(1), "c:a" + Sep + "b", "c:", "\x7f",
	"c:a" + Sep + Number(2) + Sep,
}

func TestLanes(t *testing.T) {
	b := newBox(t)
	want := map[string][]protocol.Key{}
	for i := range 3 {
		b.commit(func(c *Commit) {
			for j, lane := range nested {
				key := protocol.Key(fmt.Sprintf("k%d-%d", i, j))
				enqueue(b, c, toSend(key, lane))
				want[lane] = append(want[lane], key)
			}
			if i == 1 { // 300 in one lane: its numbers cross a byte
				for n := range 300 {
					key := protocol.Key(fmt.Sprintf("many%d", n))
					enqueue(b, c, toSend(key, "c:a"))
					want["c:a"] = append(want["c:a"], key)
				}
			}
			for lane, keys := range want {
				if got := keysOf(c.Read(), lane, 0); !slices.Equal(got, keys) {
					t.Errorf("within the commit lane %q has %q, want %q", lane, got, keys)
				}
			}
		})
		b.reopen()
	}
	b.view(func(tx *Tx) {
		for lane, keys := range want {
			if got := keysOf(tx, lane, 0); !slices.Equal(got, keys) {
				t.Errorf("lane %q has %q, want %q", lane, got, keys)
			}
			half := tx.Delivery(keys[len(keys)/2]).Number
			if got := keysOf(tx, lane, half); !slices.Equal(got, keys[len(keys)/2:]) {
				t.Errorf("lane %q has %q from %d on", lane, got, half)
			}
		}
		middle, all := tx.Delivery("many100").Number, keysOf(tx, "", 0)
		if len(all) != 3*len(nested)+300 {
			t.Errorf("all lanes have %d entries", len(all))
		}
		for _, key := range all {
			later := tx.Delivery(key).Number >= middle
			if slices.Contains(keysOf(tx, "", middle), key) != later {
				t.Errorf("%q has the number %d and is listed wrongly from %d on", key, tx.Delivery(key).Number, middle)
				break
			}
		}
		if len(keysOf(tx, "nobody", 0)) != 0 {
			t.Error("a lane that nobody used has entries")
		}
	})
}

func TestEnqueueOnce(t *testing.T) {
	b := newBox(t)
	first, second := toSend("k", "lane"), toSend("k", "other")
	check := func(c *Commit, where string, want ...string) {
		t.Helper()
		enqueue(b, c, second)
		var got []string
		for _, q := range c.TakeQueued() {
			got = append(got, string(q.Key)+" in "+q.Lane)
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: enqueued %q, want %q", where, got, want)
		}
		if q := c.TakeQueued(); len(q) != 0 {
			t.Errorf("%s: taken again: %+v", where, q)
		}
	}
	b.commit(func(c *Commit) {
		enqueue(b, c, first, second)
		check(c, "in the same commit", "k in lane")
	})
	b.reopen()
	b.commit(func(c *Commit) {
		check(c, "in a later commit")
		q, ok := c.Queued("k")
		if !ok || q.Lane != "lane" {
			t.Fatalf("it is %+v", q)
		}
		c.Finish(q, StateSent, protocol.Ref{Room: "c:r", Event: "e"}, "")
		check(c, "in the commit that ends it")
	})
	b.commit(func(c *Commit) {
		check(c, "after its end")
		c.SweepSent(c.Now(), "", 10)
		check(c, "after it was swept", "k in other")
	})
	b.view(func(tx *Tx) {
		if s := tx.Delivery("k"); s.State != StateQueued || s.Lane != "other" || s.Number != 2 {
			t.Errorf("it is %+v", s)
		}
	})
}

func TestLifeOfAnEntry(t *testing.T) {
	b := newBox(t)
	cause := protocol.Ref{Room: "c:r", Event: "cause"}
	e := Entry{
		Key: "k", Lane: "lane", Message: "m", Edit: true, Expires: start.Add(time.Hour).In(
			time.FixedZone("", 3600),
		), Cause: cause,
		Payload: []byte(`{"text":"<&>` + "\u2028" + `","n":12345678901234567890}`),
	}
	b.commit(func(c *Commit) { enqueue(b, c, e) })
	b.reopen()
	look := func() (got Queued) {
		t.Helper()
		b.commit(func(c *Commit) { got, _ = c.Queued("k") })
		return got
	}
	q := look()
	if q.Number != 1 || !q.Created.Equal(start) || q.Message != "m" || !q.Edit ||
		!q.Expires.Equal(e.Expires) || q.Cause != cause {
		t.Errorf("queued %+v", q)
	}
	var first time.Time
	b.commit(func(c *Commit) { q, first = c.Begin(q), c.Now() })
	if got := look(); got.Attempts != 1 || !got.First.Equal(first) || !got.Due.IsZero() {
		t.Errorf("begun %+v", got)
	}
	due := start.Add(time.Hour)
	b.commit(func(c *Commit) { q = c.Postpone(q, due, "no\nroute "+strings.Repeat("x", 400)) })
	if got := look(); !got.Due.Equal(due) || !strings.HasPrefix(
		got.Fault, "no route xxx",
	) || len([]rune(got.Fault)) != 300 {
		t.Errorf("postponed %+v", got)
	}
	b.commit(func(c *Commit) { q = c.Begin(q) })
	if got := look(); got.Attempts != 2 || !got.First.Equal(first) || !got.Due.IsZero() {
		t.Errorf("begun again %+v", got)
	}
	var end time.Time
	b.commit(func(c *Commit) { c.Finish(q, StateAmbiguous, protocol.Ref{}, "who\nknows"); end = c.Now() })
	b.reopen()
	want := Delivery{
		Key: "k", State: StateAmbiguous, Lane: "lane", Number: 1, Reason: "who knows", Cause: cause,
		Time: end, Attempts: 2,
	}
	b.view(func(tx *Tx) {
		if got := tx.Delivery("k"); got != want {
			t.Errorf("it ended as %+v, want %+v", got, want)
		}
		if s := tx.Delivery("unknown"); s != (Delivery{Key: "unknown"}) {
			t.Errorf("an unknown key is %+v", s)
		}
	})
	ref := protocol.Ref{Room: "c:r", Event: "there"}
	b.commit(func(c *Commit) {
		if _, ok := c.Queued("k"); ok {
			t.Error("it is still queued")
		}
		c.Echoed("k", ref)
		c.Echoed("unknown", ref)
		want.State, want.Ref, want.Reason, want.Time = StateSent, ref, "", c.Now()
	})
	b.commit(func(c *Commit) {
		c.Echoed("k", protocol.Ref{Event: "sent already"})
		enqueue(b, c, toSend("waits", "lane"))
		c.Echoed("waits", ref)
		if _, ok := c.Queued("waits"); !ok {
			t.Error("one that waits was settled")
		}
	})
	b.view(func(tx *Tx) {
		if got := tx.Delivery("k"); got != want {
			t.Errorf("it was settled as %+v, want %+v", got, want)
		}
		if got := tx.Delivery("unknown"); got.State != StateSent || got.Ref != ref {
			t.Errorf("one that was never enqueued was settled as %+v", got)
		}
	})
	b.commit(func(c *Commit) {
		enqueue(b, c, toSend("unknown", "lane"))
		if _, ok := c.Queued("unknown"); ok {
			t.Error("what was sent by a life that is lost is sent again")
		}
	})
}

// TestDoubt: what is enqueued while the commit doubts, and what waits, carries since when it may stand in the network.
func TestDoubt(t *testing.T) {
	b := newTinyBox(t)
	doubts := func() (all map[protocol.Key]time.Time) {
		all = map[protocol.Key]time.Time{}
		b.view(func(tx *Tx) {
			for q := range tx.Queue("", 0) {
				all[q.Key] = q.Doubt
			}
		})
		return all
	}
	var first time.Time
	b.commit(func(c *Commit) {
		first = c.Now()
		enqueue(b, c, toSend("before", "lane"))
		c.Doubt(start)
		enqueue(b, c, toSend("doubtful", "lane"))
		c.Doubt(time.Time{})
		enqueue(b, c, toSend("after", "lane"))
	})
	if got := doubts(); !got["before"].IsZero() || !got["doubtful"].Equal(start) || !got["after"].IsZero() {
		t.Errorf("the doubts are %v", got)
	}
	b.commit(func(c *Commit) {
		if n := c.DoubtQueued(); n != 3 {
			t.Errorf("%d wait", n)
		}
	})
	if got := doubts(); !got["before"].Equal(first) || !got["after"].Equal(first) {
		t.Errorf("the doubts of what waits are %v", got)
	}
}

// TestPayloadMeansTheSame: JSON may be spelled anew, but its numbers and texts stay.
func TestPayloadMeansTheSame(t *testing.T) {
	b := newBox(t)
	payload := `{"text":"<&>` + "\u2028\U0001F600" + `","n":12345678901234567890}`
	b.run("s", func(tx *Tx) { tx.Enqueue(Entry{Key: "k", Lane: "l", Payload: []byte(payload)}) })
	b.commit(func(c *Commit) {
		q, _ := c.Queued("k")
		c.Begin(q)
		want := `{"text":"\u003c\u0026\u003e\u2028` + "\U0001F600" + `","n":12345678901234567890}`
		if q, _ = c.Queued("k"); string(q.Payload) != want {
			t.Errorf("payload %s", q.Payload)
		}
	})
}

// TestFarExpiry: what JSON cannot write must not stop a commit.
func TestFarExpiry(t *testing.T) {
	b := newBox(t)
	b.run("s", func(tx *Tx) {
		for i, at := range []time.Time{{}, time.Unix(1<<50, 0), start.In(time.FixedZone("", 30*3600))} {
			e := toSend(protocol.Key(fmt.Sprint(i)), "l")
			e.Expires = at
			tx.Enqueue(e)
		}
	})
	b.view(func(tx *Tx) {
		q := slices.Collect(tx.Queue("l", 0))
		if len(q) != 3 || !q[0].Expires.IsZero() || !q[1].Expires.IsZero() || !q[2].Expires.Equal(start) {
			t.Errorf("queued %+v", q)
		}
	})
}

// TestFinishWhileRanging: a lane may be emptied while it is walked through, also in the commit that
// filled it.
func TestFinishWhileRanging(t *testing.T) {
	b := newBox(t)
	ended := 0
	b.commit(func(c *Commit) {
		for i := range 100 {
			enqueue(b, c, toSend(protocol.Key(fmt.Sprint("old", i)), "l"))
		}
	})
	b.commit(func(c *Commit) {
		for i := range 100 {
			enqueue(b, c, toSend(protocol.Key(fmt.Sprint("new", i)), "l"))
		}
		last := uint64(0)
		for q := range c.Read().Queue("l", 0) {
			if q.Number <= last {
				t.Fatalf("%d after %d", q.Number, last)
			}
			last = q.Number
			c.Finish(q, StateEnded, protocol.Ref{}, "left")
			enqueue(b, c, toSend(q.Key+"-answer", "m"))
			ended++
		}
	})
	if ended != 200 {
		t.Errorf("%d of 200 ended", ended)
	}
	b.view(func(tx *Tx) {
		if l, m := keysOf(tx, "l", 0), keysOf(tx, "m", 0); len(l) != 0 || len(m) != 200 {
			t.Errorf("%d left, %d answers", len(l), len(m))
		}
	})
}

func TestRecentlySent(t *testing.T) {
	b := newBox(t)
	for i := range 300 {
		b.Commit(b.now.Add(time.Duration(i)), func(c *Commit) error { //nolint:errcheck // the order below tells
			enqueue(b, c, toSend(protocol.Key(fmt.Sprintf("k%03d", i)), "l"))
			return nil
		})
	}
	b.commit(func(c *Commit) {
		q, _ := c.Queued("k007")
		c.Finish(q, StateSent, protocol.Ref{}, "")
	})
	b.view(func(tx *Tx) {
		var got []string
		for s := range tx.RecentDeliveries() {
			got = append(got, string(s.Key))
			if s.State != tx.Delivery(s.Key).State {
				t.Errorf("%+v", s)
			}
		}
		var want []string
		for i := range 300 {
			if i != 7 {
				want = append(want, fmt.Sprintf("k%03d", i))
			}
		}
		slices.Reverse(want)
		if !slices.Equal(got, append([]string{"k007"}, want...)) {
			t.Errorf("recently sent: %q", got)
		}
	})
}

func TestSweepSent(t *testing.T) {
	b := newBox(t)
	var before time.Time
	want := map[protocol.Key]bool{} // what is to stay
	for i := range 10 {
		b.commit(func(c *Commit) {
			if i == 7 {
				before = c.Now()
			}
			for j := range 20 {
				key := protocol.Key(fmt.Sprintf("k%d-%d", i, j))
				enqueue(b, c, toSend(key, "l"))
				if waits := j%4 == 0 || i == 3; !waits {
					q, _ := c.Queued(key)
					c.Finish(q, StateSent, protocol.Ref{}, "")
				}
				want[key] = i >= 7 || j%4 == 0 || i == 3
			}
		})
	}
	from, total := "", 0
	for step := 0; step == 0 || from != ""; step++ {
		b.commit(func(c *Commit) {
			next, swept := c.SweepSent(before, from, 7)
			if swept > 7 || next != "" && next <= from {
				t.Fatalf("%d swept from %q to %q", swept, from, next)
			}
			// An entry that waits ends behind the place where the sweep is.
			if q, ok := c.Queued(protocol.Key(fmt.Sprintf("k%d-0", step%3))); ok && step > 20 {
				c.Finish(q, StateFailed, protocol.Ref{}, "late")
			}
			from, total = next, total+swept
		})
		if step > 100 {
			t.Fatal("it goes on for ever")
		}
	}
	b.view(func(tx *Tx) {
		gone := 0
		for key, stays := range want {
			if !stays {
				gone++
			}
			if (tx.Delivery(key).State != "") != stays {
				t.Errorf("%s is %+v; it was to stay: %v", key, tx.Delivery(key), stays)
			}
		}
		if gone != total {
			t.Errorf("%d were swept, %d are gone", total, gone)
		}
	})
}

// TestSweepSentInItsOwnCommit: the sweep deletes from what it walks through.
func TestSweepSentInItsOwnCommit(t *testing.T) {
	b := newBox(t)
	b.commit(func(c *Commit) {
		for i := range 500 {
			key := protocol.Key(fmt.Sprintf("k%03d", i))
			enqueue(b, c, toSend(key, "l"))
			q, _ := c.Queued(key)
			c.Finish(q, StateSent, protocol.Ref{}, "")
		}
		if next, swept := c.SweepSent(c.Now().Add(1), "", 1000); next != "" || swept != 500 {
			t.Errorf("%d swept, next is %q", swept, next)
		}
	})
	b.view(func(tx *Tx) {
		for s := range tx.RecentDeliveries() {
			t.Fatalf("%+v is left", s)
		}
	})
}

// TestOutboxModel races the outbox against plain maps.
func TestOutboxModel(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	rapid.Check(t, func(t *rapid.T) {
		path := filepath.Join(dir, "outbox.db")
		remove(path)
		b := openBox(t, path)
		defer func() { b.Close() }()
		states, lanes := map[protocol.Key]State{}, map[string][]protocol.Key{}
		for range rapid.IntRange(1, 10).Draw(t, "commits") {
			b.commit(func(c *Commit) {
				for range rapid.IntRange(0, 8).Draw(t, "steps") {
					key := protocol.Key(rapid.SampledFrom([]string{"a", "b", "c", "d", "e", "ab"}).Draw(t, "key"))
					q, ok := c.Queued(key)
					if ok != (states[key] == StateQueued) {
						t.Fatalf("%s is queued: %v, the model has %q", key, ok, states[key])
					}
					switch do := rapid.SampledFrom(
						[]string{"enqueue", "enqueue", "begin", "finish", "settle", "sweep"},
					).Draw(t, "do"); {
					case do == "enqueue":
						lane := rapid.SampledFrom(nested).Draw(t, "lane")
						enqueue(b, c, toSend(key, lane))
						if states[key] == "" {
							states[key] = StateQueued
							lanes[lane] = append(lanes[lane], key)
						}
					case do == "sweep":
						c.SweepSent(c.Now().Add(1), "", 100)
						maps.DeleteFunc(states, func(_ protocol.Key, s State) bool { return s != StateQueued })
					case do == "settle":
						c.Echoed(key, protocol.Ref{})
						if states[key] != StateQueued {
							states[key] = StateSent
						}
					case do == "begin" && ok:
						if got := c.Postpone(c.Begin(q), c.Now(), "fault"); got.Attempts != q.Attempts+1 {
							t.Fatalf("attempts %d after %d", got.Attempts, q.Attempts)
						}
					case do == "finish" && ok:
						states[key] = rapid.SampledFrom(
							[]State{StateSent, StateFailed, StateAmbiguous},
						).Draw(t, "state")
						c.Finish(q, states[key], protocol.Ref{}, "")
						lanes[q.Lane] = slices.DeleteFunc(lanes[q.Lane], func(k protocol.Key) bool { return k == key })
					}
				}
			})
			if rapid.Bool().Draw(t, "reopen") {
				b.reopen()
			}
			b.view(func(tx *Tx) {
				for _, lane := range nested {
					if got := keysOf(tx, lane, 0); !slices.Equal(got, lanes[lane]) {
						t.Fatalf("lane %q has %q, the model has %q", lane, got, lanes[lane])
					}
				}
				known, last := map[protocol.Key]State{}, time.Time{}
				for s := range tx.RecentDeliveries() {
					if known[s.Key] = s.State; !last.IsZero() && s.Time.After(last) {
						t.Fatalf("%v after %v", s.Time, last)
					}
					last = s.Time
				}
				if !maps.Equal(known, states) {
					t.Fatalf("states %v, the model has %v", known, states)
				}
			})
		}
	})
}
