package bot

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"moot/events"
	"moot/internal/clock"
	"moot/outbox"
	"moot/protocol"
	"moot/rooms"
	"moot/store"
)

func TestSettleLooksAtTheClock(t *testing.T) {
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
	if err := run.Settle(t.Context()); err != nil {
		t.Fatal(err)
	}
	clock.mu.Lock()
	clock.at = clock.at.Add(25 * time.Hour)
	clock.mu.Unlock()
	if err := run.Settle(t.Context()); err != nil { // whether or not the jump was noticed
		t.Fatal(err)
	}
	if len(fired) != 1 {
		t.Error("settled although a timer was due")
	}
	if err := run.end(t); err != nil {
		t.Error(err)
	}
}

func TestOldFactsAreArchivedWithoutWaitingForEvents(t *testing.T) {
	defer noLeaks(t)
	r := newRig(t)
	const n = 4*archiveSlice + 1
	r.feature.handle = func(tx *store.Tx, ev protocol.Event) (store.Outcome, error) {
		if _, ok := ev.Body.(protocol.Message); !ok {
			return store.Outcome{}, nil
		}
		for range n {
			if err := r.bus.Publish(tx, events.Draft{Kind: rooms.Kind.Name, Keys: map[string]string{"what": "test"}}); err != nil {
				return store.Outcome{}, err
			}
		}
		return store.WasHandled(""), nil
	}
	clock := &jumping{at: r.now, jump: make(chan struct{}, 1)}
	run := play(t, r, newWire(), func(c *RunnerConfig) { c.Clock = clock })
	run.join(t)
	if err := run.to.Admit(t.Context(), []protocol.Event{r.say(lobby, "hi")}, protocol.Cursor{}); err != nil {
		t.Fatal(err)
	}
	clock.mu.Lock()
	clock.at = clock.at.Add(events.DefaultWindow + time.Hour)
	clock.mu.Unlock()
	clock.jump <- struct{}{}
	for deadline := time.Now().Add(20 * time.Second); ; {
		left := 0
		r.view(func(tx *store.Tx) {
			for range tx.Log(0) {
				left++
			}
		})
		if left == 0 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d facts are still in the store", left)
		}
		time.Sleep(time.Millisecond)
	}
	if err := run.end(t); err != nil {
		t.Error(err)
	}
}

// wrongClock is the clock of a machine that a test puts wrong and right. Time passes as it does.
type wrongClock struct{ jumping }

func (c *wrongClock) Elapsed() time.Duration { return clock.Elapsed() }

func (c *wrongClock) set(at time.Time) {
	c.mu.Lock()
	c.at = at
	c.mu.Unlock()
}

// dated is a transport whose answers carry a date.
type dated time.Time

func (d dated) RoundTrip(*http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: http.StatusOK, Header: http.Header{"Date": {time.Time(d).UTC().Format(http.TimeFormat)}}, Body: http.NoBody}, nil
}

// timeServer is a server that says what the time is, to whoever asks through what it returns.
func timeServer(t *testing.T, date time.Time) (servers []*clock.Server, ask func()) {
	s := &clock.Server{Next: dated(date)}
	return []*clock.Server{s}, func() {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://fake.test/", nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := s.RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
	}
}

// logLines is a log that a test waits for.
type logLines struct {
	mu   sync.Mutex
	text strings.Builder
	more chan struct{}
}

func newLogLines() *logLines { return &logLines{more: make(chan struct{}, 1000)} }

func (l *logLines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.more <- struct{}{}
	return l.text.Write(p)
}

func (l *logLines) await(t *testing.T, words string) {
	t.Helper()
	for deadline := time.After(20 * time.Second); ; {
		l.mu.Lock()
		text := l.text.String()
		l.mu.Unlock()
		if strings.Contains(text, words) {
			return
		}
		select {
		case <-l.more:
		case <-deadline:
			t.Fatalf("the log does not say %q:\n%s", words, text)
		}
	}
}

