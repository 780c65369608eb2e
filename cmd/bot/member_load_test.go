package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"moot/internal/effort"
	"moot/protocol/discord/discordtest"
)

// TestLaunchNext: a cluster of 16 shards says so within 100 ms of the moment at which the last of them was told that it is ready.
func TestLaunchNext(t *testing.T) {
	effort.Slow(t)
	const shards = 16
	m := newMewld(t)
	m.srv.Set(func(s *discordtest.Server) { s.MaxConcurrency = shards })
	m.begin()
	var took []time.Duration
	for range 3 { // the fastest says nothing of how busy the machine is
		p := m.beginCommand(m.env(m.command(shardList(shards), fmt.Sprint(shards), "0", "Pika", "0", m.dir)))
		m.says("action_logs")
		m.says("launch_next")
		took = append(took, time.Since(m.srv.LastReady()))
		m.online(shards)
		m.srv.Forget() // so that the next one begins its sessions anew
		p.kill()
		m.online(0)
	}
	if n := m.srv.Identified(); n < 3*shards {
		t.Errorf("%d identifies were sent in three launches of %d shards", n, shards)
	}
	t.Logf("launch_next is said %v after the last READY", took)
	for _, one := range took {
		if one <= 100*time.Millisecond {
			return
		}
	}
	t.Errorf("the fastest of %v is slower than 100 ms", took)
}

// launcher runs moot cluster with four clusters of moot, and a writer beside them.
type launcher struct {
	*mewld
	process *nodeProcess
	link    string // of the program, by which testscript.Main knows what to be
}

func newLauncher(t *testing.T) *launcher {
	l := &launcher{mewld: newMewld(t)}
	l.link = filepath.Join(l.dir, "bot")
	if err := os.Symlink(l.command().Path, l.link); err != nil {
		t.Fatal(err)
	}
	// The launcher asks as mewld does, without a version.
	at, err := url.Parse(l.srv.APIURL())
	if err != nil {
		t.Fatal(err)
	}
	proxy := httptest.NewServer(&httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(at)
		r.Out.URL.Path = at.Path + strings.TrimPrefix(r.In.URL.Path, "/api")
	}})
	t.Cleanup(func() {
		http.DefaultTransport.(*http.Transport).CloseIdleConnections()
		proxy.Close()
	})
	config := fmt.Sprintf("override_dir: %s\nmodule: %s\nredis: %s\nredis_channel: town\nper_cluster: 1\nfixed_shard_count: %d\nproxy: %s\ncluster_start_next_delay: 0\nmoot: {grace: 20, listen: \"\"}\n",
		l.dir, l.link, l.redis.Address, nodesShards, proxy.URL)
	if err := os.WriteFile(filepath.Join(l.dir, "config.yaml"), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := l.command("cluster", "-c", "config.yaml")
	cmd.Env = append(cmd.Env, "MTOKEN="+l.srv.Token)
	l.process = l.beginCommand(cmd)
	return l
}

// came returns how often something stands in the action log.
func (l *launcher) came(event string) (n int) {
	l.Helper()
	texts, err := l.redis.LRange(l.T.Context(), "town/actlogs", 0, -1).Result()
	if err != nil {
		l.Fatal(err)
	}
	for _, text := range texts {
		var one struct{ Event string }
		if json.Unmarshal([]byte(text), &one) == nil && one.Event == event {
			n++
		}
	}
	return n
}

func (l *launcher) awaits(event string, times int) {
	l.Helper()
	for began := time.Now(); l.came(event) < times; time.Sleep(10 * time.Millisecond) {
		if time.Since(began) > 3*time.Minute {
			l.Fatalf("%s stands in the action log %d times and not %d", event, l.came(event), times)
		}
	}
}

// TestRollingRestart: four clusters are restarted one after another under load, and of all that people write nothing is lost, nothing is
// answered twice, and no session is begun anew. Then the launcher is killed, and within a second nothing of it is left.
func TestRollingRestart(t *testing.T) {
	effort.Proof(t)
	l := newLauncher(t)
	rate := 100
	if effort.Long() {
		rate = 500
	}
	writer := l.begin()
	l.awaits("shards_launched", 4)
	l.online(nodesShards)
	for _, town := range l.towns {
		town.ready()
	}
	f := l.flow(rate)
	connections := l.srv.Connections()
	began := time.Now()
	l.publish(map[string]any{"scope": "launcher", "action": "rollingrestart", "command_id": "roll"})
	l.awaits("rolling_restart_success", 1)
	t.Logf("four clusters are restarted after %s", time.Since(began).Round(time.Millisecond))
	f.end("while clusters were restarted")
	if n := l.srv.Connections() - connections; n != nodesShards {
		t.Errorf("four shards connected %d times", n)
	}
	l.sameSessions()

	began = time.Now()
	l.process.kill()
	l.online(0)
	took := time.Since(began)
	t.Logf("no cluster is left %s after its launcher", took.Round(time.Millisecond))
	if trivial := l.trivial(); took > max(time.Second, 10*trivial) {
		t.Errorf("clusters live on for %s", took)
	}
	l.ends(writer)
	l.run("verify")
	f.kept()
}
