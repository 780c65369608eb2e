package events

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"moot/internal/say"
	"moot/protocol"
	"moot/store"
)

func TestPublish(t *testing.T) {
	w := newWorld(t)
	w.publish(lobby, ballot(ann, "3", "yes"), ballot(bob, "3", "no"))
	facts := w.all()
	if len(facts) != 2 {
		t.Fatalf("%d facts", len(facts))
	}
	f := facts[1]
	want := Fact{
		Seq: 2, Time: w.now, Kind: "ballot", Version: 2,
		Cause: protocol.Ref{Room: "console:lobby", Event: "e1"}, Scope: lobby,
		People: map[string]Number{"voter": 2}, Keys: map[string]string{"vote": "3"}, Payload: []byte(`{"choice":"no"}`),
	}
	if d := cmp.Diff(want, f); d != "" {
		t.Error(d)
	}
	w.view(func(tx *store.Tx) {
		if n := len(dump(tx, ballots)); n != 2 {
			t.Errorf("the projection has %d entries", n)
		}
		if d := cmp.Diff([]string{"ballot"}, w.bus.Kinds(tx)); d != "" {
			t.Error(d)
		}
	})
}

// A fact is there with its commit, to others in the commit after its run, and not at all if it is
// discarded.
func TestFactsAreThereWithTheirRun(t *testing.T) {
	w := newWorld(t)
	count := func(tx *store.Tx) int { return len(w.collect(w.bus.Matching(tx, Query{Kind: "note"}))) }
	w.commit(func(c *store.Commit) {
		err := c.Run(lobby, w.cause(), func(tx *store.Tx) error {
			if err := w.bus.Publish(tx, note(1)); err != nil {
				return err
			}
			if n := count(tx); n != 0 {
				t.Errorf("a transaction finds %d facts of its own", n)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		for _, spoil := range []func() error{func() error { return errors.New("no") }, func() error { panic("oh") }} {
			err := c.Run(lobby, w.cause(), func(tx *store.Tx) error {
				if err := w.bus.Publish(tx, ballot(bob, "1", "yes")); err != nil {
					t.Error(err)
				}
				return spoil()
			})
			if err == nil {
				t.Error("the run was not spoiled")
			}
		}
		if n := count(c.Read()); n != 1 {
			t.Errorf("the next run finds %d facts", n)
		}
	})
	w.publish(lobby, note(2))
	if d := cmp.Diff([]uint64{1, 2}, numbers(w.all())); d != "" {
		t.Error("a discarded run left something:", d)
	}
	if n := w.number(bob); n != 0 {
		t.Errorf("bob has the number %d from a discarded run", n)
	}
}

func TestDraftsThatAreRefused(t *testing.T) {
	w := newWorld(t)
	many := map[string]string{}
	for i := range MaxKeys + 1 {
		many[fmt.Sprint("k", i)] = "v"
	}
	keys := func(k, v string) Draft { return Draft{Kind: "note", Keys: map[string]string{k: v}} }
	role := func(r string, u protocol.UserID) Draft {
		return Draft{Kind: "note", People: map[string]protocol.UserID{r: u}}
	}
	both := role("x", ann)
	both.Keys = map[string]string{"x": "1"}
	for name, tc := range map[string]struct {
		draft Draft
		want  error
	}{
		"unknown kind":         {Draft{Kind: "nonsense"}, ErrUnknownKind},
		"no kind":              {Draft{}, ErrUnknownKind},
		"separator in a key":   {keys("a"+store.Sep, "v"), ErrIndex},
		"odd key":              {keys("a=b", "v"), ErrIndex},
		"no key":               {keys("", "v"), ErrIndex},
		"long key":             {keys(strings.Repeat("k", maxName+1), "v"), ErrIndex},
		"separator in a value": {keys("k", "a"+store.Sep+"b"), ErrIndex},
		"newline in a value":   {keys("k", "a\nb"), ErrIndex},
		"invalid UTF-8":        {keys("k", "a\xff"), ErrIndex},
		"no value":             {keys("k", ""), ErrIndex},
		"long value":           {keys("k", strings.Repeat("v", protocol.MaxID+1)), ErrIndex},
		"reserved person":      {keys(KeyPerson, "v"), ErrIndex},
		"reserved scope":       {keys(KeyScope, "v"), ErrIndex},
		"reserved cause":       {keys(KeyCause, "v"), ErrIndex},
		"reserved role":        {role(KeyPerson, ann), ErrIndex},
		"nobody":               {role("voter", ""), ErrIndex},
		"role is a key":        {both, ErrIndex},
		"too many":             {Draft{Kind: "note", Keys: many}, ErrIndex},
		"too large":            {Draft{Kind: "note", Payload: strings.Repeat("x", MaxFact)}, ErrTooLarge},
		"no JSON":              {Draft{Kind: "note", Payload: func() {}}, nil},
	} {
		// The error is dropped by the handler, and still nothing comes of the transaction.
		err := w.try(lobby, func(tx *store.Tx) error {
			if err := w.bus.Publish(tx, tc.draft); err == nil {
				t.Errorf("%s: published", name)
			}
			return nil
		})
		if err == nil || tc.want != nil && !errors.Is(err, tc.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	publish := func(tx *store.Tx) error { return w.bus.Publish(tx, note(1)) }
	if err := w.try("console:a"+store.Sep, publish); !errors.Is(err, ErrIndex) {
		t.Error("scope:", err)
	}
	if err := w.store.View(publish); !errors.Is(err, store.ErrReadOnly) {
		t.Error("view:", err)
	}
}

// A projection that fails takes the fact with it, whatever the handler makes of the error.
func TestLogAndProjectionDoNotPart(t *testing.T) {
	half := store.ScopedBucket("half")
	var w *world
	apply := map[string]func(*store.Tx) error{
		"fails":     func(*store.Tx) error { return errors.New("cannot") },
		"publishes": func(tx *store.Tx) error { return w.bus.Publish(tx, note(1)) },
		"hides":     func(tx *store.Tx) error { _ = w.bus.Publish(tx, note(1)); return nil },
		"strays":    func(tx *store.Tx) error { tx.Put(half, "console:elsewhere", nil); return nil },
		"panics":    func(*store.Tx) error { panic("oh") },
	}
	w = newWorld(t, func(c *Config) {
		for name, f := range apply {
			k := Kind{Name: name, Version: 1, Buckets: []store.Bucket{half}}
			k.Apply = func(tx *store.Tx, _ Fact) error {
				tx.Put(half, string(lobby), nil)
				return f(tx)
			}
			c.Kinds = append(c.Kinds, k)
		}
	})
	for name := range apply {
		err := w.try(lobby, func(tx *store.Tx) error { _ = w.bus.Publish(tx, Draft{Kind: name}); return nil })
		if err == nil {
			t.Errorf("%s: the run went well", name)
		}
		if nested := name == "publishes" || name == "hides"; errors.Is(err, ErrNested) != nested {
			t.Errorf("%s: %v", name, err)
		}
	}
	w.publish(lobby, note(1)) // the bus is still of use
	if n := len(w.all()); n != 1 {
		t.Errorf("%d facts", n)
	}
	w.view(func(tx *store.Tx) {
		if m := dump(tx, half); len(m) > 0 {
			t.Errorf("the projections left %v", m)
		}
	})
}

// The same transactions give the same log, byte for byte.
func TestPublishIsDeterministic(t *testing.T) {
	logs := make([]string, 5)
	for i := range logs {
		w := newWorld(t)
		w.publish(lobby, Draft{
			Kind:   "note",
			People: map[string]protocol.UserID{"a": cem, "b": bob, "c": ann, "d": "console:dan", "e": "console:eve"},
			Keys:   map[string]string{"x": "1", "y": "2", "z": "3"},
		})
		w.view(func(tx *store.Tx) {
			for _, data := range tx.Log(0) {
				logs[i] += string(data)
			}
			logs[i] += fmt.Sprint(dump(tx, store.SharedBucket("index")))
		})
		if logs[i] != logs[0] {
			t.Errorf("once %s\nthen %s", logs[0], logs[i])
		}
	}
}

func TestConfigsThatAreRefused(t *testing.T) {
	fold := func(*store.Tx, Fact) error { return nil }
	own := []store.Bucket{store.ScopedBucket("own")}
	s, err := store.Open(store.Config{Path: t.TempDir() + "/moot.db"})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for name, c := range map[string]Config{
		"no name":            {Kinds: []Kind{{Version: 1}}},
		"odd name":           {Kinds: []Kind{{Name: "A", Version: 1}}},
		"no version":         {Kinds: []Kind{{Name: "a"}}},
		"twice":              {Kinds: []Kind{{Name: "a", Version: 1}, {Name: "a", Version: 1}}},
		"no buckets":         {Kinds: []Kind{{Name: "a", Version: 1, Apply: fold}}},
		"no apply":           {Kinds: []Kind{{Name: "a", Version: 1, Buckets: own}}},
		"no drop":            {Kinds: []Kind{{Name: "a", Version: 1, Disposable: true, Buckets: own, Apply: fold}}},
		"needless drop":      {Kinds: []Kind{{Name: "a", Version: 1, Buckets: own, Apply: fold, Drop: fold}}},
		"drop without apply": {Kinds: []Kind{{Name: "a", Version: 1, Disposable: true, Drop: fold}}},
		"lasting on disposable": {Kinds: []Kind{
			{Name: "a", Version: 1, Disposable: true, Buckets: own, Apply: fold, Drop: fold},
			{Name: "b", Version: 1, Buckets: own, Apply: fold},
		}},
		"short secret":    {Secret: []byte("short")},
		"negative window": {Window: -1},
	} {
		c.Store = s
		if b, err := Open(c); err == nil {
			t.Errorf("%s: opened", name)
			b.Close()
		}
	}
}

func TestDescribe(t *testing.T) {
	w := newWorld(t, func(c *Config) {
		c.Kinds = append(c.Kinds,
			Kind{Name: "said", Version: 1, Describe: func(say.Language, Fact) string { return "something\nwas said" }},
			Kind{Name: "mute", Version: 1, Describe: func(say.Language, Fact) string { return "" }})
	})
	keys := map[string]string{"vote": "3", "a": strings.Repeat("x", 100)}
	for kind, want := range map[string]string{
		"said":    "something was said",
		"mute":    "mute a=" + strings.Repeat("x", 79) + "… vote=3",
		"ballot":  "ballot a=" + strings.Repeat("x", 79) + "… vote=3",
		"unknown": "unknown a=" + strings.Repeat("x", 79) + "… vote=3",
	} {
		if got := w.bus.Describe(say.English, Fact{Kind: kind, Keys: keys}); got != want {
			t.Errorf("%s: %q", kind, got)
		}
	}
}
