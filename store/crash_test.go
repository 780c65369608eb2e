package store

import (
	"bufio"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"moot/protocol"
)

// step is the numbered step of a child: a commit that touches every bucket.
func step(c *Commit, n uint64) error {
	c.Record("c:r", protocol.EventID(fmt.Sprint("e", n)), Handled, "")
	c.SetCursor(protocol.Cursor{Name: "child", Value: fmt.Sprint(n)})
	c.Bury(Letter{Scope: protocol.Scope(fmt.Sprint("c:", n/MaxLetters)), Error: fmt.Sprint(n)})
	if n%3 == 0 {
		for q := range c.Read().Queue("lane", 0) {
			c.Finish(q, StateSent, protocol.Ref{}, "")
		}
	}
	return c.Run("s", none, func(tx *Tx) error {
		tx.Append([]byte(fmt.Sprint(n)), "step")
		tx.Enqueue(toSend(protocol.Key(fmt.Sprint("k", n)), "lane"))
		tx.SetTimer("t", tx.Now().Add(time.Hour), []byte(fmt.Sprint(n)))
		tx.SetTimer(fmt.Sprint("t", n), tx.Now().Add(time.Hour), nil)
		tx.Put(plainA, fmt.Sprint("k", n%50), []byte(strings.Repeat("x", int(n%7)*1000)))
		return nil
	})
}

// steps fails unless the steps from 1 to some number are in the store, each whole, and returns that
// number.
func steps(t *testing.T, s *Store) (last uint64) {
	t.Helper()
	checkInvariants(t, s)
	err := s.View(func(tx *Tx) error {
		last = tx.NextFact() - 1
		for n := uint64(1); n <= last; n++ {
			name := fmt.Sprint(n)
			l, _ := tx.Letter(n)
			if string(tx.Fact(n)) != name || tx.Seen("c:r", protocol.EventID("e"+name)).Disposition != Handled ||
				l.Error != name || tx.Delivery(
				protocol.Key("k"+name),
			).Number != n || tx.In("s").Timer("t"+name).IsZero() {
				t.Errorf("step %d of %d is not whole", n, last)
			}
		}
		if c := tx.Cursor("child"); last > 0 && (c != fmt.Sprint(last) || string(tx.In("s").TimerData("t")) != c) {
			t.Errorf("after %d steps the cursor is at %q", last, c)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return last
}

// commitAndCount is a child that commits one step after another and says which are durable.
func commitAndCount(args []string) {
	s, err := Open(Config{Path: args[0], limits: tinyLimits})
	if err != nil {
		panic(err)
	}
	for n, _ := strconv.ParseUint(args[1], 10, 64); ; n++ {
		if err := s.Commit(time.Now(), func(c *Commit) error { return step(c, n) }); err != nil {
			panic(err)
		}
		fmt.Println(n)
	}
}

// TestKill kills a process that commits as fast as it can. What it said was durable is there, and
// at most one step more.
func TestKill(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "moot.db")
	last := uint64(0)
	for round := range 10 {
		cmd := child("count", path, fmt.Sprint(last+1))
		cmd.Stderr = os.Stderr
		out, err := cmd.StdoutPipe()
		if err == nil {
			err = cmd.Start()
		}
		if err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(out)
		said := last
		// The kill comes at any point of a commit. In the first rounds the file may not even be
		// there.
		pause := time.Duration(rand.Int64N(int64(60 * time.Millisecond)))
		if round > 2 {
			lines.Scan()
			said, _ = strconv.ParseUint(lines.Text(), 10, 64)
		}
		timer := time.AfterFunc(pause, func() { _ = cmd.Process.Kill() })
		for lines.Scan() {
			if n, err := strconv.ParseUint(lines.Text(), 10, 64); err == nil {
				said = n
			}
		}
		timer.Stop()
		if err := cmd.Wait(); err == nil || cmd.ProcessState.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
			t.Fatalf("the child ended with %v", err)
		}
		s, err := Open(Config{Path: path, limits: tinyLimits})
		if err != nil {
			t.Fatal(err)
		}
		now := steps(t, s)
		if now < said || now > said+1 {
			t.Errorf("round %d: step %d was durable, now there are %d", round, said, now)
		}
		if now == last && round > 2 {
			t.Errorf("round %d: nothing was done", round)
		}
		last = now
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("%d steps", last)
}

// commitUntilLimit is a child whose file may not grow over a limit. It says how many steps were
// durable, and what the store said then.
func commitUntilLimit(args []string) {
	signal.Ignore(syscall.SIGXFSZ)
	s, err := Open(Config{Path: args[0], limits: tinyLimits})
	if err != nil {
		panic(err)
	}
	limit, _ := strconv.ParseUint(args[1], 10, 64)
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: limit, Max: limit}); err != nil {
		panic(err)
	}
	n := uint64(1)
	for ; n < 10_000 && err == nil; n++ {
		err = s.Commit(time.Now(), func(c *Commit) error { return step(c, n) })
	}
	fmt.Println(n - 2)
	again := s.Commit(time.Now(), func(*Commit) error { panic("it ran") })
	fmt.Println(err, "|", errors.Is(again, ErrBroken), errors.Is(again, syscall.EFBIG))
	fmt.Println(s.Close())
}

