package events

import (
	"fmt"
	"os"
	"strconv"
	"testing"

	"go.etcd.io/bbolt"

	"moot/protocol"
	"moot/store"
)

// A fact costs little, and the less once it is archived: all told, with its places in the index, in
// pages as the file has them. 50,000 ballots (-facts 50000) are what docs/benchmarks.md shows.
func TestCostOfAFact(t *testing.T) {
	t.Parallel()
	matrix := func(i int) (protocol.Scope, protocol.Ref, Draft) {
		room := fmt.Sprintf("matrix:!AbCdEfGhIjKlMnOp%02d:example.org", i%10)
		event := fmt.Sprintf("$%043d", i)
		return protocol.Scope(room), protocol.Ref{Room: protocol.RoomID(room), Event: protocol.EventID(event)}, Draft{
			Kind: "ballot", People: map[string]protocol.UserID{"voter": voter(i)},
			Keys:    map[string]string{"vote": strconv.Itoa(i / 7 % 100), "what": "ballot"},
			Payload: map[string]any{"choices": []int{0}, "via": "reaction"},
		}
	}
	short := func(i int) (protocol.Scope, protocol.Ref, Draft) {
		return protocol.Scope(fmt.Sprint("console:room", i%10)),
			protocol.Ref{Room: "console:lobby", Event: protocol.EventID(fmt.Sprint("e", i))},
			ballot(voter(i), strconv.Itoa(i/7%100), "yes")
	}
	type maker func(int) (protocol.Scope, protocol.Ref, Draft)
	for name, make := range map[string]maker{"console": short, "matrix": matrix} {
		w := newWorld(t, func(c *Config) { c.Kinds = []Kind{{Name: "ballot", Version: 1}} }) // projections are not counted
		n := *benchFacts
		for i := 0; i < n; {
			w.commit(func(c *store.Commit) {
				for range min(64, n-i) {
					scope, cause, d := make(i)
					if err := c.Run(scope, cause, func(tx *store.Tx) error { return w.bus.Publish(tx, d) }); err != nil {
						t.Fatal(err)
					}
					i++
				}
			})
		}
		live := w.cost(t, n)
		w.reopen()
		w.age()
		w.archive()
		archived := w.cost(t, n)
		t.Logf("%s: live %s; archived %s", name, live, archived)
		if live.sum() > 600 || archived.sum() > 250 {
			t.Errorf("%s: that is too much", name)
		}
	}
}

// cost is in bytes a fact.
type cost struct{ facts, index, file float64 }

func (c cost) sum() float64 { return c.facts + c.index + c.file }

func (c cost) String() string {
	return fmt.Sprintf("%.0f (records %.0f, index %.0f, archive %.0f)", c.sum(), c.facts, c.index, c.file)
}

// cost closes the world and counts.
func (w *world) cost(t *testing.T, facts int) cost {
	t.Helper()
	w.close()
	db, err := bbolt.Open(w.dir+"/moot.db", 0o600, &bbolt.Options{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var c cost
	if err := db.View(func(tx *bbolt.Tx) error {
		for name, sum := range map[string]*float64{
			"facts": &c.facts, "index": &c.index, "archive": &c.index, "kinds": &c.index,
		} {
			if b := tx.Bucket([]byte(name)); b != nil {
				s := b.Stats()
				*sum += float64(s.BranchAlloc+s.LeafAlloc) / float64(facts)
			}
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(w.archivePath())
	if err != nil {
		t.Fatal(err)
	}
	c.file = float64(info.Size()) / float64(facts)
	return c
}
