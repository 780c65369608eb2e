package bot

import (
	"sync/atomic"
	"testing"

	"moot/protocol"
)

// TestNothingIsAttemptedByWhoLeadsNoMore: it is attempted by who leads.
func TestNothingIsAttemptedByWhoLeadsNoMore(t *testing.T) {
	defer noLeaks(t)
	r := newRig(t)
	r.answering()
	leads, asked := atomic.Bool{}, make(chan struct{}, 100)
	leads.Store(true)
	w := newWire()
	run := play(t, r, w, func(c *RunnerConfig) {
		c.Leads = func() bool { asked <- struct{}{}; return leads.Load() }
	})
	run.join(t)
	for len(asked) > 0 {
		<-asked
	}
	leads.Store(false)
	if err := run.to.Admit(t.Context(), []protocol.Event{r.say(lobby, "hi")}, protocol.Cursor{}); err != nil {
		t.Fatal(err)
	}
	<-asked
	if err := run.Settle(t.Context()); err != nil {
		t.Fatal(err)
	}
	if len(w.sent) > 0 {
		t.Errorf("who leads no more has sent %+v", <-w.sent)
	}
	leads.Store(true)
	<-w.sent // it is tried again
	if err := run.end(t); err != nil {
		t.Error(err)
	}
}
