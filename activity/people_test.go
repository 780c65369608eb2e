package activity

import (
	"strings"
	"testing"
	"time"

	"moot/protocol"
	"moot/store"
)

func TestExport(t *testing.T) {
	r := newRig(t, garden)
	export := func() string {
		var lines []string
		r.View(func(tx *store.Tx) {
			for _, text := range r.feature.Export(tx, ann) {
				lines = append(lines, text.Plain())
			}
		})
		return strings.Join(lines, "\n")
	}
	if s := export(); s != "" {
		t.Errorf("of nobody it says %q", s)
	}
	r.says(ann)
	r.does(garden, ann, protocol.Message{Text: "hi"})
	r.says(bob)
	r.Later(dayLength)
	r.does(garden, ann, protocol.Message{Text: "hi"})
	r.call("c", ann)
	r.does(garden, ann, protocol.MemberChange{User: ann, Membership: protocol.Left})
	want := `Active in «lobby»: noted 1×, on 2026-11-21; the last time at 2026-11-21 08:00 UTC.
In a voice call in «lobby» at present.
Active in rooms where you are no longer: noted 2×, on 2026-11-21, 2026-11-22; the last time at 2026-11-22 08:00 UTC.`
	if got := export(); got != want {
		t.Errorf("it says\n%s\nwant\n%s", got, want)
	}
}

func TestForget(t *testing.T) {
	for name, keep := range map[string]bool{"wholly": false, "under a sanction": true} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			r.says(ann)
			r.call("c", ann, bob)
			r.Later(9 * minute)
			r.run(protocol.Scope(ann), func(tx *store.Tx) {
				r.feature.Forget(tx, ann)
				r.Bus.Forget(tx, ann, keep)
			})
			r.Down(0)
			if n := r.days(lobby, ann); keep != (n == 1) {
				t.Errorf("active on %d days", n)
			}
			r.View(func(tx *store.Tx) {
				if n := r.Bus.Lookup(tx, ann); keep != (n != 0) {
					t.Errorf("is number %d again", n)
				}
			})
			// Their time in the call begins anew, that of others goes on.
			before := len(r.facts())
			r.Later(2 * minute)
			if n := len(r.facts()); n != before+1 {
				t.Errorf("%d new facts, want that of bob", n-before)
			}
			r.Later(9 * minute)
			r.expect(1, bob)
			if n := len(r.facts()); n != before+2 {
				t.Errorf("%d new facts, want one each", n-before)
			}
			if err := r.Bus.Verify(t.Context(), t.TempDir()); err != nil {
				t.Error(err)
			}
		})
	}
}

// No fact, no cause and no timer leads to a person but by their number.
func TestFactsNameNobody(t *testing.T) {
	r := newRig(t)
	r.says(ann)
	r.call("c", ann, bob)
	r.Later(time.Hour)
	key := string(protocol.DeriveKey(string(ann)))
	r.View(func(tx *store.Tx) {
		for f, err := range r.Bus.All(tx, 0) {
			if err != nil {
				t.Fatal(err)
			}
			for _, s := range []string{string(f.Payload), string(f.Cause.Event), string(f.Cause.Room)} {
				if strings.Contains(s, ann.Local()) || strings.Contains(s, key) {
					t.Errorf("fact %d holds %s", f.Seq, s)
				}
			}
		}
	})
}
