package events_test

import (
	"fmt"
	"os"
	"path/filepath"
	"time"

	"moot/events"
	"moot/protocol"
	"moot/store"
)

// A kind that counts, one commit that publishes, and a query.
func Example() {
	dir, err := os.MkdirTemp("", "moot-example-*")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	file, err := store.Open(store.Config{Path: filepath.Join(dir, "moot.db")})
	if err != nil {
		panic(err)
	}
	defer file.Close()

	tally := store.ScopedBucket("tally")
	thanks := events.Kind{
		Name: "thanks", Version: 1, Buckets: []store.Bucket{tally},
		Apply: func(tx *store.Tx, f events.Fact) error {
			key := store.Key(f.Scope, f.People["to"].String())
			n := store.ParseNumber(string(tx.Get(tally, key)))
			tx.Put(tally, key, []byte(store.Number(n+1)))
			return nil
		},
	}
	bus, err := events.Open(events.Config{Store: file, Kinds: []events.Kind{thanks}})
	if err != nil {
		panic(err)
	}
	defer bus.Close()

	err = file.Commit(time.Now(), func(c *store.Commit) error {
		return c.Run("console:lobby", protocol.Ref{Room: "console:lobby", Event: "e1"}, func(tx *store.Tx) error {
			return bus.Publish(tx, events.Draft{
				Kind:    "thanks",
				People:  map[string]protocol.UserID{"by": "console:ann", "to": "console:bob"},
				Payload: map[string]int{"cups": 2},
			})
		})
	})
	if err != nil {
		panic(err)
	}
	bus.Notify()

	err = file.View(func(tx *store.Tx) error {
		bob := bus.Lookup(tx, "console:bob").String()
		for f, err := range bus.Matching(tx, events.Query{Filters: map[string]string{"to": bob}}) {
			if err != nil {
				return err
			}
			by, _ := bus.Who(tx, f.People["by"])
			fmt.Println(f.Seq, f.Kind, "by", by, string(f.Payload))
		}
		return nil
	})
	if err != nil {
		panic(err)
	}
	// Output: 1 thanks by console:ann {"cups":2}
}
