package people

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"moot/protocol"
	"moot/store"
)

const (
	ann = protocol.UserID("console:ann")
	bob = protocol.UserID("console:bob")
	cem = protocol.UserID("console:cem")
)

// rig is a registry over a store.
type rig struct {
	*testing.T
	*Registry
	path   string
	secret []byte
	store  *store.Store
}

func newRig(t *testing.T) *rig {
	w := &rig{T: t, path: filepath.Join(t.TempDir(), "moot.db"), secret: []byte("the secret of the operator")}
	w.open()
	t.Cleanup(func() { w.store.Close() })
	return w
}

func (w *rig) open() {
	w.Helper()
	var err error
	if w.store, err = store.Open(store.Config{Path: w.path}); err != nil {
		w.Fatal(err)
	}
	if w.Registry, err = New(w.secret); err != nil {
		w.Fatal(err)
	}
}

func (w *rig) reopen() {
	w.Helper()
	if err := w.store.Close(); err != nil {
		w.Fatal(err)
	}
	w.open()
}

func (w *rig) try(f func(*store.Tx) error) (failed error) {
	w.Helper()
	if err := w.store.Commit(time.Time{}, func(c *store.Commit) error {
		failed = c.Run("console:lobby", protocol.Ref{}, f)
		return nil
	}); err != nil {
		w.Fatal(err)
	}
	return failed
}

func (w *rig) run(f func(*store.Tx)) {
	w.Helper()
	if err := w.try(func(tx *store.Tx) error { f(tx); return nil }); err != nil {
		w.Fatal(err)
	}
}

func (w *rig) view(f func(*store.Tx)) {
	w.Helper()
	if err := w.store.View(func(tx *store.Tx) error { f(tx); return nil }); err != nil {
		w.Fatal(err)
	}
}

func (w *rig) number(user protocol.UserID) (n Number) {
	w.Helper()
	w.view(func(tx *store.Tx) { n = w.Lookup(tx, user) })
	return n
}

// dump returns all that stands in a bucket.
func dump(tx *store.Tx, b store.Bucket) map[string]string {
	m := map[string]string{}
	for k, v := range tx.Range(b, "", "") {
		m[k] = string(v)
	}
	return m
}

func TestPeopleByNumber(t *testing.T) {
	w := newRig(t)
	w.run(func(tx *store.Tx) {
		if n := w.Lookup(tx, ann); n != 0 {
			t.Errorf("ann has the number %d before she has one", n)
		}
		if n := w.Number(tx, ann); n != 1 || w.Number(tx, ann) != 1 || w.Number(tx, bob) != 2 {
			t.Errorf("ann has the number %d", n)
		}
	})
	w.reopen()
	w.view(func(tx *store.Tx) {
		if who, ok := w.Who(tx, 2); who != bob || !ok || w.Lookup(tx, ann) != 1 {
			t.Errorf("2 is %q, %v", who, ok)
		}
		if who, ok := w.Who(tx, 3); who != "" || ok {
			t.Errorf("3 is %q, %v", who, ok)
		}
	})
	err := w.try(func(tx *store.Tx) error { w.Number(tx, ""); return nil })
	if err == nil {
		t.Error("nobody has a number")
	}
}

func TestForgetUnderASanction(t *testing.T) {
	w := newRig(t)
	w.run(func(tx *store.Tx) { w.Number(tx, ann) })
	w.run(func(tx *store.Tx) { w.Forget(tx, ann, true) })
	w.run(func(tx *store.Tx) { w.Forget(tx, ann, true) }) // once more changes nothing
	w.view(func(tx *store.Tx) {
		if _, ok := w.Who(tx, 1); ok || w.Lookup(tx, ann) != 1 || w.Lookup(tx, bob) != 0 {
			t.Error("the hash does not lead to the number, or the number to the person")
		}
		for k, v := range dump(tx, kept) {
			if strings.Contains(k+v, "ann") {
				t.Errorf("%q: %q", k, v)
			}
		}
	})
	w.run(func(tx *store.Tx) {
		if n := w.Number(tx, ann); n != 1 {
			t.Errorf("ann came back as %d", n)
		}
	})
	w.view(func(tx *store.Tx) {
		if who, _ := w.Who(tx, 1); who != ann || len(dump(tx, kept)) != 0 {
			t.Error("the hash stayed when the mapping was back")
		}
	})
	w.run(func(tx *store.Tx) { w.Forget(tx, ann, true) })
	w.run(func(tx *store.Tx) { w.Release(tx, 1); w.Release(tx, 1) })
	w.view(func(tx *store.Tx) {
		if n := w.Lookup(tx, ann); n != 0 || len(dump(tx, kept)) != 0 {
			t.Errorf("ann is still known as %d", n)
		}
	})
	w.run(func(tx *store.Tx) {
		w.Number(tx, ann)
		w.Forget(tx, ann, true)
		w.Forget(tx, ann, false) // she may also be forgotten altogether later
	})
	if n := w.number(ann); n != 0 {
		t.Errorf("ann is still known as %d", n)
	}
}

