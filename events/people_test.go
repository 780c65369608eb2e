package events

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"moot/protocol"
	"moot/store"
)

func TestPeopleByNumber(t *testing.T) {
	w := newWorld(t)
	w.run(lobby, func(tx *store.Tx) {
		if n := w.bus.Lookup(tx, ann); n != 0 {
			t.Errorf("ann has the number %d before she has one", n)
		}
		if n := w.bus.Number(tx, ann); n != 1 || w.bus.Number(tx, ann) != 1 || w.bus.Number(tx, bob) != 2 {
			t.Errorf("ann has the number %d", n)
		}
	})
	w.reopen()
	w.view(func(tx *store.Tx) {
		if who, ok := w.bus.Who(tx, 2); who != bob || !ok || w.bus.Lookup(tx, ann) != 1 {
			t.Errorf("2 is %q, %v", who, ok)
		}
		if who, ok := w.bus.Who(tx, 3); who != "" || ok {
			t.Errorf("3 is %q, %v", who, ok)
		}
	})
	err := w.try(lobby, func(tx *store.Tx) error { w.bus.Number(tx, ""); return nil })
	if err == nil {
		t.Error("nobody has a number")
	}
}

// After Forget nothing in the log, the archive and the other buckets leads from the number to the person.
func TestForget(t *testing.T) {
	w := newWorld(t)
	w.publish(lobby, ballot(ann, "1", "yes"), ballot(bob, "1", "no"))
	w.age()
	w.archive()
	w.publish(lobby, ballot(ann, "2", "yes"))
	var mine, his TextID
	w.run(lobby, func(tx *store.Tx) {
		mine, his = w.bus.KeepText(tx, ann, "because I said so"), w.bus.KeepText(tx, bob, "no")
	})
	w.run(lobby, func(tx *store.Tx) { w.bus.Forget(tx, ann, false) })
	w.reopen()
	w.view(func(tx *store.Tx) {
		if who, ok := w.bus.Who(tx, 1); ok || w.bus.Lookup(tx, ann) != 0 {
			t.Errorf("1 is still %q", who)
		}
		if text, ok := w.bus.Text(tx, mine); ok {
			t.Errorf("a text is still there: %q", text)
		}
		if text, ok := w.bus.Text(tx, his); !ok || text != "no" {
			t.Errorf("the text of another is gone: %q, %v", text, ok)
		}
		for _, b := range []store.Bucket{
			people, numbers, kept, texts, known, seen, blocks, state, ballots,
			store.SharedBucket("facts"), store.SharedBucket("index"),
		} {
			for k, v := range dump(tx, b) {
				if strings.Contains(k+v, "ann") || strings.Contains(k+v, "because") {
					t.Errorf("%s still has %q: %q", b.Name(), k, v)
				}
			}
		}
	})
	if data, err := os.ReadFile(w.archivePath()); err != nil || len(data) == 0 || strings.Contains(string(data), "ann") {
		t.Errorf("the archive has %q, %v", data, err)
	}
	if n := len(w.matching(Query{Filters: map[string]string{KeyPerson: "1"}})); n != 2 {
		t.Errorf("%d facts of 1 are left", n)
	}
	// She comes back as somebody else.
	w.publish(lobby, ballot(ann, "2", "no"))
	if n := w.number(ann); n != 3 {
		t.Errorf("ann now has the number %d", n)
	}
}

