//go:build linux

package exec

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"moot/protocol/service/result"
)

// controlGroup makes a control group for a test, in a part of the machine's that systemd would have delegated.
func controlGroup(t *testing.T) string {
	t.Helper()
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(mounts)) {
		fields, about, _ := strings.Cut(line, " - ")
		if where := strings.Fields(fields); len(where) > 4 && strings.HasPrefix(about, "cgroup2 ") {
			folder := filepath.Join(where[4], fmt.Sprintf("moot-test-%d", os.Getpid()))
			if err := os.Mkdir(folder, 0o755); err != nil {
				t.Skipf("no control group can be made here: %v", err)
			}
			t.Cleanup(func() {
				if err := os.Remove(folder); err != nil {
					t.Error(err)
				}
			})
			return folder
		}
	}
	t.Skip("there are no control groups of version 2 here")
	return ""
}

// What has left the process group of a task, and its session, ends with the task all the same: after its time, after its flood, after
// its end, and with a warm process that is not needed any more.
func TestNothingLeavesTheControlGroup(t *testing.T) {
	folder := controlGroup(t)
	for name, text := range map[string]string{
		"its time":  "setsid sleep 1000 & echo $! > pid; wait",
		"its flood": "setsid sleep 1000 & echo $! > pid; while :; do echo xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx; done",
		"its end":   "setsid sleep 1000 > /dev/null 2>&1 & echo $! > pid; echo '{}'",
		"its pause": "setsid sleep 1000 > /dev/null 2>&1 & echo $! > pid; while read -r l; do echo '{}'; done",
	} {
		t.Run(name, func(t *testing.T) {
			program := script(t, text)
			dir := filepath.Dir(program)
			// All but one of them are to end before their time; on a busy machine that one may not have begun by then, and gets more.
			timeout := time.Minute
			if name == "its time" {
				timeout = 500 * time.Millisecond
			}
			var data []byte
			for ; len(data) == 0; timeout *= 2 {
				p, err := New(Config{
					Argv: []string{program}, Folder: dir, Groups: folder, Timeout: timeout, Max: 1, Warm: name == "its pause",
				})
				if err != nil {
					t.Fatal(err)
				}
				_, err = p.Do(t.Context(), []byte("{}"))
				if name == "its time" && !errors.Is(err, result.ErrTimeout) || name == "its flood" && !errors.Is(err, result.ErrOutput) {
					t.Errorf("it ended with %v", err)
				}
				p.Close()
				if data, err = os.ReadFile(filepath.Join(dir, "pid")); len(data) == 0 && timeout > time.Minute/2 {
					t.Fatalf("it does not begin: %v", err)
				}
			}
			pid, err := strconv.Atoi(strings.TrimSpace(string(data)))
			if err != nil {
				t.Fatal(err)
			}
			for late := time.Now().Add(5 * time.Second); syscall.Kill(pid, 0) == nil; time.Sleep(time.Millisecond) {
				if stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid)); err == nil && strings.Contains(string(stat), ") Z ") {
					break // nobody has taken note of its end yet
				}
				if time.Now().After(late) {
					t.Fatal("what it has started lives")
				}
			}
			if left, _ := filepath.Glob(filepath.Join(folder, "task-*")); len(left) > 0 {
				t.Errorf("it leaves %q", left)
			}
		})
	}
}

// A task that forks without end is ended with all that it has made, and another one of the same pool works meanwhile. Without limits
// of the kernel it is the time that ends it.
func TestForksWithoutEnd(t *testing.T) {
	folder := controlGroup(t)
	p := pool(t, `read -r l
case $l in *bomb*) n=0; while [ $n -lt 300 ]; do setsid sleep 1000 & n=$((n + 1)); done; wait;; esac
echo '{"answer": "fine"}'`, func(c *Config) { c.Groups, c.Timeout, c.Max = folder, 3*time.Second, 2 })
	ended := make(chan error, 1)
	go func() {
		_, err := p.Do(context.Background(), []byte(`{"text": "bomb"}`))
		ended <- err
	}()
	time.Sleep(100 * time.Millisecond)
	var got struct{ Answer string }
	if out, err := p.Do(t.Context(), []byte("{}")); err != nil || json.Unmarshal(out, &got) != nil || got.Answer != "fine" {
		t.Errorf("beside it a job is answered with %s, %v", out, err)
	}
	if err := <-ended; !errors.Is(err, result.ErrTimeout) {
		t.Errorf("it ended with %v", err)
	}
	if left, _ := filepath.Glob(filepath.Join(folder, "task-*")); len(left) > 0 {
		t.Errorf("it leaves %q", left)
	}
}

// What a killed bot has left is ended by the next one; what belongs to one that lives is not.
func TestSweep(t *testing.T) {
	folder := controlGroup(t)
	dead, mine := filepath.Join(folder, "task-999999999-1"), filepath.Join(folder, fmt.Sprintf("task-%d-1", os.Getpid()))
	for _, one := range []string{dead, mine} {
		if err := os.Mkdir(one, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	Sweep(folder)
	if _, err := os.Stat(dead); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("what a dead bot left is there: %v", err)
	}
	if err := os.Remove(mine); err != nil {
		t.Errorf("what belongs to one that lives: %v", err)
	}
}

// Only a group that is marked as handed down is used: the own one, or that above it.
func TestDelegated(t *testing.T) {
	folder := controlGroup(t)
	own := filepath.Join(folder, "bot")
	if err := os.Mkdir(own, 0o755); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := os.Remove(own); err != nil {
			t.Error(err)
		}
	}()
	mounts := fmt.Sprintf("30 29 0:26 / %s rw,relatime shared:9 - cgroup2 cgroup2 rw\n", filepath.Dir(folder))
	for _, of := range []string{folder, own} {
		told := fmt.Sprintf("4:memory:/x\n0::/%s\n", strings.TrimPrefix(of, filepath.Dir(folder)+"/"))
		if got := delegated(told, mounts); got != "" {
			t.Errorf("without a mark it is %q", got)
		}
		if err := unix.Setxattr(folder, "user.delegate", []byte("1"), 0); err != nil {
			t.Skipf("it cannot be marked here: %v", err)
		}
		if got := delegated(told, mounts); got != folder {
			t.Errorf("for %s it is %q", of, got)
		}
		if err := unix.Removexattr(folder, "user.delegate"); err != nil {
			t.Fatal(err)
		}
	}
	for _, odd := range []string{"", "0::", "4:memory:/x\n", "0::/nowhere\n"} {
		if got := delegated(odd, mounts); got != "" {
			t.Errorf("of %q it is %q", odd, got)
		}
	}
}
