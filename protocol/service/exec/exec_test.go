//go:build linux

package exec

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"moot/internal/effort"
	"moot/protocol/service/result"
)

// By this variable the test program is the bot of TestProcessesDieWithTheBot.
const botVariable = "MOOT_TEST_EXEC_BOT"

func TestMain(m *testing.M) {
	if script := os.Getenv(botVariable); script != "" {
		p, err := New(Config{Argv: []string{script}, Folder: filepath.Dir(script), Timeout: time.Hour, Max: 1})
		if err != nil {
			panic(err)
		}
		_, err = p.Do(context.Background(), []byte("{}"))
		panic(err)
	}
	goleak.VerifyTestMain(m)
}

// script writes a program.
func script(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "task")
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+text), 0o700); err != nil {
		t.Fatal(err)
	}
	return path
}

func pool(t *testing.T, text string, set func(*Config)) *Pool {
	t.Helper()
	c := Config{Argv: []string{script(t, text)}, Timeout: 20 * time.Second, Max: 4}
	c.Folder = filepath.Dir(c.Argv[0])
	if set != nil {
		set(&c)
	}
	p, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	return p
}

func TestOneProcessForEachJob(t *testing.T) {
	p := pool(t, `read line; echo "{\"got\": $line}"; echo; echo '{"answer": "first"}'; echo '{"answer": "second"}'`, nil)
	got, err := p.Do(t.Context(), []byte(`{"text":"ü"}`))
	if want := `{"answer":"second","got":{"text":"ü"}}`; err != nil || string(got) != want {
		t.Errorf("it gave %s, %v", got, err)
	}
}

func TestTextAsItStands(t *testing.T) {
	p := pool(t, `printf 'two\nlines \377\n'`, func(c *Config) { c.Text = true })
	got, err := p.Do(t.Context(), []byte(`{}`))
	if want := `{"answer":"two\nlines �"}`; err != nil || string(got) != want {
		t.Errorf("it gave %s, %v", got, err)
	}
}

// Nothing of the bot's environment is there but what is named.
func TestCleanEnvironment(t *testing.T) {
	t.Setenv("MOOT_TEST_SECRET", "hush")
	p := pool(t, `env | grep -v '^\(PWD\|SHLVL\|_\|OLDPWD\)=' | sort; pwd`, func(c *Config) { c.Text, c.Env = true, []string{"COLOUR=blue"} })
	got, err := p.Do(t.Context(), []byte(`{}`), "MOOT_KEY=k")
	want := `{"answer":"COLOUR=blue\nLANG=C.UTF-8\nMOOT_KEY=k\nPATH=` + Path + `\n` + p.cfg.Folder + `"}`
	if err != nil || string(got) != want {
		t.Errorf("it has\n%s, %v\nand should have\n%s", got, err, want)
	}
}

// Nor is a file that was open in the program that started the bot, such as one with a secret.
func TestNoFilesOfTheBot(t *testing.T) {
	path := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(path, []byte("hush"), 0o600); err != nil {
		t.Fatal(err)
	}
	fd, err := syscall.Open(path, syscall.O_RDONLY, 0) // without O_CLOEXEC
	if err != nil {
		t.Fatal(err)
	}
	defer syscall.Close(fd)
	p := pool(t, fmt.Sprintf(`if [ -e /proc/self/fd/%d ]; then cat <&%d; else echo none; fi`, fd, fd), func(c *Config) { c.Text = true })
	if got, err := p.Do(t.Context(), []byte(`{}`)); err != nil || string(got) != `{"answer":"none"}` {
		t.Errorf("it has %s, %v", got, err)
	}
}

func TestFaults(t *testing.T) {
	for name, tc := range map[string]struct {
		text string
		want error
		says string
	}{
		"exit code":     {`exit 3`, result.ErrFailed, "exit code 3"},
		"own words":     {`echo '{"error": "no such dice"}'`, result.ErrFailed, "no such dice"},
		"no JSON":       {`echo hello`, result.ErrFailed, "«hello»"},
		"a list":        {`echo '[1]'`, result.ErrFailed, "[1]"},
		"signal":        {`kill -9 $$`, result.ErrDied, "killed"},
		"flood":         {`yes`, result.ErrOutput, "1 MiB"},
		"flood to both": {`yes >&2 & yes`, result.ErrOutput, "1 MiB"},
		"memory":        {`x=$(head -c 200000000 /dev/zero | tr '\0' x); echo "{\"n\": ${#x}}"`, nil, "it had the memory"},
		"a large file":  {`head -c 300000000 /dev/zero > "` + filepath.Join(t.TempDir(), "f") + `" || exit 9`, result.ErrFailed, "exit code 9"},
		"files":         {`i=0; while [ $i -lt 400 ]; do eval "exec $i</dev/null" || exit 8; i=$((i+1)); done`, result.ErrFailed, "exit code"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := pool(t, tc.text, func(c *Config) { c.Memory = 64 << 20 })
			got, err := p.Do(t.Context(), []byte(`{}`))
			if tc.want == nil && err != nil {
				return // which of its processes the kernel refuses what, and what that one makes of it, is not for us to say
			}
			if !errors.Is(err, tc.want) || !strings.Contains(err.Error(), tc.says) {
				t.Errorf("it gave %s, %v", got, err)
			}
		})
	}
}