// A store that is days ahead of the clock, as after a clock that was wrong: what waits for a moment waits no longer than that.
func TestTimeFlowsWhileTheClockIsBehindTheStore(t *testing.T) {
	defer noLeaks(t)
	r := newRig(t)
	fired := make(chan time.Time, 1)
	r.feature.handle = func(tx *store.Tx, ev protocol.Event) (store.Outcome, error) {
		if _, ok := ev.Body.(protocol.Message); ok {
			tx.SetTimer("soon", tx.Now().Add(50*time.Millisecond), nil)
		}
		return store.Outcome{Disposition: store.Handled}, nil
	}
	r.feature.timed = func(tx *store.Tx, _ protocol.Timer) (bool, error) {
		fired <- tx.Now()
		return true, nil
	}
	r.joined(lobby)
	began := r.now
	wall := &wrongClock{jumping{at: r.now.Add(-8 * 24 * time.Hour)}}
	log := newLogLines()
	run := play(t, r, newWire(), func(c *RunnerConfig) { c.Clock = wall; c.Log = slog.New(slog.NewTextHandler(log, nil)) })
	if err := run.to.Admit(t.Context(), []protocol.Event{r.say(lobby, "hi")}, protocol.Cursor{}); err != nil {
		t.Fatal(err)
	}
	select {
	case at := <-fired:
		if d := at.Sub(began); d < 50*time.Millisecond || d > time.Minute {
			t.Errorf("it went off %s later", d)
		}
	case <-time.After(20 * time.Second):
		t.Error("the timer never goes off")
	}
	log.await(t, `ahead="8 days"`)
	if err := run.end(t); err != nil {
		t.Error(err)
	}
}

// What a sender is told of expiry is of the time that really passes, whatever the clock of the machine says.
func TestExpiryIsToldInTheTimeThatPasses(t *testing.T) {
	for name, off := range map[string]time.Duration{"the store is days ahead": -8 * 24 * time.Hour, "the clock is right": 0, "and years ahead": 3 * 365 * 24 * time.Hour} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			r.feature.handle = func(tx *store.Tx, ev protocol.Event) (store.Outcome, error) {
				if _, ok := ev.Body.(protocol.Message); ok {
					_, err := outbox.Send(tx, protocol.Outgoing{
						Room: lobby, Expires: tx.Now().Add(time.Hour), Act: protocol.Say{Text: protocol.Plain("soon")},
					})
					return store.Outcome{Disposition: store.Handled}, err
				}
				return store.Outcome{Disposition: store.Handled}, nil
			}
			r.joined(lobby)
			w := newWire()
			w.tried = make(chan protocol.Attempt, 1)
			run := play(t, r, w, func(c *RunnerConfig) { c.Clock = &wrongClock{jumping{at: r.now.Add(off)}} })
			ev := r.say(lobby, "hi")
			ev.Time = ev.Time.Add(max(off, 0))
			if err := run.to.Admit(t.Context(), []protocol.Event{ev}, protocol.Cursor{}); err != nil {
				t.Fatal(err)
			}
			select {
			case try := <-w.tried:
				if left := time.Until(try.Until); left > time.Hour || left < 30*time.Minute {
					t.Errorf("it expires in %s", left)
				}
			case <-time.After(time.Minute):
				t.Error("it is not sent")
			}
			if err := run.end(t); err != nil {
				t.Error(err)
			}
		})
	}
}

// A machine that was off for three days, and whose clock then starts in 1970: the backlog waits until the clock is right.
func TestABacklogWaitsForARightClock(t *testing.T) {
	defer noLeaks(t)
	r := newRig(t)
	r.answering()
	r.joined(lobby)
	wall := &wrongClock{jumping{at: time.Unix(0, 0)}}
	right := r.now.Add(72 * time.Hour)
	servers, ask := timeServer(t, right)
	log := newLogLines()
	config := func(c *RunnerConfig) {
		quick(c)
		c.askPatience = time.Millisecond
		c.Clock, c.Servers, c.Log = wall, servers, slog.New(slog.NewTextHandler(log, nil))
	}
	run1 := play(t, r, newWire(), config)
	ev := r.say(lobby, "hi")
	ev.Time = right.Add(-time.Minute)
	admitted := make(chan error, 1)
	admit := func(run *runningBot) {
		go func() { admitted <- run.to.Admit(context.Background(), []protocol.Event{ev}, protocol.Cursor{}) }()
	}
	admit(run1)
	log.await(t, "no network has told the time yet")
	// It can be stopped meanwhile, and takes nothing with it.
	run1.StopTimeout = time.Millisecond
	if err := run1.end(t); !errors.Is(err, ErrClock) {
		t.Errorf("it ended with %v", err)
	}
	if err := <-admitted; !errors.Is(err, ErrStopping) {
		t.Errorf("Admit returned %v", err)
	}
	r.crash()
	ask()
	run2 := play(t, r, newWire(), config)
	admit(run2)
	log.await(t, "by the time of the network it is 56 years")
	if s := r.seen(ev); s.Disposition != store.Unseen || len(admitted) > 0 {
		t.Fatalf("with a wrong clock it is %+v", s)
	}
	wall.set(right)
	if err := <-admitted; err != nil {
		t.Fatal(err)
	}
	if err := run2.Settle(t.Context()); err != nil {
		t.Fatal(err)
	}
	if s := r.seen(ev); s.Disposition != store.Handled || len(run2.wire.sent) != 1 {
		t.Errorf("then it is %+v, with %d answers", s, len(run2.wire.sent))
	}
	log.await(t, "the clock is right again")
	if err := run2.end(t); err != nil {
		t.Error(err)
	}
}

