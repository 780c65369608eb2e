//go:build unix

package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"moot/internal/effort"
	"moot/internal/ptytest"
	"moot/internal/say"
	"moot/protocol/console/apart"
)

// ptyBot is a command that runs the bot in a terminal, with a console of its own.
func ptyBot(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	cmd := exec.Command(exe, append([]string{"--data", filepath.Join(dir, "data")}, args...)...)
	cmd.Args[0] = "bot" // by which testscript.Main knows what to be
	cmd.Dir = dir
	cmd.Env = []string{"MOOT_CONFIG=", "XDG_RUNTIME_DIR=" + dir, "GORACE=atexit_sleep_ms=0"}
	return cmd
}

// leaves ends the bot in the terminal in a way, and checks that the terminal is as it was.
func leaves(t *testing.T, tm *ptytest.Terminal, code int) {
	t.Helper()
	if got := tm.Wait(); got != code {
		t.Errorf("it ended with %d\n%s", got, tm.Screen())
	}
	if all := tm.Changed(); len(all) > 0 {
		t.Errorf("the terminal is not as it was: %v", all)
	}
}

// TestFirstMinute: by the screen alone a person comes from the first screen to a vote with a ballot, in a wide window and in a
// narrow one.
func TestFirstMinute(t *testing.T) {
	t.Parallel()
	for _, size := range [][2]int{{100, 40}, {60, 20}} {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			t.Parallel()
			tm := ptytest.Start(t, ptyBot(t), size[0], size[1])
			tm.Shows("!moot vote motion tea", "opens a vote", "ann in lobby", "›")
			tm.Type("!moot vote motion tea\r")
			tm.Shows("0 of 6", "Vote 1", "Tab votes")
			tm.Type("\t")
			tm.Shows("y yes")
			tm.Type("y")
			tm.Shows("1 of 6", "ann votes: yes. Esc goes back to writing.")
			tm.Type("\x1b")
			tm.Shows("Enter sends")
			tm.Type("/wait 3d\r")
			tm.Shows("has closed")
			tm.Type("/quit\r")
			leaves(t, tm, exitOK)
		})
	}
}

// TestFirstFrame: from the start of the program to the first screen of a bot that was there before, and to that of a new one, it takes
// no longer than a person notices. On a machine of which MOOT_QUIET says that it does nothing else that is 150 ms; otherwise, beside other
// tests, only that it does not wait for anything that never comes, such as an answer of the terminal.
func TestFirstFrame(t *testing.T) {
	effort.Slow(t)
	most, starts := 10*time.Second, 2
	if os.Getenv("MOOT_QUIET") != "" {
		most, starts = 150*time.Millisecond, 10
	} else {
		t.Parallel()
	}
	bin := buildBot(t)
	for _, there := range []bool{false, true} {
		var all []time.Duration
		cmd := ptyBot(t)
		for i := range starts + 1 { // the first one reads the program from the disk, and makes what the others find
			next := ptyBot(t)
			if there {
				next.Args, next.Dir, next.Env = cmd.Args, cmd.Dir, cmd.Env
			}
			next.Path, next.Err = bin, nil
			began := time.Now()
			tm := ptytest.Start(t, next, 100, 40)
			tm.Shows("ann in lobby", "›")
			if i > 0 {
				all = append(all, time.Since(began))
			}
			tm.Type("\x04")
			leaves(t, tm, exitOK)
		}
		slices.Sort(all)
		t.Logf("the world is there: %v; the first screen after %v, at least %v", there, all[len(all)/2], all[0])
		if all[len(all)/2] > most {
			t.Errorf("the world is there: %v; the first screen comes after %v", there, all[len(all)/2])
		}
	}
}