// The launcher has little memory itself, from the limit on until the program has begun.
func TestEachProgramBegins(t *testing.T) {
	effort.Slow(t)
	p := pool(t, `echo '{}'`, func(c *Config) { c.Memory = 16 << 20 })
	var work sync.WaitGroup
	for range 4 {
		work.Go(func() {
			for range 100 {
				if _, err := p.Do(t.Context(), []byte(`{}`)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	work.Wait()
}

// One that does not end is ended with all that it has started, also where it ignores that it should; the others go on.
func TestTimeout(t *testing.T) {
	for name, text := range map[string]string{
		"sleeps":           `sleep 1000`,
		"ignores SIGTERM":  `trap '' TERM; while :; do sleep 1000; done`,
		"children":         `sleep 1000 & sleep 1000 & wait`,
		"closes its pipes": `exec >&- 2>&- <&-; sleep 1000`,
		"forks":            `f() { sleep 0.01 & sleep 1000 & }; trap '' TERM; i=0; while [ $i -lt 100 ]; do f; i=$((i+1)); done; wait`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			pids := filepath.Join(t.TempDir(), "pid")
			// On a busy machine it may not have begun by then: it gets twice the time, until it has.
			for timeout := 300 * time.Millisecond; ; timeout *= 2 {
				p := pool(t, `echo $$ > "`+pids+`"; `+text, func(c *Config) { c.Timeout = timeout })
				began := time.Now()
				if _, err := p.Do(t.Context(), []byte(`{}`)); !errors.Is(err, result.ErrTimeout) {
					t.Errorf("it ended with %v", err)
				}
				if took := time.Since(began); took > timeout+15*time.Second {
					t.Errorf("that took %s", took)
				}
				if data, err := os.ReadFile(pids); err == nil && len(data) > 0 || timeout > time.Minute {
					break
				}
			}
			noGroup(t, pids)
		})
	}
}

// noGroup waits until no process of a group is there, whose number a file has.
func noGroup(t *testing.T, file string) {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(data)))
	if err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		if err := syscall.Kill(-pid, 0); errors.Is(err, syscall.ESRCH) {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("the group %d is still there", pid)
		}
	}
}

// What a process leaves behind in its group does not outlive it.
func TestNothingIsLeftBehind(t *testing.T) {
	pids := filepath.Join(t.TempDir(), "pid")
	p := pool(t, `echo $$ > "`+pids+`"; sleep 1000 & echo '{"answer": "bye"}'`, nil)
	got, err := p.Do(t.Context(), []byte(`{}`))
	if err != nil || string(got) != `{"answer":"bye"}` {
		t.Errorf("it gave %s, %v", got, err)
	}
	noGroup(t, pids)
}

func TestTheBotStops(t *testing.T) {
	p := pool(t, `sleep 1000`, nil)
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		time.Sleep(50 * time.Millisecond)
		cancel()
	}()
	if _, err := p.Do(ctx, []byte(`{}`)); !errors.Is(err, context.Canceled) {
		t.Errorf("it ended with %v", err)
	}
}

const counting = `n=0; while read line; do n=$((n+1)); echo "{\"n\": $n, \"pid\": $$, \"got\": $line}"; done`

func TestWarmProcessServesManyJobs(t *testing.T) {
	p := pool(t, counting, func(c *Config) { c.Warm, c.Max = true, 1 })
	for n := 1; n <= 3; n++ {
		got, err := p.Do(t.Context(), fmt.Appendf(nil, "%d", n))
		if err != nil || !strings.Contains(string(got), fmt.Sprintf(`"got":%d,"n":%d,`, n, n)) {
			t.Errorf("job %d gave %s, %v", n, got, err)
		}
	}
}

func TestWarmProcessesWorkBesideEachOther(t *testing.T) {
	p := pool(t, `while read line; do sleep 0.2; echo "{\"pid\": $$}"; done`, func(c *Config) { c.Warm, c.Min, c.Max = true, 1, 3 })
	p.Warm()
	var mu sync.Mutex
	seen := map[string]bool{}
	var jobs sync.WaitGroup
	for range 9 {
		jobs.Go(func() {
			got, err := p.Do(t.Context(), []byte(`{}`))
			if err != nil {
				t.Error(err)
			}
			mu.Lock()
			seen[string(got)] = true
			mu.Unlock()
		})
	}
	jobs.Wait()
	if len(seen) < 2 || len(seen) > 3 {
		t.Errorf("%d processes have worked", len(seen))
	}
}