func TestForgetUnderASanction(t *testing.T) {
	w := newWorld(t)
	w.publish(lobby, ballot(ann, "1", "yes"))
	w.run(lobby, func(tx *store.Tx) { w.bus.Forget(tx, ann, true) })
	w.run(lobby, func(tx *store.Tx) { w.bus.Forget(tx, ann, true) }) // once more changes nothing
	w.view(func(tx *store.Tx) {
		if _, ok := w.bus.Who(tx, 1); ok || w.bus.Lookup(tx, ann) != 1 || w.bus.Lookup(tx, bob) != 0 {
			t.Error("the hash does not lead to the number, or the number to the person")
		}
		for k, v := range dump(tx, kept) {
			if strings.Contains(k+v, "ann") {
				t.Errorf("%q: %q", k, v)
			}
		}
	})
	w.run(lobby, func(tx *store.Tx) {
		if n := w.bus.Number(tx, ann); n != 1 {
			t.Errorf("ann came back as %d", n)
		}
	})
	w.view(func(tx *store.Tx) {
		if who, _ := w.bus.Who(tx, 1); who != ann || len(dump(tx, kept)) != 0 {
			t.Error("the hash stayed when the mapping was back")
		}
	})
	w.run(lobby, func(tx *store.Tx) { w.bus.Forget(tx, ann, true) })
	w.run(lobby, func(tx *store.Tx) { w.bus.Release(tx, 1); w.bus.Release(tx, 1) })
	w.view(func(tx *store.Tx) {
		if n := w.bus.Lookup(tx, ann); n != 0 || len(dump(tx, kept)) != 0 {
			t.Errorf("ann is still known as %d", n)
		}
	})
	w.run(lobby, func(tx *store.Tx) {
		w.bus.Number(tx, ann)
		w.bus.Forget(tx, ann, true)
		w.bus.Forget(tx, ann, false) // she may also be forgotten altogether later
	})
	if n := w.number(ann); n != 0 {
		t.Errorf("ann is still known as %d", n)
	}
}

func TestHashesDependOnTheSecret(t *testing.T) {
	w := newWorld(t)
	w.run(lobby, func(tx *store.Tx) { w.bus.Number(tx, ann); w.bus.Forget(tx, ann, true) })
	w.reopen()
	if n := w.number(ann); n != 1 {
		t.Errorf("with the same secret ann has the number %d", n)
	}
	w.config.Secret = []byte("another secret of the operator")
	w.reopen()
	if n := w.number(ann); n != 0 {
		t.Errorf("with another secret ann has the number %d", n)
	}
}

func TestTexts(t *testing.T) {
	w := newWorld(t)
	var ids []TextID
	w.run(lobby, func(tx *store.Tx) {
		ids = append(ids, w.bus.KeepText(tx, ann, "one"), w.bus.KeepText(tx, bob, "two"), w.bus.KeepText(tx, ann, ""))
	})
	w.view(func(tx *store.Tx) {
		got := map[TextID]string{}
		for id, text := range w.bus.Texts(tx, ann) {
			got[id] = text
		}
		if d := cmp.Diff(map[TextID]string{ids[0]: "one", ids[2]: ""}, got); d != "" {
			t.Error(d)
		}
		if text, ok := w.bus.Text(tx, ids[1]); text != "two" || !ok {
			t.Errorf("%q, %v", text, ok)
		}
		for _, id := range []TextID{"", ".", "1", "1.", "1.99", "9.1", "-1.1", "x.y", "1.1.1"} {
			if text, ok := w.bus.Text(tx, id); ok {
				t.Errorf("%q gave %q", id, text)
			}
		}
		for range w.bus.Texts(tx, cem) {
			t.Error("nobody has a text")
		}
	})
}

// Two people whose identifiers begin alike are two people.
func TestNumbersAreNotConfused(t *testing.T) {
	w := newWorld(t)
	users := []protocol.UserID{"console:a", "console:aa", "matrix:@a:b", "console:a b"}
	w.run(lobby, func(tx *store.Tx) {
		for _, u := range users {
			w.bus.KeepText(tx, u, string(u))
		}
		w.bus.Forget(tx, users[0], false)
	})
	w.view(func(tx *store.Tx) {
		for i, u := range users[1:] {
			if who, _ := w.bus.Who(tx, Number(i+2)); who != u {
				t.Errorf("%d is %q", i+2, who)
			}
		}
		if n := len(dump(tx, texts)); n != 3 {
			t.Errorf("%d texts", n)
		}
	})
	if _, err := os.Stat(filepath.Join(w.dir, "facts.archive")); err != nil {
		t.Error(err)
	}
}
