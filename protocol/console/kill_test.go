//go:build unix

package console_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"moot/protocol"
	"moot/protocol/console"
	"moot/protocol/protocoltest"
)

func init() { children["ledger"] = ledgerBot }

// ledger is the smallest bot that handles each event exactly once: it writes what it has seen to a file before it
// admits it, and what it was to answer it sends again until it is written that it was sent.
type ledger struct {
	pipe *console.Pipe
	ctx  context.Context
	wg   sync.WaitGroup

	mu   sync.Mutex
	file *os.File
	seen map[string]bool
	sent map[protocol.Key]bool
	todo []protocol.Outgoing
	last map[protocol.RoomID]chan struct{} // closed when what was sent there before is done
}

type ledgerLine struct {
	Seen string
	Send *protocol.Outgoing `json:",omitempty"`
	Sent protocol.Key       `json:",omitempty"`
}

func ledgerBot() int {
	path := os.Getenv("CONSOLE_TEST_LEDGER")
	l := &ledger{seen: map[string]bool{}, sent: map[protocol.Key]bool{}, last: map[protocol.RoomID]chan struct{}{}}
	if old, err := os.Open(path); err == nil {
		for lines := bufio.NewScanner(old); lines.Scan(); {
			var line ledgerLine
			if json.Unmarshal(lines.Bytes(), &line) != nil {
				continue // torn
			}
			if line.Seen != "" {
				l.seen[line.Seen] = true
			}
			if line.Send != nil {
				l.todo = append(l.todo, *line.Send)
			}
			l.sent[line.Sent] = true
		}
		old.Close()
	}
	var err error
	if l.file, err = os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	l.pipe = console.NewPipe(os.Stdin, os.Stdout)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	l.ctx = ctx
	l.mu.Lock()
	for _, out := range l.todo {
		if !l.sent[out.Key] {
			l.send(out)
		}
	}
	l.mu.Unlock()
	if err := l.pipe.Run(ctx, l); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	cancel()
	l.wg.Wait()
	return 0
}

func (l *ledger) write(line ledgerLine) error {
	text, err := json.Marshal(line)
	if err != nil {
		return err
	}
	// A torn line before it must not swallow this one.
	_, err = l.file.Write([]byte("\n" + string(text) + "\n"))
	return err
}

func (l *ledger) Cursor(string) (string, error) { return "", nil }

func (l *ledger) Admit(_ context.Context, events []protocol.Event, _ protocol.Cursor) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, e := range events {
		at := string(e.Room) + " " + string(e.ID)
		if l.seen[at] {
			continue
		}
		line := ledgerLine{Seen: at}
		if m, ok := e.Body.(protocol.Message); ok {
			line.Send = &protocol.Outgoing{
				Key: protocol.DeriveKey(string(e.Room), string(e.ID)), Room: e.Room,
				Act: protocol.Say{Text: protocol.Plain("re: " + m.Text)},
			}
		}
		if err := l.write(line); err != nil {
			return err
		}
		l.seen[at] = true
		if line.Send != nil {
			l.send(*line.Send)
		}
	}
	return nil
}

// send sends in the order of the room.
func (l *ledger) send(out protocol.Outgoing) {
	before, done := l.last[out.Room], make(chan struct{})
	l.last[out.Room] = done
	l.wg.Go(func() {
		defer close(done)
		if before != nil {
			<-before
		}
		if _, err := l.pipe.Send(l.ctx, out, protocol.Attempt{N: 1}); err != nil {
			return // the next life sends it
		}
		l.mu.Lock()
		defer l.mu.Unlock()
		_ = l.write(ledgerLine{Sent: out.Key})
	})
}

// A bot that is killed after any line of the pipe, in either direction, says in the end the same as one that lives.
func TestKilledAfterAnyLine(t *testing.T) {
	deliver := func(s *protocoltest.Script) {
		for i := range 4 {
			s.Deliver(
				protocoltest.Says(lobby, protocol.EventID(fmt.Sprint("a", i)), ann, fmt.Sprint("first ", i)),
				protocoltest.Says("console:garden", protocol.EventID(fmt.Sprint("a", i)), ben, fmt.Sprint("second ", i)))
		}
	}
	quiet := protocoltest.NewScript(protocoltest.ScriptConfig{})
	deliver(quiet)
	live(t, quiet, t.TempDir(), nil)
	want := quiet.Text()
	if n := strings.Count(want, "re: "); n != 8 {
		t.Fatalf("the bot says %d things:\n%s", n, want)
	}
	total := quiet.Lines()
	for at := 1; at <= total; at++ {
		t.Run(fmt.Sprint(at), func(t *testing.T) {
			t.Parallel()
			var child atomic.Pointer[os.Process]
			killed := false
			s := protocoltest.NewScript(protocoltest.ScriptConfig{Echo: true, Overlap: 2, OnLine: func(n int) {
				if n == at {
					killed = true
					_ = child.Load().Kill()
				}
			}})
			deliver(s)
			live(t, s, t.TempDir(), &child)
			if got := s.Text(); got != want {
				t.Errorf("it said\n%sinstead of\n%s", got, want)
			}
			if !killed {
				t.Errorf("only %d lines went over", s.Lines())
			}
		})
	}
}

// live runs the bot, again when it dies, until the network has heard all.
func live(t *testing.T, s *protocoltest.Script, dir string, current *atomic.Pointer[os.Process]) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	heard := make(chan error, 1)
	go func() { heard <- errors.Join(s.WaitAcked(ctx, 0), s.WaitSent(ctx, 8), s.WaitAcked(ctx, 0)) }()
	for {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), "CONSOLE_TEST_CHILD=ledger", "CONSOLE_TEST_LEDGER="+filepath.Join(dir, "ledger"))
		cmd.Stderr = os.Stderr
		stdin, err := cmd.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		stdout, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		if current != nil {
			current.Store(cmd.Process)
		}
		life := s.Attach(stdin, stdout)
		ended := make(chan struct{})
		go func() { life.Wait(); close(ended) }()
		select {
		case <-ended: // it was killed
			_ = cmd.Wait()
			continue
		case err := <-heard:
			_ = life.Hangup()
			<-ended
			if werr := cmd.Wait(); err != nil || werr != nil {
				t.Fatal(err, werr)
			}
			return
		}
	}
}
