package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"moot/cluster/channel"
)

// itself is mewld as it is, which starts moot as clusters.
type itself struct {
	*mewld
	diags map[int]int // by cluster: the pings that were answered
}

// await waits until a cluster says that it is launched. It counts the answers to pings on the way.
func (m *itself) await(id int) {
	m.Helper()
	for end := time.After(2 * time.Minute); ; {
		select {
		case got := <-m.heard:
			if m.note(got); got.Action != "launch_next" {
				continue
			}
			if n, ok := got.ID(); ok && n == id {
				return
			}
		case <-end:
			m.Fatalf("cluster %d is not launched", id)
		}
	}
}

func (m *itself) note(got channel.Message) {
	if got.Action != "diag" {
		return
	}
	a, err := got.Answer()
	if err != nil || len(a.Data) != 2 {
		m.Errorf("a ping is answered by %+v, %v", a, err)
		return
	}
	m.diags[a.Data[0].ShardID/2]++
}

// children are the processes that a process has started and that run, by the number of their cluster.
func (m *itself) children(pid int) map[int]int {
	m.Helper()
	tasks, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	if err != nil {
		m.Fatal(err)
	}
	byID := map[int]int{}
	for _, path := range tasks {
		list, _ := os.ReadFile(path) // a thread may have ended
		for _, child := range strings.Fields(string(list)) {
			args, _ := os.ReadFile("/proc/" + child + "/cmdline")
			if all := strings.Split(string(args), "\x00"); len(all) > 3 {
				id, _ := strconv.Atoi(all[3])
				byID[id], _ = strconv.Atoi(child)
			}
		}
	}
	return byID
}

// TestUnderMewldItself is moot under a mewld that MOOT_MEWLD names: its program, built from its own repository. It answers the pings, is
// started again when it is killed, and in a rolling restart, without a new session at Discord, and ends with it.
func TestUnderMewldItself(t *testing.T) {
	program := os.Getenv("MOOT_MEWLD")
	if program == "" {
		t.Skip("MOOT_MEWLD names no program of mewld; the double of it is in TestUnderMewld")
	}
	m := &itself{newMewld(t), map[int]int{}}
	writer := m.begin()
	discord := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/api/gateway/bot" {
			fmt.Fprint(w, `{"url":"wss://gateway.discord.gg","shards":9,"session_start_limit":{"total":1000,"remaining":999,"reset_after":0,"max_concurrency":4}}`)
		}
	}))
	t.Cleanup(discord.Close)
	bot := filepath.Join(m.dir, "bot") // by which testscript.Main knows what to be
	if err := os.Symlink(m.command().Path, bot); err != nil {
		t.Fatal(err)
	}
	config := filepath.Join(m.dir, "config.yaml")
	err := os.WriteFile(config, []byte(fmt.Sprintf(`override_dir: %s
names: [Pika, Eevee, Bulbasaur, Squirtle, Blastoise, Lugia]
module: %s
redis: %s
redis_channel: town
allowed_ids: ["1"]
ping_interval: 5
ping_timeout: 30
cluster_start_next_delay: 1
per_cluster: 2
fixed_shard_count: 4
use_custom_webui: true # or it listens on all addresses
proxy: %s
`, m.dir, bot, m.redis.Address, discord.URL)), 0o600)
	if err != nil {
		t.Fatal(err)
	}
	cmd := m.env(m.command())
	cmd.Path, cmd.Args = program, []string{"mewld", "--cfg-file", config}
	launcher := m.beginCommand(cmd)
	m.await(0)
	m.await(1)
	m.online(nodesShards)
	for _, town := range m.towns {
		town.ready()
	}
	m.talk(5)
	m.answered("by clusters of mewld", 0, 1)
	for end := time.After(time.Minute); m.diags[0] == 0 || m.diags[1] == 0; {
		select {
		case got := <-m.heard:
			m.note(got)
		case <-end:
			t.Fatalf("of its pings %v were answered", m.diags)
		}
	}

	killed := m.children(launcher.cmd.Process.Pid)[1]
	if killed == 0 {
		t.Fatal("there is no cluster 1")
	}
	if err := syscall.Kill(killed, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	m.talk(5)
	m.await(1)
	m.talk(5)
	m.answered("after a kill", 0, 1)

	m.publish(map[string]any{"scope": "launcher", "action": "rollingrestart", "command_id": "roll"})
	for id := range 2 {
		m.talk(5)
		m.await(id)
	}
	m.talk(5)
	m.answered("after a rolling restart", 0, 1)
	if n := m.srv.Identified(); n != nodesShards {
		t.Errorf("%d identifies were sent for %d shards", n, nodesShards)
	}
	t.Logf("pings that were answered, by cluster: %v", m.diags)

	began := time.Now()
	launcher.kill()
	m.online(0)
	t.Logf("clusters ended %s after mewld", time.Since(began).Round(time.Millisecond))
	m.ends(writer)
	m.run("verify")
}
