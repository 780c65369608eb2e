package bot

import (
	"testing"

	"moot/protocol"
)

func TestNothingIsSentWhileTheNetworkCannotBeReached(t *testing.T) {
	r := newRig(t)
	r.answering()
	run := play(t, r, newWire(), nil)
	run.join(t)
	net := run.to.(protocol.Connectivity)
	net.Connected(false)
	if err := run.to.Admit(t.Context(), []protocol.Event{r.say(lobby, "hi")}, protocol.Cursor{}); err != nil {
		t.Fatal(err)
	}
	if err := run.Settle(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := len(run.wire.sent); n != 0 {
		t.Errorf("%d answers were sent while the network could not be reached", n)
	}
	net.Connected(true)
	if err := run.Settle(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := len(run.wire.sent); n != 1 {
		t.Errorf("%d answers were sent after the network could be reached again", n)
	}
	if err := run.end(t); err != nil {
		t.Fatal(err)
	}
}
