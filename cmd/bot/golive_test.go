package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"moot/internal/effort"
	"moot/protocol"
	"moot/protocol/discord/discordtest"
	"moot/protocol/matrix/matrixtest"
	"moot/store"
)

// TestTryThenGoLive follows README: votes are tried in the console, whose clock is moved by days for that; then Discord and
// Matrix are switched on, in the same folder. There limits refill and a poll closes as if nothing had been.
func TestTryThenGoLive(t *testing.T) {
	if !effort.Long() {
		t.Skip("a poll runs for a minute: .ci/run runs it, with MOOT_LONG")
	}
	b := newDiscordBot(t)
	home := matrixtest.New()
	t.Cleanup(home.Close)
	self, ann := home.Account("moot", "Moot"), home.Account("ann", "Ann")
	room := home.Create(ann, "Lab", nil)
	home.Member(room, ann, self, "invite", nil)

	config := filepath.Join(b.dir, "config.toml")
	if err := os.Remove(config); err != nil {
		t.Fatal(err)
	}
	try := b.command()
	try.Stdin = strings.NewReader("!moot vote motion tea\n/wait 8d\n!moot ping\n/quit\n")
	out, err := try.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "pong") {
		t.Fatalf("the console: %v\n%s", err, out)
	}

	b.env = []string{"MOOT_TOKEN=token-moot"}
	b.configure(fmt.Sprintf("[matrix]\nuser = %q\nhomeserver = %q\naccess_token = { env = \"MOOT_TOKEN\" }\n[commands]\nrate_burst = 3\nrate_every = \"300ms\"", self, home.URL))
	town := b.settle("Lab")
	b.start()
	town.ready()
	opened := time.Now()
	town.ben.Slash(town.general, "vote poll", discordtest.Options{"question": "Tea?", "option": "now", "option-2": "later", "for": "1m"}).Reply()
	b.shows(town.ben, town.general, "a poll", "Tea?")
	for i := range 10 {
		b.expect(fmt.Sprint("ping ", i+1), town.cem.Slash(town.general, "ping", nil).Reply().Content, "pong")
		asked := home.Say(room, ann, "!moot ping")
		for answered := false; !answered; {
			for _, ev := range home.Timeline(room) {
				relates, _ := ev.Content["m.relates_to"].(map[string]any)
				to, _ := relates["m.in_reply_to"].(map[string]any)
				answered = answered || to["event_id"] == asked && ev.Content["body"] == "pong"
			}
			if time.Since(opened) > time.Minute {
				t.Fatalf("ping %d on Matrix is not answered", i+1)
			}
			home.Polled(self, t.Context().Done())
		}
		time.Sleep(350 * time.Millisecond) // people do not type faster
	}
	check := b.command("check")
	check.Env = append(check.Env, b.env...)
	if out, err := check.Output(); err != nil || !strings.Contains(string(out), "right, according to the network") {
		t.Errorf("moot check: %v\n%s", err, out)
	}
	b.srv.Patience = 2 * time.Minute
	b.shows(town.ben, town.general, "Vote 1", "has closed")
	if took := time.Since(opened); took < 59*time.Second || took > 2*time.Minute {
		t.Errorf("a poll of a minute closed after %s", took)
	}
	b.stop()

	// A folder that the console was given by name is as well kept from the networks, and time is not moved beside them.
	for _, c := range []struct{ args, words string }{
		{"--data " + filepath.Join("data", "console"), "the console's clock was moved"},
		{"--clock 2026-11-21T08:00:00Z", "--clock is for the console alone"},
	} {
		refused := b.command(append([]string{"run"}, strings.Fields(c.args)...)...)
		refused.Env = append(refused.Env, b.env...)
		if out, err := refused.CombinedOutput(); err == nil || !strings.Contains(string(out), c.words) {
			t.Errorf("%s: %v\n%s", c.args, err, out)
		}
	}
	beside := b.command("--console")
	beside.Env, beside.Stdin = append(beside.Env, b.env...), strings.NewReader("/wait 8d\n")
	said := &watchedLog{} // the networks go on where the console has ended
	beside.Stdout, beside.Stderr = said, said
	if err := beside.Start(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := said.await(ctx, "time cannot be moved here", 1); err != nil {
		t.Errorf("/wait beside networks: %v\n%s", err, said.String())
	}
	_ = beside.Process.Signal(syscall.SIGTERM)
	_ = beside.Wait()
}

// TestClockReset: a bot that has followed a clock three hours ahead does not start, says so in check, and does its work again
// once it was turned back.
func TestClockReset(t *testing.T) {
	b := newDiscordBot(t)
	town := b.settle("Lab")
	b.start()
	town.ready()
	b.expect("before", town.ben.Slash(town.general, "ping", nil).Reply().Content, "pong")
	b.stop()
	st, err := store.Open(store.Config{Path: filepath.Join(b.dir, "data", "moot.db")})
	if err != nil {
		t.Fatal(err)
	}
	err = st.Commit(time.Now().Add(3*time.Hour), func(c *store.Commit) error {
		return c.Run("", protocol.Ref{}, func(tx *store.Tx) error {
			tx.Put(store.SharedBucket("test"), "ahead", nil)
			return nil
		})
	})
	if err := errors.Join(err, st.Close()); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		args  []string
		code  int
		words string
	}{
		{nil, exitFailed, "The bot does not start with data: the store is ahead of the clock by 2 hours 59 minutes"},
		{[]string{"check"}, exitFailed, "the store is 2 hours 59 minutes ahead of the clock, which is right according to the network"},
		{[]string{"clock"}, exitFailed, "moot clock reset"},
		{[]string{"clock", "reset"}, exitUsage, "--yes does it"},
		{[]string{"clock", "reset", "--yes"}, exitOK, "turned back by 2 hours 59 minutes"},
		{[]string{"clock", "reset", "--yes"}, exitOK, "Nothing to do"},
		{[]string{"clock"}, exitOK, "Right, according to the network."},
	} {
		cmd := b.command(c.args...)
		out, _ := cmd.CombinedOutput()
		if code := cmd.ProcessState.ExitCode(); code != c.code || !strings.Contains(string(out), c.words) {
			t.Errorf("bot %s ends with %d:\n%s", strings.Join(c.args, " "), code, out)
		}
	}
	b.start()
	for range 3 {
		b.expect("afterwards", town.ben.Slash(town.general, "ping", nil).Reply().Content, "pong")
	}
	b.stop()
	b.run("check")
	b.run("verify")
}
