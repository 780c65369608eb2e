//go:build unix

package main

import (
	"context"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"moot/cluster/redistest"
	"moot/internal/effort"
	"moot/replica/postgres/postgrestest"
)

// pair are two machines of one bot. The town's is the one that leads.
type pair struct {
	*killedTown
	standby *discordBot
	engine  engine
}

// engine is the server of the log that they share.
type engine struct {
	url       string
	kill, run func()
}

var engines = map[string]func(t *testing.T) engine{
	"postgres": func(t *testing.T) engine {
		s := postgrestest.Start(t)
		return engine{s.URL, s.Kill, s.Run}
	},
	"redis": func(t *testing.T) engine {
		s := redistest.Start(t, "--appendonly", "yes", "--appendfsync", "always")
		return engine{"redis://" + s.Address, s.Kill, s.Run}
	},
}

// newPair makes a town in which two votes are open, and two machines that know it.
func newPair(t *testing.T, e engine) *pair {
	lines := []string{"message_content = true", "[commands]", "rate_burst = 1000", "[replica]", `url = { env = "MOOT_REPLICA" }`}
	b := newDiscordBot(t, append(lines, `node = "left"`)...)
	b.env = []string{"MOOT_REPLICA=" + e.url}
	standby := &discordBot{T: t, srv: b.srv, dir: t.TempDir(), env: b.env}
	standby.configure(append(lines, `node = "right"`, "[http]", `listen = "unix:watch"`)...)
	t.Cleanup(func() {
		standby.kill()
		if t.Failed() {
			t.Logf("the log of the other machine:\n%s", standby.log.String())
		}
	})
	p := &pair{killedTown: newKilledTownOf(b), standby: standby, engine: e}
	standby.launch()
	p.standsBy()
	return p
}

// standsBy waits until the standby follows.
func (p *pair) standsBy() {
	p.Helper()
	p.srv.Until("the standby stands by", func() bool {
		out, _ := p.standby.command("check").CombinedOutput() // it fails until there is somebody to ask
		return strings.Contains(string(out), "standing by as process")
	})
}

// takesOver has the other machine take over from one that was killed, frozen or stopped, and returns how long that took
// until it was back.
func (p *pair) takesOver(began time.Time) time.Duration {
	p.Helper()
	before := p.srv.Connections()
	p.discordBot, p.standby = p.standby, p.discordBot
	p.srv.Until("the other machine leads", func() bool { return p.srv.Online() > 0 && p.srv.Connections() > before })
	return time.Since(began)
}

// TestFailOver: the machine that leads is killed, stopped or frozen at random moments while people do everything; the other one
// goes on with the session that Discord knows. Nothing is lost or said twice, and both have the same in the end. The server
// of the log dies now and then too.
func TestFailOver(t *testing.T) {
	for name, start := range engines {
		t.Run(name, func(t *testing.T) { testFailOver(t, start(t)) })
	}
}

func testFailOver(t *testing.T, e engine) {
	effort.Slow(t)
	rounds := effort.Of(4, 8, 125)
	p := newPair(t, e)
	took := map[string][]time.Duration{}
	kinds := []string{"killed", "stopped", "frozen", "server"}
	for n := range rounds {
		for range p.r.IntN(12) {
			p.something()
			time.Sleep(time.Duration(p.r.IntN(30)) * time.Millisecond)
		}
		kind := kinds[n%len(kinds)]
		old, began := p.discordBot, time.Now()
		p.away = true
		switch kind {
		case "killed":
			old.kill()
		case "stopped":
			old.terminate()
			old.ends()
		case "frozen":
			if err := old.cmd.Process.Signal(syscall.SIGSTOP); err != nil {
				t.Fatal(err)
			}
		case "server":
			e.kill()
			p.something()
			e.run()
			p.away = false
			continue
		}
		for range p.r.IntN(12) {
			p.something()
		}
		took[kind] = append(took[kind], p.takesOver(began))
		p.away = false
		if kind == "frozen" {
			if err := old.cmd.Process.Signal(syscall.SIGCONT); err != nil {
				t.Fatal(err)
			}
		} else {
			old.launch()
		}
		p.standsBy()
	}
	p.allAnswered()
	p.noneTwice()
	p.counted()
	if n := p.srv.Identified(); n != 1 {
		t.Errorf("it identified %d times", n)
	}
	p.same()
	for kind, all := range took {
		slices.Sort(all)
		t.Logf("%s: %d times, another one leads after %v in the middle, %v at most", kind, len(all), all[len(all)/2].Round(time.Millisecond), all[len(all)-1].Round(time.Millisecond))
	}
}

