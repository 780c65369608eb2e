package store

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"moot/protocol"
)

var none protocol.Ref

func TestRules(t *testing.T) {
	b := newBox(t)
	before := dump(t, b.Store)
	long := strings.Repeat("k", maxKey+1)
	entry := Entry{Key: "key", Lane: "lane", Payload: []byte("{}")}
	for name, rule := range map[string]struct {
		want error
		do   func(*Tx)
	}{
		"empty key":               {ErrKey, func(tx *Tx) { tx.Put(plainA, "", []byte("v")) }},
		"delete of an empty key":  {ErrKey, func(tx *Tx) { tx.Delete(plainA, "") }},
		"long key":                {ErrKey, func(tx *Tx) { tx.Put(plainA, long, nil) }},
		"another scope":           {ErrScope, func(tx *Tx) { tx.Put(scopedC, "t"+Sep+"x", nil) }},
		"a longer scope":          {ErrScope, func(tx *Tx) { tx.Put(scopedC, "sa", nil) }},
		"a shorter scope":         {ErrScope, func(tx *Tx) { tx.In("sa").Put(scopedC, "s", nil) }},
		"delete in another scope": {ErrScope, func(tx *Tx) { tx.Delete(scopedC, "t") }},
		"no scope":                {ErrScope, func(tx *Tx) { tx.In("").Put(scopedC, "s", nil) }},
		"no scope, a separator":   {ErrScope, func(tx *Tx) { tx.In("").Put(scopedC, Sep+"s", nil) }},
		"timer without a scope":   {ErrKey, func(tx *Tx) { tx.In("").SetTimer("x", start, nil) }},
		"timer, separator":        {ErrKey, func(tx *Tx) { tx.SetTimer("a"+Sep+"b", start, nil) }},
		"timer, scope separator":  {ErrKey, func(tx *Tx) { tx.In("a"+Sep+"b").SetTimer("x", start, nil) }},
		"timer, long name":        {ErrKey, func(tx *Tx) { tx.SetTimer(strings.Repeat("n", 201), start, nil) }},
		"timer, long scope":       {ErrKey, func(tx *Tx) { tx.In(protocol.Scope(long)).SetTimer("x", start, nil) }},
		"entry without a key":     {ErrKey, func(tx *Tx) { e := entry; e.Key = ""; tx.Enqueue(e) }},
		"entry without a lane":    {ErrKey, func(tx *Tx) { e := entry; e.Lane = ""; tx.Enqueue(e) }},
		"entry, long lane":        {ErrKey, func(tx *Tx) { e := entry; e.Lane = long; tx.Enqueue(e) }},
		"entry, bad lane":         {ErrKey, func(tx *Tx) { e := entry; e.Lane = "\xff"; tx.Enqueue(e) }},
		"entry without a payload": {nil, func(tx *Tx) { e := entry; e.Payload = nil; tx.Enqueue(e) }},
		"entry, bad payload":      {nil, func(tx *Tx) { e := entry; e.Payload = []byte("{"); tx.Enqueue(e) }},
		"long cursor":             {ErrKey, func(tx *Tx) { tx.SetCursor(protocol.Cursor{Name: long}) }},
	} {
		t.Run(name, func(t *testing.T) {
			b.commit(func(c *Commit) {
				err := c.Run("s", none, func(tx *Tx) error {
					tx.Put(plainA, "trace", []byte("left"))
					tx.Put(scopedC, "s", []byte("left"))
					tx.Append(nil, "left")
					tx.Enqueue(Entry{Key: "left", Lane: "l", Payload: []byte("1")})
					rule.do(tx)
					first := tx.Err()
					if first == nil {
						t.Error("no error while the function runs")
					}
					tx.In("t").Put(plainA, "", nil) // a second error changes nothing, nor does a good write
					tx.Put(plainA, "fine", nil)
					if tx.Err() != first || tx.In("u").Err() != first {
						t.Errorf("the error was %v and is now %v", first, tx.Err())
					}
					return nil
				})
				if err == nil || rule.want != nil && !errors.Is(err, rule.want) {
					t.Errorf("error %v", err)
				}
			})
			same(t, b.Store, before)
		})
	}
}

