package service

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"moot/protocol"
	"moot/protocol/service/result"
)

// played is a task that a test plays.
type played struct {
	do   func(ctx context.Context) error
	env  []string
	runs int
}

func (p *played) Do(ctx context.Context, _ []byte, env ...string) (json.RawMessage, error) {
	p.env, p.runs = env, p.runs+1
	return json.RawMessage(`{"answer":"yes"}`), p.do(ctx)
}

func (*played) Warm()  {}
func (*played) Close() {}

func ask(once bool) protocol.Ask {
	return protocol.Ask{Key: "k", Room: "service.dice:console:lobby", Want: protocol.AskTask{Task: "roll", Input: []byte(`{"key":"K","job":"J"}`), Once: once}}
}

// What becomes of an attempt, by what the task did, which attempt it was, and whether it may be repeated.
func TestWhatBecomesOfAnAttempt(t *testing.T) {
	failed := fmt.Errorf("%w with the exit code 1", result.ErrFailed)
	for _, tc := range []struct {
		name             string
		once             bool
		n                int
		err              error
		stop             bool // the bot stops meanwhile
		runs             bool
		final, ambiguous bool
	}{
		{"works", false, 1, nil, false, true, false, false},
		{"works at last", false, 5, nil, false, true, false, false},
		{"fails", false, 1, failed, false, true, false, false},
		{"fails for the last time", false, 5, failed, false, true, true, false},
		{"takes too long", false, 2, result.ErrTimeout, false, true, false, false},
		{"is stopped", false, 5, context.Canceled, true, true, false, false},
		{"once works", true, 1, nil, false, true, false, false},
		{"once fails", true, 1, failed, false, true, true, false},
		{"once takes too long", true, 1, result.ErrTimeout, false, true, false, true},
		{"once dies", true, 1, result.ErrDied, false, true, false, true},
		{"once floods", true, 1, result.ErrOutput, false, true, false, true},
		{"once is stopped", true, 1, context.Canceled, true, true, false, true},
		{"once may have run", true, 2, nil, false, false, false, true},
	} {
		ctx, cancel := context.WithCancel(t.Context())
		p := &played{do: func(context.Context) error {
			if tc.stop {
				cancel()
			}
			return tc.err
		}}
		a := New(Config{Name: "dice", Tasks: []Task{{Name: "roll", Run: p, Tries: 5}}})
		body, err := a.Ask(ctx, ask(tc.once), protocol.Attempt{N: tc.n})
		cancel()
		var se *protocol.SendError
		errors.As(err, &se)
		if (p.runs > 0) != tc.runs || (err == nil) != (tc.err == nil && tc.runs) ||
			(se != nil && se.Final) != tc.final || (se != nil && se.Ambiguous) != tc.ambiguous {
			t.Errorf("%s: it ran %d times and gave %v, %+v", tc.name, p.runs, body, err)
		}
		if want := []string{"MOOT_KEY=K", "MOOT_JOB=J", fmt.Sprint("MOOT_TRY=", tc.n)}; tc.runs && !slices.Equal(p.env, want) {
			t.Errorf("%s: the task has %q", tc.name, p.env)
		}
	}
	a := New(Config{Name: "dice"})
	var se *protocol.SendError
	if _, err := a.Ask(t.Context(), ask(false), protocol.Attempt{N: 1}); !errors.As(err, &se) || !se.Final {
		t.Errorf("a task that is no longer there: %v", err)
	}
	if _, err := a.Send(t.Context(), protocol.Outgoing{}, protocol.Attempt{N: 1}); !errors.As(err, &se) || !se.Final {
		t.Errorf("a message to a service: %v", err)
	}
}

// admitter takes what a service brings.
type admitter struct {
	err    error
	mu     sync.Mutex
	events []protocol.Event // guarded by mu while a service runs
	cursor protocol.Cursor
	up     []bool
}

func (a *admitter) Admit(_ context.Context, evs []protocol.Event, c protocol.Cursor) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.err == nil {
		a.events, a.cursor = append(a.events, evs...), c
	}
	return a.err
}
func (a *admitter) Cursor(string) (string, error) { return a.cursor.Value, nil }
func (a *admitter) Connected(up bool)             { a.up = append(a.up, up) }

func TestPauseIsDurable(t *testing.T) {
	to := &admitter{}
	a := New(Config{Name: "dice", Cursor: "c", PausedYes: "yes"})
	if err := a.Pause(t.Context(), true); !errors.Is(err, ErrNotRunning) {
		t.Errorf("one that does not run: %v", err)
	}
	a.set(to)
	for _, step := range []struct {
		pause, fails bool
		up, paused   bool
		cursor       string
	}{
		{true, false, false, true, "yes"}, {true, true, false, true, "yes"}, {false, true, false, true, "yes"}, {false, false, true, false, "no"}, {true, true, true, false, "no"},
	} {
		to.err = nil
		if step.fails {
			to.err = errors.New("the disk is full")
		}
		err := a.Pause(t.Context(), step.pause)
		if (err != nil) != step.fails || to.up[len(to.up)-1] != step.up || a.Paused() != step.paused || to.cursor.Value != step.cursor {
			t.Errorf("%+v: %v, up %v, paused %v, cursor %v", step, err, to.up, a.Paused(), to.cursor)
		}
	}
}

func TestOrdersAreEvents(t *testing.T) {
	to := &admitter{}
	a := New(Config{Name: "dice"})
	a.set(to)
	for range 2 {
		if err := a.Order(t.Context(), a.Room("run"), protocol.Order{What: protocol.OrderRun, Text: "hi"}); err != nil {
			t.Fatal(err)
		}
	}
	if len(to.events) != 2 || to.events[0].ID == to.events[1].ID || to.events[0].Check(a.Network()) != nil {
		t.Errorf("they are %+v", to.events)
	}
}

