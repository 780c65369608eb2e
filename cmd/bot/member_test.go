package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"testing"
	"time"

	"moot/cluster/channel"
	"moot/cluster/redistest"
	"moot/internal/effort"
)

// mewld is a double of it: it starts clusters as that does, and hears what they say.
type mewld struct {
	*nodesBot
	redis *redistest.Server
	heard chan channel.Message
}

func newMewld(t *testing.T, nodes ...string) *mewld {
	b := newNodesBot(t, nodes...)
	m := &mewld{nodesBot: b, redis: redistest.Start(t), heard: make(chan channel.Message, 1000)}
	sub := m.redis.Subscribe(t.Context(), "town")
	if _, err := sub.Receive(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = sub.Close() })
	go func() {
		for text := range sub.Channel() {
			var got channel.Message
			if json.Unmarshal([]byte(text.Payload), &got) == nil && got.Scope == "launcher" {
				m.heard <- got
			}
		}
	}()
	return m
}

// args are the arguments of a cluster with two of four shards.
func (m *mewld) args(id int) []string {
	return []string{fmt.Sprintf("[%d, %d]", 2*id, 2*id+1), "4", fmt.Sprint(id), "Pika", "0", m.dir}
}

func (m *mewld) env(cmd *exec.Cmd) *exec.Cmd {
	cmd.Env = append(cmd.Env, "MTOKEN="+m.srv.Token, "MEWLD_CHANNEL=town", "REDIS_URL="+m.redis.Address, "DISCORD_TOKEN=of-another-bot")
	return cmd
}

// launch starts a cluster.
func (m *mewld) launch(id int) *nodeProcess {
	m.Helper()
	return m.beginCommand(m.env(m.command(m.args(id)...)))
}

// says waits for what a cluster says.
func (m *mewld) says(action string) channel.Message {
	m.Helper()
	select {
	case got := <-m.heard:
		if got.Action != action {
			m.Errorf("a cluster says %s where %s is awaited: %s", got.Action, action, got.Output)
		}
		return got
	case <-time.After(time.Minute):
		m.Fatalf("no cluster says %s", action)
		return channel.Message{}
	}
}

func (m *mewld) launched(id int) {
	m.Helper()
	if d := m.says("action_logs").Data; d["event"] != "shards_launched" || d["cluster"] != float64(id) || d["from"] != float64(2*id) || d["to"] != float64(2*id+1) {
		m.Errorf("the action log gets %v", d)
	}
	if got, ok := m.says("launch_next").ID(); !ok || got != id {
		m.Errorf("launch_next is said of %d", got)
	}
}

func (m *mewld) publish(v any) {
	m.Helper()
	text, err := json.Marshal(v)
	if err == nil {
		err = m.redis.Publish(m.T.Context(), "town", text).Err()
	}
	if err != nil {
		m.Fatal(err)
	}
}

