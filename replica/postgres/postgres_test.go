//go:build unix

package postgres_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"moot/internal/effort"
	"moot/internal/finding"
	"moot/replica"
	"moot/replica/postgres"
	"moot/replica/postgres/postgrestest"
	"moot/replica/replicatest"
	"moot/store"
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
	effort.Slow(t)
	for setting, word := range map[string]string{"fsync=off": "set fsync = on", "full_page_writes=off": "set full_page_writes = on"} {
		_, err := open(t, postgrestest.Start(t, setting), "moot").Check(t.Context())
		if !errors.Is(err, replica.ErrUnfit) || !strings.Contains(err.Error(), word) {
			t.Errorf("%s: %v", setting, err)
		}
	}
}

// TestChangesAreOnTheDisk: the server is told to wait for its disk, whatever its default is.
func TestChangesAreOnTheDisk(t *testing.T) {
	effort.Slow(t)
	server := postgrestest.Start(t, "synchronous_commit=off")
	l := open(t, server, "moot")
	found, err := l.Check(t.Context())
	if err != nil || len(found) != 1 || found[0].Status != finding.OK {
		t.Errorf("%+v, %v", found, err)
	}
	replicatest.Killed(t, l, server.Kill, server.Run)
}

// TestWhoIsCutOffInTheMiddle: a machine that is cut off when half of its change has arrived keeps nobody else from leading.
func TestWhoIsCutOffInTheMiddle(t *testing.T) {
	effort.Slow(t)
	server := postgrestest.Start(t)
	at, _, _ := strings.Cut(strings.TrimPrefix(server.URL, "postgres://moot@"), "/")
	proxy, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer proxy.Close()
	var cuts atomic.Bool                // the end of the next request
	sync := []byte("S\x00\x00\x00\x04") // which ends it
	cut := make(chan struct{})
	go func() {
		for {
			client, err := proxy.Accept()
			if err != nil {
				return
			}
			to, err := net.Dial("tcp", at)
			if err != nil {
				client.Close()
				continue
			}
			t.Cleanup(func() { client.Close(); to.Close() })
			go io.Copy(client, to) //nolint:errcheck // until one of them ends
			go func() {
				for buf := make([]byte, 64<<10); ; {
					n, err := client.Read(buf)
					if err != nil {
						return // the server hears nothing of it, as of a machine that is cut off
					}
					if n > 300 && bytes.HasSuffix(buf[:n], sync) && cuts.CompareAndSwap(true, false) {
						_, _ = to.Write(buf[:n-len(sync)])
						close(cut)
						return
					}
					if _, err := to.Write(buf[:n]); err != nil {
						return
					}
				}
			}()
		}
	}()
	through := &postgrestest.Server{URL: strings.Replace(server.URL, at, proxy.Addr().String(), 1)}
	l, other := open(t, through, "moot"), open(t, server, "moot")
	_, err = l.Stand(t.Context())
	var term replica.Term
	if err == nil {
		term, err = l.Lead(t.Context(), "a", time.Second)
	}
	if err == nil {
		err = l.PutBase(t.Context(), term, "bot", 0, strings.NewReader("base"))
	}
	if err == nil {
		err = l.Append(t.Context(), term, store.Change{Number: 1, Body: bytes.Repeat([]byte("x"), 400)})
	}
	if err != nil {
		t.Fatal(err)
	}
	cuts.Store(true)
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	if err := l.Append(ctx, term, store.Change{Number: 2, Body: bytes.Repeat([]byte("y"), 400)}); err == nil {
		t.Error("a change counts that has arrived by half")
	}
	<-cut
	for began := time.Now(); ; time.Sleep(50 * time.Millisecond) {
		wait, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		_, err := other.Lead(wait, "b", time.Minute)
		cancel()
		if err == nil {
			t.Logf("another one leads after %v", time.Since(began))
			break
		}
		if !errors.Is(err, replica.ErrHeld) && time.Since(began) > 15*time.Second {
			t.Fatal(err)
		}
	}
}

func TestAddresses(t *testing.T) {
	if _, err := postgres.Open(t.Context(), "postgres://user:secret@:x/", "moot"); err == nil || strings.Contains(err.Error(), "secret") {
		t.Error(err)
	}
}
