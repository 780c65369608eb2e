package exec

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Where the bot may make control groups (version 2), each process has one of its own: it counts what the process starts in turn,
// and ends all of it, also what has left the process group.

const (
	// maxProcesses is how many processes and threads a task may have together with what it starts.
	maxProcesses = 512
	// killTime is how long the kernel is given to empty a control group.
	killTime = time.Second
)

// groups is a folder of control groups that the bot may make others in; zero means that there is none.
type groups struct {
	folder string
	log    *slog.Logger
}

// groupNumber counts control groups, of all pools.
var groupNumber atomic.Uint64

// Delegated returns the folder of the control group in which the bot may make others, since whoever has started it says so
// (Delegate=yes of systemd); zero where nobody does.
func Delegated() string {
	own, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return ""
	}
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return ""
	}
	return delegated(string(own), string(mounts))
}

// delegated is Delegated, from what the kernel says of the own group and of what is mounted.
func delegated(own, mounts string) string {
	path := ""
	for line := range strings.Lines(own) {
		if rest, ok := strings.CutPrefix(strings.TrimSpace(line), "0::"); ok {
			path = rest
		}
	}
	for line := range strings.Lines(mounts) {
		// See proc(5): the fifth field is where it is mounted, and the first one behind the hyphen of what type it is.
		fields, about, _ := strings.Cut(line, " - ")
		if where := strings.Fields(fields); len(where) > 4 && strings.HasPrefix(about, "cgroup2 ") && path != "" {
			// The group is the own one, or that above it where the bot was put into a part of it (DelegateSubgroup=).
			for _, folder := range []string{filepath.Join(where[4], path), filepath.Join(where[4], filepath.Dir(path))} {
				if isDelegated(folder) {
					return folder
				}
			}
		}
	}
	return ""
}

// isDelegated reports whether systemd has marked a group as one in which others may be made, and it can be written to.
func isDelegated(folder string) bool {
	mark := make([]byte, 8)
	n, err := unix.Getxattr(folder, "user.delegate", mark)
	return err == nil && string(mark[:n]) == "1" && unix.Access(folder, unix.W_OK) == nil
}

// group is the control group of one process; nil where there is none.
type group struct {
	folder string
	file   *os.File
	log    *slog.Logger
}

// open makes a control group for a process; nil where none can be made, which is in the log.
func (g groups) open(memory int64) *group {
	if g.folder == "" {
		return nil
	}
	one := &group{folder: filepath.Join(g.folder, fmt.Sprintf("task-%d-%d", os.Getpid(), groupNumber.Add(1))), log: g.log}
	err := os.Mkdir(one.folder, 0o755)
	if err == nil {
		// Those of the controllers that were handed down; without them the group can be ended still.
		_ = one.set("pids.max", strconv.Itoa(maxProcesses))
		if memory > 0 {
			_ = one.set("memory.max", strconv.FormatInt(memory, 10))
			_ = one.set("memory.swap.max", "0")
		}
		if one.file, err = os.Open(one.folder); err != nil {
			_ = os.Remove(one.folder)
		}
	}
	if err != nil {
		g.log.Warn("a task has no control group of its own", "err", err)
		return nil
	}
	return one
}

func (g *group) set(name, value string) error {
	// It is there already, and must not be made where the kernel does not have it.
	f, err := os.OpenFile(filepath.Join(g.folder, name), os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteString(value)
	return errors.Join(err, f.Close())
}

// into has a process begin in the group.
func (g *group) into(attr *syscall.SysProcAttr) {
	if g != nil {
		attr.UseCgroupFD, attr.CgroupFD = true, int(g.file.Fd())
	}
}

// kill kills all that is in the group (since Linux 5.14).
func (g *group) kill() {
	if g != nil {
		if err := g.set("cgroup.kill", "1"); err != nil {
			g.log.Warn("the control group of a task cannot be ended", "err", err)
		}
	}
}

// close kills all that is left in the group, and removes it.
func (g *group) close() {
	if g == nil {
		return
	}
	_ = g.file.Close()
	g.kill()
	for late := time.Now().Add(killTime); ; time.Sleep(time.Millisecond) {
		err := os.Remove(g.folder)
		if err == nil || errors.Is(err, os.ErrNotExist) {
			return
		}
		if time.Now().After(late) {
			g.log.Warn("the control group of a task cannot be removed", "err", err)
			return
		}
	}
}

// Sweep prepares the folder of control groups, which Delegated has returned: what a killed bot has left there is ended.
func Sweep(folder string) {
	if folder == "" {
		return
	}
	// Where a process is in the folder itself the kernel refuses it, and limits have to do without.
	top := &group{folder: folder}
	_ = top.set("cgroup.subtree_control", "+pids +memory")
	old, _ := filepath.Glob(filepath.Join(folder, "task-*"))
	for _, left := range old {
		pid, _, _ := strings.Cut(strings.TrimPrefix(filepath.Base(left), "task-"), "-")
		if _, err := os.Stat("/proc/" + pid); err == nil {
			continue // who made it may live
		}
		one := &group{folder: left}
		_ = one.set("cgroup.kill", "1")
		_ = os.Remove(left) // or the next start does
	}
}
