//go:build unix

package main

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"moot/cluster/redistest"
	"moot/internal/effort"
	"moot/protocol/discord/discordtest"
	"moot/replica/postgres/postgrestest"
)

// TestAServerThatRefusesEndsTheStart with 78 and a sentence that says what to change: to start again is of no use. One that is not there is
// waited for.
func TestAServerThatRefusesEndsTheStart(t *testing.T) {
	effort.Slow(t)
	t.Parallel()
	redis, postgres := redistest.Start(t, "--appendonly", "yes"), postgrestest.Start(t)
	srv := discordtest.New(t)
	for url, part := range map[string]string{
		"redis://:secret@" + redis.Address + "/99":                             "number of a database",
		"redis://nobody:secret@" + redis.Address:                               "user and the password",
		strings.Replace(postgres.URL, "/postgres?", "/missing?", 1):            "make the database",
		strings.Replace(postgres.URL, "sslmode=disable", "sslmode=require", 1): "ssl = on",
	} {
		b := &discordBot{T: t, srv: srv, dir: t.TempDir(), env: []string{"MOOT_REPLICA=" + url}}
		b.configure("[replica]", `url = { env = "MOOT_REPLICA" }`)
		cmd := b.command("run")
		timer := time.AfterFunc(time.Minute, func() { _ = cmd.Process.Kill() })
		out, err := cmd.CombinedOutput()
		timer.Stop()
		exit := (*exec.ExitError)(nil)
		if !errors.As(err, &exit) || exit.ExitCode() != exitPerson || !strings.Contains(string(out), part) || strings.Contains(string(out), "secret") {
			t.Errorf("%s: %v\n%s", url, err, out)
		}
		out, _ = b.command("check").CombinedOutput() // it fails: there is more to find fault with
		if !strings.Contains(strings.Join(strings.Fields(string(out)), " "), part) {
			t.Errorf("moot check of %s:\n%s", url, out)
		}
	}
}

// TestAPasswordIsChanged on the server before it is in the file: the machine that leads, and the one that stands by, wait, say why once,
// and go on.
func TestAPasswordIsChanged(t *testing.T) {
	effort.Slow(t)
	server := redistest.Start(t, "--appendonly", "yes", "--appendfsync", "always")
	set := func(args ...any) {
		t.Helper()
		if err := server.Do(t.Context(), args...).Err(); err != nil {
			t.Fatal(err)
		}
	}
	set("ACL", "SETUSER", "moot", "on", ">old", "~*", "+@all")
	p := newPair(t, engine{url: "redis://moot:old@" + server.Address})
	p.asks()
	p.allAnswered()
	set("ACL", "SETUSER", "moot", "resetpass", ">new")
	set("CLIENT", "KILL", "USER", "moot")
	p.away = true
	p.srv.Until("nobody leads", func() bool { return p.srv.Online() == 0 })
	p.something()
	time.Sleep(3 * time.Second) // in which each would have given up
	set("ACL", "SETUSER", "moot", ">old")
	p.srv.Until("one leads again", func() bool { return p.srv.Online() > 0 })
	p.away = false
	p.allAnswered()
	p.noneTwice()
	p.discordBot.stop()
	p.standby.stop()
	for name, log := range map[string]string{"the first": p.log.String(), "the other": p.standby.log.String()} {
		if n := strings.Count(log, "WRONGPASS"); n < 1 || n > 3 {
			t.Errorf("%s says %d times why it waits", name, n)
		}
	}
}

// TestTwoOnOneFolder: while a machine has no database yet, or takes another one, its folder is in use too.
func TestTwoOnOneFolder(t *testing.T) {
	effort.Slow(t)
	server := redistest.Start(t, "--appendonly", "yes")
	server.Kill() // the first waits for it
	b := newDiscordBot(t, "[replica]", `url = { env = "MOOT_REPLICA" }`, "[store]", `lock_timeout = "200ms"`)
	b.env = []string{"MOOT_REPLICA=redis://" + server.Address}
	b.launch()
	for began := time.Now(); ; time.Sleep(10 * time.Millisecond) {
		if _, err := os.Stat(filepath.Join(b.dir, "data", lockName)); err == nil {
			break
		} else if time.Since(began) > time.Minute {
			t.Fatal("the first does not take the folder")
		}
	}
	second := b.command("run")
	timer := time.AfterFunc(time.Minute, func() { _ = second.Process.Kill() })
	out, err := second.CombinedOutput()
	timer.Stop()
	exit := (*exec.ExitError)(nil)
	if !errors.As(err, &exit) || exit.ExitCode() != exitFailed || !strings.Contains(string(out), "in use by another process") {
		t.Errorf("%v\n%s", err, out)
	}
	if _, err := os.Stat(filepath.Join(b.dir, "data", "moot.db")); err == nil {
		t.Error("it has made a database")
	}
}
