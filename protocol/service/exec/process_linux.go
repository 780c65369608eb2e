package exec

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"moot/protocol"
	"moot/protocol/service/result"
)

// logLines is how many lines of standard error one process has in the log within a minute.
const logLines = 200

// spawner starts processes from a thread of its own. The kernel kills a process with the thread that has started it
// (PR_SET_PDEATHSIG, prctl(2)), and Go ends threads as it likes.
type spawner struct {
	wants chan want
	done  chan struct{}
}

type want struct {
	cmd *exec.Cmd
	err chan error
}

func newSpawner() (*spawner, error) {
	s := &spawner{make(chan want), make(chan struct{})}
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
		for {
			select {
			case w := <-s.wants:
				w.err <- w.cmd.Start()
			case <-s.done:
				return
			}
		}
	}()
	return s, nil
}

func (s *spawner) close() { close(s.done) }

// start starts a process with its limits.
func (s *spawner) start(c Config, env []string) (*process, error) {
	cmd := &exec.Cmd{Path: launcherPath, Args: launch(c), Dir: c.Folder, Env: env}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	p := &process{cmd: cmd, ended: make(chan struct{}), log: c.Log, warm: c.Warm, group: groups{c.Groups, c.Log}.open(c.Memory)}
	p.group.into(cmd.SysProcAttr)
	ends := [3]*os.File{}
	closeAll := func(files ...*os.File) {
		for _, f := range files {
			if f != nil {
				f.Close()
			}
		}
	}
	var errs [3]error
	ends[0], p.in, errs[0] = os.Pipe()
	p.out, ends[1], errs[1] = os.Pipe()
	p.errs, ends[2], errs[2] = os.Pipe()
	err := errors.Join(errs[:]...)
	if err == nil {
		cmd.Stdin, cmd.Stdout, cmd.Stderr = ends[0], ends[1], ends[2]
		w := want{cmd, make(chan error, 1)}
		select {
		case s.wants <- w:
			err = <-w.err
		case <-s.done:
			err = ErrClosed
		}
	}
	closeAll(ends[:]...)
	if err != nil {
		closeAll(p.in, p.out, p.errs)
		p.group.close()
		return nil, fmt.Errorf("start %s: %w", c.Argv[0], err)
	}
	p.reader = bufio.NewReader(p.out)
	p.work.Go(p.wait)
	p.work.Go(p.listen)
	return p, nil
}

// process is one that runs. It belongs to the goroutine of one job at a time.
type process struct {
	cmd    *exec.Cmd
	in     *os.File
	out    *os.File
	errs   *os.File
	reader *bufio.Reader
	log    *slog.Logger
	warm   bool
	group  *group    // nil where it has none
	since  time.Time // when it was last put aside
	work   sync.WaitGroup
	ended  chan struct{} // closed when it has ended
	state  error         // of the wait; written before ended is closed

	mu     sync.Mutex
	gone   bool // whether it was reaped: its number may be another's; guarded by mu
	ending sync.Once
}

// wait waits for the end of the process, kills what it leaves behind, and only then lets go of its number.
func (p *process) wait() {
	var info unix.Siginfo
	for {
		if err := unix.Waitid(unix.P_PID, p.cmd.Process.Pid, &info, unix.WEXITED|unix.WNOWAIT, nil); !errors.Is(err, unix.EINTR) {
			break
		}
	}
	p.signal(syscall.SIGKILL)
	p.group.kill()
	p.mu.Lock()
	p.state = p.cmd.Wait()
	p.gone = true
	p.mu.Unlock()
	p.group.close()
	close(p.ended)
	// What has left the group may still hold the pipes.
	late := time.Now().Add(grace)
	_ = p.out.SetReadDeadline(late)
	_ = p.errs.SetReadDeadline(late)
}

// signal sends a signal to the group of the process.
func (p *process) signal(s syscall.Signal) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.gone {
		_ = syscall.Kill(-p.cmd.Process.Pid, s)
	}
}

// end has the process end, and kills its group after a while. It does not wait.
func (p *process) end() {
	p.ending.Do(func() {
		p.signal(syscall.SIGTERM)
		p.work.Go(func() {
			t := time.NewTimer(grace)
			defer t.Stop()
			select {
			case <-p.ended:
			case <-t.C:
				p.signal(syscall.SIGKILL)
				p.group.kill()
			}
		})
	})
}

// dismiss ends the input of the process, and waits a while for its end.
func (p *process) dismiss() {
	_ = p.in.Close()
	t := time.NewTimer(grace)
	defer t.Stop()
	select {
	case <-p.ended:
	case <-t.C:
	}
}

