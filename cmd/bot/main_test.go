package main

import (
	"bufio"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"moot/internal/bot"
	"moot/protocol"
	"moot/store"
)

var update = flag.Bool("update", false, "write what the scripts get into their files")

func TestMain(m *testing.M) {
	testscript.Main(testsThen{m}, map[string]func(){"moot": observed, "bot": observed})
}

// testsThen runs the tests, and then what they leave to be done.
type testsThen struct{ *testing.M }

// Run implements testscript.TestingM.
func (m testsThen) Run() int {
	_ = os.Setenv("LC_ALL", "C") // the tests read English, whoever runs them
	defer func() {
		for _, f := range afterTests.all {
			f()
		}
	}()
	flag.Parse()
	if given := flag.Lookup("test.parallel"); given.Value.String() == given.DefValue {
		// The programs mostly wait, for one another and for their disks.
		_ = flag.Set("test.parallel", strconv.Itoa(2*runtime.GOMAXPROCS(0))) // it is a number
	}
	code := m.M.Run()
	for _, p := range spared() {
		fmt.Fprintf(os.Stderr, "FAIL: nobody is killed at the place %s\n", p)
		code = max(code, 1)
	}
	return code
}

// The conversations in testdata/script. Beside the commands of testscript they have those below.
func TestScripts(t *testing.T) {
	t.Parallel()
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		UpdateScripts:       *update,
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup: func(env *testscript.Env) error {
			env.Setenv("MOOT_CONFIG", "")
			env.Setenv("XDG_RUNTIME_DIR", env.WorkDir)
			env.Setenv("GORACE", "atexit_sleep_ms=0") // otherwise each program under the race detector ends a second later
			env.Setenv("CLOCK", "2026-11-21T08:00:00Z")
			env.Values[liveKey{}] = &live{}
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"start": start, "say": sayLine, "stop": stop, "heard": heard,
			"hold": hold, "newer": newer, "bury": bury, "spoil": spoil,
		},
	})
}

// live is a bot that runs beside the script, with a person who types.
type live struct {
	cmd   *exec.Cmd // nil until it is started
	in    io.WriteCloser
	lines chan string // what it shows
	shown strings.Builder
	n     int
}

type liveKey struct{}

// start FOLDER starts a bot with the clock of the scripts, and waits until it is there.
func start(ts *testscript.TestScript, neg bool, args []string) {
	exe, err := os.Executable()
	ts.Check(err)
	l := ts.Value(liveKey{}).(*live)
	l.lines = make(chan string, 10_000)
	l.cmd = exec.Command(exe, "--data", ts.MkAbs(args[0]), "--clock", ts.Getenv("CLOCK"))
	l.cmd.Args[0] = "bot" // by which testscript.Main knows what to be
	l.cmd.Dir = ts.MkAbs(".")
	l.cmd.Env = append(os.Environ(), "MOOT_CONFIG=", "XDG_RUNTIME_DIR="+ts.Getenv("XDG_RUNTIME_DIR"))
	log, err := os.Create(ts.MkAbs("bot.log"))
	ts.Check(err)
	defer log.Close()
	l.cmd.Stderr = log
	l.in, err = l.cmd.StdinPipe()
	ts.Check(err)
	out, err := l.cmd.StdoutPipe()
	ts.Check(err)
	ts.Check(l.cmd.Start())
	go func() {
		defer close(l.lines)
		for s := bufio.NewScanner(out); s.Scan(); {
			l.lines <- s.Text()
		}
	}()
	ts.Defer(func() {
		if l.cmd.ProcessState == nil {
			_ = l.cmd.Process.Kill()
			_ = l.cmd.Wait()
		}
	})
	l.say(ts, "# here")
}

// sayLine is say LINE: it types a line, and waits until the bot has answered what there is to answer.
func sayLine(ts *testscript.TestScript, neg bool, args []string) {
	ts.Value(liveKey{}).(*live).say(ts, strings.Join(args, " "))
}

func (l *live) say(ts *testscript.TestScript, line string) {
	// A comment is repeated when everything before it is done.
	l.n++
	mark := fmt.Sprintf("# done %d", l.n)
	_, err := fmt.Fprintf(l.in, "%s\n%s\n", line, mark)
	ts.Check(err)
	for {
		select {
		case s, ok := <-l.lines:
			if !ok {
				ts.Fatalf("the bot ended before it had answered %q", line)
			}
			if s == mark {
				return
			}
			fmt.Fprintln(&l.shown, s)
		case <-time.After(20 * time.Second):
			ts.Fatalf("no answer to %q", line)
		}
	}
}

// heard TEXT checks that the bot, or somebody in its world, has said something.
func heard(ts *testscript.TestScript, neg bool, args []string) {
	text, shown := strings.Join(args, " "), ts.Value(liveKey{}).(*live).shown.String()
	if strings.Contains(shown, text) == neg {
		log, _ := os.ReadFile(ts.MkAbs("bot.log"))
		ts.Fatalf("%q was heard: %v. The whole conversation:\n%s\nThe log:\n%s", text, neg, shown, log)
	}
}

// stop ends the bot by a signal and checks that it ends well.
func stop(ts *testscript.TestScript, neg bool, args []string) {
	l := ts.Value(liveKey{}).(*live)
	ts.Check(l.cmd.Process.Signal(syscall.SIGTERM))
	for range l.lines { // until it has closed its output
	}
	ts.Check(l.cmd.Wait())
}

