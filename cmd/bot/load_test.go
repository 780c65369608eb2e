package main

import (
	"bufio"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"moot/internal/effort"
	"moot/protocol"
	"moot/protocol/protocoltest"
)

// Load: the real bot gets all that it can take from a network that never pauses. First it is left alone, and its memory
// must stay where it is: whoever brings more than it can take has to wait. Then it is killed again and again in the midst of
// it. At the end each command has its one answer.
//
// For a few seconds each, or for 60 in the long form.

const (
	loadRooms  = 50
	loadPeople = 40
	loadLine   = 200 // events that the network hands over at once
	loadAhead  = 32  // lines that the network is ahead at most
	loadEvery  = 25  // of so many messages one is a command
	loadGrowth = 1.5 // by how much memory may grow from one half of the time to the other
)

// load is a network that never pauses.
type load struct {
	script   *protocoltest.Script
	commands int
	events   int
	lines    int
	rand     *rand.Rand
}

func loadRoom(i int) protocol.RoomID { return protocol.RoomID(fmt.Sprintf("console:room%d", i)) }

func newLoad(onLine func(int, *protocoltest.Life)) *load {
	l := &load{
		script: protocoltest.NewScript(protocoltest.ScriptConfig{Overlap: 3, OnLine: onLine}), rand: rand.New(rand.NewPCG(6, 28)),
	}
	for i := range loadRooms {
		l.script.Deliver(protocoltest.Joins(loadRoom(i), protocol.EventID(fmt.Sprintf("$join%d", i)), "console:moot", true))
		l.lines++
	}
	return l
}

// line hands over some messages, of which a few are commands.
func (l *load) line() {
	var evs []protocol.Event
	for range loadLine {
		l.events++
		text := "nobody has to answer this, but everybody may read it"
		if l.events%loadEvery == 0 {
			text = "!moot ping"
			l.commands++
		}
		id := protocol.EventID(fmt.Sprintf("$%016x%016x%d", l.rand.Uint64(), l.rand.Uint64(), l.events))
		who := protocol.UserID(fmt.Sprintf("console:p%d", l.events/loadEvery%loadPeople))
		evs = append(evs, protocoltest.Says(loadRoom(l.rand.IntN(loadRooms)), id, who, text))
	}
	l.script.Deliver(evs...)
	l.lines++
}

// keepBusy hands over lines until the time is over, and then waits until all are taken and answered.
func (l *load) keepBusy(ctx context.Context, d time.Duration) error {
	for end := time.Now().Add(d); time.Now().Before(end); {
		l.line()
		if l.lines > loadAhead {
			if err := l.script.WaitAcked(ctx, l.lines-loadAhead); err != nil {
				return err
			}
		}
	}
	if err := l.script.WaitAcked(ctx, 0); err != nil {
		return err
	}
	return l.script.WaitSent(ctx, l.commands)
}

// once checks that each command has one answer, and that the answers of a room stand in the order of its commands.
func (l *load) once(t *testing.T) {
	t.Helper()
	seen := map[protocol.Ref]bool{}
	for _, e := range l.script.Transcript() {
		if seen[e.Cause] {
			t.Errorf("%v was answered twice", e.Cause)
		}
		seen[e.Cause] = true
	}
	if len(seen) != l.commands {
		t.Errorf("%d answers to %d commands", len(seen), l.commands)
	}
}

// anonymous returns how many bytes of memory a process has that are no pages of files; the store maps its file.
func anonymous(pid int) (int64, error) {
	f, err := os.Open(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	defer f.Close()
	for s := bufio.NewScanner(f); s.Scan(); {
		if v, ok := strings.CutPrefix(s.Text(), "RssAnon:"); ok {
			kb, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(v), " kB"), 10, 64)
			return kb << 10, err
		}
	}
	return 0, fmt.Errorf("process %d has no RssAnon", pid)
}