func TestHashesDependOnTheSecret(t *testing.T) {
	w := newRig(t)
	w.run(func(tx *store.Tx) { w.Number(tx, ann); w.Forget(tx, ann, true) })
	w.reopen()
	if n := w.number(ann); n != 1 {
		t.Errorf("with the same secret ann has the number %d", n)
	}
	w.secret = []byte("another secret of the operator")
	w.reopen()
	if n := w.number(ann); n != 0 {
		t.Errorf("with another secret ann has the number %d", n)
	}
}

func TestTexts(t *testing.T) {
	w := newRig(t)
	var ids []TextID
	w.run(func(tx *store.Tx) {
		ids = append(ids, w.KeepText(tx, ann, "one"), w.KeepText(tx, bob, "two"), w.KeepText(tx, ann, ""))
	})
	w.view(func(tx *store.Tx) {
		got := map[TextID]string{}
		for id, text := range w.Texts(tx, ann) {
			got[id] = text
		}
		if d := cmp.Diff(map[TextID]string{ids[0]: "one", ids[2]: ""}, got); d != "" {
			t.Error(d)
		}
		if text, ok := w.Text(tx, ids[1]); text != "two" || !ok {
			t.Errorf("%q, %v", text, ok)
		}
		for _, id := range []TextID{"", ".", "1", "1.", "1.99", "9.1", "-1.1", "x.y", "1.1.1"} {
			if text, ok := w.Text(tx, id); ok {
				t.Errorf("%q gave %q", id, text)
			}
		}
		for range w.Texts(tx, cem) {
			t.Error("nobody has a text")
		}
	})
}

// Two people whose identifiers begin alike are two people.
func TestNumbersAreNotConfused(t *testing.T) {
	w := newRig(t)
	users := []protocol.UserID{"console:a", "console:aa", "matrix:@a:b", "console:a b"}
	w.run(func(tx *store.Tx) {
		for _, u := range users {
			w.KeepText(tx, u, string(u))
		}
		w.Forget(tx, users[0], false)
	})
	w.view(func(tx *store.Tx) {
		for i, u := range users[1:] {
			if who, _ := w.Who(tx, Number(i+2)); who != u {
				t.Errorf("%d is %q", i+2, who)
			}
		}
		if n := len(dump(tx, texts)); n != 3 {
			t.Errorf("%d texts", n)
		}
	})
}

func TestAShortSecretIsRefused(t *testing.T) {
	if _, err := New([]byte("short")); err == nil {
		t.Error("it is taken")
	}
}

// TestHolds: who was forgotten is recognised until the last reason for it has ended, be it let go of or over.
func TestHolds(t *testing.T) {
	w := newRig(t)
	w.run(func(tx *store.Tx) {
		n := w.Number(tx, ann)
		w.Hold(tx, n, "vote", time.Time{})
		w.Hold(tx, n, "limit", tx.Now().Add(time.Hour))
		w.Hold(tx, 0, "nobody", time.Time{})
		w.Forget(tx, ann, false)
	})
	is := func(want Number) {
		t.Helper()
		w.run(func(tx *store.Tx) {
			if got := w.Lookup(tx, ann); got != want {
				t.Errorf("she is %d, not %d", got, want)
			}
			if _, ok := w.Who(tx, 1); ok {
				t.Error("the number leads to her")
			}
		})
	}
	is(1)
	w.run(func(tx *store.Tx) { w.LetGo(tx, 1, "vote"); w.LetGo(tx, 1, "another") })
	is(1)
	w.run(func(tx *store.Tx) {
		if got := w.Reasons(tx, 1); len(got) != 1 || got[0] != "limit" || !w.Held(tx, 1) || w.Held(tx, 2) {
			t.Errorf("held for %q", got)
		}
		w.LetGo(tx, 1, "limit")
	})
	is(0)
}
