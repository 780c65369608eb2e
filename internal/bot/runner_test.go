package bot

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"moot/protocol"
	"moot/store"
)

// wire is an adapter that a test plays by hand.
type wire struct {
	name   protocol.Network            // zero means that of the console
	to     chan protocol.Admitter      // gets the Admitter when Run runs
	fail   chan error                  // ends Run
	panics chan string                 // ends Run too
	send   func(context.Context) error // nil: all goes well
	sent   chan protocol.Outgoing
	tried  chan protocol.Attempt         // gets each attempt; nil means that nobody looks
	reply  func(protocol.Outgoing) error // nil: all goes well
	asked  func(protocol.Ask) (protocol.Body, error)
}

func newWire() *wire {
	return &wire{to: make(chan protocol.Admitter, 1), fail: make(chan error, 1), panics: make(chan string, 1), sent: make(chan protocol.Outgoing, 10_000)}
}

func (w *wire) Network() protocol.Network { return cmp.Or(w.name, protocol.Console) }

func (w *wire) Run(ctx context.Context, to protocol.Admitter) error {
	w.to <- to
	select {
	case <-ctx.Done():
		return nil
	case err := <-w.fail:
		return err
	case words := <-w.panics:
		panic(words)
	}
}

func (w *wire) Send(ctx context.Context, out protocol.Outgoing, try protocol.Attempt) (protocol.Ref, error) {
	if w.tried != nil {
		w.tried <- try
	}
	if w.send != nil {
		if err := w.send(ctx); err != nil {
			return protocol.Ref{}, err
		}
	}
	if w.reply != nil {
		if err := w.reply(out); err != nil {
			return protocol.Ref{}, err
		}
	}
	w.sent <- out
	return protocol.Ref{Room: out.Room, Event: protocol.EventID(out.Key)}, ctx.Err()
}

func (w *wire) Ask(_ context.Context, a protocol.Ask, _ protocol.Attempt) (protocol.Body, error) {
	if w.asked != nil {
		return w.asked(a)
	}
	return protocol.MemberList{Last: true, Members: []protocol.Member{{User: "console:moot", Self: true}}}, nil
}

// runningBot is a Runner that runs in the background of a test.
type runningBot struct {
	*rig
	*Runner
	wire  *wire
	to    protocol.Admitter
	stop  context.CancelFunc
	ended chan error
}

func play(t *testing.T, r *rig, w *wire, change func(*RunnerConfig)) *runningBot {
	t.Helper()
	c := RunnerConfig{Machine: r.machine, Adapters: []protocol.Adapter{w}}
	if change != nil {
		change(&c)
	}
	runner, err := NewRunner(c)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	b := &runningBot{rig: r, Runner: runner, wire: w, stop: stop, ended: make(chan error, 1)}
	go func() { b.ended <- runner.Run(ctx) }()
	t.Cleanup(stop)
	b.to = <-w.to
	return b
}

func (r *runningBot) end(t *testing.T) error {
	t.Helper()
	r.stop()
	select {
	case err := <-r.ended:
		return err
	case <-time.After(20 * time.Second):
		t.Fatal("the runner does not end")
		return nil
	}
}

