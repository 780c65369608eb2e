package events

import (
	"errors"
	"fmt"
	"iter"
	"math"
	"strconv"
	"testing"

	"github.com/google/go-cmp/cmp"

	"moot/internal/effort"
	"moot/protocol"
	"moot/store"
)

// fill publishes ten facts: ballots of ann and bob on two votes in two rooms, and notes; facts 1 to
// 6 are in the archive.
func fill(t *testing.T) *world {
	w := newWorld(t)
	w.publish(lobby, ballot(ann, "1", "yes"), ballot(bob, "1", "no"), note(1)) // 1 2 3
	w.publish(garden, ballot(ann, "2", "yes"), note(2), ballot(bob, "2", "no"))
	w.age()
	if n := w.archive(); n != 6 {
		t.Fatalf("%d facts archived", n)
	}
	w.publish(lobby, ballot(ann, "1", "no"), note(3), active(ann)) // 7 8 9
	w.publish(garden, ballot(bob, "1", "yes"))                     // 10
	return w
}

func TestMatching(t *testing.T) {
	w := fill(t)
	f := func(kv ...string) map[string]string {
		m := map[string]string{}
		for i := 0; i < len(kv); i += 2 {
			m[kv[i]] = kv[i+1]
		}
		return m
	}
	cause := CauseValue(protocol.Ref{Room: "console:lobby", Event: "e2"})
	for name, tc := range map[string]struct {
		q    Query
		want []uint64
	}{
		"all":                     {Query{}, []uint64{1, 2, 3, 4, 5, 6, 7, 8, 9, 10}},
		"all backward":            {Query{Backward: true, Limit: 6}, []uint64{10, 9, 8, 7, 6, 5}},
		"kind":                    {Query{Kind: "note"}, []uint64{3, 5, 8}},
		"unknown kind":            {Query{Kind: "nonsense"}, nil},
		"key":                     {Query{Kind: "ballot", Filters: f("vote", "1")}, []uint64{1, 2, 7, 10}},
		"key of any kind":         {Query{Filters: f("vote", "2")}, []uint64{4, 6}},
		"role":                    {Query{Kind: "ballot", Filters: f("voter", w.number(ann).String())}, []uint64{1, 4, 7}},
		"person of any kind":      {Query{Filters: f(KeyPerson, w.number(ann).String())}, []uint64{1, 4, 7, 9}},
		"nobody":                  {Query{Filters: f(KeyPerson, w.number(cem).String())}, nil},
		"scope":                   {Query{Filters: f(KeyScope, string(garden))}, []uint64{4, 5, 6, 10}},
		"cause":                   {Query{Filters: f(KeyCause, cause)}, []uint64{4, 5, 6}},
		"two filters":             {Query{Kind: "ballot", Filters: f("vote", "1", "voter", "2")}, []uint64{2, 10}},
		"three filters":           {Query{Filters: f("vote", "1", "voter", "2", KeyScope, string(lobby))}, []uint64{2}},
		"filters that never meet": {Query{Filters: f("vote", "2", KeyScope, string(lobby))}, nil},
		"two filters backward":    {Query{Filters: f("vote", "1", KeyPerson, "1"), Backward: true}, []uint64{7, 1}},
		"unknown filter":          {Query{Filters: f("colour", "red")}, nil},
		"a role is not a value":   {Query{Filters: f("voter", "ann")}, nil},
		"after":                   {Query{Kind: "ballot", After: 4}, []uint64{6, 7, 10}},
		"before":                  {Query{Kind: "ballot", Before: 6}, []uint64{1, 2, 4}},
		"between":                 {Query{After: 5, Before: 8}, []uint64{6, 7}},
		"between backward":        {Query{After: 5, Before: 8, Backward: true}, []uint64{7, 6}},
		"between, two filters":    {Query{Filters: f("vote", "1", KeyPerson, "1"), After: 1, Before: 10}, []uint64{7}},
		"two filters to 1":        {Query{Filters: f("vote", "1", KeyPerson, "1"), Before: 1, Backward: true}, nil},
		"behind the end":          {Query{After: 10}, nil},
		"behind all ends":         {Query{After: math.MaxUint64}, nil},
		"limit":                   {Query{Kind: "ballot", Limit: 2}, []uint64{1, 2}},
		"limit backward":          {Query{Kind: "ballot", Backward: true, Limit: 3}, []uint64{10, 7, 6}},
	} {
		got := numbers(w.matching(tc.q))
		if len(got)+len(tc.want) > 0 && !cmp.Equal(tc.want, got) {
			t.Errorf("%s: got %v, want %v", name, got, tc.want)
		}
	}
}

