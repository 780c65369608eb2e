package apart

import (
	"os/exec"
	"testing"
	"time"

	"moot/protocol"
	"moot/protocol/console"
)

// TestNextMessage: a bot that is to die at the next message is not struck by what it catches up with after its last death, and
// each message of a batch has a course of its own.
func TestNextMessage(t *testing.T) {
	world, err := console.Open(console.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = world.Close() })
	k := NewKeeper(KeeperConfig{})
	k.world = world
	cmd := exec.Command("sleep", "60")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = cmd.Wait() }()
	l := &life{cmd: cmd}
	k.life = l
	message := func(id protocol.EventID, at time.Time) protocol.Event {
		return protocol.Event{Room: "console:lobby", ID: id, Time: at, Body: protocol.Message{Text: "!moot ping"}}
	}
	now := k.world.Clock().Now()
	before := message("14", now.Add(-time.Second))
	if err := k.Crash(Arrival); err != nil {
		t.Fatal(err)
	}
	if k.strike(l, Arrival, k.meet([]protocol.Event{before})) {
		t.Error("it was killed by what was said before")
	}
	next := message("15", k.world.Clock().Now())
	both := []protocol.Event{before, next}
	if !k.strike(l, Arrival, k.meet(both)) {
		t.Error("it was not killed by the next message")
	}
	if k.victim != next.Ref() {
		t.Errorf("it died in the middle of %v", k.victim)
	}
	k.handOver(both)
	for _, ev := range both {
		if got := k.met[ev.Ref()].handed; got != 1 {
			t.Errorf("message %s was handed over %d times", ev.ID, got)
		}
	}
}