func TestLoad(t *testing.T) {
	if _, err := anonymous(os.Getpid()); err != nil {
		t.Skipf("the memory of a process cannot be read here: %v", err)
	}
	effort.Proof(t)
	seconds := time.Duration(effort.InProof(5, 60))
	calm, wild := seconds*time.Second, seconds*time.Second
	bin := buildBot(t) // as it ships: with failpoints its journal has far smaller parts, of which memory then grows
	dir := t.TempDir()
	config := filepath.Join(dir, "config.toml")
	// The limit of turns is for people, not for this.
	if err := os.WriteFile(config, []byte("[commands]\nrate_burst = 1000\nrate_every = \"1ms\"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	data := filepath.Join(dir, "data")
	ctx, cancel := context.WithTimeout(t.Context(), 4*(calm+wild)+2*killTimeout)
	defer cancel()
	var wildly atomic.Bool
	kills := 0
	var mu sync.Mutex
	next := 400
	chance := rand.New(rand.NewPCG(1, 1))
	l := newLoad(func(n int, life *protocoltest.Life) {
		mu.Lock()
		defer mu.Unlock()
		if wildly.Load() && n >= next {
			kills++
			next = n + 40 + chance.IntN(300)
			life.Kill()
		}
	})
	command := func() *exec.Cmd {
		cmd := exec.Command(bin, "run", "--pipe", "--data", data, "--config", config)
		cmd.Stderr = &watchedLog{}
		return cmd
	}

	// Left alone.
	pid := 0
	var samples []int64
	began := time.Now()
	var took time.Duration
	err := l.script.Keep(ctx, command, func(ctx context.Context) error {
		done := make(chan error, 1)
		go func() { done <- l.keepBusy(ctx, calm) }()
		tick := time.NewTicker(calm / 100)
		defer tick.Stop()
		for {
			select {
			case err := <-done:
				took = time.Since(began)
				return err
			case <-tick.C:
				if pid == 0 {
					if s, err := runningClient(data).Status(ctx); err == nil {
						pid = s.PID
					}
					continue
				}
				if n, err := anonymous(pid); err == nil {
					samples = append(samples, n)
				}
			}
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	l.once(t)
	if len(samples) < 20 {
		t.Fatalf("only %d samples", len(samples))
	}
	var first, second int64
	for i, n := range samples {
		if i < len(samples)/2 {
			first = max(first, n)
		} else {
			second = max(second, n)
		}
	}
	tell(os.Stdout, "\n%-28s %8.0f events/s, %.0f commands/s for %s; memory at most %d MiB in the first half, %d MiB in the second",
		"left alone", float64(l.events)/took.Seconds(), float64(l.commands)/took.Seconds(), took.Round(time.Second), first>>20, second>>20)
	if float64(second) > loadGrowth*float64(first)+16<<20 {
		t.Errorf("memory grew from %d MiB to %d MiB", first>>20, second>>20)
	}

	// Killed again and again.
	before, commands := l.events, l.commands
	wildly.Store(true)
	mu.Lock()
	next = l.script.Lines() + 100
	mu.Unlock()
	began = time.Now()
	if err := l.script.Keep(ctx, command, func(ctx context.Context) error {
		err := l.keepBusy(ctx, wild)
		wildly.Store(false)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	took = time.Since(began)
	l.once(t)
	mu.Lock()
	defer mu.Unlock()
	if kills == 0 {
		t.Error("nobody died")
	}
	tell(os.Stdout, "%-28s %8.0f events/s for %s; all %d commands answered once, of %d in all",
		fmt.Sprintf("killed %d times", kills), float64(l.events-before)/took.Seconds(), took.Round(time.Second), l.commands-commands, l.commands)
	if state := stateOf(t, data, nil); !strings.Contains(state, "\nroom ") && !strings.HasPrefix(state, "fact ") {
		t.Errorf("there is not much in it: %.500s", state)
	}
}
