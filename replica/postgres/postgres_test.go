//go:build unix

package postgres_test

import (
	"errors"
	"strings"
	"testing"

	"moot/internal/finding"
	"moot/replica"
	"moot/replica/postgres"
	"moot/replica/postgres/postgrestest"
	"moot/replica/replicatest"
)

func open(t *testing.T, server *postgrestest.Server, name string) replica.Log {
	t.Helper()
	l, err := postgres.Open(t.Context(), server.URL, name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	return l
}

func TestLog(t *testing.T) {
	server := postgrestest.Start(t)
	replicatest.Run(t, func(t *testing.T, name string) replica.Log { return open(t, server, name) })
	found, err := open(t, server, "check").Check(t.Context())
	if err != nil || len(found) != 1 || found[0].Status != finding.OK {
		t.Errorf("a server as it comes: %+v, %v", found, err)
	}
}

func TestServersThatForgetAreRefused(t *testing.T) {
	for setting, word := range map[string]string{"fsync=off": "set fsync = on", "full_page_writes=off": "set full_page_writes = on"} {
		_, err := open(t, postgrestest.Start(t, setting), "moot").Check(t.Context())
		if !errors.Is(err, replica.ErrUnfit) || !strings.Contains(err.Error(), word) {
			t.Errorf("%s: %v", setting, err)
		}
	}
}

// TestChangesAreOnTheDisk: the server is told to wait for its disk, whatever its default is.
func TestChangesAreOnTheDisk(t *testing.T) {
	server := postgrestest.Start(t, "synchronous_commit=off")
	l := open(t, server, "moot")
	found, err := l.Check(t.Context())
	if err != nil || len(found) != 1 || found[0].Status != finding.OK {
		t.Errorf("%+v, %v", found, err)
	}
	replicatest.Killed(t, l, server.Kill, server.Run)
}

func TestAddresses(t *testing.T) {
	if _, err := postgres.Open(t.Context(), "postgres://user:secret@:x/", "moot"); err == nil || strings.Contains(err.Error(), "secret") {
		t.Error(err)
	}
}
