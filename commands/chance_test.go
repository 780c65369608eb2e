package commands_test

import (
	"errors"
	"fmt"
	"testing"

	"moot/commands"
	"moot/protocol"
	"moot/store"
)

// TestChance: what a command draws depends on the event and on the secret of the store, and on nothing else.
func TestChance(t *testing.T) {
	var drawn string
	draw := func(name string) *commands.Command {
		return &commands.Command{Name: name, Summary: "draws", Run: func(c *commands.Call) error {
			drawn = fmt.Sprint(c.Chance().IntN(1_000_000), c.Chance().IntN(1_000_000))
			return nil
		}}
	}
	undone := errors.New("undone")
	// handles returns what is drawn when an event is handled, which is then undone as by a crash.
	handles := func(w *world, id protocol.EventID, text string) string {
		t.Helper()
		drawn = ""
		err := w.store.Commit(w.now, func(c *store.Commit) error {
			w.handle(c, protocol.Event{Room: "console:lobby", ID: id, Sender: ann, Time: w.now, Body: protocol.Message{Text: text}})
			return undone
		})
		if !errors.Is(err, undone) || drawn == "" {
			t.Fatalf("%v, drawn is %q", err, drawn)
		}
		return drawn
	}
	start := func() *world {
		w := newWorld(t, draw("draw"), draw("pick"))
		w.meet(ann)
		w.room("console:lobby", "lobby", "ann")
		return w
	}
	w := start()
	first := handles(w, "e1000", "!moot draw")
	if again := handles(w, "e1000", "!moot draw"); again != first {
		t.Errorf("handled again it draws %s, and before %s", again, first)
	}
	var a, b int
	if _, err := fmt.Sscan(first, &a, &b); err != nil || a == b {
		t.Errorf("the second draw of a call is the first one: %s", first)
	}
	for what, other := range map[string]string{
		"another event":   handles(w, "e1001", "!moot draw"),
		"another command": handles(w, "e1000", "!moot pick"),
		"another bot":     handles(start(), "e1000", "!moot draw"),
	} {
		if other == first {
			t.Errorf("%s draws the same: %s", what, other)
		}
	}
}
