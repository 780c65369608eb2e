// Package redistest runs a real Redis for a test, on a port of this machine. It ends with the test, also where that is killed.
package redistest

import (
	"context"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

// Server is a Redis that runs until the test ends.
type Server struct {
	Address string // host:port
	*redis.Client

	t     testing.TB
	more  []string
	dir   string
	cmd   *exec.Cmd     // nil while it does not run
	ended chan struct{} // closed when it has ended
}

// Start starts a Redis that keeps nothing on its disk, unless more arguments say something else. Where there is none,
// the test is left out; .ci/run installs one.
func Start(t testing.TB, more ...string) *Server {
	t.Helper()
	if _, err := exec.LookPath("redis-server"); err != nil {
		t.Skip("there is no redis-server here; .ci/run installs one")
	}
	dir, err := filepath.EvalSymlinks(t.TempDir()) // as Redis says it
	if err != nil {
		t.Fatal(err)
	}
	s := &Server{t: t, more: more, dir: dir}
	for range 10 {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		s.Address = l.Addr().String()
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		s.Client = redis.NewClient(&redis.Options{Addr: s.Address, DisableIdentity: true})
		if s.try() {
			t.Cleanup(func() {
				if err := s.Close(); err != nil {
					t.Error(err)
				}
				s.Kill()
			})
			return s
		}
		_ = s.Close() // somebody else has taken the port meanwhile
	}
	t.Fatalf("redis does not start\n%s", s.log())
	return nil
}

// Run starts the server again after Kill, and returns when it answers.
func (s *Server) Run() {
	s.t.Helper()
	for began := time.Now(); !s.try(); time.Sleep(100 * time.Millisecond) {
		if time.Since(began) > time.Minute {
			s.t.Fatalf("redis does not start again\n%s", s.log())
		}
	}
}

func (s *Server) logFile() string { return filepath.Join(s.dir, "log") }

func (s *Server) log() string {
	text, _ := os.ReadFile(s.logFile()) // without it, there is nothing to say
	return string(text)
}

// try starts the server, and reports whether it is this one that answers.
func (s *Server) try() bool {
	s.t.Helper()
	_, port, err := net.SplitHostPort(s.Address)
	if err != nil {
		s.t.Fatal(err)
	}
	args := []string{"--port", port, "--bind", "127.0.0.1", "--dir", s.dir, "--save", "", "--appendonly", "no", "--daemonize", "no", "--logfile", s.logFile()}
	cmd := exec.Command("redis-server", append(args, s.more...)...)
	ended, started := make(chan struct{}), make(chan error)
	go func() {
		defer close(ended)
		// A test that is killed takes it along: the kernel kills it with the thread that has started it.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		bind(cmd)
		err := cmd.Start()
		started <- err
		if err == nil {
			_ = cmd.Wait() // it is killed
		}
	}()
	if err := <-started; err != nil {
		s.t.Fatal(err)
	}
	s.cmd, s.ended = cmd, ended
	for began := time.Now(); time.Since(began) < time.Minute; time.Sleep(5 * time.Millisecond) {
		select {
		case <-ended:
			s.cmd = nil
			return false
		default:
		}
		if dir, err := s.ConfigGet(context.Background(), "dir").Result(); err == nil && dir["dir"] == s.dir {
			return true
		}
	}
	s.Kill()
	return false
}

// Freeze has the server stand still until the function that it returns is called.
func (s *Server) Freeze() (thaw func()) {
	s.t.Helper()
	signal := func(sig syscall.Signal) {
		if err := s.cmd.Process.Signal(sig); err != nil {
			s.t.Error(err)
		}
	}
	signal(syscall.SIGSTOP)
	return func() { signal(syscall.SIGCONT) }
}

// Kill ends the server at once.
func (s *Server) Kill() {
	if s.cmd != nil {
		_ = s.cmd.Process.Kill() // it may have ended
		<-s.ended
		s.cmd = nil
	}
}
