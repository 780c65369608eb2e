package events

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"moot/protocol"
	"moot/store"
)

var effects = store.ScopedBucket("effects")

// reactor counts each fact that it acts on, and does as the payload says.
func reactor(name string, kinds ...string) Reactor {
	return Reactor{Name: name, Kinds: kinds, React: func(tx *store.Tx, f Fact) error {
		key := store.Key(f.Scope, name, store.Number(f.Seq))
		tx.Put(effects, key, append(tx.Get(effects, key), '+'))
		tx.Enqueue(store.Entry{Key: tx.NewKey(), Lane: string(f.Scope), Cause: tx.Cause(), Payload: json.RawMessage(`1`)})
		switch string(f.Payload) {
		case `"fail"`:
			return errors.New("cannot")
		case `"panic"`:
			panic("oh")
		case `"break"`:
			tx.Put(effects, "console:elsewhere", nil)
		}
		return nil
	}}
}

func (w *world) react(limit int) (more bool, failures []Failure) {
	w.Helper()
	w.commit(func(c *store.Commit) { more, failures = w.bus.React(c, limit) })
	return more, failures
}

// effects returns what a reactor has done: numbers of facts, with a + for each time.
func (w *world) effects(name string) (done string) {
	w.view(func(tx *store.Tx) {
		for k, v := range tx.Range(effects, "", "") {
			if strings.Contains(k, store.Sep+name+store.Sep) {
				done += fmt.Sprint(store.ParseNumber(k), string(v), " ")
			}
		}
	})
	return strings.TrimSpace(done)
}

func says(s string) Draft { return Draft{Kind: "note", Payload: s} }

func TestReactors(t *testing.T) {
	w := newWorld(t, func(c *Config) { c.Reactors = []Reactor{reactor("all"), reactor("votes", "ballot")} })
	w.publish(lobby, note(1), ballot(ann, "1", "yes"), note(2))
	w.view(func(tx *store.Tx) {
		if !w.bus.Pending(tx) {
			t.Error("nothing is pending")
		}
	})
	if more, failures := w.react(2); !more || len(failures) > 0 {
		t.Error(more, failures)
	}
	w.reopen() // between any two
	if more, failures := w.react(2); more || len(failures) > 0 {
		t.Error(more, failures)
	}
	if more, failures := w.react(10); more || len(failures) > 0 {
		t.Error(more, failures)
	}
	if all, votes := w.effects("all"), w.effects("votes"); all != "1+ 2+ 3+" || votes != "2+" {
		t.Errorf("all: %s, votes: %s", all, votes)
	}
	w.view(func(tx *store.Tx) {
		if w.bus.Pending(tx) {
			t.Error("something is pending")
		}
		n := 0
		for q := range tx.Queue("", 0) {
			if n++; !strings.HasPrefix(string(q.Cause.Event), "react/") || q.Cause.Room != "console:lobby" {
				t.Errorf("sent because of %v", q.Cause)
			}
		}
		if n != 4 {
			t.Errorf("%d sent: keys of reactions collide", n)
		}
	})
}

// With a turn that is cut short nobody starves.
func TestReactorsTakeTurns(t *testing.T) {
	w := newWorld(t, func(c *Config) { c.Reactors = []Reactor{reactor("a"), reactor("b"), reactor("c")} })
	for i := range 3 {
		w.publish(lobby, note(i))
	}
	w.react(6)
	for _, name := range []string{"a", "b", "c"} {
		if got := w.effects(name); got != "1+ 2+" {
			t.Errorf("%s: %s", name, got)
		}
	}
}

