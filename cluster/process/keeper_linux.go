package process

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// Keeper starts processes, and sees to it that none outlives the launcher.
type Keeper struct {
	log      *slog.Logger
	orders   chan order    // for the thread that starts processes
	done     chan struct{} // closed by Close
	lifeline [2]*os.File   // whose writing end only the launcher has
	work     sync.WaitGroup

	mu       sync.Mutex
	guard    *os.File     // to which the groups are told; guarded by mu
	guardPID int          // guarded by mu
	groups   map[int]bool // guarded by mu
	closed   bool         // guarded by mu
}

type order struct {
	cmd *exec.Cmd
	err chan error
}

// New starts the guard.
func New(log *slog.Logger) (*Keeper, error) {
	k := &Keeper{log: log, orders: make(chan order), done: make(chan struct{}), groups: map[int]bool{}}
	var err error
	if k.lifeline[0], k.lifeline[1], err = os.Pipe(); err != nil {
		return nil, err
	}
	// The kernel kills a process with the thread that has started it, and Go ends threads as it likes: all are started by one that
	// stays (golang/go#27505).
	k.work.Go(func() {
		runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
		for {
			select {
			case o := <-k.orders:
				o.err <- o.cmd.Start()
			case <-k.done:
				return
			}
		}
	})
	k.mu.Lock()
	err = k.watchLocked()
	k.mu.Unlock()
	if err != nil {
		k.Close()
		return nil, fmt.Errorf("start the guard of the clusters: %w", err)
	}
	return k, nil
}

// watchLocked starts a guard, which knows of all groups.
func (k *Keeper) watchLocked() error {
	in, out, err := os.Pipe()
	if err != nil {
		return err
	}
	cmd := &exec.Cmd{Path: "/proc/self/exe", Args: []string{guardName}, Dir: "/", Stdin: in, Stderr: os.Stderr}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true} // what ends the launcher's group is not to end it
	err = cmd.Start()
	_ = in.Close()
	if err != nil {
		_ = out.Close()
		return err
	}
	k.guard, k.guardPID = out, cmd.Process.Pid
	for group := range k.groups {
		_, _ = fmt.Fprintln(out, group) // it has just begun to read
	}
	k.work.Go(func() {
		_ = cmd.Wait()
		k.mu.Lock()
		defer k.mu.Unlock()
		if k.closed {
			return
		}
		_ = k.guard.Close()
		k.log.Error("the guard of the clusters has ended, and is started again")
		if err := k.watchLocked(); err != nil {
			k.log.Error("it cannot be started; the processes of clusters end with the launcher, but not what they have started", "err", err)
		}
	})
	return nil
}

// Close ends the guard. All processes have ended before.
func (k *Keeper) Close() {
	k.mu.Lock()
	k.closed = true
	if k.guard != nil {
		_ = k.guard.Close()
	}
	k.mu.Unlock()
	close(k.done)
	k.work.Wait()
	_ = k.lifeline[0].Close()
	_ = k.lifeline[1].Close()
}

// Start starts a process, and returns when it runs its program.
func (k *Keeper) Start(c Config) (*Process, error) {
	program := exec.Command(c.Argv[0]) // which is where a shell would find it
	if program.Err != nil {
		return nil, program.Err
	}
	guard, err := k.toGuard()
	if err != nil {
		return nil, err
	}
	defer guard.Close()
	failed, failure, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer failed.Close()
	defer failure.Close()
	cmd := &exec.Cmd{
		Path: "/proc/self/exe", Args: append([]string{startName, program.Path}, c.Argv...), Dir: c.Folder, Stdout: c.Out, Stderr: c.Errs,
		Env:         append(c.Env[:len(c.Env):len(c.Env)], LifelineVariable+"="+strconv.Itoa(lifelineFile)),
		ExtraFiles:  []*os.File{k.lifeline[0], guard, failure},
		SysProcAttr: &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL},
	}
	o := order{cmd, make(chan error, 1)}
	select {
	case k.orders <- o:
	case <-k.done:
		return nil, ErrClosed
	}
	if err := <-o.err; err != nil {
		return nil, err
	}
	_, _ = guard.Close(), failure.Close() // the process has them
	if why, _ := io.ReadAll(failed); len(why) > 0 {
		_ = cmd.Wait() // it ends with that
		return nil, fmt.Errorf("run %s: %s", program.Path, strings.TrimSpace(string(why)))
	}
	p := &Process{PID: cmd.Process.Pid, cmd: cmd}
	k.tell(p.PID)
	k.work.Go(func() { k.wait(p, c.Ended) })
	return p, nil
}

// toGuard returns another file for what is told to the guard.
func (k *Keeper) toGuard() (*os.File, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.guard == nil {
		return nil, ErrClosed
	}
	fd, err := unix.FcntlInt(k.guard.Fd(), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("reach the guard of the clusters: %w", err)
	}
	return os.NewFile(uintptr(fd), "guard"), nil
}

// tell tells the guard of a group, or, by its negative number, that it is gone.
func (k *Keeper) tell(group int) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if group > 0 {
		k.groups[group] = true
	} else {
		delete(k.groups, -group)
	}
	_, _ = fmt.Fprintln(k.guard, group) // one that has ended is started again, and told all
}

// Process is one that runs.
type Process struct {
	PID int
	cmd *exec.Cmd

	mu   sync.Mutex
	gone bool // whether its number may be another's; guarded by mu
}

// Signal tells the group of the process to end, or kills it.
func (p *Process) Signal(kill bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.gone {
		return
	}
	s := syscall.SIGTERM
	if kill {
		s = syscall.SIGKILL
	}
	_ = syscall.Kill(-p.PID, s) // it has just ended
}

// wait waits for the end of a process, kills what is left of its group, and only then lets go of its number.
func (k *Keeper) wait(p *Process, ended func(int, string)) {
	var info unix.Siginfo
	for {
		if err := unix.Waitid(unix.P_PID, p.PID, &info, unix.WEXITED|unix.WNOWAIT, nil); !errors.Is(err, unix.EINTR) {
			break
		}
	}
	p.Signal(true)
	k.tell(-p.PID)
	p.mu.Lock()
	err := p.cmd.Wait()
	p.gone = true
	p.mu.Unlock()
	code, how := 0, "exit status 0"
	if err != nil {
		code, how = p.cmd.ProcessState.ExitCode(), err.Error()
	}
	ended(code, how)
}