// TestUnderMewld is moot as clusters of a mewld that does what mewld does.
func TestUnderMewld(t *testing.T) {
	effort.Slow(t)
	m := newMewld(t)
	writer := m.begin()
	zero := m.launch(0)
	m.launched(0)
	one := m.launch(1)
	m.launched(1)
	allLaunched := func() { m.publish(map[string]any{"scope": "bot", "action": "all_clusters_launched", "output": ""}) }
	allLaunched()
	for _, town := range m.towns {
		town.ready()
	}
	m.talk(5)
	m.answered("by clusters", 0, 1)

	m.publish(channel.Ping{ID: 7, Nonce: "of-another", Diag: true})
	m.publish(map[string]any{"scope": "bot", "action": "_eval", "args": map[string]any{"code": "exit(0)"}})
	m.publish(channel.Ping{ID: 1, Nonce: "mine", Diag: true})
	a, err := m.says("diag").Answer()
	if err != nil || a.Nonce != "mine" || len(a.Data) != 2 || !a.Data[0].Up || !a.Data[1].Up || a.Data[0].ShardID != 2 {
		t.Errorf("a ping is answered by %+v, %v", a, err)
	}
	if guilds, users := a.Data[0].Guilds+a.Data[1].Guilds, a.Data[0].Users+a.Data[1].Users; guilds == 0 || users < 6 {
		t.Errorf("it has %d servers and %d users", guilds, users)
	}

	// What mewld says again, and what others have said too late, is nothing to a cluster.
	late := func() {
		m.publish(map[string]any{"scope": "launcher", "action": "diag", "output": `{"Nonce":"long over","Data":[{"shard_id":0,"up":true}]}`})
		if a, err := m.says("diag").Answer(); err != nil || a.Nonce != "long over" {
			t.Errorf("instead of what was said too late there is %+v, %v", a, err)
		}
	}
	asked := func(id int, nonce string) {
		m.publish(channel.Ping{ID: id, Nonce: nonce, Diag: true})
		if a, err := m.says("diag").Answer(); err != nil || a.Nonce != nonce {
			t.Errorf("ping %s is answered by %+v, %v", nonce, a, err)
		}
	}
	allLaunched()
	late()
	asked(0, "after what was late")
	late()

	// mewld starts a cluster twice: the second process waits, answers nothing, and goes on with the sessions when the first is killed.
	doubled := m.launch(0)
	m.srv.Until("the second waits", func() bool { return strings.Contains(doubled.log.String(), "another process has") })
	m.talk(5)
	m.answered("with a doubled process", 0, 1)
	asked(0, "of two")
	asked(1, "beside two")
	allLaunched()
	connections := m.srv.Connections()
	zero.kill()
	m.talk(5)
	m.answered("after a kill", 0, 1)
	m.launched(0)
	allLaunched() // as after each start
	late()
	asked(0, "of the second")
	if n := m.srv.Connections(); n != connections+2 {
		t.Errorf("two shards connected %d times", n-connections)
	}
	if n := m.srv.Identified(); n != nodesShards {
		t.Errorf("%d identifies were sent for %d shards", n, nodesShards)
	}

	// Its launcher dies: it does not live on.
	m.ends(doubled)
	shell := m.env(m.command())
	shell.Path, shell.Args = "/bin/sh", append([]string{"sh", "-c", `"$0" "$@" & wait`, testBot(t)}, m.args(0)...)
	launcher := m.beginCommand(shell)
	m.launched(0)
	m.online(nodesShards)
	began := time.Now()
	launcher.kill()
	m.online(2)
	t.Logf("it ended %s after its launcher", time.Since(began).Round(time.Millisecond))
	m.ends(one)
	m.ends(writer)

	// What would end in the same way every time stays down: 0 is how mewld is told so.
	for _, args := range [][]string{{"[0, 1]", "4", "0"}, {"[4]", "4", "0", "Pika", "0", m.dir}} {
		out, err := m.env(m.command(args...)).CombinedOutput()
		if err != nil || !strings.Contains(string(out), "stays down") {
			t.Errorf("%q: %v\n%s", args, err, out)
		}
	}
	m.redis.Kill()
	out, err := m.env(m.command(m.args(0)...)).CombinedOutput()
	if code := exitCode(err); code <= 0 || code == exitPerson {
		t.Errorf("without Redis, which may come back, it ends with %d\n%s", code, out)
	}
	if got := len(m.heard); got > 0 {
		t.Errorf("clusters have said %d things more", got)
	}
	m.run("verify")
}

// TestUnderMewldWithoutWriter: cluster 0 is the writer, under the lease of its number. The others dial it.
func TestUnderMewldWithoutWriter(t *testing.T) {
	effort.Slow(t)
	m := newMewld(t, `writer = "cluster"`)
	zero := m.launch(0)
	m.launched(0)
	one := m.launch(1)
	m.launched(1)
	for _, town := range m.towns {
		town.ready()
	}
	m.talk(5)
	m.answered("by clusters of which one has the data", 0, 1)

	// A doubled one waits, and takes up both the data and the sessions when the first is killed. The other keeps its connections meanwhile.
	doubled := m.launch(0)
	m.talk(5)
	m.answered("with a doubled process", 0, 1)
	connections := m.srv.Connections()
	m.talk(5)
	zero.kill()
	m.talk(5)
	m.launched(0)
	m.answered("after a kill", 0, 1)
	if n := m.srv.Connections(); n != connections+2 {
		t.Errorf("two shards connected %d times", n-connections)
	}

	// It ends in good order, and is started again: nothing is lost on the way.
	m.ends(doubled)
	m.talk(5)
	zero = m.launch(0)
	m.launched(0)
	m.answered("after a restart", 0, 1)
	m.ends(one)
	m.ends(zero)
	if n := m.srv.Identified(); n != nodesShards {
		t.Errorf("%d identifies were sent for %d shards", n, nodesShards)
	}
	if got := len(m.heard); got > 0 {
		t.Errorf("clusters have said %d things more", got)
	}
	m.run("verify")
}

func exitCode(err error) int {
	if ended := (*exec.ExitError)(nil); errors.As(err, &ended) {
		return ended.ExitCode()
	}
	return 0
}
