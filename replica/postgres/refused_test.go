//go:build unix

package postgres_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"moot/internal/effort"
	"moot/replica"
	"moot/replica/postgres/postgrestest"
	"moot/replica/replicatest"
)

// as returns the address of a server for another role, and with other parameters.
func as(server *postgrestest.Server, role, parameters string) string {
	return strings.Replace(strings.Replace(server.URL, "moot@", role+"@", 1), "sslmode=disable", parameters, 1)
}

// admin runs statements on a server.
func admin(t *testing.T, server *postgrestest.Server, statements ...string) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), server.URL)
	for _, s := range statements {
		if err == nil {
			_, err = conn.Exec(t.Context(), s)
		}
	}
	if err == nil {
		err = conn.Close(t.Context())
	}
	if err != nil {
		t.Fatal(err)
	}
}

// folder returns that of the data of a server, and who owns it.
func folder(t *testing.T, server *postgrestest.Server) (path string, uid, gid int) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), server.URL)
	if err == nil {
		err = errors.Join(conn.QueryRow(t.Context(), "SHOW data_directory").Scan(&path), conn.Close(t.Context()))
	}
	info, statErr := os.Stat(path)
	if err := errors.Join(err, statErr); err != nil {
		t.Fatal(err)
	}
	owner := info.Sys().(*syscall.Stat_t)
	return path, int(owner.Uid), int(owner.Gid)
}

// write writes a file of a server.
func write(t *testing.T, server *postgrestest.Server, name string, data []byte) {
	t.Helper()
	dir, uid, gid := folder(t, server)
	path := filepath.Join(dir, name)
	if err := errors.Join(os.WriteFile(path, data, 0o600), os.Chown(path, uid, gid)); err != nil {
		t.Fatal(err)
	}
}

// TestWhatAServerRefuses does not pass by itself, and is said with what to do; a password is not said.
func TestWhatAServerRefuses(t *testing.T) {
	effort.Slow(t)
	server := postgrestest.Start(t)
	own := open(t, server, "owned")
	if _, err := own.Stand(t.Context()); err != nil { // makes the tables
		t.Fatal(err)
	}
	write(t, server, "pg_hba.conf", []byte("host all moot 127.0.0.1/32 trust\nhost all guest 127.0.0.1/32 trust\nhost all stranger 127.0.0.1/32 reject\nhost all all 127.0.0.1/32 scram-sha-256\n"))
	certificate(t, server)
	admin(t, server, "CREATE ROLE keyed LOGIN PASSWORD 'right'", "CREATE ROLE guest LOGIN", "CREATE ROLE stranger LOGIN",
		"GRANT USAGE ON SCHEMA owned TO guest", "GRANT SELECT ON ALL TABLES IN SCHEMA owned TO guest",
		"ALTER SYSTEM SET ssl = on", "SELECT pg_reload_conf()")
	without := postgrestest.Start(t)
	for what, c := range map[string]struct {
		url, schema string
		parts       []string
	}{
		"wrong password":     {as(server, "keyed:wrong-secret", "sslmode=disable"), "moot", []string{"28P01", "password in the address"}},
		"no password":        {as(server, "keyed", "sslmode=disable"), "moot", []string{"28P01", "password in the address"}},
		"no such role":       {as(server, "nobody:secret", "sslmode=disable"), "moot", []string{"28P01", "user"}},
		"no entry":           {as(server, "stranger", "sslmode=disable"), "moot", []string{"28000", "pg_hba.conf"}},
		"missing database":   {strings.Replace(server.URL, "/postgres?", "/missing?", 1), "moot", []string{"missing", "make the database"}},
		"no right to create": {as(server, "guest", "sslmode=disable"), "moot", []string{"permission denied", "GRANT CREATE"}},
		"no right to write":  {as(server, "guest", "sslmode=disable"), "owned", []string{"guest may not write", "owns them"}},
		"no TLS":             {as(without, "moot", "sslmode=require"), "moot", []string{"speaks no TLS", "ssl = on"}},
		"unknown authority":  {as(server, "moot", "sslmode=verify-full"), "moot", []string{"unknown authority", "sslrootcert"}},
	} {
		replicatest.Refuses(t, what, open(t, &postgrestest.Server{URL: c.url}, c.schema), c.parts...)
	}
	for what, err := range map[string]error{"it owns the tables": check(t, server.URL, "owned"), "TLS that nobody verifies": check(t, as(server, "moot", "sslmode=require"), "owned")} {
		if err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
	server.Kill()
	if err := check(t, server.URL, "moot"); err == nil || errors.Is(err, replica.ErrRefused) {
		t.Errorf("a server that is not there: %v", err)
	}
}

// TestAStandbyOfPostgreSQLIsNotAsked: at a start it is refused; later it may become the primary.
func TestAStandbyOfPostgreSQLIsNotAsked(t *testing.T) {
	effort.Slow(t)
	server := postgrestest.Start(t)
	l := open(t, server, "moot")
	if _, err := l.Stand(t.Context()); err != nil {
		t.Fatal(err)
	}
	write(t, server, "standby.signal", nil)
	server.Kill()
	server.Run()
	_, err := l.Stand(t.Context())
	for began := time.Now(); err != nil && !strings.Contains(err.Error(), "it is a standby") && time.Since(began) < 20*time.Second; {
		_, err = l.Stand(t.Context()) // connections from before have to end first
	}
	if err == nil || errors.Is(err, replica.ErrUnfit) || errors.Is(err, replica.ErrRefused) {
		t.Errorf("how it stands: %v", err)
	}
	if _, err := l.Check(t.Context()); !errors.Is(err, replica.ErrUnfit) {
		t.Errorf("how it is set: %v", err)
	}
	admin(t, server, "SELECT pg_promote()")
	if _, err := l.Stand(t.Context()); err != nil {
		t.Error(err)
	}
}

func check(t *testing.T, url, schema string) error {
	t.Helper()
	_, err := open(t, &postgrestest.Server{URL: url}, schema).Check(t.Context())
	return err
}

// certificate gives a server one that nobody else knows.
func certificate(t *testing.T, server *postgrestest.Server) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{
		SerialNumber: big.NewInt(1), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	der, err1 := x509.CreateCertificate(rand.Reader, c, c, key.Public(), key)
	private, err2 := x509.MarshalPKCS8PrivateKey(key)
	if err := errors.Join(err1, err2); err != nil {
		t.Fatal(err)
	}
	write(t, server, "server.crt", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	write(t, server, "server.key", pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}))
}
