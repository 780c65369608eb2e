package redis_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"moot/cluster/redistest"
	"moot/internal/finding"
	"moot/replica"
	"moot/replica/redis"
	"moot/replica/replicatest"
)

func open(t *testing.T, address, name string) replica.Log {
	t.Helper()
	l, err := redis.Open(address, name)
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

var durable = []string{"--appendonly", "yes", "--appendfsync", "always"}

func TestLog(t *testing.T) {
	server := redistest.Start(t, durable...)
	replicatest.Run(t, func(t *testing.T, name string) replica.Log { return open(t, "redis://"+server.Address, name) })
	replicatest.Killed(t, open(t, "redis://"+server.Address, "killed"), server.Kill, server.Run)
}

// TestReplicas: with replicas in the address each change waits for them.
func TestReplicas(t *testing.T) {
	primary := redistest.Start(t, durable...)
	host, port, _ := strings.Cut(primary.Address, ":")
	l := open(t, "redis://"+primary.Address+"?replicas=1", "moot")
	if _, err := l.Stand(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := l.Lead(t.Context(), "a", replica.TTL); err == nil {
		t.Error("it leads although no replica knows")
	}
	redistest.Start(t, append(durable, "--replicaof", host+" "+port)...)
	for began := time.Now(); ; time.Sleep(50 * time.Millisecond) {
		if info := primary.Info(t.Context(), "replication").Val(); strings.Contains(info, "state=online") {
			break
		}
		if time.Since(began) > time.Minute {
			t.Fatal("the replica does not follow")
		}
	}
	replicatest.Run(t, func(t *testing.T, name string) replica.Log {
		return open(t, "redis://"+primary.Address+"?replicas=1", name)
	})
}

func TestServersThatForgetAreRefused(t *testing.T) {
	for _, c := range []struct {
		settings []string
		word     string
	}{
		{nil, "set appendonly yes"},
		{[]string{"--appendonly", "yes", "--maxmemory-policy", "allkeys-lru"}, "set maxmemory-policy noeviction"},
		{[]string{"--appendonly", "yes", "--replicaof", "127.0.0.1 1"}, "name the primary"},
	} {
		_, err := open(t, "redis://"+redistest.Start(t, c.settings...).Address, "moot").Check(t.Context())
		if !errors.Is(err, replica.ErrUnfit) || !strings.Contains(err.Error(), c.word) {
			t.Errorf("%v: %v", c.settings, err)
		}
	}
}

func TestServersThatRiskSomethingAreWarnedAbout(t *testing.T) {
	server := redistest.Start(t, "--appendonly", "yes", "--appendfsync", "everysec")
	check := func() finding.Finding {
		t.Helper()
		found, err := open(t, "redis://"+server.Address, "moot").Check(t.Context())
		if err != nil || len(found) != 1 {
			t.Fatal(found, err)
		}
		return found[0]
	}
	if f := check(); f.Status != finding.Warn && !strings.Contains(f.Text, "7.2") {
		t.Errorf("with appendfsync everysec: %+v", f)
	}
	if err := server.ConfigSet(t.Context(), "appendfsync", "always").Err(); err != nil {
		t.Fatal(err)
	}
	if f := check(); f.Status != finding.OK {
		t.Errorf("with appendfsync always: %+v", f)
	}
}

func TestAddresses(t *testing.T) {
	for address, word := range map[string]string{
		"redis://:secret@localhost:x": "", "redis://localhost?replicas=some": "replicas=some", "sentinel://localhost:26379": "mymaster",
		"http://localhost": "",
	} {
		if _, err := redis.Open(address, "moot"); err == nil || !strings.Contains(err.Error(), word) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v", address, err)
		}
	}
}