// One that has died between two jobs is replaced, and one that dies within one is a fault of that job alone.
func TestWarmProcessDies(t *testing.T) {
	p := pool(t, `while read line; do case $line in 1) exit 0;; 2) sleep 1000;; 3) echo no;; 4) yes | tr -d '\n';; *) echo '{}';; esac; [ "$line" != 5 ] || exit 0; done`,
		func(c *Config) { c.Warm, c.Max = true, 1 })
	for _, tc := range []struct {
		line string
		want error
	}{
		{"0", nil}, {"1", result.ErrDied}, {"0", nil}, {"2", result.ErrTimeout}, {"0", nil}, {"3", result.ErrFailed}, {"0", nil}, {"4", result.ErrOutput}, {"0", nil}, {"5", nil},
	} {
		p.cfg.Timeout = time.Minute // however busy the machine is
		if tc.want == result.ErrTimeout {
			p.cfg.Timeout = time.Second
		}
		if _, err := p.Do(t.Context(), []byte(tc.line)); !errors.Is(err, tc.want) {
			t.Errorf("job %s ended with %v", tc.line, err)
		}
	}
	for end := time.Now().Add(time.Minute); len(p.idle) == 0 || p.idle[0].alive(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("the last process has not ended")
		}
	}
	if _, err := p.Do(t.Context(), []byte("0")); err != nil {
		t.Errorf("a process that had ended was asked: %v", err)
	}
}

// What a warm process writes beyond its one line for a job is not the answer of the next one, which may be another person's.
func TestWarmProcessThatWritesTwice(t *testing.T) {
	for name, text := range map[string]string{
		"at once": `while read line; do printf '{"got": %s}\n{"got": %s, "twice": 1}\n' "$line" "$line"; done`,
		"late":    `while read line; do echo "{\"got\": $line}"; sleep 0.05; echo "{\"got\": $line, \"twice\": 1}"; done`,
	} {
		t.Run(name, func(t *testing.T) {
			p := pool(t, text, func(c *Config) { c.Warm, c.Max = true, 1 })
			for n := 1; n <= 3; n++ {
				got, err := p.Do(t.Context(), fmt.Appendf(nil, "%d", n))
				if want := fmt.Sprintf(`{"got":%d}`, n); err != nil || string(got) != want {
					t.Errorf("job %d gave %s, %v", n, got, err)
				}
				if name == "late" { // until what it wrote too much is there, or it is gone
					for end := time.Now().Add(time.Minute); len(p.idle) > 0 && p.idle[0].silent(); time.Sleep(5 * time.Millisecond) {
						if time.Now().After(end) {
							t.Fatal("it has not written")
						}
					}
				}
			}
		})
	}
}

func TestStandardErrorIsLogged(t *testing.T) {
	var log lockedBuffer
	p := pool(t, `echo "look here" >&2; i=0; while [ $i -lt 1000 ]; do echo "line $i" >&2; i=$((i+1)); done; echo '{}'`, func(c *Config) {
		c.Log = slog.New(slog.NewTextHandler(&log, nil))
	})
	if _, err := p.Do(t.Context(), []byte(`{}`)); err != nil {
		t.Fatal(err)
	}
	if text := log.String(); !strings.Contains(text, `"look here"`) || strings.Count(text, "\n") != logLines {
		t.Errorf("the log has %d lines, and begins with %.200s", strings.Count(text, "\n"), text)
	}
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func TestRefused(t *testing.T) {
	plain := filepath.Join(t.TempDir(), "plain")
	if err := os.WriteFile(plain, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for want, argv := range map[string][]string{
		"there is no program": {}, "no such file": {"./nowhere"}, "write its whole path": {"no-such-program"}, "chmod +x": {plain}, "a folder": {"/"},
	} {
		if _, err := New(Config{Argv: argv, Folder: t.TempDir(), Timeout: time.Second, Max: 1}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", argv, err)
		}
	}
}

// A bot that is killed takes the process with it.
func TestProcessesDieWithTheBot(t *testing.T) {
	pids := filepath.Join(t.TempDir(), "pid")
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	bot := exec.Command(os.Args[0])
	bot.Env = append(os.Environ(), botVariable+"="+script(t, `echo $$ > "`+pids+`.new"; mv "`+pids+`.new" "`+pids+`"; exec sleep 1000`))
	bot.ExtraFiles = []*os.File{w}
	if err := bot.Start(); err != nil {
		t.Fatal(err)
	}
	w.Close()
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		if _, err := os.Stat(pids); err == nil {
			break
		}
		if time.Now().After(end) {
			t.Fatal("the task has not begun")
		}
	}
	if err := bot.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = bot.Wait()
	noGroup(t, pids)
	// The pipe was open in the bot alone, unless the task has inherited what is not its own.
	if _, err := io.ReadAll(r); err != nil {
		t.Fatal(err)
	}
}
