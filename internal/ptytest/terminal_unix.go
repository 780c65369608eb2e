//go:build unix

package ptytest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"reflect"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/charmbracelet/x/ansi"
	"github.com/charmbracelet/x/term"
	"github.com/charmbracelet/x/vt"
	"github.com/creack/pty"
)

// Patience is how long a Terminal waits for what is to be seen before it fails the test.
const Patience = time.Minute

// Terminal is a terminal with a program in it. Use Start.
type Terminal struct {
	t       testing.TB
	cmd     *exec.Cmd
	pty     *os.File // the side of the person
	tty     *os.File // that of the program, to ask for its settings
	before  *term.State
	done    chan struct{} // closed when the program has ended and all it wrote is on the screen
	waitErr error         // written before done is closed

	mu      sync.Mutex
	screen  *vt.Emulator
	modes   map[string]bool // those that were ever set or reset
	raw     strings.Builder // all that was written
	changed chan struct{}   // closed when more is
}

// Start starts a program in a terminal of a size, in a session of its own. The environment of the command is added to that of
// the test, in which TERM is xterm-256color.
func Start(t testing.TB, cmd *exec.Cmd, width, height int) *Terminal {
	t.Helper()
	p, tty, err := pty.Open()
	if err != nil {
		t.Fatalf("open a terminal: %v", err)
	}
	tm := &Terminal{
		t: t, cmd: cmd, pty: p, tty: tty, done: make(chan struct{}), screen: vt.NewEmulator(width, height),
		modes: map[string]bool{}, changed: make(chan struct{}),
	}
	if err := tm.resize(width, height); err != nil {
		t.Fatal(err)
	}
	if tm.before, err = term.GetState(tty.Fd()); err != nil {
		t.Fatalf("read the settings of the terminal: %v", err)
	}
	tm.screen.SetCallbacks(vt.Callbacks{
		EnableMode:  func(m ansi.Mode) { tm.modes[modeName(m)] = true },
		DisableMode: func(m ansi.Mode) { tm.modes[modeName(m)] = false },
	})
	// What is drawn for a larger window may come when it is small already: a terminal then scrolls what it has. The emulator would panic.
	tm.screen.RegisterCsiHandler('r', func(margins ansi.Params) bool {
		if bottom, _, ok := margins.Param(1, 0); ok && bottom > tm.screen.Height() {
			margins[1] = ansi.Param(tm.screen.Height())
		}
		return false // the emulator goes on with it
	})
	// What the terminal of whoever runs the test is like is of no concern; what the command says is said last.
	cmd.Env = append(append(os.Environ(), "TERM=xterm-256color", "COLORTERM=", "NO_COLOR="), cmd.Env...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = tty, tty, tty
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := cmd.Start(); err != nil {
		t.Fatalf("start %s: %v", cmd, err)
	}
	go tm.read()
	answered := make(chan struct{})
	go func() { // what the terminal answers when it is asked
		defer close(answered)
		_, _ = io.Copy(p, tm.screen)
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		<-tm.done
		_ = tm.screen.InputPipe().(io.Closer).Close()
		<-answered
		_ = p.Close()
		_ = tty.Close()
	})
	return tm
}

func modeName(m ansi.Mode) string { return fmt.Sprintf("%T %d", m, m.Mode()) }

// end is what a Terminal itself writes behind all that the program has written. The other side stays open, since the test asks
// it for its settings, so the end of the program is no end of what is read.
const end = 0

// read puts on the screen what the program writes, until it has ended.
func (tm *Terminal) read() {
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		tm.waitErr = tm.cmd.Wait()
		_, _ = tm.tty.Write([]byte{end})
	}()
	buf := make([]byte, 64<<10)
	for {
		n, err := tm.pty.Read(buf)
		written, _, last := bytes.Cut(buf[:n], []byte{end})
		tm.take(written)
		if last || err != nil {
			break
		}
	}
	<-ended
	close(tm.done)
}

func (tm *Terminal) take(data []byte) {
	tm.mu.Lock()
	defer tm.mu.Unlock()
	_, _ = tm.screen.Write(data)
	tm.raw.Write(data)
	close(tm.changed)
	tm.changed = make(chan struct{})
}

// Type types, or sends what a key sends: "\r" is Enter, "\x03" Ctrl-C, "\x1b[A" the arrow up.
func (tm *Terminal) Type(keys string) {
	tm.t.Helper()
	if _, err := io.WriteString(tm.pty, keys); err != nil {
		tm.t.Fatalf("type %q: %v", keys, err)
	}
}

// Resize gives the window another size.
func (tm *Terminal) Resize(width, height int) {
	tm.t.Helper()
	tm.mu.Lock()
	tm.screen.Resize(width, height)
	tm.mu.Unlock()
	if err := tm.resize(width, height); err != nil {
		tm.t.Fatal(err)
	}
}

func (tm *Terminal) resize(width, height int) error {
	if err := pty.Setsize(tm.pty, &pty.Winsize{Cols: uint16(width), Rows: uint16(height)}); err != nil {
		return fmt.Errorf("resize the terminal: %w", err)
	}
	return nil
}

