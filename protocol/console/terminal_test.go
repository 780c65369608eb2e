package console_test

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"
	"go.uber.org/goleak"

	"moot/internal/say"
	"moot/protocol"
	"moot/protocol/console"
)

var update = flag.Bool("update", false, "write the transcripts of testdata anew")

func TestMain(m *testing.M) {
	flag.Parse()
	if child := os.Getenv("CONSOLE_TEST_CHILD"); child != "" {
		os.Exit(children[child]())
	}
	goleak.VerifyTestMain(m)
}

// children are what this binary does when a test starts it as another process.
var children = map[string]func() int{}

var start = time.Date(2026, 11, 21, 9, 0, 0, 0, time.UTC)

// toy is a bot: it answers what begins with !moot, what is addressed to it and what is said to it alone.
type toy struct {
	adapter *console.Adapter
	mu      sync.Mutex
	busy    int
	idle    chan struct{} // closed when nothing is left to do
	cursor  string
	seen    map[protocol.Ref]bool
}

func newToy(a *console.Adapter) *toy {
	b := &toy{adapter: a, seen: map[protocol.Ref]bool{}, idle: make(chan struct{})}
	close(b.idle)
	return b
}

func (b *toy) Cursor(string) (string, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.cursor, nil
}

func (b *toy) Admit(_ context.Context, events []protocol.Event, cursor protocol.Cursor) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	floor := map[protocol.RoomID]int{}
	for i, e := range events {
		if m, ok := e.Body.(protocol.MemberChange); ok && m.Self && m.Membership == protocol.Joined {
			floor[e.Room] = i
		}
	}
	for i, e := range events {
		if b.seen[e.Ref()] || e.History || e.Backlog || i < floor[e.Room] {
			b.seen[e.Ref()] = true
			continue
		}
		b.seen[e.Ref()] = true
		b.handle(e)
	}
	b.cursor = cursor.Value
	return nil
}

func (b *toy) handle(e protocol.Event) {
	m, ok := e.Body.(protocol.Message)
	if !ok || m.Bot {
		return
	}
	text, command := strings.CutPrefix(m.Text, "!moot ")
	if !command && !m.Addressed && !e.Private {
		return
	}
	verb, rest, _ := strings.Cut(text, " ")
	out := protocol.Outgoing{Key: protocol.DeriveKey(string(e.Room), string(e.ID)), Room: e.Room}
	switch verb {
	case "ping":
		out.Act = protocol.Say{Text: protocol.Plain("pong")}
	case "greet":
		out.Act = protocol.Say{Text: protocol.Join("Welcome, ", protocol.Mention(e.Sender, e.Sender.Local()), "! Type ", protocol.Code("!moot ping"), ".")}
	case "whisper":
		out.Room, out.Act = "", protocol.Whisper{User: e.Sender, Text: protocol.Plain("between us: " + rest)}
	case "everywhere":
		for _, room := range []protocol.RoomID{"console:workshop", "console:garden", "console:lobby"} {
			o := out
			o.Key, o.Room, o.Act = protocol.DeriveKey(string(out.Key), string(room)), room, protocol.Say{Text: protocol.Plain("heard everywhere")}
			b.send(o)
		}
		return
	default:
		out.Act = protocol.Say{Text: protocol.Join("you said ", protocol.Strong(text))}
	}
	b.send(out)
}

// send sends in the background, as a bot with an outbox does.
func (b *toy) send(out protocol.Outgoing) {
	if b.busy == 0 {
		b.idle = make(chan struct{})
	}
	b.busy++
	go func() {
		_, err := b.adapter.Send(context.Background(), out, protocol.Attempt{N: 1})
		b.mu.Lock()
		defer b.mu.Unlock()
		if err != nil && !errors.Is(err, protocol.ErrGone) {
			panic(err)
		}
		if b.busy--; b.busy == 0 {
			close(b.idle)
		}
	}()
}

func (b *toy) settle(ctx context.Context) error {
	b.mu.Lock()
	idle := b.idle
	b.mu.Unlock()
	select {
	case <-idle:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// converse runs a script against the toy and returns the transcript.
func converse(t testing.TB, cfg console.Config, script string) (string, error) {
	t.Helper()
	w, err := console.Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	a := console.NewAdapter(w)
	bot := newToy(a)
	var out bytes.Buffer
	term, err := console.NewTerminal(console.TerminalConfig{
		World: w, Adapter: a, Settle: bot.settle, In: strings.NewReader(script), Out: &out,
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- a.Run(ctx, bot) }()
	err = term.Run(ctx)
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
	if err := w.Close(); err != nil {
		t.Error(err)
	}
	return out.String(), err
}

// The conversations in testdata read like a chat: what is typed, and what is then on the screen.
func TestConversations(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatal("no conversations in testdata", err)
	}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".txtar")
		language, _ := say.Parse(name)
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ar, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			dir := t.TempDir()
			var got []txtar.File
			for _, f := range ar.Files {
				if !strings.HasPrefix(f.Name, "typed") {
					continue
				}
				text, err := converse(t, console.Config{Dir: dir, Frozen: true, Start: start, Language: language}, string(f.Data))
				if err != nil {
					text += fmt.Sprintf("error: %v\n", err)
				}
				got = append(got, f, txtar.File{Name: strings.Replace(f.Name, "typed", "screen", 1), Data: []byte(text)})
			}
			if *update {
				ar.Files = got
				if err := os.WriteFile(file, txtar.Format(ar), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if d := cmp.Diff(string(txtar.Format(&txtar.Archive{Comment: ar.Comment, Files: ar.Files})), string(txtar.Format(&txtar.Archive{Comment: ar.Comment, Files: got}))); d != "" {
				t.Errorf("the transcript is another (-want +got); -update writes it anew:\n%s", d)
			}
		})
	}
}

