package main

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"moot/internal/effort"
	"moot/protocol"
	"moot/protocol/matrix/matrixtest"
	"moot/store"
)

// TestAClockThatLeapsAhead: the clock of the machine is three years ahead of a bot's last commit and of its homeserver, as
// after a bad battery. The process waits, takes the store nowhere, and says why; started with a right clock it does its work.
//
// The clock of a process cannot be set, so that of all others is: what counts is only how they differ.
func TestAClockThatLeapsAhead(t *testing.T) {
	effort.Slow(t)
	t.Parallel()
	const ahead = (3*365*24 + 2) * time.Hour
	home := matrixtest.New()
	t.Cleanup(home.Close)
	self, ann := home.Account("moot", "Moot"), home.Account("ann", "Ann")
	room := home.Create(ann, "Lab", nil)
	home.Member(room, ann, self, "invite", nil)
	var off atomic.Int64
	off.Store(int64(ahead))
	dated := datedProxy(t, home.URL, &off)

	dir := t.TempDir()
	data, config := filepath.Join(dir, "data"), filepath.Join(dir, "config.toml")
	text := fmt.Sprintf("data = %q\n[matrix]\nuser = %q\nhomeserver = %q\naccess_token = { env = \"MOOT_TOKEN\" }\n", data, self, dated)
	if err := joined(os.Mkdir(data, 0o700), os.WriteFile(config, []byte(text), 0o600)); err != nil {
		t.Fatal(err)
	}
	before := time.Now().Add(-ahead - time.Hour)
	if err := commitAt(filepath.Join(data, "moot.db"), before); err != nil {
		t.Fatal(err)
	}

	bin := failpointBot(t)
	command := func(args ...string) *exec.Cmd {
		cmd := exec.Command(bin, append(args, "--config", config)...)
		cmd.Env = append(os.Environ(), "MOOT_TOKEN=token-moot")
		return cmd
	}
	start := func() (*exec.Cmd, *watchedLog) {
		bot, said := command(), &watchedLog{}
		bot.Stdout, bot.Stderr = said, said
		if err := bot.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			_ = bot.Process.Kill()
			_ = bot.Wait()
		})
		return bot, said
	}
	bot, said := start()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := said.await(ctx, "by the time of the network it is 3 years", 1); err != nil {
		t.Fatalf("it does not see that the clock is ahead: %v\n%s", err, said)
	}
	for _, args := range [][]string{{"check"}, {"clock"}} {
		cmd := command(args...)
		out, _ := cmd.CombinedOutput()
		if code := cmd.ProcessState.ExitCode(); code != exitFailed || !strings.Contains(string(out), "3 years ahead of the time of the network") {
			t.Errorf("bot %s ends with %d:\n%s", args[0], code, out)
		}
	}
	if home.Membership(room, self) == "join" {
		t.Error("it joined a room while the clock was wrong")
	}

	// It can be stopped meanwhile, and once the clock is set right it starts as if nothing had been.
	_ = bot.Process.Signal(syscall.SIGTERM)
	if _ = bot.Wait(); bot.ProcessState.ExitCode() != exitFailed || !strings.Contains(said.String(), "Set the clock of this machine") {
		t.Errorf("%v\n%s", bot.ProcessState, said)
	}
	off.Store(0)
	bot, said = start()
	if !soon(func() bool { return home.Membership(room, self) == "join" }) {
		t.Fatalf("it does not join:\n%s", said)
	}
	asked := home.Say(room, ann, "!moot ping")
	if !soon(func() bool {
		for _, ev := range home.Timeline(room) {
			relates, _ := ev.Content["m.relates_to"].(map[string]any)
			to, _ := relates["m.in_reply_to"].(map[string]any)
			if to["event_id"] == asked {
				return true
			}
		}
		return false
	}) {
		t.Errorf("it does not answer:\n%s", said)
	}
	_ = bot.Process.Signal(syscall.SIGTERM)
	if err := bot.Wait(); err != nil {
		t.Errorf("%v\n%s", err, said)
	}
}

// datedProxy is a server before another whose clock is behind by as much as off says.
func datedProxy(t *testing.T, to string, off *atomic.Int64) string {
	t.Helper()
	at, err := url.Parse(to)
	if err != nil {
		t.Fatal(err)
	}
	proxy := httputil.NewSingleHostReverseProxy(at)
	proxy.ModifyResponse = func(resp *http.Response) error {
		resp.Header.Set("Date", time.Now().Add(-time.Duration(off.Load())).UTC().Format(http.TimeFormat))
		return nil
	}
	s := httptest.NewServer(proxy)
	t.Cleanup(s.Close)
	return s.URL
}

// commitAt makes a commit at a time that is not now.
func commitAt(path string, at time.Time) error {
	st, err := store.Open(store.Config{Path: path})
	if err != nil {
		return err
	}
	return joined(st.Commit(at, func(c *store.Commit) error {
		return c.Run("", protocol.Ref{}, func(tx *store.Tx) error {
			tx.Put(store.SharedBucket("test"), "at", nil)
			return nil
		})
	}), st.Close())
}