// TestTerminalTyping: what is typed stands in the editor, the menus behind / and !moot name what there is, and a pasted text
// is one message.
func TestTerminalTyping(t *testing.T) {
	t.Parallel()
	tm := ptytest.Start(t, ptyBot(t), 100, 40)
	tm.Shows("ann in lobby")
	tm.Type("👨‍👩‍👧 日本語、x")
	tm.Shows("› 👨‍👩‍👧 日本語、x")
	tm.Type("\x7f\x7f\x7f")
	tm.Shows("› 👨‍👩‍👧 日本")
	tm.Type("\x15" + strings.Repeat("quickly ", 60) + "typed") // at once, as no hand can
	tm.Shows("typed")
	tm.Type("\r")
	tm.Until("all that was typed", func(s string) bool { return strings.Count(s, "quickly") == 60 && strings.Contains(s, "typed") })
	tm.Type("\x15/re")
	tm.Shows("/react", "/reply", "answer message N")
	tm.Type("\x15!moot ")
	tm.Shows(" vote ", "Tab takes it")
	tm.Type("\x15\x1b[200~two\nlines\x1b[201~")
	tm.Shows("› two", "  lines")
	tm.Type("\r")
	tm.Shows("› ")
	tm.Until("the message with its two lines", func(s string) bool {
		_, rest, ok := strings.Cut(s, "ann two")
		return ok && strings.Contains(rest, "lines")
	})
	tm.Type("\x03\x03")
	leaves(t, tm, exitOK)
}

// TestTerminalResize: the screen is drawn anew for each size, down to windows in which nobody works.
func TestTerminalResize(t *testing.T) {
	t.Parallel()
	tm := ptytest.Start(t, ptyBot(t), 100, 40)
	tm.Shows("ann in lobby")
	tm.Type("!moot vote motion tea\r")
	tm.Shows("╭─ Vote 1")
	tm.Type("half a line")
	tm.Resize(60, 20)
	tm.Shows("Vote 1 lobby tea", "› half a line", "Rooms")
	for _, size := range [][2]int{{60, 6}, {20, 3}, {8, 2}, {3, 1}, {1, 1}} {
		tm.Resize(size[0], size[1])
	}
	tm.Resize(120, 50)
	tm.Shows("╭─ Vote 1", "› half a line")
	tm.Type("\x15\x04")
	leaves(t, tm, exitOK)
}

// TestTerminalSignals: whichever way the bot ends, the terminal is as it was.
func TestTerminalSignals(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(*ptytest.Terminal){
		"Ctrl-C twice": func(tm *ptytest.Terminal) {
			tm.Type("\x03")
			tm.Shows("Ctrl-C once more")
			tm.Type("\x03")
		},
		"Ctrl-D":  func(tm *ptytest.Terminal) { tm.Type("\x04") },
		"SIGTERM": func(tm *ptytest.Terminal) { tm.Signal(syscall.SIGTERM) },
		"SIGHUP":  func(tm *ptytest.Terminal) { tm.Signal(syscall.SIGHUP) },
		"SIGINT":  func(tm *ptytest.Terminal) { tm.Signal(os.Interrupt) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tm := ptytest.Start(t, ptyBot(t), 80, 24)
			tm.Shows("ann in lobby")
			end(tm)
			leaves(t, tm, exitOK)
		})
	}
}

// TestTerminalSuspend: Ctrl-Z gives the terminal back to the shell, and fg takes it again.
func TestTerminalSuspend(t *testing.T) {
	t.Parallel()
	bot := ptyBot(t)
	sh := exec.Command("sh", append([]string{"-mc", `"$0" "$@"; echo "stopped with $?"; read -r line; fg >/dev/null; echo "ended with $?"`}, bot.Args...)...)
	sh.Dir, sh.Env = bot.Dir, append(bot.Env, "PATH="+botOnPath(t)+string(os.PathListSeparator)+os.Getenv("PATH"))
	tm := ptytest.Start(t, sh, 80, 24)
	tm.Shows("ann in lobby")
	tm.Type("half")
	tm.Shows("› half")
	tm.Type("\x1a")
	tm.Shows("stopped with")
	if all := tm.Changed(); len(all) > 0 {
		t.Errorf("while it is stopped the terminal is not as it was: %v", all)
	}
	tm.Type("\r")
	tm.Shows("ann in lobby", "› half")
	tm.Type("\x15\x04")
	tm.Shows("ended with 0")
	leaves(t, tm, exitOK)
}

