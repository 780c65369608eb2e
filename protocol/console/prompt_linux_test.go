package console_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
	"golang.org/x/sys/unix"

	"moot/protocol"
	"moot/protocol/console"
)

func init() { children["prompt"] = promptBot }

// promptBot talks with a person at a terminal. Its bot answers when it is allowed to: when the third file ends.
func promptBot() int {
	dir := os.Getenv("CONSOLE_TEST_DIR")
	w, err := console.Open(console.Config{Dir: dir, Frozen: true, Start: start})
	if err != nil {
		fmt.Println(err)
		return 1
	}
	a := console.NewAdapter(w)
	bot := &slow{toy: newToy(a), allowed: os.NewFile(3, "allowed")}
	term, err := console.NewTerminal(console.TerminalConfig{
		World: w, Adapter: a, Dir: dir,
		Complete: func(t console.Typing) []string { return []string{fmt.Sprint("private-", t.Private)} },
	})
	if err != nil {
		fmt.Println(err)
		return 1
	}
	ctx, cancel := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	done := make(chan error, 1)
	go func() { done <- a.Run(ctx, bot) }()
	err = term.Run(ctx)
	cancel()
	if err := <-done; err != nil {
		fmt.Println(err)
		return 1
	}
	bot.wg.Wait()
	if err != nil || w.Close() != nil || goleak.Find() != nil {
		fmt.Println("left behind:", err, goleak.Find())
		return 1
	}
	return 0
}

type slow struct {
	*toy
	allowed *os.File
	wg      sync.WaitGroup
}

func (s *slow) Admit(ctx context.Context, events []protocol.Event, cursor protocol.Cursor) error {
	s.wg.Go(func() {
		for _, e := range events {
			if m, ok := e.Body.(protocol.Message); ok && strings.HasPrefix(m.Text, "!moot") {
				_, _ = s.allowed.Read(make([]byte, 1))
				_ = s.toy.Admit(ctx, []protocol.Event{e}, cursor)
			}
		}
	})
	return nil
}

// pty is a terminal with a person before it.
type pty struct {
	t      *testing.T
	master *os.File
	slave  *os.File
	mu     sync.Mutex
	seen   strings.Builder
	more   chan struct{}
}

func newPTY(t *testing.T, cols uint16) *pty {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Skip("no pseudo terminals here: ", err)
	}
	fd := int(master.Fd())
	n, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err == nil {
		err = unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0)
	}
	if err == nil {
		err = unix.IoctlSetWinsize(fd, unix.TIOCSWINSZ, &unix.Winsize{Row: 24, Col: cols})
	}
	if err != nil {
		t.Skip("no pseudo terminals here: ", err)
	}
	slave, err := os.OpenFile("/dev/pts/"+strconv.Itoa(n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skip("no pseudo terminals here: ", err)
	}
	p := &pty{t: t, master: master, slave: slave, more: make(chan struct{}, 1)}
	go p.read()
	t.Cleanup(func() { slave.Close(); master.Close() })
	return p
}

func (p *pty) read() {
	b := make([]byte, 4096)
	for {
		n, err := p.master.Read(b)
		p.mu.Lock()
		p.seen.Write(b[:n])
		p.mu.Unlock()
		select {
		case p.more <- struct{}{}:
		default:
		}
		if err != nil {
			return
		}
	}
}

// expect waits until these stand in what the terminal was sent, one after another, and forgets what came before.
func (p *pty) expect(texts ...string) {
	p.t.Helper()
	deadline := time.After(15 * time.Second)
	for {
		p.mu.Lock()
		rest, found := p.seen.String(), true
		for _, text := range texts {
			var ok bool
			if _, rest, ok = strings.Cut(rest, text); !ok {
				found = false
			}
		}
		if found {
			p.seen.Reset()
			p.seen.WriteString(rest)
			p.mu.Unlock()
			return
		}
		seen := p.seen.String()
		p.mu.Unlock()
		select {
		case <-p.more:
		case <-deadline:
			p.t.Fatalf("waited for %q; the terminal was sent %q", texts, seen)
		}
	}
}

func (p *pty) types(text string) {
	p.t.Helper()
	if _, err := p.master.WriteString(text); err != nil {
		p.t.Fatal(err)
	}
}