func (r *runningBot) join(t *testing.T) {
	t.Helper()
	ev := r.event(lobby, protocol.MemberChange{User: "console:moot", Self: true, Membership: protocol.Joined})
	if err := r.to.Admit(t.Context(), []protocol.Event{ev}, protocol.Cursor{}); err != nil {
		t.Fatal(err)
	}
	if err := r.Settle(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func TestAdmitReturnsWhenAllIsDurable(t *testing.T) {
	defer noLeaks(t)
	r := newRig(t)
	r.answering()
	run := play(t, r, newWire(), nil)
	run.join(t)
	var evs []protocol.Event
	for range 500 {
		evs = append(evs, r.say(lobby, "hi"))
	}
	if err := run.to.Admit(t.Context(), evs, protocol.Cursor{Name: "c", Value: "500"}); err != nil {
		t.Fatal(err)
	}
	for _, ev := range evs {
		if s := r.seen(ev); s.Disposition != store.Handled {
			t.Fatalf("%s is %s when Admit returns", ev.ID, s.Disposition)
		}
	}
	if v, err := run.to.Cursor("c"); v != "500" || err != nil {
		t.Errorf("cursor %q, %v", v, err)
	}
	if err := run.Settle(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := len(run.wire.sent); n != 500 {
		t.Errorf("%d answers when all is settled", n)
	}
	if err := run.end(t); err != nil {
		t.Error(err)
	}
}

func TestStopHandlesWhatItHasAndTakesNothingNew(t *testing.T) {
	defer noLeaks(t)
	r := newRig(t)
	r.answering()
	w := newWire()
	hold := make(chan struct{})
	w.reply = func(protocol.Outgoing) error { <-hold; return nil }
	run := play(t, r, w, nil)
	run.join(t)
	if err := run.to.Admit(t.Context(), []protocol.Event{r.say(lobby, "hi")}, protocol.Cursor{}); err != nil {
		t.Fatal(err)
	}
	run.stop()
	<-run.closing
	if err := run.to.Admit(t.Context(), []protocol.Event{r.say(lobby, "late")}, protocol.Cursor{}); !errors.Is(err, ErrStopping) {
		t.Errorf("Admit while stopping: %v", err)
	}
	close(hold) // the answer that is being sent is awaited
	if err := run.end(t); err != nil {
		t.Error(err)
	}
	if len(w.sent) != 1 {
		t.Errorf("%d answers", len(w.sent))
	}
	r.view(func(tx *store.Tx) {
		for q := range tx.Queue("", 0) {
			t.Errorf("still queued: %+v", q)
		}
	})
}

func TestAStuckSendIsLeftToTheNextRun(t *testing.T) {
	for name, change := range map[string]func(*RunnerConfig){
		"deadline": func(c *RunnerConfig) { c.StopTimeout = 10 * time.Millisecond },
		"hurry": func(c *RunnerConfig) {
			h := make(chan struct{})
			close(h)
			c.StopTimeout, c.Hurry = time.Hour, h
		},
	} {
		t.Run(name, func(t *testing.T) {
			defer noLeaks(t)
			r := newRig(t)
			r.answering()
			w := &stuckWire{wire: newWire()}
			c := RunnerConfig{Machine: r.machine, Adapters: []protocol.Adapter{w}}
			change(&c)
			runner, err := NewRunner(c)
			if err != nil {
				t.Fatal(err)
			}
			ctx, stop := context.WithCancel(t.Context())
			ended := make(chan error, 1)
			go func() { ended <- runner.Run(ctx) }()
			to := <-w.to
			join := r.event(lobby, protocol.MemberChange{User: "console:moot", Self: true, Membership: protocol.Joined})
			if err := to.Admit(t.Context(), []protocol.Event{join, r.say(lobby, "hi")}, protocol.Cursor{}); err != nil {
				t.Fatal(err)
			}
			stop()
			if err := <-ended; err != nil {
				t.Error(err)
			}
			r.view(func(tx *store.Tx) {
				n := 0
				for q := range tx.Queue(string(lobby), 0) {
					if n++; q.Attempts != 1 {
						t.Errorf("%+v", q)
					}
				}
				if n != 1 {
					t.Errorf("%d entries wait for the next run", n)
				}
			})
		})
	}
}

// stuckWire sends nothing until it is told to end.
type stuckWire struct{ *wire }

func (w *stuckWire) Send(ctx context.Context, _ protocol.Outgoing, _ protocol.Attempt) (protocol.Ref, error) {
	<-ctx.Done()
	return protocol.Ref{}, ctx.Err()
}

func TestTheOnlyNetworkThatEndsForGoodEndsTheBotWithItsError(t *testing.T) {
	defer noLeaks(t)
	r := newRig(t)
	run := play(t, r, newWire(), nil)
	want := errors.New("the token is no longer valid")
	run.wire.fail <- protocol.Ends(protocol.RetrySlowly, want)
	if err := <-run.ended; !errors.Is(err, want) {
		t.Errorf("Run ended with %v", err)
	}
	if err := run.Settle(t.Context()); !errors.Is(err, ErrStopping) {
		t.Errorf("Settle after the end: %v", err)
	}
	if err := run.RetryDead(1); !errors.Is(err, ErrStopping) {
		t.Errorf("RetryDead after the end: %v", err)
	}
}

func TestAFailingStoreEndsTheBot(t *testing.T) {
	defer noLeaks(t)
	r := newRig(t)
	run := play(t, r, newWire(), nil)
	run.join(t)
	if err := r.store.Close(); err != nil {
		t.Fatal(err)
	}
	if err := run.to.Admit(t.Context(), []protocol.Event{r.say(lobby, "hi")}, protocol.Cursor{}); err == nil {
		t.Error("Admit succeeded on a closed store")
	}
	if err := <-run.ended; err == nil {
		t.Error("Run ended without an error")
	}
	var err error
	if r.store, err = store.Open(store.Config{Path: r.path}); err != nil {
		t.Fatal(err)
	}
}

func TestAPanicOfAnAdapterIsAFailedAttempt(t *testing.T) {
	defer noLeaks(t)
	r := newRig(t)
	r.answering()
	w := newWire()
	var once sync.Once
	w.reply = func(protocol.Outgoing) error {
		once.Do(func() { panic("adapter") })
		return nil
	}
	run := play(t, r, w, nil)
	run.join(t)
	if err := run.to.Admit(t.Context(), []protocol.Event{r.say(lobby, "hi")}, protocol.Cursor{}); err != nil {
		t.Fatal(err)
	}
	if out := <-w.sent; out.Act.(protocol.Say).Text.Plain() != "hi" {
		t.Errorf("sent %+v", out)
	}
	if err := run.end(t); err != nil {
		t.Error(err)
	}
}

func TestManyAdaptersOfEventsAtOnceShareCommits(t *testing.T) {
	defer noLeaks(t)
	r := newRig(t)
	r.answering()
	run := play(t, r, newWire(), func(c *RunnerConfig) { c.MaxQueued = 8 })
	run.join(t)
	var evs []protocol.Event
	for range 200 {
		evs = append(evs, r.say(lobby, "hi"))
	}
	var wg sync.WaitGroup
	errs := make(chan error, len(evs))
	for _, ev := range evs {
		wg.Go(func() { errs <- run.to.Admit(t.Context(), []protocol.Event{ev}, protocol.Cursor{}) })
	}
	wg.Wait()
	close(errs)
	for err := range errs {
		if err != nil {
			t.Error(err)
		}
	}
	if err := run.Settle(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := len(run.wire.sent); n != len(evs) {
		t.Errorf("%d answers to %d messages", n, len(evs))
	}
	if err := run.end(t); err != nil {
		t.Error(err)
	}
}

// jumping is a clock that moves only when a test says so.
type jumping struct {
	mu   sync.Mutex
	at   time.Time
	jump chan struct{}
}

func (c *jumping) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *jumping) Jumped() <-chan struct{} { return c.jump }

func TestTimersFollowAClockThatJumps(t *testing.T) {
	defer noLeaks(t)
	r := newRig(t)
	fired := make(chan string, 1)
	r.feature.handle = func(tx *store.Tx, ev protocol.Event) (store.Outcome, error) {
		if _, ok := ev.Body.(protocol.Message); ok {
			tx.SetTimer("tomorrow", tx.Now().Add(24*time.Hour), nil)
		}
		return store.WasHandled(""), nil
	}
	r.feature.timed = func(_ *store.Tx, timer protocol.Timer) (bool, error) {
		fired <- timer.Name
		return true, nil
	}
	clock := &jumping{at: r.now, jump: make(chan struct{}, 1)}
	run := play(t, r, newWire(), func(c *RunnerConfig) { c.Clock = clock })
	run.join(t)
	if err := run.to.Admit(t.Context(), []protocol.Event{r.say(lobby, "hi")}, protocol.Cursor{}); err != nil {
		t.Fatal(err)
	}
	clock.mu.Lock()
	clock.at = clock.at.Add(25 * time.Hour)
	clock.mu.Unlock()
	clock.jump <- struct{}{}
	if name := <-fired; name != "tomorrow" {
		t.Errorf("timer %q", name)
	}
	if err := run.end(t); err != nil {
		t.Error(err)
	}
}

func TestAHundredThousandMembersDoNotHoldUpOthers(t *testing.T) {
	defer noLeaks(t)
	r := newRig(t)
	r.answering()
	w := newWire()
	big := protocol.MemberList{Last: true, Members: []protocol.Member{{User: "console:moot", Self: true}}}
	for i := range 100_000 {
		big.Members = append(big.Members, protocol.Member{User: protocol.UserID(fmt.Sprintf("console:%08x", uint32(i)*2654435761))})
	}
	asked := make(chan struct{})
	w.asked = func(a protocol.Ask) (protocol.Body, error) {
		if a.Room == garden {
			close(asked)
			return big, nil
		}
		return protocol.MemberList{Last: true}, nil
	}
	run := play(t, r, w, nil)
	run.join(t)
	ev := r.event(garden, protocol.MemberChange{User: "console:moot", Self: true, Membership: protocol.Joined})
	if err := run.to.Admit(t.Context(), []protocol.Event{ev}, protocol.Cursor{}); err != nil {
		t.Fatal(err)
	}
	<-asked
	var slowest time.Duration
	asking := time.Now()
	for range 20 {
		began := time.Now()
		if err := run.to.Admit(t.Context(), []protocol.Event{r.say(lobby, "hi")}, protocol.Cursor{}); err != nil {
			t.Fatal(err)
		}
		slowest = max(slowest, time.Since(began))
	}
	if err := run.Settle(t.Context()); err != nil {
		t.Fatal(err)
	}
	whole := time.Since(asking)
	t.Logf("the slowest of 20 messages took %v while 100,000 members were read in %v", slowest, whole)
	if slowest > max(2*time.Second, whole/2) { // a slow machine reads slowly too
		t.Errorf("a message waited %v", slowest)
	}
	if err := run.end(t); err != nil {
		t.Error(err)
	}
}

func TestLongTextsTakeMoreRoomInMemory(t *testing.T) {
	short := []protocol.Event{{Body: protocol.Message{Text: "hi"}}, {Body: nil}}
	long := []protocol.Event{{Body: protocol.Message{Text: strings.Repeat("x", 1<<20)}}}
	if weigh(short) != 2 || weigh(long) < 200 {
		t.Errorf("short ones weigh %d, a long one %d", weigh(short), weigh(long))
	}
}

var _ protocol.Adapter = (*wire)(nil)
