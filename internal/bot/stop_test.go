package bot

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"moot/protocol"
	"moot/store"
)

func TestANetworkThatEndsForATimeoutIsTriedAgain(t *testing.T) {
	defer noLeaks(t)
	for _, cause := range []error{context.DeadlineExceeded, context.Canceled} {
		r := newRig(t)
		run := play(t, r, newWire(), impatient)
		run.wire.fail <- fmt.Errorf("sync: %w", cause)
		<-run.wire.to
		if err := run.end(t); err != nil {
			t.Errorf("after %v Run ended with %v", cause, err)
		}
	}
}

func TestNothingIsAttemptedOnceTheAdaptersAreToldToEnd(t *testing.T) {
	defer noLeaks(t)
	r := newRig(t)
	r.answering()
	w := &stuckWire{wire: newWire()}
	runner, err := NewRunner(RunnerConfig{Machine: r.machine, Adapters: []protocol.Adapter{w}, StopTimeout: 10 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- runner.Run(ctx) }()
	to := <-w.to
	var evs []protocol.Event
	for i := range 100 {
		ev := r.event("console:dm", protocol.Message{Text: "hi"})
		ev.Room, ev.Private = protocol.RoomID(fmt.Sprintf("console:dm%d", i)), true
		evs = append(evs, ev)
	}
	if err := to.Admit(t.Context(), evs, protocol.Cursor{}); err != nil {
		t.Fatal(err)
	}
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	tried, waiting := 0, 0
	r.view(func(tx *store.Tx) {
		for q := range tx.Queue("", 0) {
			waiting++
			tried += q.Attempts
		}
	})
	if waiting != 100 || tried != 32 {
		t.Errorf("%d wait, %d attempts were made; 32 run at once and none ends before the stop", waiting, tried)
	}
}

// eager is an adapter that does not mind its context while it admits.
type eager struct {
	*wire
	evs []protocol.Event
}

func (e *eager) Run(_ context.Context, to protocol.Admitter) error {
	e.to <- to
	for {
		if err := to.Admit(context.Background(), e.evs, protocol.Cursor{}); err != nil {
			return nil
		}
	}
}

func TestAdmitReturnsWhenTheBotEndsWhateverItsContext(t *testing.T) {
	defer noLeaks(t)
	r := newRig(t)
	w := &eager{wire: newWire()}
	for range 20_000 {
		w.evs = append(w.evs, r.say(lobby, "hi"))
	}
	runner, err := NewRunner(RunnerConfig{Machine: r.machine, Adapters: []protocol.Adapter{w}, StopTimeout: time.Nanosecond})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- runner.Run(ctx) }()
	<-w.to
	stop()
	select {
	case err := <-ended:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(20 * time.Second):
		t.Fatal("the runner does not end")
	}
}

// deaf is an adapter that ignores that it was told to end, and so do its sends, until the test ends.
type deaf struct {
	*wire
	runs    bool          // whether Run does too
	release chan struct{} // closed at the end of the test
	sending chan struct{}
}

func (d *deaf) Run(ctx context.Context, to protocol.Admitter) error {
	err := d.wire.Run(ctx, to)
	if d.runs {
		<-d.release
	}
	return err
}

func (d *deaf) Send(context.Context, protocol.Outgoing, protocol.Attempt) (protocol.Ref, error) {
	close(d.sending)
	<-d.release
	return protocol.Ref{}, nil
}

// TestWhatIgnoresTheStopIsNamed: whatever ignores that it is told to end, the stop ends all the same, says what hangs, and a
// second signal does not wait for it.
func TestWhatIgnoresTheStopIsNamed(t *testing.T) {
	for name, runs := range map[string]bool{"a send": false, "an adapter": true} {
		for _, hurried := range []bool{false, true} {
			t.Run(fmt.Sprint(name, " hurried ", hurried), func(t *testing.T) {
				defer noLeaks(t)
				r := newRig(t)
				r.answering()
				d := &deaf{wire: newWire(), runs: runs, release: make(chan struct{}), sending: make(chan struct{})}
				hurry := make(chan struct{})
				c := RunnerConfig{Machine: r.machine, Adapters: []protocol.Adapter{d}, StopTimeout: 10 * time.Millisecond, EndTimeout: 50 * time.Millisecond, Hurry: hurry}
				if hurried {
					c.StopTimeout, c.EndTimeout = time.Hour, time.Hour
				}
				runner, err := NewRunner(c)
				if err != nil {
					t.Fatal(err)
				}
				ctx, stop := context.WithCancel(t.Context())
				ended := make(chan error, 1)
				go func() { ended <- runner.Run(ctx) }()
				to := <-d.to
				ev := r.event("console:dm", protocol.Message{Text: "hi"})
				ev.Private = true
				if err := to.Admit(t.Context(), []protocol.Event{ev}, protocol.Cursor{}); err != nil {
					t.Fatal(err)
				}
				<-d.sending
				stop()
				if hurried {
					close(hurry)
				}
				select {
				case err = <-ended:
				case <-time.After(20 * time.Second):
					t.Fatal("the runner does not end")
				}
				key := store.CauseKey(ev.Ref(), 1)
				want := "a send on console in console:dm (key " + string(key) + ")"
				if !errors.Is(err, ErrHangs) || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "the adapter of console") != runs {
					t.Errorf("it ended with %v", err)
				}
				close(d.release)
				runner.sends.Wait()
			})
		}
	}
}
