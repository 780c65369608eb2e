package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"moot/internal/effort"
	"moot/protocol"
	"moot/protocol/protocoltest"
)

// The disk fails the real bot: from outside, by strace, which lets single system calls fail; and for real, on a small file
// system of its own. What it says to be durable is, it stops where nobody knows what the disk holds, and it waits where
// there is only no room.

// stracer returns the path of a strace that may trace, and skips the test where there is none.
func stracer(t *testing.T) string {
	t.Helper()
	path, err := exec.LookPath("strace")
	if err != nil {
		t.Skip("strace is not installed: the faults that it injects were not tried")
	}
	if out, err := exec.Command(path, "-e", "trace=none", "true").CombinedOutput(); err != nil {
		t.Skipf("strace may not trace here (%v: %s): the faults that it injects were not tried", err, out)
	}
	return path
}

// TestDiskFaults: for each call that fails, by its kind, its error and the file, the bot does one thing. An error of the disk
// stops it. A full disk stops a start in an empty folder, and a commit whose space was there before; anything else it does
// later, or without.
func TestDiskFaults(t *testing.T) {
	effort.Proof(t)
	t.Parallel()
	strace, bin := stracer(t), failpointBot(t)
	worlds := []*crashWorld{{name: "new"}, {name: "aged", data: agedFolder(t, protocol.Console)}}
	for _, w := range worlds {
		w.dry(t, bin)
	}
	tell(os.Stdout, "\n%-38s %-6s %8s %8s   %s", "the disk fails", "data", "stops", "goes on", "what is found after the next start")
	for _, c := range []struct {
		call, err, words string
		hits             [2]int // at most, by effort
	}{
		{"fdatasync", "EIO", "input/output error", [2]int{6, 16}},
		{"fsync", "EIO", "input/output error", [2]int{6, 6}},
		{"pwrite64", "EIO", "input/output error", [2]int{6, 16}},
		{"pwrite64", "ENOSPC", "no space left on device", [2]int{6, 16}},
		{"pwrite64", "EDQUOT", "disk quota exceeded", [2]int{6, 16}},
		{"fallocate", "ENOSPC", "no space left on device", [2]int{3, 3}},
		{"fallocate", "EDQUOT", "disk quota exceeded", [2]int{3, 3}},
	} {
		for _, w := range worlds {
			t.Run(fmt.Sprintf("%s-%s/%s", c.call, c.err, w.name), func(t *testing.T) {
				stopped, wentOn := 0, 0
				for _, n := range spread(c.hits[1], effort.InProof(c.hits[0], c.hits[1])) {
					file := filepath.Join(t.TempDir(), "trace")
					k := w.faulty(t, bin, []string{strace, "-f", "-qq", "-y", "-o", file, "-e", "trace=pwrite64," + c.call,
						"-e", fmt.Sprintf("inject=%s:error=%s:when=%d", c.call, c.err, n)})
					trace, err := os.ReadFile(file)
					if err != nil {
						t.Fatal(err)
					}
					places := failedCalls(string(trace), w.data == "")
					if len(places) == 0 {
						break // it makes no more of these calls
					}
					stops := false
					for _, p := range places {
						stops = stops || p.stops(c.err)
					}
					switch {
					case stops && k.exit1 == exitFailed && k.lives == 2 && strings.Contains(k.log1, c.words):
						stopped++
					case !stops && k.exit1 == exitOK && strings.Count(k.log1, "the disk is full: ") == strings.Count(k.log1, "there is space on the disk again: ")+k.left:
						wentOn++
					default:
						t.Errorf("call %d, at %+v: it ended with %d, and there were %d lives\n%s", n, places, k.exit1, k.lives, k.log1)
					}
					for _, bad := range []string{"panic", "goroutine "} {
						if strings.Contains(k.log1, bad) {
							t.Errorf("call %d: it ended in disorder:\n%s", n, k.log1)
						}
					}
				}
				if stopped+wentOn == 0 && (w.name == "aged" || c.call != "fsync") {
					t.Error("nothing failed")
				}
				verdict := "the same as without"
				if t.Failed() {
					verdict = "NOT the same"
				}
				tell(os.Stdout, "%-38s %-6s %8d %8d   %s", c.call+": "+c.words, w.name, stopped, wentOn, verdict)
			})
		}
	}
}