func TestAFailingReactorHoldsUpNobody(t *testing.T) {
	w := newWorld(t, func(c *Config) { c.Reactors = []Reactor{reactor("bad", "note"), reactor("good", "active")} })
	w.publish(lobby, says("fail"), says("panic"), says("break"), says("fine"), active(ann))
	more, failures := w.react(100)
	if more || len(failures) != 3 {
		t.Fatalf("%v, %+v", more, failures)
	}
	for i, f := range failures {
		want := Failure{"bad", uint64(i + 1), lobby, protocol.Ref{Room: "console:lobby", Event: protocol.EventID(fmt.Sprint("react/bad/", i+1))}, f.Err}
		if f != want || f.Err == nil {
			t.Errorf("%+v", f)
		}
	}
	var p *store.PanicError
	if !errors.As(failures[1].Err, &p) || len(p.Stack) == 0 || !errors.Is(failures[2].Err, store.ErrScope) {
		t.Errorf("%v, %v", failures[1].Err, failures[2].Err)
	}
	if bad, good := w.effects("bad"), w.effects("good"); bad != "4+" || good != "5+" {
		t.Errorf("bad: %s, good: %s", bad, good)
	}
	w.reopen()
	if _, failures := w.react(100); len(failures) > 0 {
		t.Errorf("it fails again on what it was past: %+v", failures)
	}
}

func TestRetry(t *testing.T) {
	fails := true
	w := newWorld(t, func(c *Config) {
		r := reactor("r", "note")
		inner := r.React
		r.React = func(tx *store.Tx, f Fact) error {
			if err := inner(tx, f); err != nil || fails {
				return errors.Join(err, errors.New("not now"))
			}
			return nil
		}
		c.Reactors = []Reactor{r}
	})
	w.publish(lobby, note(1))
	_, failures := w.react(10)
	if len(failures) != 1 {
		t.Fatal(failures)
	}
	retry := func(name string, seq uint64) (err error) {
		w.commit(func(c *store.Commit) {
			err = c.Run(failures[0].Scope, failures[0].Cause, func(tx *store.Tx) error { return w.bus.Retry(tx, name, seq) })
		})
		return err
	}
	if err := retry("r", 1); err == nil {
		t.Error("it did not fail")
	}
	fails = false
	if err := retry("r", 1); err != nil {
		t.Error(err)
	}
	if err := retry("r", 2); err == nil {
		t.Error("acted on a fact that is not there")
	}
	if err := retry("nobody", 1); err == nil {
		t.Error("nobody acted")
	}
	if got := w.effects("r"); got != "1+" {
		t.Error(got)
	}
}

// What a reactor publishes is a fact as any other, with the reaction as its cause.
func TestReactorsPublish(t *testing.T) {
	var w *world
	w = newWorld(t, func(c *Config) {
		c.Reactors = []Reactor{
			reactor("second", "ballot"),
			{Name: "first", Kinds: []string{"note"}, React: func(tx *store.Tx, _ Fact) error {
				return w.bus.Publish(tx, ballot(ann, "1", "yes"))
			}},
		}
	})
	w.publish(lobby, note(1))
	if more, failures := w.react(10); more || failures != nil {
		t.Error(more, failures)
	}
	facts := w.all()
	if len(facts) != 2 || facts[1].Cause != ReactionCause("first", facts[0]) || w.effects("second") != "2+" {
		t.Errorf("%+v, %s", facts, w.effects("second"))
	}
}

func TestANewReactorStartsAtTheEnd(t *testing.T) {
	w := newWorld(t, func(c *Config) { c.Reactors = []Reactor{reactor("old")} })
	w.publish(lobby, note(1))
	w.config.Reactors = append(w.config.Reactors, reactor("new"))
	w.reopen()
	w.publish(lobby, note(2))
	w.react(10)
	if got := w.effects("old") + ", " + w.effects("new"); got != "1+ 2+, 2+" {
		t.Error(got)
	}
}

// A reactor does not miss a disposable fact because it is late: such facts, and what comes behind, stay.
func TestReactorsMissNothing(t *testing.T) {
	w := newWorld(t, func(c *Config) { c.Reactors = []Reactor{reactor("r", "active")} })
	w.publish(lobby, note(1), active(ann), note(2))
	w.age()
	if n := w.archive(); n != 1 {
		t.Errorf("%d facts left the window", n)
	}
	w.react(10)
	if n := w.archive(); n != 2 || w.effects("r") != "2+" {
		t.Errorf("%d facts left the window, %s", n, w.effects("r"))
	}
}

func TestReactionCause(t *testing.T) {
	f := Fact{Seq: 7, Scope: lobby}
	if d := cmp.Diff(protocol.Ref{Room: "console:lobby", Event: "react/r/7"}, ReactionCause("r", f)); d != "" {
		t.Error(d)
	}
}
