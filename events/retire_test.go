package events

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"moot/protocol"
	"moot/store"
)

// A fact that cannot leave the window stays where it is, with a dead letter of its room, and holds
// up no other.
func TestAFactThatCannotLeaveIsSetAside(t *testing.T) {
	for how, says := range map[string]string{
		"fails": "drop fact 2, a active: cannot", "panics": "panic: oh",
		"breaks a rule": store.ErrScope.Error(), "is garbled": ErrFact.Error(),
	} {
		t.Run(how, func(t *testing.T) {
			fails := true
			w := newWorld(t, func(c *Config) {
				drop := c.Kinds[1].Drop
				c.Kinds[1].Drop = func(tx *store.Tx, f Fact) error {
					switch {
					case f.Seq != 0:
						return fmt.Errorf("Drop sees the number %d", f.Seq)
					case !fails || f.People["who"] != 1:
					case how == "fails":
						tx.Put(activity, string(f.Scope), []byte("half a drop"))
						return errors.New("cannot")
					case how == "panics":
						panic("oh")
					case how == "breaks a rule":
						tx.Put(activity, "elsewhere", nil)
					}
					return drop(tx, f)
				}
			})
			w.publish(lobby, note(1))
			if how == "is garbled" {
				w.run(lobby, func(tx *store.Tx) { tx.Append([]byte("?"), term("active", "", "")) })
			} else {
				w.publish(lobby, active(ann))
			}
			w.publish(garden, active(bob), note(2))
			w.age()
			w.publish(lobby, note(3))
			if n := w.archive(); n != 4 {
				t.Errorf("%d facts left the window", n)
			}
			check := func(setAside bool) {
				t.Helper()
				want := []uint64{1, 4, 5}
				if setAside {
					want = []uint64{1, 2, 4, 5}
				}
				var got []uint64
				w.view(func(tx *store.Tx) {
					for f, err := range w.bus.All(tx, 0) {
						if got = append(got, f.Seq); (err != nil) != (f.Seq == 2 && how == "is garbled") {
							t.Errorf("%+v, %v", f, err)
						}
					}
					left := 0
					for range tx.Log(0) {
						left++
					}
					if left != len(want)-2 {
						t.Errorf("%d facts are in the store", left)
					}
				})
				if !slices.Equal(got, want) {
					t.Errorf("the log has %d", got)
				}
				if how != "is garbled" {
					if n := len(w.matching(Query{Kind: "active"})); n != len(want)-3 {
						t.Errorf("%d active are found", n)
					}
					if err := w.bus.Verify(t.Context(), t.TempDir()); err != nil {
						t.Error(err)
					}
				}
			}
			check(true)
			w.reopen()
			if n := w.archive(); n != 0 { // and it is not tried at each step
				t.Errorf("%d facts left the window", n)
			}
			check(true)

			var letters []store.Letter
			w.view(func(tx *store.Tx) { letters = slices.Collect(tx.Letters(0)) })
			scope := lobby
			if how == "is garbled" {
				scope = "" // which nobody knows
			}
			if len(letters) != 1 {
				t.Fatalf("letters %+v", letters)
			}
			l := letters[0]
			if l.Scope != scope || l.Event.ID != "archive/2" || !strings.Contains(l.Error, says) || (l.Stack != "") != (how == "panics") {
				t.Errorf("letter %+v", l)
			}
			what := l.Event.Body.(protocol.Internal)
			again := func(tx *store.Tx) error {
				return w.bus.Retire(tx, what)
			}
			if err := w.try(l.Scope, again); err == nil || !strings.Contains(err.Error()+says, says) {
				t.Errorf("tried again: %v", err)
			}
			check(true)
			if how == "is garbled" {
				return
			}
			fails = false
			for range 2 { // the second time there is nothing left to do
				if err := w.try(l.Scope, again); err != nil {
					t.Errorf("tried again: %v", err)
				}
				check(false)
			}
		})
	}
}

// What is not disposable is never taken out of the log by hand.
func TestRetireLeavesWhatLasts(t *testing.T) {
	w := newWorld(t)
	w.publish(lobby, note(1))
	for what, fails := range map[string]bool{`{"fact":1}`: false, `{"fact":99}`: false, `{}`: false, `?`: true} {
		w.run(lobby, func(tx *store.Tx) {
			if err := w.bus.Retire(tx, protocol.Internal{Kind: AsideKind, Data: []byte(what)}); (err != nil) != fails {
				t.Errorf("%s: %v", what, err)
			}
		})
	}
	if n := len(w.all()); n != 1 {
		t.Errorf("%d facts are left", n)
	}
}