// A clock that is years ahead takes the store nowhere, neither at a start nor when it jumps.
func TestAClockThatIsAheadTakesNothingWithIt(t *testing.T) {
	defer noLeaks(t)
	r := newRig(t)
	r.answering()
	r.joined(lobby)
	right := r.now.Add(time.Minute)
	wall := &wrongClock{jumping{at: right.AddDate(10, 0, 0)}}
	servers, ask := timeServer(t, right)
	log := newLogLines()
	run := play(t, r, newWire(), func(c *RunnerConfig) {
		quick(c)
		c.Clock, c.Servers, c.Log = wall, servers, slog.New(slog.NewTextHandler(log, nil))
	})
	last := func() (at time.Time) {
		r.view(func(tx *store.Tx) { at = tx.Now() })
		return at
	}
	admitted := make(chan error, 1)
	say := func(text string) {
		go func() {
			admitted <- run.to.Admit(context.Background(), []protocol.Event{r.say(lobby, text)}, protocol.Cursor{})
		}()
	}
	say("at the start") // which waits for the first word of the network
	ask()
	log.await(t, "by the time of the network it is 10 years")
	if !run.to.(protocol.Loaded).Held() {
		t.Error("the network is not told that the bot holds still")
	}
	wall.set(right)
	if err := <-admitted; err != nil {
		t.Fatal(err)
	}
	log.await(t, "the clock is right again")
	wall.set(right.AddDate(10, 0, 0))
	say("after a jump")
	wall.set(right.Add(time.Second))
	if err := <-admitted; err != nil {
		t.Fatal(err)
	}
	if at := last(); at.After(right.Add(time.Minute)) {
		t.Errorf("the store is at %s", at)
	}
	if err := run.end(t); err != nil {
		t.Error(err)
	}
}

// Where the network says that the clock is right, a store that is far ahead is the operator's to decide about.
func TestAStoreFarAheadIsNotStartedWith(t *testing.T) {
	defer noLeaks(t)
	for ahead, want := range map[time.Duration]error{2 * time.Hour: ErrStoreAhead, 30 * time.Minute: nil} {
		r := newRig(t)
		r.answering()
		r.joined(lobby)
		wall := &wrongClock{jumping{at: r.now.Add(-ahead)}}
		servers, ask := timeServer(t, wall.Now())
		ask()
		run := play(t, r, newWire(), func(c *RunnerConfig) { quick(c); c.Clock, c.Servers = wall, servers })
		ev := r.say(lobby, "hi")
		err := run.to.Admit(context.Background(), []protocol.Event{ev}, protocol.Cursor{})
		if (err == nil) != (want == nil) {
			t.Errorf("%s ahead: %v", ahead, err)
		}
		if err := run.end(t); !errors.Is(err, want) {
			t.Errorf("%s ahead: it ended with %v", ahead, err)
		}
		if s := r.seen(ev); (s.Disposition == store.Handled) != (want == nil) {
			t.Errorf("%s ahead: %+v", ahead, s)
		}
	}
}

