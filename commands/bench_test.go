package commands_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"moot/protocol"
	"moot/store"
)

// BenchmarkDispatch measures what lies between an event and the outbox: reading, resolving and running a command, in a
// room of a thousand people. What a commit costs is not in it: each run is discarded.
func BenchmarkDispatch(b *testing.B) {
	for _, bench := range []struct {
		name string
		room protocol.RoomID
		text string
	}{
		{"not-addressed", "console:lobby", "just a few words to somebody else, as most messages are"},
		{"not-addressed-1MiB", "console:lobby", strings.Repeat("word ", 1<<20/5)},
		{"too-long-1MiB", "console:lobby", "!moot " + strings.Repeat("word ", 1<<20/5)},
		{"ping", "console:lobby", "!moot ping"},
		{"unknown", "console:lobby", "!moot pnig"},
		{"help", "console:lobby", "!moot help"},
		{"private-about-a-room", dm(ben), "room --in lobby"},
		{"private-person-by-id", dm(ben), "events --in lobby --person console:p900"},
		{"private-person-by-name", dm(ben), "events --in lobby --person p900"},
	} {
		b.Run(bench.name, func(b *testing.B) {
			w := newWorldWith(b, unlimited)
			w.meet(ben)
			people := []string{"ann", "ben"}
			for i := range 1000 {
				people = append(people, fmt.Sprintf("p%d", i))
			}
			w.room("console:lobby", "lobby", people...)
			ev := protocol.Event{Room: bench.room, ID: "e1", Sender: ben, Private: private(bench.room), Body: protocol.Message{Text: bench.text}}
			w.settle()
			discard := errors.New("discard")
			b.ReportAllocs()
			err := w.store.Commit(w.now, func(c *store.Commit) error {
				for b.Loop() {
					err := c.Run(ev.Scope(), ev.Ref(), func(tx *store.Tx) error {
						if _, err := w.commands.Handle(tx, ev); err != nil {
							return err
						}
						if err := w.deliver(tx); err != nil {
							return err
						}
						return discard
					})
					if err != discard {
						return err
					}
				}
				return discard
			})
			if err != discard {
				b.Fatal(err)
			}
		})
	}
}
