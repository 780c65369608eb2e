package matrix_test

import (
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"moot/events"
	"moot/internal/bot"
	"moot/internal/record"
	"moot/outbox"
	"moot/protocol"
	"moot/protocol/matrix"
	"moot/rooms"
	"moot/store"
)

// town is the real loop and store behind the adapter, in lives that a test begins and ends, with a feature that answers
// what is addressed to it: "ping 3" with "pong 3", and keeps what it was shown.
type town struct {
	*harness
	store   *store.Store
	log     *logbook
	feature *parrot
	config  func(*matrix.Config)

	runner *bot.Runner
	cancel context.CancelFunc
	ended  chan error
}

func newTown(t testing.TB) *town {
	w := &town{harness: newHarness(t), feature: &parrot{}, log: &logbook{}}
	st, err := store.Open(store.Config{Path: filepath.Join(t.TempDir(), "moot.db")})
	if err != nil {
		t.Fatal(err)
	}
	w.store = st
	t.Cleanup(func() {
		if w.cancel != nil {
			w.stop()
		}
		if err := st.Close(); err != nil {
			t.Error(err)
		}
	})
	return w
}

// start begins a life and returns when it waits for news.
func (w *town) start() {
	w.Helper()
	w.begin()
	w.Ready()
	w.settle()
}

func (w *town) begin() {
	w.Helper()
	bus, err := events.Open(events.Config{Store: w.store, Window: 240 * time.Hour, Kinds: []events.Kind{rooms.Kind}})
	if err != nil {
		w.Fatal(err)
	}
	log := slog.New(w.log)
	machine, err := bot.NewMachine(bot.MachineConfig{Store: w.store, Bus: bus, Features: []bot.Feature{w.feature}, Log: log})
	if err != nil {
		w.Fatal(err)
	}
	c := matrix.Config{Connect: w.connect, Rooms: record.Matrix{Store: w.store}, Log: log}
	if w.config != nil {
		w.config(&c)
	}
	runner, err := bot.NewRunner(bot.RunnerConfig{Machine: machine, Adapters: []protocol.Adapter{matrix.New(c)}, Log: log})
	if err != nil {
		w.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	w.runner, w.cancel, w.ended = runner, cancel, make(chan error, 1)
	go func(ended chan error) {
		err := runner.Run(ctx)
		if cerr := bus.Close(); err == nil {
			err = cerr
		}
		ended <- err
	}(w.ended)
}

// stop ends a life in good order.
func (w *town) stop() {
	w.Helper()
	w.cancel()
	if err := w.end(); err != nil {
		w.Errorf("the bot ended with %v", err)
	}
}

// end waits for the end of a life.
func (w *town) end() error {
	w.Helper()
	select {
	case err := <-w.ended:
		w.cancel = nil
		return err
	case <-time.After(w.Patience()):
		w.Fatal("the bot does not end")
		return nil
	}
}

func (w *town) ctx() context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), w.Patience())
	w.Cleanup(cancel)
	return ctx
}

// settle returns when all that has happened up to now is admitted, handled and answered.
func (w *town) settle() {
	w.Helper()
	for range 3 { // an answer is news too, and so may be what it leads to
		w.Ready()
		if err := w.runner.Settle(w.ctx()); err != nil {
			w.Fatalf("the bot does not settle: %v\n%s", err, w.log)
		}
	}
}

// answers returns what the bot has said in a room.
func (w *town) answers(room string) (texts []string) {
	for _, s := range w.Read(mxRoom(room)) {
		if s.By == w.Bot() {
			texts = append(texts, s.Text)
		}
	}
	return texts
}

// expect checks what the bot has said in a room, and what it has been shown exactly once.
func (w *town) expect(room string, want ...string) {
	w.Helper()
	w.eventually(func() bool { return len(w.answers(room)) >= len(want) })
	if got := w.answers(room); !slices.Equal(got, want) {
		w.Errorf("the bot has said %q in %s, and not %q\n%s", got, room, want, w.log)
	}
}

// eventually waits until something is so, looking again whenever the bot has nothing to do.
func (w *town) eventually(so func() bool) {
	w.Helper()
	for until := time.Now().Add(w.Patience()); !so() && time.Now().Before(until); {
		w.settle()
	}
}

