//go:build unix

package main

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"moot/internal/effort"
)

// TestNodesFindTheNextWriter: the writer of two nodes is on two machines. Where the one that leads is killed, stopped or frozen, the nodes
// keep their connections to Discord and hand on to the other one: nothing is lost or doubled, and no session begun or resumed.
func TestNodesFindTheNextWriter(t *testing.T) {
	effort.Slow(t)
	rounds := effort.Of(3, 6, 60)
	e := engines["redis"](t)
	b := newNodesBot(t, "[replica]", `url = { env = "MOOT_REPLICA" }`, `node = "left"`)
	b.env = []string{"MOOT_REPLICA=" + e.url, leaseVariable + "=" + lease.String()}
	text, err := os.ReadFile(filepath.Join(b.dir, "config.toml"))
	if err != nil {
		t.Fatal(err)
	}
	right := &discordBot{T: t, srv: b.srv, dir: t.TempDir(), env: b.env}
	own := strings.Replace(string(text), `node = "left"`, `node = "right"`, 1)
	if err := os.WriteFile(filepath.Join(right.dir, "config.toml"), []byte(own), 0o600); err != nil {
		t.Fatal(err)
	}
	machines := []*discordBot{b.discordBot, right}
	connect := fmt.Sprintf("unix:%s,unix:%s", filepath.Join(b.dir, "nodes.sock"), filepath.Join(right.dir, "nodes.sock"))
	nodes := []*nodeProcess{
		b.begin("node", "--shards", "0-1/4", "--connect", connect), b.begin("node", "--shards", "2,3/4", "--connect", connect),
	}
	stands := func(m *discordBot) {
		t.Helper()
		b.srv.Until("a machine stands by", func() bool {
			status, err := runningClient(filepath.Join(m.dir, "data")).Status(t.Context())
			return err == nil && status.Standby
		})
	}
	leads := b.begin()
	b.online(nodesShards)
	waits := b.beginCommand(right.command())
	stands(right)
	for _, town := range b.towns {
		town.ready()
	}
	b.talk(5)
	b.answered("at first", 0, 1)
	connections := b.srv.Connections()
	for n := range rounds {
		kind := []string{"killed", "frozen", "stopped"}[n%3]
		b.talk(5)
		began := time.Now()
		switch kind {
		case "killed":
			leads.kill()
		case "stopped":
			b.ends(leads)
		default:
			if err := leads.cmd.Process.Signal(syscall.SIGSTOP); err != nil {
				t.Fatal(err)
			}
		}
		b.talk(5)
		b.answered("after the leader was "+kind, 0, 1)
		t.Logf("%s: the other machine has answered all after %s", kind, time.Since(began).Round(time.Millisecond))
		old := machines[0]
		machines[0], machines[1] = machines[1], old
		if kind == "frozen" {
			if err := leads.cmd.Process.Signal(syscall.SIGCONT); err != nil {
				t.Fatal(err)
			}
			leads, waits = waits, leads
		} else {
			leads, waits = waits, b.beginCommand(old.command())
		}
		stands(old)
	}
	if n := b.srv.Connections(); n != connections {
		t.Errorf("nodes connected to Discord %d times anew", n-connections)
	}
	if n := b.srv.Identified(); n != nodesShards {
		t.Errorf("%d identifies were sent for %d shards", n, nodesShards)
	}
	b.ends(waits)
	for _, p := range nodes {
		b.ends(p)
	}
	b.ends(leads)
}

// TestAStandbyIsWatched: it says how it stands by, and shows the page, on which nothing can be changed.
func TestAStandbyIsWatched(t *testing.T) {
	effort.Slow(t)
	p := newPair(t, engines["redis"](t))
	path := filepath.Join(p.standby.dir, "config.toml")
	p.standby.stop()
	text, err := os.ReadFile(path)
	if err == nil { // on a port, and with the page
		text = bytes.Replace(text, []byte(`"unix:watch"`), []byte("\"127.0.0.1:0\"\npage = true"), 1)
		err = os.WriteFile(path, text, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	p.standby.launch()
	p.standsBy()
	link, err := url.Parse(strings.TrimSpace(p.standby.run("web")))
	if err != nil {
		t.Fatal(err)
	}
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	client := &http.Client{Jar: jar}
	read := func(resp *http.Response, err error) string {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		text, err := io.ReadAll(resp.Body)
		if err != nil || resp.StatusCode != http.StatusOK {
			t.Errorf("%s: %s, %v", resp.Status, text, err)
		}
		return string(text)
	}
	base := "http://" + link.Host
	p.expect("/livez", read(client.Get(base+"/livez")), "ok")
	p.expect("/readyz", read(client.Get(base+"/readyz")), `{"check":"standby","ok":true,"text":"left leads, and this machine is `, `"check":"disk"`)
	p.expect("/metrics", read(client.Get(base+"/metrics")), "moot_standby 1", "moot_standby_behind ", "moot_votes_open 2")
	p.expect("the page", read(client.PostForm(base+"/login", link.Query())), "This machine stands by, and left leads", "2 open")
}