// TestAScriptTicksAfterwards: what a line says is handled before the frozen clock goes on, and what is due then before the next
// line. Both at once came in the one or the other order, so that a script did not come out the same each time.
func TestAScriptTicksAfterwards(t *testing.T) {
	w, err := console.Open(console.Config{Frozen: true, Start: start})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	var settled []string
	term, err := console.NewTerminal(console.TerminalConfig{
		World: w, In: strings.NewReader("hello\n/rooms\nhow are you\n"), Out: io.Discard,
		Settle: func(context.Context) error {
			settled = append(settled, w.Clock().Now().Sub(start).String())
			return nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := term.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]string{"0s", "0s", "1s", "1s", "1s", "2s"}, settled); d != "" {
		t.Errorf("the bot settled at other times (-want +got):\n%s", d)
	}
}

// TestSpacesOfAllKinds: what is pasted from a page has spaces that do not break.
func TestSpacesOfAllKinds(t *testing.T) {
	said, err := converse(t, console.Config{Frozen: true, Start: start}, "/wait\u00a03d\n/as\u202fben\n")
	if err != nil || !strings.Contains(said, "3 days have passed") || !strings.Contains(said, "you are ben") {
		t.Errorf("%v\n%s", err, said)
	}
}

// Nobody can speak as the bot, so that it is not proposed either; put out it can be.
func TestTheBotIsNotProposedToSpeakAs(t *testing.T) {
	said, _ := converse(t, console.Config{Frozen: true, Start: start}, "! /as moott\n! /as benn\n! /kick moott\n")
	if strings.Count(said, "did you mean moot?") != 1 || strings.Count(said, "did you mean ben?") != 1 {
		t.Error(said)
	}
}

func TestScriptErrors(t *testing.T) {
	_, err := converse(t, console.Config{}, "hello\n/nonsense\n! /nonsense\n! hello\n")
	var se *console.ScriptError
	if !errors.As(err, &se) || se.Lines != 2 || se.Line != 2 {
		t.Errorf("got %v", err)
	}
}

func TestAScriptWithoutItsLastNewline(t *testing.T) {
	text, err := converse(t, console.Config{}, "hello\r\n!moot ping")
	if err != nil || !strings.HasSuffix(text, "moot:  pong\n") {
		t.Errorf("got %v and\n%s", err, text)
	}
}

func TestABotThatDoesNotSettle(t *testing.T) {
	w, err := console.Open(console.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	term, err := console.NewTerminal(console.TerminalConfig{
		World: w, In: strings.NewReader("hello\n"), Out: io.Discard, SettleTimeout: time.Millisecond,
		Settle: func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() },
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := term.Run(t.Context()); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
}

// A script that nobody writes any more does not keep the bot from stopping.
func TestTheContextEndsAScript(t *testing.T) {
	w, err := console.Open(console.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	file, writer, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	defer writer.Close()
	pipe, pipeWriter := io.Pipe()
	defer pipeWriter.Close()
	for name, in := range map[string]io.Reader{"a file": file, "a pipe": pipe} {
		settled := make(chan struct{})
		term, err := console.NewTerminal(console.TerminalConfig{
			World: w, In: in, Out: io.Discard,
			Settle: func(context.Context) error { close(settled); return nil },
		})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- term.Run(ctx) }()
		<-settled
		cancel()
		if err := <-done; err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestNewTerminalNamesWhatIsWrong(t *testing.T) {
	w, err := console.Open(console.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	if _, err := console.NewTerminal(console.TerminalConfig{World: w, As: "nan"}); !errors.Is(err, console.ErrNoPerson) || !strings.Contains(err.Error(), "did you mean ann?") {
		t.Errorf("got %v", err)
	}
	if _, err := console.NewTerminal(console.TerminalConfig{World: w, Room: "loby"}); !errors.Is(err, console.ErrNoRoom) || !strings.Contains(err.Error(), "did you mean lobby?") {
		t.Errorf("got %v", err)
	}
}

// Who leaves by the word of other programs leaves.
func TestExit(t *testing.T) {
	text, err := converse(t, console.Config{Frozen: true, Start: start}, "/exit\nstill here\n")
	if err != nil || strings.Contains(text, "still here") {
		t.Errorf("it says %v and shows\n%s", err, text)
	}
}

// Whatever is typed, nothing breaks, and the world reads back.
func FuzzTyped(f *testing.F) {
	for _, line := range []string{"hello", "/help", "/as ben", "/kick moot x", "/react 1 👍", "//x", "! /x", "/wait 3d", "/wait NaNd", `/nick "`, "/upgrade", "/edit 1 \x1b[2J\u202e", "/dm\nhello\n/as eve\nx\n/dm"} {
		f.Add(line + "\n")
	}
	f.Fuzz(func(t *testing.T, script string) {
		dir := t.TempDir()
		cfg := console.Config{Dir: dir, Frozen: true, Start: start}
		text, err := converse(t, cfg, script)
		var se *console.ScriptError
		if err != nil && !errors.As(err, &se) {
			t.Fatal(err)
		}
		for _, r := range text {
			if r < 0x20 && r != '\n' || r == 0x7f || r == 0x9b || r == '\u202e' {
				t.Fatalf("the screen shows %q", r)
			}
		}
		w, err := console.Open(cfg)
		if err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
	})
}
