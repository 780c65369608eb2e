package gateway_test

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"moot/protocol/discord/discordtest"
	"moot/protocol/discord/gateway"
	"moot/protocol/discord/rest"
)

func TestMain(m *testing.M) {
	flag.Parse()
	if given := flag.Lookup("test.parallel"); given.Value.String() == given.DefValue &&
		flag.Lookup("test.fuzz").Value.String() == "" {
		_ = flag.Set("test.parallel", "16") // the tests mostly wait
	}
	goleak.VerifyTestMain(m)
}

// intents are those of guilds, members, messages, direct messages and the content of messages.
const intents = 1<<0 | 1<<1 | 1<<9 | 1<<12 | 1<<15

// patience is how long a test waits for what must come.
const patience = 30 * time.Second

// bot is a gateway that runs, and what it has heard.
type bot struct {
	t    *testing.T
	srv  *discordtest.Server
	g    *gateway.Gateway
	log  *logs
	stop context.CancelFunc
	done chan struct{}
	err  error // of Run, once done is closed

	mu     sync.Mutex
	heard  []gateway.Event
	more   chan struct{}
	handle gateway.Handler // nil only takes note
}

// logs keeps lines for tests to look at.
type logs struct {
	mu   sync.Mutex
	b    strings.Builder
	more chan struct{}
}

func (l *logs) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	close(l.more)
	l.more = make(chan struct{})
	return l.b.Write(p)
}

func (l *logs) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// start runs a gateway against the server, until the test ends.
func start(t *testing.T, srv *discordtest.Server, change func(*gateway.Config), handle gateway.Handler) *bot {
	t.Helper()
	b := &bot{t: t, srv: srv, log: &logs{more: make(chan struct{})}, done: make(chan struct{}),
		more: make(chan struct{}), handle: handle}
	log := slog.New(slog.NewTextHandler(b.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	cfg := gateway.Config{Token: srv.Token, Intents: intents, Backoff: 10 * time.Millisecond,
		IdentifyEvery: time.Millisecond, Log: log,
		REST: rest.New(rest.Config{Token: srv.Token, URL: srv.APIURL(), Log: log})}
	if change != nil {
		change(&cfg)
	}
	b.g = gateway.New(cfg)
	ctx, cancel := context.WithCancel(t.Context())
	b.stop = cancel
	go func() {
		defer close(b.done)
		b.err = b.g.Run(ctx, b.take)
	}()
	t.Cleanup(func() {
		cancel()
		<-b.done
		cfg.REST.Close()
		if t.Failed() {
			t.Log(b.log)
		}
	})
	return b
}

func (b *bot) take(ctx context.Context, e gateway.Event) error {
	b.mu.Lock()
	b.heard = append(b.heard, e)
	close(b.more)
	b.more = make(chan struct{})
	b.mu.Unlock()
	if b.handle != nil {
		return b.handle(ctx, e)
	}
	return nil
}

// words says of each event what matters: the type, and of a message its text.
func words(events []gateway.Event) (out []string) {
	for _, e := range events {
		word := e.Type
		if e.Type == "MESSAGE_CREATE" {
			var m struct{ Content string }
			_ = json.Unmarshal(e.Raw, &m)
			word = m.Content
		}
		out = append(out, word)
	}
	return out
}

// hears waits until the words are the last that were heard, after the events before "from".
func (b *bot) hears(want ...string) {
	b.t.Helper()
	timer := time.NewTimer(patience)
	defer timer.Stop()
	for {
		b.mu.Lock()
		heard, more := b.heard, b.more
		b.mu.Unlock()
		if len(heard) >= len(want) && slices.Equal(words(heard[len(heard)-len(want):]), want) {
			return
		}
		select {
		case <-more:
		case <-b.done:
			b.t.Fatalf("Run ended: %v\nheard %q\nwant %q", b.err, words(heard), want)
		case <-timer.C:
			b.t.Fatalf("heard %q\nwant it to end in %q", words(heard), want)
		}
	}
}

// hearsTimes waits until the word was heard that often, wherever.
func (b *bot) hearsTimes(n int, word string) {
	b.t.Helper()
	timer := time.NewTimer(patience)
	defer timer.Stop()
	for {
		b.mu.Lock()
		heard, more := b.heard, b.more
		b.mu.Unlock()
		if b.count(word) >= n {
			return
		}
		select {
		case <-more:
		case <-timer.C:
			b.t.Fatalf("heard %q\nwant %q among it, %d times", words(heard), word, n)
		}
	}
}

// logs waits until the log has a line with the words.
func (b *bot) logs(line string) {
	b.t.Helper()
	timer := time.NewTimer(patience)
	defer timer.Stop()
	for {
		b.log.mu.Lock()
		found, more := strings.Contains(b.log.b.String(), line), b.log.more
		b.log.mu.Unlock()
		if found {
			return
		}
		select {
		case <-more:
		case <-timer.C:
			b.t.Fatalf("the log has no %q", line)
		}
	}
}

// pauses returns how long it decided to wait each time that a connection had ended.
func (b *bot) pauses() (all []time.Duration) {
	for line := range strings.Lines(b.log.String()) {
		if _, in, ok := strings.Cut(line, "again_in="); ok && strings.Contains(line, "disconnected") {
			d, err := time.ParseDuration(strings.TrimSpace(in))
			if err != nil {
				b.t.Error(err)
			}
			all = append(all, d)
		}
	}
	return all
}

func (b *bot) all() []gateway.Event {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.heard)
}

// ends waits for Run to end, and returns its error.
func (b *bot) ends() error {
	b.t.Helper()
	select {
	case <-b.done:
		return b.err
	case <-time.After(patience):
		b.t.Fatal("Run does not end")
		return nil
	}
}

// room makes a guild with a person and a channel, and the bot in it.
func room(srv *discordtest.Server) (*discordtest.User, *discordtest.Guild, *discordtest.Channel) {
	ann, lab := srv.NewUser("ann"), srv.NewGuild("lab")
	general := lab.NewChannel("general")
	lab.Join(ann)
	lab.Invite()
	return ann, lab, general
}

func TestResumes(t *testing.T) {
	for name, fault := range map[string]func(*discordtest.Server){
		"closed with 4000":   func(s *discordtest.Server) { s.CloseGateway(4000, "Unknown error.") },
		"cut":                (*discordtest.Server).Cut,
		"asked to reconnect": (*discordtest.Server).Reconnect,
		"invalid for now":    func(s *discordtest.Server) { s.Invalidate(true) },
		"nothing compressed": (*discordtest.Server).Reconnect,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv := discordtest.New(t)
			srv.NoCompression = name == "nothing compressed"
			ann, _, general := room(srv)
			b := start(t, srv, nil, nil)
			b.hears("READY", "GUILD_CREATE")
			ann.Says(general, "before")
			b.hears("before")
			fault(srv)
			ann.Says(general, "missed 1")
			ann.Says(general, "missed 2")
			b.hears("missed 2", "RESUMED")
			ann.Says(general, "after")
			b.hears("RESUMED", "after")
			want := []string{"READY", "GUILD_CREATE", "before", "DISCONNECTED", "missed 1", "missed 2",
				"RESUMED", "after"}
			got := slices.DeleteFunc(words(b.all()), func(s string) bool { return s == "missed 1" || s == "missed 2" })
			if full := words(b.all()); !slices.Equal(got,
				[]string{"READY", "GUILD_CREATE", "before", "DISCONNECTED", "RESUMED", "after"}) ||
				len(full) != len(want) {
				t.Errorf("heard %q", full)
			}
			if n := srv.Identified(); n != 1 {
				t.Errorf("identified %d times", n)
			}
		})
	}
}

