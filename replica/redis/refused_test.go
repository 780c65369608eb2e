package redis_test

import (
	"errors"
	"net/http/httptest"
	"strings"
	"testing"

	goredis "github.com/redis/go-redis/v9"

	"moot/cluster/redistest"
	"moot/internal/effort"
	"moot/replica"
	"moot/replica/replicatest"
)

// TestWhatAServerRefuses does not pass by itself, and is said with what to do; a password is not said.
func TestWhatAServerRefuses(t *testing.T) {
	effort.Slow(t)
	server, closed := redistest.Start(t, durable...), redistest.Start(t, durable...)
	for _, user := range [][]any{
		{"ACL", "SETUSER", "keyed", "on", ">right", "~*", "+@all"},
		{"ACL", "SETUSER", "blind", "on", "nopass", "~*", "+@all", "-info"},
		{"ACL", "SETUSER", "mute", "on", "nopass", "~*", "+@all", "-evalsha", "-eval"},
		{"ACL", "SETUSER", "narrow", "on", "nopass", "~elsewhere*", "+@all"},
		{"ACL", "SETUSER", "inner", "on", "nopass", "~*", "+@all", "-hmget"},
	} {
		if err := server.Do(t.Context(), user...).Err(); err != nil {
			t.Fatal(err)
		}
	}
	if err := closed.ConfigSet(t.Context(), "requirepass", "right").Err(); err != nil {
		t.Fatal(err)
	}
	secure := httptest.NewTLSServer(nil)
	defer secure.Close()
	plain := httptest.NewServer(nil) // it answers, where Redis waits for the rest of a command
	defer plain.Close()
	for what, c := range map[string]struct {
		address string
		parts   []string
	}{
		"wrong password":      {"redis://keyed:wrong-secret@" + server.Address, []string{"WRONGPASS", "password in the address"}},
		"no such user":        {"redis://nobody:secret@" + server.Address, []string{"WRONGPASS", "user"}},
		"no password":         {"redis://" + closed.Address, []string{"NOAUTH", "password in the address"}},
		"no right to info":    {"redis://blind:x@" + server.Address, []string{"NOPERM", "ACL SETUSER"}},
		"no right to scripts": {"redis://mute:x@" + server.Address, []string{"NOPERM", "ACL SETUSER"}},
		"no right to the key": {"redis://narrow:x@" + server.Address, []string{"NOPERM", "ACL SETUSER"}},
		"no right in scripts": {"redis://inner:x@" + server.Address, []string{"ACL SETUSER"}},
		"no such database":    {"redis://" + server.Address + "/99", []string{"out of range", "number of a database"}},
		"no TLS":              {"rediss://" + strings.TrimPrefix(plain.URL, "http://"), []string{"not one for TLS"}},
		"unknown authority":   {"rediss://" + strings.TrimPrefix(secure.URL, "https://"), []string{"unknown authority", "SSL_CERT_FILE"}},
	} {
		replicatest.Refuses(t, what, open(t, c.address, "moot"), c.parts...)
	}
	if _, err := open(t, "redis://keyed:right@"+server.Address, "moot").Check(t.Context()); err != nil {
		t.Error(err)
	}
	server.Kill()
	if _, err := open(t, "redis://"+server.Address, "moot").Check(t.Context()); err == nil || errors.Is(err, replica.ErrRefused) {
		t.Errorf("a server that is not there: %v", err)
	}
}

// TestSentinelsThatRefuse: another password, or another name, does not pass by itself either.
func TestSentinelsThatRefuse(t *testing.T) {
	effort.Slow(t)
	t.Parallel()
	g := redistest.StartGroup(t, durable...)
	for address := range strings.SplitSeq(g.Sentinels, ",") {
		c := goredis.NewClient(&goredis.Options{Addr: address, DisableIdentity: true})
		if err := errors.Join(c.Do(t.Context(), "ACL", "SETUSER", "default", "resetpass", ">right").Err(), c.Close()); err != nil {
			t.Fatal(err)
		}
	}
	for address, part := range map[string]string{
		"sentinel://" + g.Sentinels + "/another?sentinel_password=right": `no primary of the name "another"`,
		"sentinel://" + g.Sentinels + "/moot?sentinel_password=secret":   "?sentinel_password=",
	} {
		_, err := open(t, address, "moot").Check(t.Context())
		if !errors.Is(err, replica.ErrRefused) || !strings.Contains(err.Error(), part) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v", address, err)
		}
	}
}