func TestKeysAtTheLimit(t *testing.T) {
	b := newBox(t)
	long := strings.Repeat("k", maxKey)
	b.run("s", func(tx *Tx) {
		tx.Put(plainA, long, []byte("v"))
		tx.Put(scopedC, "s"+Sep, []byte("v"))
		tx.Append(nil, long+long, "")
		tx.In(protocol.Scope(long[:maxKey-256])).SetTimer(strings.Repeat("n", 200), start, nil)
		tx.Enqueue(Entry{Key: protocol.Key(long[:2000]), Lane: long[:maxKey-64-2000], Payload: []byte("1")})
	})
	b.reopen()
	b.view(func(tx *Tx) {
		if !tx.Has(plainA, long) || !tx.Has(scopedC, "s"+Sep) || tx.Delivery(
			protocol.Key(long[:2000]),
		).State != StateQueued {
			t.Error("a key at the limit was lost")
		}
	})
}

func TestReadOnlyRule(t *testing.T) {
	b := newBox(t)
	b.run("s", func(tx *Tx) { tx.Put(plainA, "k", []byte("v")) })
	before := dump(t, b.Store)
	for name, write := range map[string]func(*Tx){
		"put":    func(tx *Tx) { tx.Put(plainA, "k", nil) },
		"delete": func(tx *Tx) { tx.In("s").Delete(plainA, "k") },
		"append": func(tx *Tx) { tx.Append(nil) }, "drop": func(tx *Tx) { tx.DropFact(1) },
		"enqueue": func(tx *Tx) { tx.Enqueue(Entry{}) }, "tell": func(tx *Tx) { tx.Tell("s", protocol.Internal{}) },
		"set timer":  func(tx *Tx) { tx.In("s").SetTimer("n", start, nil) },
		"stop timer": func(tx *Tx) { tx.StopTimer("n") },
		"cursor":     func(tx *Tx) { tx.SetCursor(protocol.Cursor{Name: "c"}) },
		"letter":     func(tx *Tx) { tx.DropLetter(1) },
	} {
		err := b.View(func(tx *Tx) error { write(tx); return nil })
		if !errors.Is(err, ErrReadOnly) {
			t.Errorf("%s in a view: %v", name, err)
		}
		b.commit(func(c *Commit) {
			tx := c.Read()
			if write(tx); !errors.Is(tx.Err(), ErrReadOnly) {
				t.Errorf("%s in Commit.Read: %v", name, tx.Err())
			}
		})
	}
	same(t, b.Store, before)
}

func TestViewReturnsTheErrorOfItsFunction(t *testing.T) {
	b := newBox(t)
	boom := errors.New("boom")
	if err := b.View(func(*Tx) error { return boom }); err != boom {
		t.Errorf("got %v", err)
	}
	func() {
		defer func() {
			if p := recover(); p != boom {
				t.Errorf("recovered %v", p)
			}
		}()
		b.View(func(*Tx) error { panic(boom) }) //nolint:errcheck // it panics
	}()
	b.commit(func(c *Commit) {}) // and a view is not left open: the cleanup closes the store
}

// TestCopies: what was handed over may be changed afterwards.
func TestCopies(t *testing.T) {
	b := newBox(t)
	b.run("s", func(tx *Tx) {
		buf, terms, payload := []byte("one"), []string{"first"}, []byte("111")
		write := func() {
			tx.Put(plainA, string(buf), buf)
			tx.Append(buf, terms...)
			tx.SetTimer(string(buf), start, buf)
			tx.Enqueue(Entry{Key: protocol.Key(buf), Lane: "l", Payload: payload})
		}
		write()
		copy(buf, "two")
		copy(payload, "222")
		terms[0] = "other"
		write()
	})
	b.view(func(tx *Tx) {
		if got := string(tx.Get(plainA, "one")) + string(tx.Fact(1)) + string(
			tx.In("s").TimerData("one"),
		); got != "oneoneone" {
			t.Errorf("got %q", got)
		}
		for n, term := range map[uint64]string{1: "first", 2: "other"} {
			if got := slices.Collect(tx.Indexed(term, 0, 0, false)); !slices.Equal(got, []uint64{n}) {
				t.Errorf("%q is listed for %d", term, got)
			}
		}
		if q := slices.Collect(tx.Queue("l", 0)); len(q) != 2 || string(q[0].Payload) != "111" ||
			string(q[1].Payload) != "222" {
			t.Errorf("queued %+v", q)
		}
	})
}