func TestForgottenSessionsBeginAnew(t *testing.T) {
	t.Parallel()
	srv := discordtest.New(t)
	ann, _, general := room(srv)
	b := start(t, srv, nil, nil)
	b.hears("READY", "GUILD_CREATE")
	srv.Forget()
	ann.Says(general, "lost")
	b.hears("DISCONNECTED", "READY", "GUILD_CREATE")
	ann.Says(general, "after")
	b.hears("after")
	if n := srv.Identified(); n != 2 {
		t.Errorf("identified %d times", n)
	}
}

func TestTokenIsReset(t *testing.T) {
	t.Parallel()
	srv := discordtest.New(t)
	room(srv)
	b := start(t, srv, nil, nil)
	b.hears("READY", "GUILD_CREATE")
	srv.ResetToken()
	f, ok := errors.AsType[*gateway.FatalError](b.ends())
	if !ok || f.Code != 4004 {
		t.Errorf("Run: %v", b.err)
	}
}

// Where the address at which to resume cannot be reached, the session is resumed at the one that
// everybody uses.
func TestResumeAddressCannotBeReached(t *testing.T) {
	t.Parallel()
	srv := discordtest.New(t)
	srv.ResumeURL = "ws://127.0.0.1:1"
	ann, _, general := room(srv)
	b := start(t, srv, nil, nil)
	b.hears("READY", "GUILD_CREATE")
	srv.Cut()
	ann.Says(general, "missed")
	b.hears("missed", "RESUMED")
	if n := srv.Identified(); n != 1 {
		t.Errorf("identified %d times", n)
	}
}
