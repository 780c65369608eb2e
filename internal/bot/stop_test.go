package bot

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"go.uber.org/goleak"

	"moot/protocol"
	"moot/store"
)

func TestAnAdapterThatFailsForATimeoutFailsTheBot(t *testing.T) {
	defer goleak.VerifyNone(t)
	for _, cause := range []error{context.DeadlineExceeded, context.Canceled} {
		r := newRig(t)
		run := run(t, r, newWire(), nil)
		run.wire.fail <- fmt.Errorf("sync: %w", cause)
		if err := <-run.ended; !errors.Is(err, cause) {
			t.Errorf("Run ended with %v", err)
		}
	}
}

func TestNothingIsAttemptedOnceTheAdaptersAreToldToEnd(t *testing.T) {
	defer goleak.VerifyNone(t)
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
	defer goleak.VerifyNone(t)
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