// As many tasks are begun at once as keep those busy that work, and more of them only where none of them may run only once.
func TestAtOnce(t *testing.T) {
	for _, tc := range []struct {
		tasks []Task
		want  int
	}{
		{nil, leastAtOnce},
		{[]Task{{Max: 1}}, leastAtOnce},
		{[]Task{{Max: 1, Once: true}}, 1},
		{[]Task{{}, {}}, 4 * 2 * fewAtOnce},
		{[]Task{{Max: 10}, {Once: true}}, 10 + fewAtOnce},
		{[]Task{{Max: 1000}}, mostAtOnce},
		{[]Task{{Max: 1000, Once: true}}, mostAtOnce},
	} {
		if got := New(Config{Name: "dice", Tasks: tc.tasks}).AtOnce(); got != tc.want {
			t.Errorf("of %+v %d are begun at once, and not %d", tc.tasks, got, tc.want)
		}
	}
}

// A place in one source is none in another one, also where both have the same name, one after the other.
func TestPlaceInAnotherSource(t *testing.T) {
	place := `{"life":1,"at":900}`
	for _, tc := range []struct{ stored, source, want string }{
		{"", "tail /a", ""},
		{place, "tail /a", place}, // as it was stored once
		{"tail /a\n" + place, "tail /a", place},
		{"tail /a\n" + place, "tail /b", ""},
		{"tail /a\n" + place, "feed", ""},
		{"program\n17", "program", "17"},
	} {
		to := &admitter{cursor: protocol.Cursor{Value: tc.stored}}
		s := &sink{New(Config{Name: "s"}), to, "service.s:news", tc.source}
		if got, err := s.Cursor(); err != nil || got != tc.want {
			t.Errorf("%+v: %q, %v", tc, got, err)
		}
		if err := s.Mark(t.Context(), "next"); err != nil || to.cursor.Name != "service.s:news/cursor" {
			t.Errorf("%+v: %+v, %v", tc, to.cursor, err)
		}
		if got, err := s.Cursor(); err != nil || got != "next" {
			t.Errorf("%+v goes on from %q, %v", tc, got, err)
		}
	}
}

// broken is a collector that fails so often, and then brings one thing.
type broken struct {
	name  string
	fails int64
	runs  atomic.Int64
}

func (b *broken) Name() string { return b.name }
func (*broken) Source() string { return "test" }

func (b *broken) Run(ctx context.Context, to Sink) error {
	if b.runs.Add(1) <= b.fails {
		return errors.New("its place cannot be read")
	}
	if err := to.Bring(ctx, []Item{{ID: protocol.EventID(b.name)}}); err != nil {
		return err
	}
	<-ctx.Done()
	return ctx.Err()
}

// ids are those of what was brought.
func (a *admitter) ids() string {
	a.mu.Lock()
	defer a.mu.Unlock()
	var all []string
	for _, ev := range a.events {
		all = append(all, string(ev.ID))
	}
	return strings.Join(all, " ")
}

// lines are those of a log.
type lines struct {
	mu   sync.Mutex
	text bytes.Buffer // guarded by mu
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// A collector that ends is in the log and begins again; the others of its service, and the service, go on meanwhile.
func TestCollectorThatEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log lines
		bad, good := &broken{name: "bad", fails: 3}, &broken{name: "good"}
		to := &admitter{}
		a := New(Config{Name: "news", Collectors: []Collector{bad, good}, Log: slog.New(slog.NewTextHandler(&log, nil))})
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- a.Run(ctx, to) }()
		synctest.Wait()
		if bad.runs.Load() != 1 || to.ids() != "good" || strings.Count(log.String(), "collector=bad") != 1 {
			t.Errorf("when one has ended it ran %d times, it brought %s, and the log says %s", bad.runs.Load(), to.ids(), log.String())
		}
		time.Sleep(10 * time.Second)
		synctest.Wait()
		if bad.runs.Load() != 4 || good.runs.Load() != 1 || to.ids() != "good bad" || strings.Count(log.String(), "its place cannot be read") != 3 {
			t.Errorf("later it ran %d times, it brought %s, and the log says %s", bad.runs.Load(), to.ids(), log.String())
		}
		cancel()
		if err := <-done; err != nil {
			t.Errorf("the service ends with %v", err)
		}
	})
}

// What is hidden of the input of a task is so in its error, which stays what it is.
func TestErrorsShowNoSecrets(t *testing.T) {
	p := &played{do: func(context.Context) error { return fmt.Errorf("%w: no luck with hunter2, or ann", result.ErrFailed) }}
	want := protocol.AskTask{Task: "login", Input: []byte(`{"key":"K","args":{"Word":"hunter2","who":"ann"},"text":"login hunter2"}`)}
	for redact, text := range map[string]string{"word": "no luck with (hidden), or ann", "": "no luck with hunter2, or ann"} {
		for _, tries := range []int{1, 5} {
			a := New(Config{Name: "s", Tasks: []Task{{Name: "login", Run: p, Tries: tries}}})
			if redact != "" {
				a.cfg.Redact = []string{redact}
			}
			_, err := a.Ask(t.Context(), protocol.Ask{Want: want}, protocol.Attempt{N: 1})
			var se *protocol.SendError
			if !errors.Is(err, result.ErrFailed) || !strings.HasSuffix(fmt.Sprint(err), text) || (errors.As(err, &se) && se.Final) != (tries == 1) {
				t.Errorf("%q, %d tries: %v", redact, tries, err)
			}
		}
	}
}
