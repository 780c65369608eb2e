// Package process runs the real bot, the program that is shipped, against a homeserver: configured by a file, started,
// stopped and killed as an operator would, with nothing of it within the test.
package process

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"moot/e2e/homeserver"
)

const (
	patience = time.Minute // how long the bot may take to stop
	mostLog  = 30_000      // bytes of a log that are shown
)

// Build builds the bot with the tags, and the programs beside it that are named by their folders in this module, into a
// folder. It is called once.
func Build(folder string, tags string, others ...string) error {
	root, e2e, err := homeserver.Root()
	if err != nil {
		return err
	}
	build := func(dir, pkg, tags string) error {
		cmd := exec.Command("go", "build", "-tags", tags, "-o", folder+string(filepath.Separator), pkg)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("build %s: %w\n%s", pkg, err, out)
		}
		return nil
	}
	if err := build(root, "./cmd/bot", tags); err != nil {
		return err
	}
	for _, o := range others {
		if err := build(e2e, "./"+o, "goolm"); err != nil {
			return err
		}
	}
	return nil
}

// Config says how a bot is set up.
type Config struct {
	// Program is the path of the bot.
	Program string
	Server  *homeserver.Server
	Account homeserver.Account
	// Operators are written as in the configuration: "matrix:@ann:moot.test".
	Operators []string
	// Extra is added to the configuration as it stands, and Matrix to its section of that name.
	Extra, Matrix string
	// ByToken is whether the bot uses the access token of the account, and makes no login.
	ByToken bool
	// Env is added to its environment.
	Env []string
}

// Bot is a bot that can be started and stopped any number of times. It keeps its data in between.
type Bot struct {
	Config
	// Dir is the folder of its configuration, its data and its log.
	Dir string

	t    testing.TB
	log  *os.File
	mu   sync.Mutex
	cmd  *exec.Cmd
	done chan struct{} // closed when the process has ended
}

// New sets up a bot. It is killed at the end of the test if it runs by then.
func New(t testing.TB, c Config) *Bot {
	t.Helper()
	b := &Bot{Config: c, Dir: t.TempDir(), t: t}
	b.Configure(c.Extra)
	b.write("password", c.Account.Password+"\n")
	var err error
	if b.log, err = os.Create(filepath.Join(b.Dir, "log")); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if b.Running() {
			b.Kill()
		}
		if t.Failed() {
			t.Logf("what the bot %s logged:\n%s", c.Account.UserID, b.Log())
		}
		b.log.Close()
	})
	return b
}

// Configure writes the configuration anew, for the next start.
func (b *Bot) Configure(extra string) {
	b.t.Helper()
	operators, err := json.Marshal(b.Operators)
	if err != nil {
		b.t.Fatal(err)
	}
	if b.Operators == nil {
		operators = []byte("[]")
	}
	token := ""
	if b.ByToken {
		b.write("token", b.Account.Token+"\n")
		token = `access_token = { file = "token" }`
	}
	b.write("config.toml", fmt.Sprintf(`operators = %s

[matrix]
user = %q
homeserver = %q
password = { file = "password" }
%s
%s

[commands]
rate_burst = 10000
rate_every = "1ms"

%s
`, operators, b.Account.UserID, b.Server.URL, token, b.Matrix, extra))
}

func (b *Bot) write(name, text string) {
	b.t.Helper()
	if err := os.WriteFile(filepath.Join(b.Dir, name), []byte(text), 0o600); err != nil {
		b.t.Fatal(err)
	}
}

// Start starts the bot. That it has come as far as its network, the test sees by what it does there.
func (b *Bot) Start(env ...string) {
	b.t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	cmd := exec.Command(b.Program, "--config", filepath.Join(b.Dir, "config.toml"))
	cmd.Dir, cmd.Stdout, cmd.Stderr = b.Dir, b.log, b.log
	cmd.Env = append(append(os.Environ(), b.Env...), env...)
	homeserver.DieWithParent(cmd)
	if err := homeserver.StartProcess(cmd); err != nil {
		b.t.Fatal(err)
	}
	b.cmd, b.done = cmd, make(chan struct{})
	go func(done chan struct{}) {
		defer close(done)
		_ = cmd.Wait() // how it ended, ProcessState tells
	}(b.done)
}