// run starts the child at the terminal. Allow lets its bot answer.
func (p *pty) run(dir string) (allow func(), child *exec.Cmd) {
	p.t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		p.t.Fatal(err)
	}
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "CONSOLE_TEST_CHILD=prompt", "CONSOLE_TEST_DIR="+dir, "GORACE=atexit_sleep_ms=0", "NO_COLOR=", "TERM=xterm")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = p.slave, p.slave, p.slave
	cmd.ExtraFiles = []*os.File{r}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
	r.Close()
	p.t.Cleanup(func() { _ = cmd.Process.Kill() })
	return func() { w.Close() }, cmd
}

// ends waits until the child has ended well.
func (p *pty) ends(child *exec.Cmd) {
	p.t.Helper()
	late := time.AfterFunc(15*time.Second, func() { _ = child.Process.Kill() })
	defer late.Stop()
	if err := child.Wait(); err != nil {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.t.Fatalf("%v; the terminal was sent %q", err, p.seen.String())
	}
}

func TestPrompt(t *testing.T) {
	dir := t.TempDir()
	p := newPTY(t, 80)
	before, err := unix.IoctlGetTermios(int(p.slave.Fd()), unix.TCGETS)
	if err != nil {
		t.Fatal(err)
	}
	allow, child := p.run(dir)
	p.expect("!moot help", "/dm", "/as ben", "/help", "ann in lobby")

	// What comes while somebody types goes above, and their line stands below it again.
	p.types("!moot slow\r")
	p.expect("ann:", "!moot slow", "ann in lobby")
	p.types("half a lin")
	p.expect("half a lin")
	allow()
	p.expect("moot:", "you said", "slow", "ann in lobby", "> half a lin")
	p.types("e\r")
	p.expect("ann:", "half a line", "ann in lobby")

	// Completion: commands, names, words of the bot.
	p.types("/wh\t\r")
	p.expect("> /who", "moderator")
	p.types("/as b\t\r")
	p.expect("> /as ben", "you are ben in lobby", "ben in lobby")
	p.types("/dm\r")
	p.expect("ben now talks with moot alone", "ben to moot alone")
	p.types("pri\t")
	p.expect("private-true")
	p.types("\x15") // Ctrl-U
	p.types("/nonsense\r")
	p.expect("! there is no command «/nonsense»")

	// History, Ctrl-C, Ctrl-D.
	p.types("\x1b[A\x1b[A\r")
	p.expect("you are ben in lobby", "ben in lobby")
	p.types("given up\x03")
	p.expect("\n", "ben in lobby") // each letter shows the prompt again: this is the one on the line below
	p.types("\x03")
	p.expect("Ctrl-C once more", "ben in lobby")
	p.types("\x04")
	p.ends(child)
	after, err := unix.IoctlGetTermios(int(p.slave.Fd()), unix.TCGETS)
	if err != nil || *after != *before {
		t.Errorf("the terminal was left as %+v, and was %+v", after, before)
	}
	if info, err := os.Stat(filepath.Join(dir, console.HistoryName)); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the history: %v, %v", info, err)
	}

	// The second start greets shorter, shows what was said, and knows what was typed.
	allow, child = p.run(dir)
	allow()
	p.expect("/help lists", "said last", "!moot slow", "half a line", "ann in lobby")
	p.types("\x1b[A\x1b[A\x1b[A")
	p.expect("/nonsense")
	p.types("\x15/quit\r")
	p.ends(child)
}

func TestASignalEndsThePrompt(t *testing.T) {
	p := newPTY(t, 80)
	allow, child := p.run(t.TempDir())
	p.expect("ann in lobby")
	p.types("!moot " + strings.Repeat("long words ", 12) + "\r")
	p.expect("!moot long", "ann in lobby")
	p.types("half a line")
	p.expect("half a line")
	// The kernel tells the child of the new size; what comes then is laid out for it.
	if err := unix.IoctlSetWinsize(int(p.master.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: 24, Col: 50}); err != nil {
		t.Fatal(err)
	}
	allow()
	p.expect("you said", "\r\n                     ", "> half a line")
	if err := child.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	p.ends(child)
}