// finish ends the process for good and returns when it is gone.
func (p *process) finish() {
	_ = p.in.Close()
	p.end()
	<-p.ended
	p.work.Wait()
	_ = p.out.Close()
	_ = p.errs.Close()
}

func (p *process) alive() bool {
	select {
	case <-p.ended:
		return false
	default:
		return true
	}
}

// silent reports whether a process has written nothing that nobody has asked for: it would be taken for the answer of the next job.
func (p *process) silent() bool {
	if p.reader.Buffered() > 0 {
		return false
	}
	raw, err := p.out.SyscallConn()
	if err != nil {
		return false
	}
	n := 0
	err = raw.Control(func(fd uintptr) {
		ready := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
		n, _ = unix.Poll(ready, 0) // where it fails the read that follows does, too
		if ready[0].Revents&unix.POLLIN == 0 {
			n = 0 // its end has been closed, which alive sees
		}
	})
	return err == nil && n == 0
}

// once gives a process its line, and returns all that it writes until it ends.
func (p *process) once(line []byte) ([]byte, error) {
	p.work.Go(func() {
		_, _ = p.in.Write(append(line, '\n')) // one that does not read its input may still do its work
		_ = p.in.Close()
	})
	out, err := io.ReadAll(io.LimitReader(p.reader, result.MaxOutput+1))
	if len(out) > result.MaxOutput {
		p.signal(syscall.SIGKILL)
		return nil, result.ErrOutput
	}
	if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
		return nil, fmt.Errorf("read its output: %w", err)
	}
	<-p.ended // it may close its output and go on
	return out, p.fate()
}

// fate is the error of how a process has ended.
func (p *process) fate() error {
	var exit *exec.ExitError
	switch {
	case p.state == nil:
		return nil
	case errors.As(p.state, &exit) && exit.Exited():
		return fmt.Errorf("%w with the exit code %d", result.ErrFailed, exit.ExitCode())
	}
	return fmt.Errorf("%w: %w", result.ErrDied, p.state)
}

// exchange writes a line and reads one.
func (p *process) exchange(line []byte) ([]byte, error) {
	wrote := make(chan error, 1)
	p.work.Go(func() {
		_, err := p.in.Write(append(line, '\n'))
		wrote <- err
	})
	out, err := readLine(p.reader, result.MaxOutput)
	switch {
	case errors.Is(err, result.ErrOutput):
		p.signal(syscall.SIGKILL)
		return nil, err
	case err != nil:
		p.signal(syscall.SIGTERM)
		return nil, fmt.Errorf("%w: %w", result.ErrDied, err)
	}
	if err := <-wrote; err != nil {
		return nil, fmt.Errorf("%w: %w", result.ErrDied, err)
	}
	return out, nil
}

// read returns the next line, without its end.
func (p *process) read() ([]byte, error) {
	line, err := readLine(p.reader, result.MaxOutput)
	if err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(line, []byte("\n")), nil
}

// write writes a line, within a time.
func (p *process) write(line []byte, within time.Duration) error {
	if err := p.in.SetWriteDeadline(time.Now().Add(within)); err != nil {
		return err
	}
	_, err := p.in.Write(append(line, '\n'))
	return err
}

// readLine reads a line of at most so many bytes.
func readLine(r *bufio.Reader, most int) ([]byte, error) {
	var line []byte
	for {
		part, err := r.ReadSlice('\n')
		line = append(line, part...)
		switch {
		case len(line) > most:
			return nil, result.ErrOutput
		case err == nil:
			return line, nil
		case !errors.Is(err, bufio.ErrBufferFull):
			return nil, err
		}
	}
}

// listen writes what the process says to standard error into the log, as far as there is room for it.
func (p *process) listen() {
	r := bufio.NewReaderSize(p.errs, 4<<10)
	began, n := time.Now(), 0
	for {
		part, err := r.ReadSlice('\n')
		if time.Since(began) > time.Minute {
			began, n = time.Now(), 0
		}
		if text := bytes.TrimSpace(part); len(text) > 0 {
			switch n++; {
			case n < logLines:
				words := protocol.OneLine(strings.ToValidUTF8(string(text), "\uFFFD"))
				p.log.Warn("a task says", "text", protocol.Shorten(words, 500), "pid", p.cmd.Process.Pid)
			case n == logLines:
				p.log.Warn("a task says more than is logged", "pid", p.cmd.Process.Pid)
			}
		}
		if err != nil && !errors.Is(err, bufio.ErrBufferFull) {
			return
		}
	}
}
