package process

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestMain lets the test's program be a launcher that is killed: it starts one process with a child of its own, prints both numbers, and
// waits.
func TestMain(m *testing.M) {
	if os.Getenv("MOOT_TEST_LAUNCHER") == "" {
		os.Exit(m.Run())
	}
	k, err := New(slog.New(slog.DiscardHandler))
	if err == nil && os.Getenv("MOOT_TEST_LAUNCHER") == "early" {
		err = k.deafen()
	}
	if err == nil {
		_, err = k.Start(Config{Argv: []string{"sh", "-c", family}, Folder: "/", Env: os.Environ(), Out: os.Stdout, Errs: os.Stderr, Ended: func(int, string) {}})
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println("started")
	select {}
}

// deafen has the guard hear nothing more: it is stopped, and as much waits for it as can. It prints the guard's number.
func (k *Keeper) deafen() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if err := syscall.Kill(k.guardPID, syscall.SIGSTOP); err != nil {
		return err
	}
	fd := int(k.guard.Fd())
	if err := unix.SetNonblock(fd, true); err != nil {
		return err
	}
	for {
		if _, err := unix.Write(fd, []byte("x\n")); errors.Is(err, unix.EAGAIN) {
			break
		} else if err != nil {
			return err
		}
	}
	fmt.Println(k.guardPID, k.guardPID)
	return unix.SetNonblock(fd, false)
}

// family is a shell that hears no signal to end, with a child that hears none either; it prints their numbers.
const family = `trap "" TERM HUP INT; sleep 600 & echo $$ $!; wait`

// isAlive reports whether there is a process, other than one that is only not reaped yet.
func isAlive(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	_, rest, _ := strings.Cut(string(stat), ") ")
	return err == nil && !strings.HasPrefix(rest, "Z")
}

// gone waits until processes are gone, and returns how long that took.
func gone(t *testing.T, pids ...int) time.Duration {
	t.Helper()
	began := time.Now()
	for slices.ContainsFunc(pids, isAlive) {
		if time.Since(began) > time.Minute {
			t.Fatalf("of %v some live on", pids)
		}
		time.Sleep(time.Millisecond)
	}
	return time.Since(began)
}

func numbers(t *testing.T, line string) []int {
	t.Helper()
	var all []int
	for _, f := range strings.Fields(line) {
		n, err := strconv.Atoi(f)
		if err != nil {
			t.Fatalf("it prints %q", line)
		}
		all = append(all, n)
	}
	if len(all) != 2 {
		t.Fatalf("it prints %q", line)
	}
	return all
}

// TestLauncherIsKilled: with the launcher go its processes and what they have started.
func TestLauncherIsKilled(t *testing.T) {
	t.Parallel()
	var took []time.Duration
	for range 3 {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), "MOOT_TEST_LAUNCHER=1")
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		// The shell may print its line before the launcher has told its guard of it.
		var pids []int
		for in, n := bufio.NewReader(out), 0; n < 2; n++ {
			line, err := in.ReadString('\n')
			if err != nil {
				t.Fatal(err)
			}
			if line != "started\n" {
				pids = numbers(t, line)
			}
		}
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		took = append(took, gone(t, pids...))
		_ = cmd.Wait() // it was killed
	}
	t.Logf("no process is left after %v", took)
	if slices.Min(took) > time.Second { // the fastest of three says nothing of how busy the machine is
		t.Errorf("the processes live on for %v", took)
	}
}

// TestLauncherIsKilledAtAStart: also where the launcher has told its guard of no process yet, nothing of it lives on.
func TestLauncherIsKilledAtAStart(t *testing.T) {
	t.Parallel()
	in, out, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "MOOT_TEST_LAUNCHER=early")
	cmd.Stdout, cmd.Stderr = out, os.Stderr
	err = cmd.Start()
	_ = out.Close()
	if err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewReader(in)
	line, err := lines.ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	guard := numbers(t, line)[0]
	time.Sleep(time.Second) // in which the shell would start its child, if it ran
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // it was killed
	if err := syscall.Kill(guard, syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	if err := in.SetReadDeadline(time.Now().Add(30 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if rest, err := io.ReadAll(lines); err != nil { // each process of the family keeps the file open
		t.Errorf("%q lives on: %v", rest, err)
	}
	gone(t, guard)
}

// start starts a shell, and returns it with what it prints first, and a channel for its end.
func start(t *testing.T, k *Keeper, script string) (*Process, string, chan string) {
	t.Helper()
	in, out, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	ended := make(chan string, 2)
	p, err := k.Start(Config{
		Argv: []string{"sh", "-c", script}, Folder: "/", Env: os.Environ(), Out: out, Errs: os.Stderr,
		Ended: func(code int, how string) { ended <- fmt.Sprint(code, ", ", how) },
	})
	_ = out.Close()
	if err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(in).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	return p, line, ended
}

func newKeeper(t *testing.T) *Keeper {
	t.Helper()
	k, err := New(slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(k.Close)
	return k
}

// TestEnds: each end is told once, with its code, after what was left behind is gone.
func TestEnds(t *testing.T) {
	t.Parallel()
	k := newKeeper(t)
	for script, want := range map[string]string{
		"echo up; exit 0": "0, exit status 0", "echo up; exit 7": "7, exit status 7", "echo up; kill -9 $$": "-1, signal: killed",
	} {
		_, _, ended := start(t, k, script)
		if got := <-ended; got != want {
			t.Errorf("of %q the end is %q, want %q", script, got, want)
		}
	}
	_, line, ended := start(t, k, `sleep 600 & echo $$ $!`)
	<-ended
	pids := numbers(t, line)
	gone(t, pids...)

	p, line, ended := start(t, k, family)
	p.Signal(false)
	pids = numbers(t, line)
	p.Signal(true)
	if got := <-ended; got != "-1, signal: killed" {
		t.Errorf("the end is %q", got)
	}
	gone(t, pids...)
	p.Signal(true) // of nobody any more

	if _, err := k.Start(Config{Argv: []string{"/nowhere/bot"}, Folder: "/", Ended: func(int, string) { t.Error("what never began has ended") }}); err == nil {
		t.Error("what is not there is started")
	}
}

// TestGuardIsKilled: a guard that is gone is started again, and knows of all groups.
func TestGuardIsKilled(t *testing.T) {
	t.Parallel()
	k := newKeeper(t)
	p, line, ended := start(t, k, family)
	numbers(t, line)
	guard := func() int {
		k.mu.Lock()
		defer k.mu.Unlock()
		return k.guardPID
	}
	first := guard()
	if err := syscall.Kill(first, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	gone(t, first)
	for guard() == first {
		time.Sleep(time.Millisecond)
	}
	p.Signal(true)
	<-ended
	if second := guard(); !isAlive(second) {
		t.Errorf("the second guard, %d, is gone", second)
	}
}

// TestGuard: what has begun and is not gone is killed at the end of the lines, and nothing else.
func TestGuard(t *testing.T) {
	var killed []int
	guard(strings.NewReader("11\n12\n-11\n13\nx\n0\n-99\n1"), func(group int) { killed = append(killed, group) })
	slices.Sort(killed)
	if !slices.Equal(killed, []int{12, 13}) {
		t.Errorf("it kills %v", killed)
	}
}