// failedCall is a call that was made to fail.
type failedCall struct {
	call, file string // the file by its name in the data folder
	zeros      bool   // whether it was to write zeros ahead of the log of commits
	fresh      bool   // whether nothing was ever committed
}

// stops reports whether the bot stops at such a failure.
func (c failedCall) stops(err string) bool {
	inLog := strings.HasPrefix(c.file, "moot.wal/")
	switch {
	case err == "EIO":
		return true // nobody knows what the disk holds
	case inLog && c.call == "pwrite64":
		return !c.zeros // a commit whose space was reserved
	case inLog && c.file != "moot.wal/0000000000000001.wal.new":
		return false // blocks ahead, which are asked for again
	}
	return c.fresh // there is nothing yet to go on with
}

var tracedCall = regexp.MustCompile(`^(\d+) +(\w+)\(\d+<([^>]*)>(?:, "((?:[^"\\]|\\.)*)")?`)

// failedCalls returns the calls of a trace that were made to fail. Fresh is whether the folder was empty before.
func failedCalls(trace string, fresh bool) (failed []failedCall) {
	begun := map[string]failedCall{} // by thread
	for _, l := range strings.Split(trace, "\n") {
		if m := tracedCall.FindStringSubmatch(l); m != nil {
			c := failedCall{call: m[2], zeros: strings.HasPrefix(m[4], `\0\0\0\0\0\0\0\0`), fresh: fresh}
			_, c.file, _ = strings.Cut(m[3], "/data/")
			begun[m[1]] = c
			fresh = fresh && !(c.call == "pwrite64" && strings.HasPrefix(c.file, "moot.wal/") && !c.zeros)
		}
		if strings.Contains(l, "(INJECTED)") {
			pid, _, _ := strings.Cut(l, " ")
			failed = append(failed, begun[pid])
		}
	}
	return failed
}

// TestShortWrites: a file reaches the size that files may have, so that writes are made in part, or not at all. The bot stops in
// order, and the next start, without the limit, finds what was durable.
func TestShortWrites(t *testing.T) {
	t.Parallel()
	prlimit, err := exec.LookPath("prlimit")
	if err != nil {
		t.Skip("prlimit is not installed: short writes were not tried")
	}
	effort.Proof(t)
	bin := failpointBot(t)
	for _, w := range []*crashWorld{{name: "new"}, {name: "aged", data: agedFolder(t, protocol.Console)}} {
		w.dry(t, bin)
		struck := 0
		for i := range effort.InProof(12, 60) {
			size := 32<<10 + i*13_000 + i // no edge of a page
			k := w.faulty(t, bin, []string{prlimit, fmt.Sprintf("--fsize=%d", size)})
			if k.lives == 1 {
				break // it was enough
			}
			struck++
			if k.exit1 != exitFailed || k.lives != 2 || !strings.Contains(k.log1, "file too large") || !strings.Contains(k.log1, "could not write to") || strings.Contains(k.log1, "goroutine ") {
				t.Errorf("with %d bytes it ended with %d, and there were %d lives\n%s", size, k.exit1, k.lives, k.log1)
			}
		}
		if struck == 0 {
			t.Error("nothing failed")
		}
		verdict := "the same as without"
		if t.Failed() {
			verdict = "NOT the same"
		}
		tell(os.Stdout, "%-38s %-6s %8d   the bot stops; %s", "a file may not grow: short writes", w.name, struck, verdict)
	}
}