// botOnPath makes a folder in which the bot is called as it is called.
func botOnPath(t *testing.T) string {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := os.Symlink(exe, filepath.Join(dir, "bot")); err != nil {
		t.Fatal(err)
	}
	return dir
}

// TestTerminalRests: while nothing happens, neither the screen nor the bot wakes up. How often a process gives way is counted by the
// system, and does not depend on what else the machine does.
func TestTerminalRests(t *testing.T) {
	effort.Slow(t)
	t.Parallel()
	if _, err := os.Stat("/proc/self/task"); err != nil {
		t.Skip("this system does not count how often a process wakes up")
	}
	cmd := ptyBot(t)
	tm := ptytest.Start(t, cmd, 100, 40)
	tm.Shows("ann in lobby")
	const seconds = 3
	var woken []int
	for range 10 { // in the first seconds the bot is still at work on its start
		before := wakings(t, cmd.Process.Pid)
		time.Sleep(seconds * time.Second) // what is measured is a rest
		n := (wakings(t, cmd.Process.Pid) - before) / seconds
		if woken = append(woken, n); n < 30 {
			break
		}
	}
	t.Logf("woken a second: %v", woken)
	if last := woken[len(woken)-1]; last >= 30 { // to draw at 60 frames a second takes 60 and more
		t.Errorf("nothing happens, and it is woken %d times a second", last)
	}
	tm.Type("still here")
	tm.Shows("› still here")
	tm.Type("\x15\x04")
	leaves(t, tm, exitOK)
}

// wakings is how often the threads of a process and of those that it started have given way so far.
func wakings(t *testing.T, pid int) (n int) {
	t.Helper()
	tasks, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*", pid))
	if err != nil {
		t.Fatal(err)
	}
	for _, task := range tasks {
		status, err := os.ReadFile(filepath.Join(task, "status"))
		if err != nil {
			continue // a thread that has ended
		}
		for line := range strings.Lines(string(status)) {
			if count, ok := strings.CutPrefix(line, "voluntary_ctxt_switches:"); ok {
				k, err := strconv.Atoi(strings.TrimSpace(count))
				if err != nil {
					t.Fatal(err)
				}
				n += k
			}
		}
		children, _ := os.ReadFile(filepath.Join(task, "children")) // which some kernels do not tell
		for _, child := range strings.Fields(string(children)) {
			k, err := strconv.Atoi(child)
			if err != nil {
				t.Fatal(err)
			}
			n += wakings(t, k)
		}
	}
	return n
}

// TestTerminalPlain: a terminal that cannot move its cursor, or a person who asks for it, gets lines without any
// sequence; NO_COLOR keeps the screen and leaves out the colours.
func TestTerminalPlain(t *testing.T) {
	t.Parallel()
	plain := func(name string, cmd *exec.Cmd) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tm := ptytest.Start(t, cmd, 80, 24)
			tm.Shows("You are ann in the lobby", "ann in lobby>")
			tm.Type("!moot ping\r")
			tm.Shows("(to 14) pong")
			tm.Type("\x04")
			leaves(t, tm, exitOK)
			if raw := tm.Raw(); strings.Contains(raw, "\x1b") {
				t.Errorf("sequences in plain lines: %q", raw)
			}
		})
	}
	dumb := ptyBot(t)
	dumb.Env = append(dumb.Env, "TERM=dumb")
	plain("TERM=dumb", dumb)
	asked := ptyBot(t, "--plain")
	asked.Env = append(asked.Env, "NO_COLOR=1")
	plain("--plain, NO_COLOR", asked)
	t.Run("NO_COLOR", func(t *testing.T) {
		t.Parallel()
		cmd := ptyBot(t)
		cmd.Env = append(cmd.Env, "NO_COLOR=1")
		tm := ptytest.Start(t, cmd, 80, 24)
		tm.Shows("ann in lobby")
		tm.Type("!moot ping\r")
		tm.Shows("pong")
		tm.Type("\x04")
		leaves(t, tm, exitOK)
		for _, seq := range strings.Split(tm.Raw(), "\x1b[")[1:] {
			if at := strings.IndexFunc(seq, func(r rune) bool { return r >= '@' && r <= '~' }); at > 0 && seq[at] == 'm' && strings.ContainsAny(seq[:1], "34") {
				t.Fatalf("a colour: %q", seq[:at+1])
			}
		}
	})
}