func TestEmptyValueIsAValue(t *testing.T) {
	b := newBox(t)
	empty := func(where string, tx *Tx) {
		for _, k := range []string{"nil", "empty"} {
			if v := tx.Get(plainA, k); v == nil || len(v) != 0 || !tx.Has(plainA, k) {
				t.Errorf("%s: %q is %v", where, k, v)
			}
		}
		for k, v := range tx.Range(plainA, "", "") {
			if v == nil {
				t.Errorf("%s: a range has nil under %q", where, k)
			}
		}
		if tx.Get(plainA, "neither") != nil || tx.Get(plainA, "") != nil || tx.Get(plainB, "bucket") != nil {
			t.Errorf("%s: there is a value that nobody put", where)
		}
	}
	b.run("s", func(tx *Tx) {
		tx.Put(plainA, "nil", nil)
		tx.Put(plainA, "empty", []byte{})
		empty("its own writes", tx)
	})
	b.reopen()
	b.view(func(tx *Tx) { empty("the file", tx) })
}

func TestTell(t *testing.T) {
	b := newBox(t)
	b.run("s", func(tx *Tx) {
		tx.In("t").Tell("u", protocol.Internal{Kind: "one"})
		tx.Tell("v", protocol.Internal{Kind: "two"})
		told := tx.In("w").TakeTold()
		if len(told) != 2 || told[0].To != "u" || told[0].What.Kind != "one" || told[1].To != "v" {
			t.Errorf("told %+v", told)
		}
		if again := tx.TakeTold(); len(again) != 0 {
			t.Errorf("told again %+v", again)
		}
	})
}

func TestDeliver(t *testing.T) {
	b := newBox(t)
	boom := errors.New("boom")
	for _, c := range []struct {
		rounds int
		end    error
		want   error
	}{
		{0, nil, nil}, {1, nil, nil}, {15, nil, nil}, {
			tellRounds + 1, nil, ErrTold,
		}, {1000, nil, ErrTold}, {3, boom, boom},
	} {
		b.commit(func(commit *Commit) {
			told := 0
			commit.Deliver(func(tx *Tx, what protocol.Internal) error {
				if told++; tx.Scope() != "t" || what.Kind != "hop" || string(
					tx.Get(scopedC, "t"),
				) != fmt.Sprint(told-1) {
					t.Errorf("hop %d: %q in %q with %q", told, what.Kind, tx.Scope(), tx.Get(scopedC, "t"))
				}
				tx.Put(scopedC, "t", []byte(fmt.Sprint(told)))
				if told == c.rounds {
					return c.end
				}
				tx.Tell("t", what)
				return nil
			})
			err := commit.Run("s", none, func(tx *Tx) error {
				tx.In("t").Put(scopedC, "t", []byte("0"))
				if c.rounds > 0 {
					tx.Tell("t", protocol.Internal{Kind: "hop"})
				}
				return nil
			})
			left := commit.Read().Get(scopedC, "t")
			if !errors.Is(err, c.want) || c.want == nil && (err != nil || string(left) != fmt.Sprint(c.rounds)) {
				t.Errorf("%d hops ended with %v and left %q", c.rounds, err, left)
			}
			b.in(commit, "t", func(tx *Tx) { tx.Delete(scopedC, "t") })
		})
	}
}

func TestNewKey(t *testing.T) {
	b := newBox(t)
	cause := protocol.Ref{Room: "c:r", Event: "e"}
	var keys [2][]protocol.Key
	for i := range keys {
		b.commit(func(c *Commit) {
			err := c.Run("s", cause, func(tx *Tx) error {
				keys[i] = append(keys[i], tx.NewKey(), tx.In("t").NewKey(), tx.NewKey())
				if tx.Cause() != cause || tx.In("t").Cause() != cause {
					t.Errorf("the cause is %v", tx.Cause())
				}
				return nil
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	if !slices.Equal(keys[0], keys[1]) || keys[0][2] != CauseKey(cause, 3) {
		t.Errorf("the same cause gave %v and %v", keys[0], keys[1])
	}
	if slices.Sort(keys[0]); len(slices.Compact(keys[0])) != 3 {
		t.Errorf("one cause gave %v", keys[0])
	}
}