// disposition returns what became of an event.
func (w *town) disposition(room, id string) store.Seen {
	w.Helper()
	var seen store.Seen
	err := w.store.View(func(tx *store.Tx) error {
		seen = tx.Seen(mxRoom(room), protocol.EventID(id))
		return nil
	})
	if err != nil {
		w.Fatal(err)
	}
	return seen
}

// view shows what is recorded.
func (w *town) view(f func(tx *store.Tx)) {
	w.Helper()
	if err := w.store.View(func(tx *store.Tx) error { f(tx); return nil }); err != nil {
		w.Fatal(err)
	}
}

// members returns who is recorded in a room, by their local names.
func (w *town) members(room string) (names []string) {
	w.view(func(tx *store.Tx) {
		for m := range rooms.Members(tx, mxRoom(room)) {
			name := m.User.Local()
			if m.Moderator {
				name += "*"
			}
			names = append(names, name)
		}
	})
	return names
}

func (w *town) info(room string) (info rooms.Info) {
	w.view(func(tx *store.Tx) { info, _ = rooms.Get(tx, mxRoom(room)) })
	return info
}

// parrot is a feature that answers "ping", also as a reaction, and "whisper" and, unasked, "nudge" in private. "poll" starts one.
type parrot struct {
	mu    sync.Mutex
	shown []protocol.Event
}

func (p *parrot) Handle(tx *store.Tx, ev protocol.Event) (store.Outcome, error) {
	p.mu.Lock()
	p.shown = append(p.shown, ev)
	p.mu.Unlock()
	m, ok := ev.Body.(protocol.Message)
	if r, is := ev.Body.(protocol.ReactionAdded); is && !r.Bot {
		m, ok = protocol.Message{Text: r.Reaction}, true
	}
	if !ok || m.Bot {
		return store.Outcome{}, nil
	}
	verb, rest, _ := strings.Cut(m.Text, " ")
	var act protocol.Act
	switch verb {
	case "ping":
		act = protocol.Say{Text: protocol.Plain("pong " + rest)}
	case "whisper", "nudge":
		act = protocol.Whisper{User: ev.Sender, Asked: verb == "whisper", Text: protocol.Plain("psst " + rest)}
	case "long":
		var lines []protocol.Text
		for i := range 400 {
			lines = append(lines, protocol.Plainf("line %d %s", i, strings.Repeat("x", 90)))
		}
		act = protocol.Say{Text: protocol.Lines(lines...)}
	case "poll":
		act = lunch
	default:
		return store.Outcome{}, nil
	}
	out := protocol.Outgoing{Room: ev.Room, Place: ev.Place, Act: act}
	if _, ok := act.(protocol.Whisper); ok {
		out.Room = ""
	}
	_, err := outbox.Send(tx, out)
	return store.WasHandled(verb), err
}

func (p *parrot) Told(*store.Tx, protocol.Internal) (bool, error) { return false, nil }
func (p *parrot) Timed(*store.Tx, protocol.Timer) (bool, error)   { return false, nil }

// events returns what the feature was shown of a room.
func (p *parrot) events(room string) (out []protocol.Event) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, ev := range p.shown {
		if ev.Room == mxRoom(room) {
			out = append(out, ev)
		}
	}
	return out
}

// texts returns the messages that the feature was shown.
func (p *parrot) texts(room string) (out []string) {
	for _, ev := range p.events(room) {
		if m, ok := ev.Body.(protocol.Message); ok {
			out = append(out, m.Text)
		}
	}
	return out
}

// logbook keeps what is logged.
type logbook struct {
	mu    sync.Mutex
	lines []string
}

func (l *logbook) Enabled(context.Context, slog.Level) bool { return true }
func (l *logbook) WithAttrs([]slog.Attr) slog.Handler       { return l }
func (l *logbook) WithGroup(string) slog.Handler            { return l }

func (l *logbook) Handle(_ context.Context, r slog.Record) error {
	line := r.Level.String() + " " + r.Message
	r.Attrs(func(a slog.Attr) bool { line += fmt.Sprintf(" %s=%v", a.Key, a.Value); return true })
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lines = append(l.lines, line)
	return nil
}

func (l *logbook) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Join(l.lines[max(0, len(l.lines)-30):], "\n")
}

// count returns how many lines hold a text.
func (l *logbook) count(text string) (n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, line := range l.lines {
		if strings.Contains(line, text) {
			n++
		}
	}
	return n
}