// Screen returns what is to be seen, without colours and without the blanks at the end of lines.
func (tm *Terminal) Screen() string {
	tm.mu.Lock()
	defer tm.mu.Unlock()
	return tm.shown()
}

func (tm *Terminal) shown() string {
	lines := strings.Split(tm.screen.String(), "\n")
	for i, l := range lines {
		lines[i] = strings.TrimRight(l, " \r")
	}
	return strings.Join(lines, "\n")
}

// Raw returns all that the program has written so far, with the sequences that steer a terminal.
func (tm *Terminal) Raw() string {
	tm.mu.Lock()
	defer tm.mu.Unlock()
	return tm.raw.String()
}

// Until waits until the screen is as wanted, and returns it.
func (tm *Terminal) Until(what string, so func(screen string) bool) string {
	tm.t.Helper()
	late := time.After(Patience)
	for {
		tm.mu.Lock()
		shown, changed := tm.shown(), tm.changed
		tm.mu.Unlock()
		if so(shown) {
			return shown
		}
		select {
		case <-changed:
		case <-late:
			tm.t.Fatalf("never to be seen: %s. The screen is\n%s", what, shown)
		}
	}
}

// Shows waits until all of the texts are on the screen.
func (tm *Terminal) Shows(texts ...string) string {
	tm.t.Helper()
	return tm.Until(fmt.Sprintf("%q", texts), func(screen string) bool {
		return !slices.ContainsFunc(texts, func(text string) bool { return !strings.Contains(screen, text) })
	})
}

// Hides waits until a text is not on the screen.
func (tm *Terminal) Hides(text string) {
	tm.t.Helper()
	tm.Until("a screen without "+text, func(screen string) bool { return !strings.Contains(screen, text) })
}

// Signal sends a signal to the program.
func (tm *Terminal) Signal(sig os.Signal) {
	tm.t.Helper()
	if err := tm.cmd.Process.Signal(sig); err != nil {
		tm.t.Fatalf("send %s: %v", sig, err)
	}
}

// Wait waits until the program has ended and returns its exit code, -1 where a signal has ended it.
func (tm *Terminal) Wait() int {
	tm.t.Helper()
	select {
	case <-tm.done:
	case <-time.After(Patience):
		tm.t.Fatalf("it does not end. The screen is\n%s", tm.Screen())
	}
	var exit *exec.ExitError
	if tm.waitErr != nil && !errors.As(tm.waitErr, &exit) {
		tm.t.Fatal(tm.waitErr)
	}
	return tm.cmd.ProcessState.ExitCode()
}

// set are the modes that a terminal has where nobody has changed them, of those that programs change.
var set = map[string]bool{modeName(ansi.ModeTextCursorEnable): true, modeName(ansi.ModeAutoWrap): true}

// Changed returns what is otherwise than at the start: settings of the line, modes of the screen, what the keyboard
// reports. Nothing means that the terminal is as it was.
func (tm *Terminal) Changed() (all []string) {
	tm.t.Helper()
	now, err := term.GetState(tm.tty.Fd())
	if err != nil {
		tm.t.Fatalf("read the settings of the terminal: %v", err)
	}
	if !reflect.DeepEqual(now, tm.before) {
		all = append(all, "settings of the line")
	}
	tm.mu.Lock()
	defer tm.mu.Unlock()
	for _, name := range slices.Sorted(maps.Keys(tm.modes)) {
		if tm.modes[name] != set[name] {
			all = append(all, fmt.Sprintf("mode %s is %v", name, tm.modes[name]))
		}
	}
	if tm.screen.IsAltScreen() {
		all = append(all, "the screen is the other one")
	}
	return append(all, keyboard(tm.raw.String())...)
}

// keyboard says what a program has told the keyboard to report and not taken back. The emulator does not know of it.
func keyboard(raw string) (all []string) {
	enhanced, other := 0, 0 // kitty's protocol, and xterm's modifyOtherKeys
	p := ansi.NewParser()
	p.SetHandler(ansi.Handler{HandleCsi: func(cmd ansi.Cmd, params ansi.Params) {
		n, _, _ := params.Param(0, 0)
		switch {
		case cmd.Final() == 'u' && cmd.Prefix() == '>':
			enhanced++
		case cmd.Final() == 'u' && cmd.Prefix() == '<':
			enhanced = max(0, enhanced-max(1, n))
		case cmd.Final() == 'u' && cmd.Prefix() == '=':
			enhanced = n
		case cmd.Final() == 'm' && cmd.Prefix() == '>' && n == 4:
			other, _, _ = params.Param(1, 0)
		}
	}})
	for i := range len(raw) {
		p.Advance(raw[i])
	}
	if enhanced != 0 {
		all = append(all, "the keyboard reports more")
	}
	if other != 0 {
		all = append(all, "the keyboard reports modified keys otherwise")
	}
	return all
}
