package redistest

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

// Group is a primary, two replicas, and three Sentinels that watch them under the name moot. They run until the test ends.
type Group struct {
	// Sentinels are the addresses of the Sentinels, with commas between them.
	Sentinels string
	Servers   []*Server // of which one is the primary

	t      testing.TB
	client *redis.SentinelClient
}

// downAfter is for how long a server may be silent before Sentinel makes another one the primary.
const downAfter = time.Second

// StartGroup starts them. Each server has these arguments more.
func StartGroup(t testing.TB, more ...string) *Group {
	t.Helper()
	g := &Group{t: t}
	g.Servers = append(g.Servers, Start(t, more...))
	host, port, err := net.SplitHostPort(g.Servers[0].Address)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		g.Servers = append(g.Servers, Start(t, append([]string{"--replicaof", host + " " + port}, more...)...))
	}
	g.until("the replicas follow", func() bool {
		info := g.Servers[0].Info(context.Background(), "replication").Val()
		return strings.Count(info, "state=online") == 2
	})
	var addresses []string
	for range 3 {
		addresses = append(addresses, g.watch(host, port))
	}
	g.Sentinels = strings.Join(addresses, ",")
	g.client = redis.NewSentinelClient(&redis.Options{Addr: addresses[0], DisableIdentity: true})
	t.Cleanup(func() {
		if err := g.client.Close(); err != nil {
			t.Error(err)
		}
	})
	g.Settled()
	return g
}

// watch starts a Sentinel and returns its address.
func (g *Group) watch(host, port string) string {
	g.t.Helper()
	for range 10 {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			g.t.Fatal(err)
		}
		address := l.Addr().String()
		_, own, err := net.SplitHostPort(address)
		if err == nil {
			err = l.Close()
		}
		if err != nil {
			g.t.Fatal(err)
		}
		dir := g.t.TempDir()
		file := filepath.Join(dir, "sentinel.conf") // which it writes to
		text := fmt.Sprintf("port %s\nbind 127.0.0.1\ndir %s\nlogfile %s\nsentinel monitor moot %s %s 2\nsentinel down-after-milliseconds moot %d\nsentinel failover-timeout moot 6000\n",
			own, dir, filepath.Join(dir, "log"), host, port, downAfter.Milliseconds())
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			g.t.Fatal(err)
		}
		if g.starts(address, exec.Command("redis-server", file, "--sentinel")) {
			return address
		}
	}
	g.t.Fatal("no Sentinel starts")
	return ""
}

// starts starts a Sentinel, and reports whether it answers.
func (g *Group) starts(address string, cmd *exec.Cmd) bool {
	ended, started := make(chan struct{}), make(chan error)
	go func() {
		defer close(ended)
		runtime.LockOSThread() // see Server.try
		defer runtime.UnlockOSThread()
		bind(cmd)
		err := cmd.Start()
		started <- err
		if err == nil {
			_ = cmd.Wait() // it is killed
		}
	}()
	if err := <-started; err != nil {
		g.t.Fatal(err)
	}
	g.t.Cleanup(func() {
		_ = cmd.Process.Kill() // it may have ended
		<-ended
	})
	client := redis.NewSentinelClient(&redis.Options{Addr: address, DisableIdentity: true})
	defer client.Close() //nolint:errcheck // it was only asked
	for began := time.Now(); time.Since(began) < time.Minute; time.Sleep(5 * time.Millisecond) {
		select {
		case <-ended: // somebody else has taken the port meanwhile
			return false
		default:
		}
		if client.Ping(context.Background()).Err() == nil {
			return true
		}
	}
	return false
}

func (g *Group) until(what string, so func() bool) {
	g.t.Helper()
	for began := time.Now(); !so(); time.Sleep(20 * time.Millisecond) {
		if time.Since(began) > 2*time.Minute {
			g.t.Fatalf("it never came that %s", what)
		}
	}
}

// Primary returns the server that Sentinel says is the primary.
func (g *Group) Primary() *Server {
	at, err := g.client.GetMasterAddrByName(context.Background(), "moot").Result()
	if err != nil || len(at) != 2 {
		return nil
	}
	for _, s := range g.Servers {
		if s.Address == net.JoinHostPort(at[0], at[1]) {
			return s
		}
	}
	return nil
}

// Other waits until Sentinel has made another server than this one the primary.
func (g *Group) Other(than *Server) {
	g.t.Helper()
	g.until("another server is the primary", func() bool {
		p := g.Primary()
		return p != nil && p != than && strings.Contains(p.Info(context.Background(), "replication").Val(), "role:master")
	})
}

// Settled waits until both others follow the primary, and the Sentinels know one another.
func (g *Group) Settled() {
	g.t.Helper()
	g.until("both others follow the primary", func() bool {
		p := g.Primary()
		if p == nil || strings.Count(p.Info(context.Background(), "replication").Val(), "state=online") != 2 {
			return false
		}
		m, err := g.client.Master(context.Background(), "moot").Result()
		return err == nil && m["flags"] == "master" && m["num-other-sentinels"] == "2" && m["num-slaves"] == "2"
	})
}