// faulted is a run whose first life had a faulty disk.
type faulted struct {
	*killed
	log1  string // of the first life
	exit1 int
	left  int // what it left to the next life for want of space
}

// faulty runs the script with the first life under another program, and compares what comes out. What that life did
// without, one more does.
func (w *crashWorld) faulty(t *testing.T, bin string, wrap []string) faulted {
	t.Helper()
	k := w.begin(t, bin, 0)
	k.wrap = wrap
	k.life()
	f := faulted{killed: k, log1: k.log.String(), exit1: k.exit}
	if strings.Contains(f.log1, "old facts are not archived until there is space") && !strings.Contains(f.log1, "old facts are archived") {
		f.left = 1
	}
	if k.wrap = nil; k.done && f.left > 0 {
		k.linger = 3 * time.Second
		k.life()
	}
	for ; !k.done; k.life() {
		if k.lives == 3 {
			t.Fatalf("after %d lives it is not done:\n%s", k.lives, k.log)
		}
	}
	if got := k.outcome(); got != w.want {
		t.Errorf("under %v it came out otherwise:\n%s\nThe first life said:\n%s", wrap, firstDifference(got, w.want), f.log1)
	}
	return f
}

// inNamespace is set in a process that has mounts of its own.
const inNamespace = "MOOT_TEST_NAMESPACE"

// withMounts runs the test once more in a process whose mounts are its own, with a file system in memory of so many bytes
// at the path that it gets, and reports whether this is that process. Root may do that, and elsewhere whoever may make a
// namespace for users; the test is skipped where neither is so.
func withMounts(t *testing.T, size int) (dir string, here bool) {
	t.Helper()
	if dir = os.Getenv(inNamespace); dir != "" {
		if err := errors.Join(
			syscall.Mount("", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, ""),
			syscall.Mount("none", dir, "tmpfs", 0, fmt.Sprintf("size=%d", size)),
		); err != nil {
			t.Fatal(err)
		}
		return dir, true
	}
	if runtime.GOOS != "linux" {
		t.Skip("only Linux lets a test mount a file system: a full one was not tried")
	}
	cmd := exec.Command(os.Args[0], "-test.run", "^"+t.Name()+"$", "-test.v")
	cmd.Env = append(os.Environ(), inNamespace+"="+t.TempDir())
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS}
	if os.Geteuid() != 0 {
		cmd.SysProcAttr.Cloneflags |= syscall.CLONE_NEWUSER
		cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}}
		cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}}
	}
	out, err := cmd.CombinedOutput()
	var denied *os.PathError
	switch {
	case errors.As(err, &denied), errors.Is(err, syscall.EPERM), strings.Contains(string(out), "operation not permitted"):
		t.Skipf("this system lets nobody mount a file system (%v): a full one was not tried", err)
	case err != nil:
		t.Fatalf("%v\n%s", err, out)
	}
	tell(os.Stdout, "%s", withoutRuns(string(out)))
	return "", false
}

// withoutRuns leaves out what go test says about its progress.
func withoutRuns(out string) string {
	var kept []string
	for _, l := range strings.Split(strings.TrimSpace(out), "\n") {
		if !strings.HasPrefix(strings.TrimSpace(l), "--- ") && !strings.HasPrefix(l, "=== ") && l != "PASS" {
			kept = append(kept, l)
		}
	}
	return strings.Join(kept, "\n")
}

