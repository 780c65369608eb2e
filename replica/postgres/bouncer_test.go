//go:build unix

package postgres_test

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"moot/internal/effort"
	"moot/replica"
	"moot/replica/postgres/postgrestest"
	"moot/replica/replicatest"
)

// bouncer starts a PgBouncer before a server, and returns the server as it is behind it.
func bouncer(t *testing.T, server *postgrestest.Server, mode string) *postgrestest.Server {
	t.Helper()
	path, err := exec.LookPath("pgbouncer")
	if err != nil {
		t.Skip("there is no PgBouncer here; .ci/run installs one")
	}
	at, _, _ := strings.Cut(strings.TrimPrefix(server.URL, "postgres://moot@"), "/")
	host, port, _ := net.SplitHostPort(at)
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_, own, _ := net.SplitHostPort(free.Addr().String())
	dir, err := os.MkdirTemp("", "moot-bouncer-*") // which another user can enter
	if err := errors.Join(err, free.Close()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	settings := fmt.Sprintf("[databases]\n* = host=%s port=%s\n[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = %s\nauth_type = trust\nauth_file = %s\npool_mode = %s\nunix_socket_dir =\n",
		host, port, own, filepath.Join(dir, "users"), mode)
	if err := errors.Join(
		os.WriteFile(filepath.Join(dir, "users"), []byte("\"moot\" \"\"\n"), 0o644),
		os.WriteFile(filepath.Join(dir, "ini"), []byte(settings), 0o644),
		os.Chmod(dir, 0o755),
	); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(path, filepath.Join(dir, "ini"))
	if os.Getuid() == 0 { // as which it does not run
		u, err := user.Lookup("postgres")
		if err != nil {
			t.Fatal(err)
		}
		uid, _ := strconv.ParseUint(u.Uid, 10, 32)
		gid, _ := strconv.ParseUint(u.Gid, 10, 32)
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}}
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait() // it was killed
	})
	for began := time.Now(); ; time.Sleep(20 * time.Millisecond) {
		conn, err := net.Dial("tcp", "127.0.0.1:"+own)
		if err == nil {
			_ = conn.Close()
			break
		}
		if time.Since(began) > 20*time.Second {
			t.Fatal(err)
		}
	}
	return &postgrestest.Server{URL: strings.Replace(server.URL, at, "127.0.0.1:"+own, 1)}
}

// TestPgBouncer: in the mode of sessions all is as without it. In that of transactions, in which nothing that is set for a connection
// holds, a machine does not start.
func TestPgBouncer(t *testing.T) {
	effort.Slow(t)
	server := postgrestest.Start(t, "synchronous_commit=off")
	session := bouncer(t, server, "session")
	if err := check(t, session.URL, "moot"); err != nil {
		t.Errorf("in the mode of sessions: %v", err)
	}
	t.Run("session", func(t *testing.T) {
		replicatest.Run(t, func(t *testing.T, name string) replica.Log { return open(t, session, name) })
	})
	if err := check(t, bouncer(t, server, "transaction").URL, "moot"); err == nil || !strings.Contains(err.Error(), "pool_mode = session") {
		t.Errorf("in the mode of transactions: %v", err)
	}
}
