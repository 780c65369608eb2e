//go:build unix

// Package postgrestest runs a real PostgreSQL for a test, on a port of this machine.
package postgrestest

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// Server is a PostgreSQL that runs until the test ends.
type Server struct {
	// URL is how its database is reached.
	URL string

	t    testing.TB
	bin  string
	dir  string // the folder of the test, in which "data" is that of the server
	port string
	as   *syscall.Credential // nil where the test is not root
	more []string
	cmd  *exec.Cmd // nil while it does not run
}

// Start starts a PostgreSQL, with settings such as "fsync=off". Where there is none, the test is left out; .ci/run
// installs one.
func Start(t testing.TB, settings ...string) *Server {
	t.Helper()
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if path, err := exec.LookPath("initdb"); err == nil {
		found = append(found, path)
	}
	if len(found) == 0 {
		t.Skip("there is no PostgreSQL here; .ci/run installs one")
	}
	slices.Sort(found)
	// Not t.TempDir: the folders above that belong to root alone, which PostgreSQL refuses to be.
	dir, err := os.MkdirTemp("", "moot-postgres-*")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	s := &Server{t: t, bin: filepath.Dir(found[len(found)-1]), dir: dir}
	if os.Getuid() == 0 {
		s.become("postgres")
	}
	for _, set := range settings {
		s.more = append(s.more, "-c", set)
	}
	if out, err := s.command("initdb", "-D", s.data(), "-U", "moot", "--auth=trust", "--no-sync", "--locale=C", "-E", "UTF8").CombinedOutput(); err != nil {
		t.Fatalf("initdb: %v\n%s", err, out)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.port = strconv.Itoa(l.Addr().(*net.TCPAddr).Port)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	s.URL = "postgres://moot@127.0.0.1:" + s.port + "/postgres?sslmode=disable"
	t.Cleanup(s.Kill)
	s.Run()
	return s
}

// become has the server run as another user, who gets its folder.
func (s *Server) become(name string) {
	u, err := user.Lookup(name)
	if err != nil {
		s.t.Fatal(err)
	}
	uid, err1 := strconv.ParseUint(u.Uid, 10, 32)
	gid, err2 := strconv.ParseUint(u.Gid, 10, 32)
	if err := errors.Join(err1, err2, os.Chown(s.dir, int(uid), int(gid))); err != nil {
		s.t.Fatal(err)
	}
	s.as = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
}

func (s *Server) data() string { return filepath.Join(s.dir, "data") }

// command runs a program of the server. One that is started dies with the thread that has started it.
func (s *Server) command(name string, args ...string) *exec.Cmd {
	cmd := exec.Command(filepath.Join(s.bin, name), args...)
	cmd.Dir = s.dir
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: s.as, Setpgid: true}
	return cmd
}

// Run starts the server, also after Kill, and returns when it answers.
func (s *Server) Run() {
	s.t.Helper()
	log, err := os.OpenFile(filepath.Join(s.dir, "log"), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		s.t.Fatal(err)
	}
	defer log.Close()
	args := append([]string{"-D", s.data(), "-p", s.port, "-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=" + s.dir}, s.more...)
	cmd := s.command("postgres", args...)
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	s.cmd = cmd
	for began := time.Now(); ; time.Sleep(20 * time.Millisecond) {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		conn, err := pgx.Connect(ctx, s.URL)
		if err == nil {
			err = conn.Close(ctx)
		}
		cancel()
		if err == nil {
			return
		}
		if time.Since(began) > time.Minute {
			text, _ := os.ReadFile(log.Name()) // without it, there is only the error
			s.t.Fatalf("PostgreSQL does not start: %v\n%s", err, text)
		}
	}
}

// Freeze has the server, and all that serve its connections, stand still until the function that it returns is called.
func (s *Server) Freeze() (thaw func()) {
	s.t.Helper()
	pid := s.cmd.Process.Pid
	still := append(s.children(), pid)
	for _, id := range still {
		_ = syscall.Kill(id, syscall.SIGSTOP) // it may have ended
	}
	return func() {
		for _, id := range still {
			_ = syscall.Kill(id, syscall.SIGCONT)
		}
	}
}

// children are the processes that serve connections, and the other helpers of the server.
func (s *Server) children() (all []int) {
	pid := s.cmd.Process.Pid
	text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", pid, pid)) // elsewhere than on Linux they are not known
	for child := range strings.FieldsSeq(string(text)) {
		if id, err := strconv.Atoi(child); err == nil {
			all = append(all, id)
		}
	}
	return all
}

// Kill ends the server and all that serve its connections at once.
func (s *Server) Kill() {
	if s.cmd == nil {
		return
	}
	// Those that serve connections would go on for a while without the first process.
	children := s.children()
	_ = s.cmd.Process.Kill() // it may have ended
	for _, id := range children {
		_ = syscall.Kill(id, syscall.SIGKILL) // it may have ended
	}
	_ = s.cmd.Wait() // it was killed
	s.cmd = nil
	lock := filepath.Join(s.data(), "postmaster.pid")
	if err := os.Remove(lock); err != nil && !errors.Is(err, os.ErrNotExist) {
		s.t.Error(err)
	}
}