// An event from the far future, whose sender lies or has a wrong clock, is handled once and stops nothing.
func TestAnEventFromTheFutureIsHandledNow(t *testing.T) {
	r := newRig(t)
	r.joined(lobby)
	var at time.Time
	r.feature.handle = func(_ *store.Tx, ev protocol.Event) (store.Outcome, error) {
		at = ev.Time
		return store.Outcome{Disposition: store.Handled}, nil
	}
	ev := r.say(lobby, "from the next century")
	ev.Time = r.now.AddDate(100, 0, 0)
	r.admit(ev)
	if s := r.seen(ev); s.Disposition != store.Handled || at.After(r.now) {
		t.Errorf("%+v, at %s", s, at)
	}
	at = time.Time{}
	if r.admit(ev); !at.IsZero() {
		t.Error("delivered again, it is handled again")
	}
}

// The archive goes by the time of the step before it, for which the clock was judged.
func TestAClockThatJumpsAfterAStepTakesNoArchiveWithIt(t *testing.T) {
	defer noLeaks(t)
	r := newRig(t)
	r.joined(lobby)
	right := r.now.Add(time.Minute)
	wall := &wrongClock{jumping{at: right}}
	r.feature.handle = func(tx *store.Tx, ev protocol.Event) (store.Outcome, error) {
		switch m, ok := ev.Body.(protocol.Message); {
		case ok && m.Text == "jump":
			wall.set(right.AddDate(10, 0, 0))
			return store.WasHandled(""), r.bus.Publish(tx, events.Draft{Kind: rooms.Kind.Name, Keys: map[string]string{"what": "test"}})
		case ok:
			return store.WasHandled(""), nil
		}
		return store.Outcome{}, nil
	}
	servers, ask := timeServer(t, right)
	ask()
	log := newLogLines()
	run := play(t, r, newWire(), func(c *RunnerConfig) {
		quick(c)
		c.Clock, c.Servers, c.Log = wall, servers, slog.New(slog.NewTextHandler(log, nil))
	})
	if err := run.to.Admit(t.Context(), []protocol.Event{r.say(lobby, "jump")}, protocol.Cursor{}); err != nil {
		t.Fatal(err)
	}
	admitted := make(chan error, 1)
	go func() {
		admitted <- run.to.Admit(context.Background(), []protocol.Event{r.say(lobby, "wait")}, protocol.Cursor{})
	}()
	log.await(t, "by the time of the network it is 10 years")
	wall.set(right)
	if err := <-admitted; err != nil {
		t.Fatal(err)
	}
	r.view(func(tx *store.Tx) {
		if at := tx.Now(); at.Sub(right) > time.Hour {
			t.Errorf("then it is %s for the store", at)
		}
	})
	if err := run.end(t); err != nil {
		t.Error(err)
	}
}

// TestALeapNeedsAWitness: a clock that is years ahead, and a network that does not answer: nothing is committed, however long
// that takes, until the network has told the time; then the bot waits for the clock, or goes on where it was off for long.
func TestALeapNeedsAWitness(t *testing.T) {
	for _, c := range []struct {
		name string
		off  time.Duration // how long the bot was really off
		then string
	}{
		{"the clock is wrong", time.Hour, "by the time of the network it is"},
		{"the bot was off", 3 * 365 * 24 * time.Hour, "the clock is right again"},
	} {
		t.Run(c.name, func(t *testing.T) {
			defer noLeaks(t)
			r := newRig(t)
			r.joined(lobby)
			last := r.now
			wall := &wrongClock{jumping{at: last.Add(3 * 365 * 24 * time.Hour)}}
			servers, ask := timeServer(t, last.Add(c.off))
			log := newLogLines()
			run := play(t, r, newWire(), func(rc *RunnerConfig) {
				quick(rc)
				rc.askPatience = time.Millisecond
				rc.Clock, rc.Servers, rc.Log = wall, servers, slog.New(slog.NewTextHandler(log, nil))
			})
			log.await(t, "no network has told the time yet")
			r.view(func(tx *store.Tx) {
				if tx.Now().After(last.Add(time.Minute)) {
					t.Errorf("the store has gone on to %s", tx.Now())
				}
			})
			ask()
			if c.off > 24*time.Hour {
				log.await(t, c.then)
			} else {
				d := run.Verdict()
				if d.State != clock.Ahead {
					t.Errorf("the clock is judged %+v", d)
				}
			}
			run.StopTimeout = time.Millisecond
			_ = run.end(t) // ErrClock where it still waits
		})
	}
}
