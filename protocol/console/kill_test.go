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
	run := func(t *testing.T, cfg protocoltest.ScriptConfig) *protocoltest.Script {
		s := protocoltest.NewScript(cfg)
		for i := range 4 {
			id := protocol.EventID(fmt.Sprint("a", i))
			s.Deliver(protocoltest.Says(lobby, id, ann, fmt.Sprint("first ", i)), protocoltest.Says("console:garden", id, ben, fmt.Sprint("second ", i)))
		}
		dir := t.TempDir()
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		err := s.Keep(ctx, func() *exec.Cmd {
			cmd := exec.Command(os.Args[0])
			// Under -race a process sleeps for a second before it exits, if it may.
			cmd.Env = append(os.Environ(), "CONSOLE_TEST_CHILD=ledger", "CONSOLE_TEST_LEDGER="+filepath.Join(dir, "ledger"), "GORACE=atexit_sleep_ms=0")
			cmd.Stderr = os.Stderr
			return cmd
		}, func(ctx context.Context) error { return errors.Join(s.WaitSent(ctx, 8), s.WaitAcked(ctx, 0)) })
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	quiet := run(t, protocoltest.ScriptConfig{})
	if n := strings.Count(quiet.Text(), "re: "); n != 8 {
		t.Fatalf("the bot says %d things:\n%s", n, quiet.Text())
	}
	for at := range quiet.Lines() {
		t.Run(fmt.Sprint(at+1), func(t *testing.T) {
			t.Parallel()
			var killed atomic.Bool
			s := run(t, protocoltest.ScriptConfig{Echo: true, Overlap: 2, OnLine: func(n int, life *protocoltest.Life) {
				if n == at+1 {
					killed.Store(true)
					life.Kill()
				}
			}})
			if got, want := s.Text(), quiet.Text(); got != want {
				t.Errorf("it said\n%sinstead of\n%s", got, want)
			}
			if !killed.Load() {
				t.Errorf("only %d lines went over", s.Lines())
			}
		})
	}
}