// TestDiskFull: after a write that failed, or was cut short, the store refuses, and the file has
// what was durable.
func TestDiskFull(t *testing.T) {
	for _, limit := range []int{4096, 2 * 4096, 3*4096 + 100, 10 * 4096, 32 << 10, 32<<10 + 1, 100_000, 200_000} {
		t.Run(fmt.Sprint(limit), func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "moot.db")
			out, err := child("limit", path, fmt.Sprint(limit)).CombinedOutput()
			lines := strings.Split(string(out), "\n")
			if err != nil || len(lines) < 3 || !strings.Contains(lines[1], "file too large |") || lines[2] != "<nil>" {
				t.Fatalf("the child ended with %v and said %s", err, out)
			}
			if !strings.HasPrefix(lines[1], "commit: ") || !strings.Contains(lines[1], "| true") {
				t.Errorf("the store said %q", lines[1])
			}
			said, _ := strconv.ParseUint(lines[0], 10, 64)
			s, err := Open(Config{Path: path})
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			if now := steps(t, s); now != said {
				t.Errorf("%d steps were durable, now there are %d", said, now)
			}
			if err := s.Commit(time.Now(), func(c *Commit) error { return step(c, said+1) }); err != nil {
				t.Errorf("after opening anew: %v", err)
			}
			steps(t, s)
		})
	}
}

// TestFailedSync: the descriptor under the store becomes one that takes what is written and cannot
// sync it.
func TestFailedSync(t *testing.T) {
	for name, target := range map[string]string{"written but not synced": "/dev/null", "not written": "/dev/full"} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "moot.db")
			s, err := Open(Config{Path: path})
			if err != nil {
				t.Fatal(err)
			}
			if err := s.Commit(start, func(c *Commit) error { return step(c, 1) }); err != nil {
				t.Fatal(err)
			}
			replaceDescriptor(t, filepath.Join(logOf(path), "0000000000000001.wal"), target)
			err = s.Commit(start, func(c *Commit) error { return step(c, 2) })
			if err == nil || errors.Is(err, ErrBroken) {
				t.Errorf("a failed write: %v", err)
			}
			for range 2 {
				again := s.Commit(start, func(*Commit) error { t.Error("it ran"); return nil })
				if !errors.Is(again, ErrBroken) || !strings.Contains(
					again.Error(), strings.TrimPrefix(err.Error(), "commit: "),
				) {
					t.Errorf("after %v: %v", err, again)
				}
			}
			s.Close()
			s, err = Open(Config{Path: path})
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			if n := steps(t, s); n != 1 {
				t.Errorf("%d steps", n)
			}
		})
	}
}

// TestFailedCheckpoint: a file that takes what a checkpoint writes and cannot sync it breaks the
// store. Everything is in the log of commits.
func TestFailedCheckpoint(t *testing.T) {
	path := filepath.Join(t.TempDir(), "moot.db")
	s, err := Open(Config{Path: path})
	if err != nil {
		t.Fatal(err)
	}
	for n := range uint64(20) {
		if err := s.Commit(start, func(c *Commit) error { return step(c, n+1) }); err != nil {
			t.Fatal(err)
		}
	}
	replaceDescriptor(t, path, "/dev/null")
	if err := s.Checkpoint(t.Context()); !errors.Is(err, ErrBroken) {
		t.Errorf("the checkpoint: %v", err)
	}
	if err := s.Commit(start, func(*Commit) error { t.Error("it ran"); return nil }); !errors.Is(err, ErrBroken) {
		t.Errorf("a commit after that: %v", err)
	}
	s.Close()
	s, err = Open(Config{Path: path})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if n := steps(t, s); n != 20 {
		t.Errorf("%d steps", n)
	}
}

// replaceDescriptor makes the descriptor under which the process has opened the path one of the
// target.
func replaceDescriptor(t *testing.T, path, target string) {
	t.Helper()
	f, err := os.OpenFile(target, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	// Zeros are written ahead through a second descriptor, which is closed soon after.
	fds := descriptors(t, path)
	for until := time.Now().Add(10 * time.Second); len(fds) > 1 &&
		time.Now().Before(until); fds = descriptors(t, path) {
		time.Sleep(time.Millisecond)
	}
	if len(fds) != 1 {
		t.Fatalf("%s has %d descriptors", path, len(fds))
	}
	if err := syscall.Dup3(int(f.Fd()), fds[0], syscall.O_CLOEXEC); err != nil {
		t.Fatal(err)
	}
}

// descriptors returns the descriptors of this process that are open on the file.
func descriptors(t *testing.T, path string) (fds []int) {
	t.Helper()
	all, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Skip("it needs /proc")
	}
	for _, entry := range all {
		if to, _ := os.Readlink("/proc/self/fd/" + entry.Name()); to == path {
			fd, _ := strconv.Atoi(entry.Name())
			fds = append(fds, fd)
		}
	}
	return fds
}