func TestFiltersThatAreRefused(t *testing.T) {
	w := fill(t)
	for _, f := range []map[string]string{
		{"": "x"}, {"a b": "x"}, {"vote": ""}, {"vote": "1" + store.Sep}, {"vote" + store.Sep: "1"},
	} {
		w.view(func(tx *store.Tx) {
			n := 0
			for fact, err := range w.bus.Matching(tx, Query{Filters: f}) {
				if n++; !errors.Is(err, ErrIndex) {
					t.Errorf("%v found %+v, %v", f, fact, err)
				}
			}
			if n != 1 {
				t.Errorf("%v gave %d answers", f, n)
			}
		})
	}
}

func TestGetAndAll(t *testing.T) {
	w := fill(t)
	w.view(func(tx *store.Tx) {
		for from := range uint64(12) {
			want := []uint64{}
			for n := max(from, 1); n <= 10; n++ {
				want = append(want, n)
			}
			if got := numbers(w.collect(w.bus.All(tx, from))); !cmp.Equal(want, got) {
				t.Errorf("from %d: %v", from, got)
			}
			f, ok, err := w.bus.Get(tx, from)
			if ok != (from >= 1 && from <= 10) || err != nil || ok && f.Seq != from {
				t.Errorf("%d: %+v, %v, %v", from, f, ok, err)
			}
		}
		for range w.bus.All(tx, 1) {
			break // also in the archive
		}
	})
}

// A record that is no fact is reported where it stands, and the others are found.
func TestOneBadFactHidesNoOther(t *testing.T) {
	w := newWorld(t)
	w.publish(lobby, note(1))
	w.run(lobby, func(tx *store.Tx) {
		tx.Append([]byte("of another version"), term("note", "", ""))
	})
	w.publish(lobby, note(2))
	w.view(func(tx *store.Tx) {
		for name, seq := range map[string]iter.Seq2[Fact, error]{
			"matching": w.bus.Matching(tx, Query{Kind: "note"}), "all": w.bus.All(tx, 1),
		} {
			var got []string
			for f, err := range seq {
				got = append(got, fmt.Sprint(f.Seq, errors.Is(err, ErrFact)))
			}
			if d := cmp.Diff([]string{"1 false", "2 true", "3 false"}, got); d != "" {
				t.Error(name, d)
			}
		}
	})
	sub := w.bus.SubscribeWithHistory(-1)
	defer sub.Close()
	for seq := uint64(1); seq <= 3; seq++ {
		if f, err := sub.Next(t.Context()); f.Seq != seq || errors.Is(err, ErrFact) != (seq == 2) {
			t.Errorf("%d came as %+v, %v", seq, f, err)
		}
	}
}

// A kind that is not registered any more stays in the log, can be found, and is archived.
func TestUnknownKindsAreKept(t *testing.T) {
	w := newWorld(t)
	w.publish(lobby, ballot(ann, "1", "yes"), note(1))
	w.config.Kinds = nil
	w.reopen()
	w.age()
	if n := w.archive(); n != 2 {
		t.Errorf("%d facts archived", n)
	}
	if got := w.matching(Query{Kind: "ballot", Filters: map[string]string{"vote": "1"}}); len(got) != 1 || got[0].Version != 2 {
		t.Errorf("%+v", got)
	}
	if err := w.bus.Verify(t.Context(), t.TempDir()); err != nil {
		t.Error(err)
	}
}

// What a query costs grows with what matches, not with what there is.
func TestMatchingIsNoScan(t *testing.T) {
	effort.Slow(t)
	cost := func(facts int) (rare, last float64) {
		w := newWorld(t)
		w.commit(func(c *store.Commit) {
			for i := range facts {
				err := c.Run(lobby, w.cause(), func(tx *store.Tx) error {
					who := ann
					if i == facts/2 {
						who = bob
					}
					return w.bus.Publish(tx, ballot(who, strconv.Itoa(i%2), "yes"))
				})
				if err != nil {
					t.Fatal(err)
				}
			}
		})
		w.age()
		w.archive()
		measure := func(q Query, want int) float64 {
			return testing.AllocsPerRun(10, func() {
				if n := len(w.matching(q)); n != want {
					t.Fatalf("%d facts", n)
				}
			})
		}
		return measure(Query{Filters: map[string]string{KeyScope: string(lobby), KeyPerson: "2"}}, 1),
			measure(Query{Kind: "ballot", Backward: true, Limit: 1}, 1)
	}
	rare, last := cost(256)
	rareOfMany, lastOfMany := cost(8 * 256)
	if rareOfMany > 1.5*rare || lastOfMany > 1.5*last {
		t.Errorf("among 8 times as many facts, a rare one takes %v allocations instead of %v, the last one %v instead of %v",
			rareOfMany, rare, lastOfMany, last)
	}
}