// Running reports whether it runs.
func (b *Bot) Running() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.cmd == nil {
		return false
	}
	select {
	case <-b.done:
		return false
	default:
		return true
	}
}

// Over returns a channel that is closed when the process that was started last has ended.
func (b *Bot) Over() <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.done
}

// PID returns the number of the process that was started last.
func (b *Bot) PID() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.cmd.Process.Pid
}

// Kill ends the bot as a power cut would. It has to run.
func (b *Bot) Kill() {
	b.t.Helper()
	if err := b.cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		b.t.Errorf("kill the bot: %v", err)
	}
	<-b.done
}

// Freeze stops all that the bot does, until Thaw, as a machine that hangs would.
func (b *Bot) Freeze() { b.signal(syscall.SIGSTOP) }

// Thaw lets a frozen bot go on.
func (b *Bot) Thaw() { b.signal(syscall.SIGCONT) }

func (b *Bot) signal(s syscall.Signal) {
	b.t.Helper()
	if err := b.cmd.Process.Signal(s); err != nil {
		b.t.Fatalf("%v: %v", s, err)
	}
}

// Stop stops the bot as an operator does, and fails the test where it does not end in good order.
func (b *Bot) Stop() {
	b.t.Helper()
	if err := b.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		b.t.Fatalf("stop the bot: %v", err)
	}
	if code := b.Ended(); code != 0 {
		b.t.Errorf("the bot ended with exit code %d", code)
	}
}

// Ended waits for the end of the bot and returns its exit code, -1 where a signal has ended it.
func (b *Bot) Ended() int {
	b.t.Helper()
	select {
	case <-b.done:
	case <-time.After(patience):
		b.t.Fatalf("the bot does not end")
	}
	return b.cmd.ProcessState.ExitCode()
}

// Log returns what it has logged, of all its runs; of a long log the end.
func (b *Bot) Log() string {
	data, err := os.ReadFile(b.log.Name())
	if err != nil {
		return err.Error()
	}
	if len(data) > mostLog {
		data = data[len(data)-mostLog:]
	}
	return string(data)
}

// Says waits until the bot has logged a text.
func (b *Bot) Says(text string) {
	b.t.Helper()
	// A log is a file, which nobody tells of its growth.
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(patience); !strings.Contains(b.Log(), text); <-tick.C {
		if time.Now().After(deadline) {
			b.t.Fatalf("the bot does not log %q", text)
		}
	}
}

// Do gives a command of the command line, such as "check", and returns what it says and its exit code.
func (b *Bot) Do(args ...string) (string, int) {
	b.t.Helper()
	cmd := exec.Command(b.Program, append(args, "--config", filepath.Join(b.Dir, "config.toml"))...)
	cmd.Dir = b.Dir
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	var exit *exec.ExitError
	if err := cmd.Run(); err != nil && !errors.As(err, &exit) {
		b.t.Fatal(err)
	}
	return strings.TrimRight(out.String(), "\n"), cmd.ProcessState.ExitCode()
}

// Follow follows the facts that the bot publishes, with the filters that are given to `moot log`, until one holds a text.
func (b *Bot) Follow(holds string, args ...string) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.t.Context(), 3*patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, b.Program, append([]string{"log", "--follow", "--config", filepath.Join(b.Dir, "config.toml")}, args...)...)
	out, err := cmd.StdoutPipe()
	if err != nil {
		b.t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		b.t.Fatal(err)
	}
	defer func() {
		cancel()
		_ = cmd.Wait() // it was killed
	}()
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if strings.Contains(lines.Text(), holds) {
			return
		}
	}
	b.t.Fatalf("no fact with %q came", holds)
}

// Forget removes the data of the bot, as if its disk had been lost. Its account stays.
func (b *Bot) Forget() {
	b.t.Helper()
	if err := os.RemoveAll(filepath.Join(b.Dir, "data")); err != nil {
		b.t.Fatal(err)
	}
}
