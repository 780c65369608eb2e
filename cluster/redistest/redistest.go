// Package redistest runs a real Redis for a test: on a socket in a folder of its own, and a port of this machine.
package redistest

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

// Server is a Redis that runs until the test ends.
type Server struct {
	Address string // host:port
	*redis.Client

	t     testing.TB
	dir   string
	cmd   *exec.Cmd     // nil while it does not run
	ended chan struct{} // closed when it has ended
}

// Start starts a Redis. Where there is none, the test is left out; .ci/run installs one.
func Start(t testing.TB) *Server {
	t.Helper()
	if _, err := exec.LookPath("redis-server"); err != nil {
		t.Skip("there is no redis-server here; .ci/run installs one")
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	s := &Server{Address: address, t: t, dir: t.TempDir(), Client: redis.NewClient(&redis.Options{Addr: address, DisableIdentity: true})}
	s.Run()
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		s.Kill()
	})
	return s
}

// Run starts the server, and returns when it answers.
func (s *Server) Run() {
	s.t.Helper()
	_, port, err := net.SplitHostPort(s.Address)
	if err != nil {
		s.t.Fatal(err)
	}
	log := filepath.Join(s.dir, "log")
	s.cmd = exec.Command("redis-server", "--port", port, "--bind", "127.0.0.1", "--dir", s.dir, "--save", "", "--appendonly", "no", "--daemonize", "no", "--logfile", log)
	s.ended = make(chan struct{})
	started := make(chan error)
	go func() {
		defer close(s.ended)
		// A test that is killed takes it along: the kernel kills it with the thread that has started it.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		bind(s.cmd)
		err := s.cmd.Start()
		started <- err
		if err == nil {
			_ = s.cmd.Wait() // it is killed
		}
	}()
	if err := <-started; err != nil {
		s.t.Fatal(err)
	}
	for began := time.Now(); ; time.Sleep(5 * time.Millisecond) {
		err := s.Ping(context.Background()).Err()
		if err == nil {
			return
		}
		if time.Since(began) > time.Minute {
			text, _ := os.ReadFile(log)
			s.t.Fatal(fmt.Errorf("redis does not answer: %w\n%s", err, text))
		}
	}
}

// Kill ends the server at once.
func (s *Server) Kill() {
	if s.cmd != nil {
		_ = s.cmd.Process.Kill() // it may have ended
		<-s.ended
		s.cmd = nil
	}
}