// TestFullDisk: the disk fills up while the bot works, and room is made later; meanwhile it is also killed and started. It
// says so each time, acknowledges nothing, loses nothing, and goes on by itself.
func TestFullDisk(t *testing.T) {
	effort.Proof(t)
	t.Parallel()
	const small, larger, large = 22 << 20, 28 << 20, 200 << 20
	bin := failpointBot(t)
	dir, here := withMounts(t, small)
	if !here {
		return
	}
	ctx, cancel := context.WithTimeout(t.Context(), 4*killTimeout)
	defer cancel()
	script := protocoltest.NewScript(protocoltest.ScriptConfig{Overlap: 2})
	const room protocol.RoomID = "console:lobby"
	script.Deliver(protocoltest.Joins(room, "$join", "console:moot", true), protocoltest.Joins(room, "$ann", "console:ann", false))
	pings := 0
	deliver := func(lines int) {
		for range lines {
			var evs []protocol.Event
			for i := range 100 {
				text := "nobody has to answer this"
				if i == 99 {
					text, pings = "!moot ping", pings+1
				}
				id := protocol.EventID("$" + string(protocol.DeriveKey(fmt.Sprint(pings), fmt.Sprint(i))) + strings.Repeat("x", 180))
				evs = append(evs, protocoltest.Says(room, id, protocol.UserID(fmt.Sprintf("console:p%d", pings)), text))
			}
			script.Deliver(evs...)
		}
	}
	deliver(400)
	data := filepath.Join(dir, "data")
	start := func() (*exec.Cmd, *watchedLog, *protocoltest.Life) {
		log := &watchedLog{}
		cmd := exec.Command(bin, "run", "--pipe", "--data", data)
		stdin, err := cmd.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		stdout, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		cmd.Stderr = log
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		return cmd, log, script.Attach(stdin, stdout)
	}
	resize := func(size int) {
		if err := syscall.Mount("none", dir, "tmpfs", syscall.MS_REMOUNT, fmt.Sprintf("size=%d", size)); err != nil {
			t.Fatal(err)
		}
	}
	for life := range 3 {
		cmd, log, l := start()
		if err := log.await(ctx, "the disk is full", 1); err != nil {
			t.Fatalf("life %d: %v\n%s", life, err, log)
		}
		acked := script.Acked()
		for { // what was acknowledged before the disk was full may still be on its way here
			time.Sleep(300 * time.Millisecond)
			now := script.Acked()
			if now == acked {
				break
			}
			acked = now
		}
		switch life {
		case 0:
			tell(os.Stdout, "%-46s %6d events taken", "the disk is full while the bot works", acked*100)
			resize(larger)
			if err := errors.Join(log.await(ctx, "space on the disk again", 1), log.await(ctx, "the disk is full", 2)); err != nil {
				t.Fatalf("%v\n%s", err, log)
			}
			tell(os.Stdout, "%-46s %6d", "with some room it goes on, until it is full", script.Acked()*100)
		case 1:
			tell(os.Stdout, "%-46s %6d", "killed and started on a full disk, it waits", acked*100)
		case 2:
			tell(os.Stdout, "%-46s %6d", "once more", acked*100)
			resize(large)
			if err := errors.Join(script.WaitAcked(ctx, 0), script.WaitSent(ctx, pings), log.await(ctx, "space on the disk again", 1)); err != nil {
				t.Fatalf("%v\n%s", err, log)
			}
			_ = l.Hangup()
			l.Wait()
			if err := cmd.Wait(); err != nil {
				t.Fatalf("it ended with %v\n%s", err, log)
			}
			tell(os.Stdout, "%-46s %6d, %d of %d commands answered", "with room it goes on by itself", script.Acked()*100, len(script.Transcript()), pings)
			continue
		}
		_ = cmd.Process.Kill()
		l.Wait()
		_ = cmd.Wait()
		if life > 0 && script.Acked() != acked {
			t.Errorf("life %d acknowledged %d lines on a full disk", life, script.Acked()-acked)
		}
	}
	if n := len(script.Transcript()); n != pings {
		t.Errorf("%d answers to %d pings", n, pings)
	}
	causes := map[protocol.Ref]int{}
	for _, e := range script.Transcript() {
		if causes[e.Cause]++; causes[e.Cause] > 1 {
			t.Errorf("%v was answered twice", e.Cause)
		}
	}
	if state := stateOf(t, data, nil); strings.Count(state, "\nfact ") < 2 {
		t.Errorf("there is not much in it: %.2000s", state)
	}
}
