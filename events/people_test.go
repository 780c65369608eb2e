package events

import (
	"os"
	"strings"
	"testing"

	"moot/store"
)

// After Forget nothing in the log, the archive and the other buckets leads from the number to the
// person.
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
			store.SharedBucket("people"), store.SharedBucket("people-numbers"), store.SharedBucket("people-kept"),
			store.SharedBucket("texts"),
			published, blocks, state, ballots,
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