// same checks that both machines have the same facts.
func (p *pair) same() {
	p.Helper()
	facts := func(b *discordBot) string { return b.run("log", "--json", "--limit", "100000") }
	var left, right string
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
		if left, right = facts(p.discordBot), facts(p.standby); left == right {
			break
		}
	}
	if left != right {
		p.Errorf("the machines have other facts:\n%d bytes and %d bytes", len(left), len(right))
	}
	p.discordBot.stop()
	p.standby.stop()
	p.standby.run("verify")
}

// TestAStandbyRefusesToWrite: it answers what can be read, and names the leader where something is to be changed.
func TestAStandbyRefusesToWrite(t *testing.T) {
	effort.Slow(t)
	p := newPair(t, engines["redis"](t))
	id := p.asks()
	p.allAnswered()
	p.srv.Until("the standby knows", func() bool {
		out, _ := p.standby.command("why", p.general.ID+"-"+id).CombinedOutput()
		return strings.Contains(string(out), "handled")
	})
	out, err := p.standby.command("dead", "drop", "1").CombinedOutput()
	if err == nil || !strings.Contains(string(out), "left, which leads") {
		t.Errorf("%v: %s", err, out)
	}
	p.expect("check", p.standby.run("check"), "left leads, in term")
	out, err = p.standby.command("backup", "--follow", t.TempDir()).CombinedOutput()
	if err == nil || !strings.Contains(string(out), "left, which leads") {
		t.Errorf("a backup that follows: %v: %s", err, out)
	}
	client := http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", filepath.Join(p.standby.dir, "watch"))
	}}}
	if resp, err := client.Post("http://localhost/hook/deploy", "text/plain", strings.NewReader("done")); err != nil || resp.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("a webhook that is posted to a standby: %+v, %v", resp, err)
	}
	p.standby.stop()
	for _, args := range [][]string{{"dead", "drop", "1"}, {"clock", "reset"}} {
		out, err := p.standby.command(args...).CombinedOutput()
		if err == nil || !strings.Contains(string(out), "replica.txt") {
			t.Errorf("moot %v: %v: %s", args, err, out)
		}
	}
	path := filepath.Join(p.standby.dir, "config.toml")
	config, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	text, _, _ := strings.Cut(string(config), "[replica]")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	run := p.standby.command("run")
	done := make(chan struct{})
	defer close(done)
	go func() {
		select {
		case <-ctx.Done():
			_ = run.Process.Kill()
		case <-done:
		}
	}()
	out, err = run.CombinedOutput()
	if err == nil || !strings.Contains(string(out), "replica.txt") {
		t.Errorf("without [replica] it runs: %v\n%s", err, out)
	}
}

// TestWhereTheLogIs: what is shown of an address has nothing of its passwords.
func TestWhereTheLogIs(t *testing.T) {
	t.Parallel()
	for address, want := range map[string]string{
		"postgres://moot:secret@db.internal/moot":                         "postgres://db.internal/moot",
		"postgres://moot:sec%40ret@db.internal:5432/moot?sslmode=require": "postgres://db.internal:5432/moot",
		"postgres://db.internal/moot?user=moot&password=sec@ret":          "postgres://…",
		"postgres://moot:a@ret@db.internal/moot":                          "postgres://db.internal/moot",
		"postgres://moot:1/a@ret@db.internal/moot":                        "postgres://…",
		"sentinel://:secret@a:1,b:2/moot?sentinel_password=x":             "sentinel://a:1,b:2/moot",
		"sentinel://a:1,b:2/moot?sentinel_password=sec@ret":               "sentinel://…",
		"redis://localhost:6379":                                          "redis://localhost:6379",
	} {
		scheme, _, _ := strings.Cut(address, "://")
		if got := withoutSecrets(scheme, address); got != want {
			t.Errorf("%s: shown as %s, want %s", address, got, want)
		}
	}
}