func openStore(ts *testscript.TestScript, folder string) *store.Store {
	s, err := store.Open(store.Config{Path: filepath.Join(ts.MkAbs(folder), "moot.db")})
	ts.Check(err)
	return s
}

// hold FOLDER holds the file of the store, as a bot does that does not answer.
func hold(ts *testscript.TestScript, neg bool, args []string) {
	s := openStore(ts, args[0])
	ts.Defer(func() { ts.Check(s.Close()) })
}

// newer FOLDER makes the file of the store one of a later version.
func newer(ts *testscript.TestScript, neg bool, args []string) {
	s := openStore(ts, args[0])
	ts.Check(s.Commit(time.Now(), func(c *store.Commit) error {
		return c.Run("", protocol.Ref{}, func(tx *store.Tx) error {
			tx.Put(store.SharedBucket("meta"), "format", []byte(store.Number(99)))
			return nil
		})
	}))
	ts.Check(s.Close())
}

// spoil FOLDER changes what the bot knows of votes behind the back of the log.
func spoil(ts *testscript.TestScript, neg bool, args []string) {
	s := openStore(ts, args[0])
	const room protocol.RoomID = "console:lobby"
	ts.Check(s.Commit(time.Date(2026, 11, 21, 9, 0, 0, 0, time.UTC), func(c *store.Commit) error {
		return c.Run(protocol.Scope(room), protocol.Ref{}, func(tx *store.Tx) error {
			tx.Put(store.ScopedBucket("votes-last"), string(room), []byte(store.Number(7)))
			return nil
		})
	}))
	ts.Check(s.Close())
}

// bury FOLDER ROOM EVENT SENDER TEXT leaves a dead letter, as a fault of a feature does that was mended since.
func bury(ts *testscript.TestScript, neg bool, args []string) {
	s := openStore(ts, args[0])
	ev := protocol.Event{
		Room: protocol.RoomID(args[1]), ID: protocol.EventID(args[2]), Sender: protocol.UserID(args[3]),
		Body: protocol.Message{Text: strings.Join(args[4:], " ")},
	}
	ts.Check(s.Commit(time.Date(2026, 11, 21, 9, 0, 0, 0, time.UTC), func(c *store.Commit) error {
		l, _ := c.Bury(store.Letter{Scope: ev.Scope(), Event: ev, Error: "the feature was at fault", Stack: "feature.go:7", Tries: 1})
		c.Record(ev.Room, ev.ID, store.Failed, fmt.Sprintf("dead letter %d: %s", l.ID, l.Error))
		return nil
	}))
	ts.Check(s.Close())
}

// The second signal cuts short what the first one has begun.
func TestSignals(t *testing.T) {
	t.Parallel()
	for signals := range 2 {
		in, out := io.Pipe()
		defer out.Close()
		ch := make(chan os.Signal, 2)
		var stderr strings.Builder
		started, ended := make(chan struct{}), make(chan int)
		go func() {
			ended <- run(t.Context(), ch, []string{"--data", t.TempDir(), "--clock", "2026-11-21T08:00:00Z"}, in, writerFunc(func(p []byte) (int, error) {
				if strings.Contains(string(p), "# here") {
					close(started)
				}
				return len(p), nil
			}), &stderr)
		}()
		fmt.Fprintln(out, "# here")
		<-started
		for range signals + 1 {
			ch <- os.Interrupt
		}
		if code := <-ended; code != exitOK {
			t.Errorf("after %d signals it ended with %d: %s", signals+1, code, stderr.String())
		}
	}
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

// Each kind of error has a sentence, and none of them shows how it was wrapped.
func TestExplain(t *testing.T) {
	for _, kind := range []error{store.ErrLocked, store.ErrForeign, store.ErrNewer, store.ErrOlder, store.ErrDamaged, store.ErrBroken} {
		text := explain(&placed{err: fmt.Errorf("open x: %w", kind), file: "data/moot.db", folder: "data", holder: 7})
		if !strings.HasSuffix(text, ".") || !strings.Contains(text, "data") {
			t.Errorf("%v: %q", kind, text)
		}
	}
	same := errors.New("the folder is a copy")
	ends := bot.NetworkEnds{{Network: "discord", Err: same}, {Network: "matrix", Err: same}, {Network: "console", Err: errors.New("it is gone")}}
	if got, want := explain(ends), "The folder is a copy.\nIt is gone."; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	for text, want := range map[string]string{
		"the folder is gone":       "The folder is gone.",
		"data/moot.db: no way":     "data/moot.db: no way.",
		"open x: it is a folder":   "Open x: it is a folder.",
		"hash_key in [privacy]: x": "hash_key in [privacy]: x.",
	} {
		if got := explain(errors.New(text)); got != want {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
}

// Without a network and without anybody who types, as a service is started, there is nothing to run.
func TestNobodyTypes(t *testing.T) {
	t.Parallel()
	in, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	dir := filepath.Join(t.TempDir(), "data")
	var said strings.Builder
	if code := run(t.Context(), nil, []string{"--data", dir}, in, &said, &said); code != exitFailed || !strings.Contains(said.String(), "No network is switched on") {
		t.Errorf("it ended with %d: %s", code, said.String())
	}
	if _, err := os.Stat(dir); err == nil {
		t.Error("it made a data folder")
	}
}