// TestTerminalPiped: who types at a terminal and has sent the output elsewhere is told how to go on, beside what goes there.
func TestTerminalPiped(t *testing.T) {
	t.Parallel()
	bot := ptyBot(t)
	sh := exec.Command("sh", append([]string{"-c", `"$0" "$@" | tee said`}, bot.Args...)...)
	sh.Dir, sh.Env = bot.Dir, append(bot.Env, "PATH="+botOnPath(t)+string(os.PathListSeparator)+os.Getenv("PATH"))
	tm := ptytest.Start(t, sh, 160, 30)
	tm.Shows("You are ann in the lobby. Type a line and press Enter")
	tm.Type("!moot ping\r")
	tm.Shows("(to 14) pong")
	tm.Type("\x04")
	leaves(t, tm, exitOK)
	said, err := os.ReadFile(filepath.Join(bot.Dir, "said"))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(said), "pong") || strings.Contains(string(said), "You are ann") || strings.Contains(string(said), "\x1b") {
		t.Errorf("this went into the pipe: %q", said)
	}
}

// TestTerminalRefused: a bot that does not start says why in the terminal, and a person reads nothing else.
func TestTerminalRefused(t *testing.T) {
	t.Parallel()
	cmd := ptyBot(t)
	data := filepath.Join(cmd.Dir, "data")
	if err := os.MkdirAll(data, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(data, "moot.db"), []byte("something else"), 0o600); err != nil {
		t.Fatal(err)
	}
	tm := ptytest.Start(t, cmd, 100, 20)
	leaves(t, tm, exitPerson)
	tm.Shows("is not a database of moot, and was not changed.")
	if strings.Contains(tm.Raw(), "\x1b") {
		t.Errorf("a screen was shown: %q", tm.Raw())
	}
}

// TestCrashAtTheTerminal: a person kills the bot in the middle of each thing that it can be in the middle of, and sees it come
// back: each of their messages has one answer, and is recorded once.
func TestCrashAtTheTerminal(t *testing.T) {
	t.Parallel()
	for _, plain := range []bool{false, true} {
		t.Run(fmt.Sprintf("plain=%v", plain), func(t *testing.T) {
			t.Parallel()
			var args []string
			if plain {
				args = []string{"--plain"}
			}
			cmd := ptyBot(t, args...)
			tm := ptytest.Start(t, cmd, 110, 60)
			tm.Shows("ann in lobby")
			tm.Type("/crash\r")
			tm.Shows("The bot is process", "arrival", "receipt")
			tm.Type("/crash nowhere\r")
			tm.Shows("there is no place «nowhere»")
			tm.Type("/crash now\r")
			tm.Shows("moot is dead (process", "signal: killed")
			tm.Type("this is said while it is dead\r")
			tm.Shows("moot is back after")
			for i, place := range apart.Places()[1:] {
				tm.Type("/crash " + place + "\r")
				tm.Shows("moot is killed " + apart.Place(place).Says(say.English)[:16])
				tm.Type("!moot ping\r")
				tm.Until("the end of death "+place, func(screen string) bool {
					return strings.Count(screen, "nothing was done twice.") == i+1
				})
				if got := strings.Count(tm.Screen(), "pong"); got != i+1 {
					t.Errorf("after %s there are %d answers\n%s", place, got, tm.Screen())
				}
			}
			tm.Type("/quit\r")
			leaves(t, tm, exitOK)
		})
	}
}
