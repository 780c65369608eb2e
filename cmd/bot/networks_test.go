package main

import (
	"context"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"moot/internal/effort"
	"moot/protocol/matrix/matrixtest"
)

// TestANetworkThatDiesLeavesTheOthersAlone: the whole program on Discord, Matrix and the console. One network ends, in ways
// that no patience mends; people on the two others are answered as before, `moot check` says which one is away and why, and
// the program stops well. With MOOT_LONG it is also seen to come back, for which the bot takes a minute.
func TestANetworkThatDiesLeavesTheOthersAlone(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name, network string
		die           func(*trio)
		heal          func(*trio) // nil where only a restart helps
		says          []string
	}{
		{
			name: "a Matrix login is revoked", network: "matrix", says: []string{"access token"},
			die: func(w *trio) { w.home.Revoke(w.self) },
		},
		{
			name: "a Matrix account is locked", network: "matrix", says: []string{"is locked"},
			die: func(w *trio) {
				w.home.Break("GET /_matrix/client/v3/sync", -1, matrixtest.Refusal(401, "M_USER_LOCKED"))
			},
			heal: func(w *trio) { w.home.Heal() },
		},
		{
			name: "a Matrix server refuses", network: "matrix", says: []string{"refuses"},
			die:  func(w *trio) { w.home.Break("GET /_matrix/client/v3/sync", -1, matrixtest.Refusal(403, "M_FORBIDDEN")) },
			heal: func(w *trio) { w.home.Heal() },
		},
		{
			name: "a Discord token is reset", network: "discord", says: []string{"token", "reset"},
			die: func(w *trio) { w.srv.ResetToken() },
		},
		{
			name: "a Discord intent is switched off", network: "discord", says: []string{"Server Members Intent"},
			die:  func(w *trio) { w.srv.CloseGateway(4014, "Disallowed intent(s).") },
			heal: func(*trio) {},
		},
	} {
		t.Run(row.name, func(t *testing.T) {
			w := newTrio(t)
			all := map[string]func() bool{"matrix": w.matrixAnswers, "discord": w.discordAnswers, "console": w.consoleAnswers}
			for name, answers := range all {
				if !answers() {
					t.Fatalf("%s does not answer at first", name)
				}
			}
			row.die(w)
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			if err := w.out.await(ctx, "a network has ended; the bot goes on without it", 1); err != nil {
				t.Fatalf("the end was not noticed: %v", err)
			}
			for name, answers := range all {
				if name != row.network && !answers() {
					t.Errorf("%s does not answer after %s has ended", name, row.network)
				}
			}
			check := w.command("check")
			check.Env = append(check.Env, w.env...)
			said, err := check.Output()
			if err == nil {
				t.Error("moot check finds nothing wrong")
			}
			w.expect("moot check", string(said), append(row.says, "fail  "+row.network, "offline since", "tries again at")...)
			if row.heal != nil && effort.Long() {
				row.heal(w)
				for end := time.Now().Add(2 * time.Minute); !all[row.network](); {
					if time.Now().After(end) {
						t.Fatalf("%s does not come back", row.network)
					}
				}
			}
			w.stop()
		})
	}
}

// trio is the bot on all networks at once.
type trio struct {
	*town
	home            *matrixtest.Server
	self, ann, room string
	keys            io.Writer // what is typed in the console
	out             *watchedLog
}

func newTrio(t *testing.T) *trio {
	b := newDiscordBot(t)
	w := &trio{home: matrixtest.New(), out: &watchedLog{}}
	t.Cleanup(w.home.Close)
	w.self, w.ann = w.home.Account("moot", "Moot"), w.home.Account("ann", "Ann")
	w.room = w.home.Create(w.ann, "Lab", nil)
	w.home.Member(w.room, w.ann, w.self, "invite", nil)
	b.env = []string{"MOOT_TOKEN=token-moot"}
	b.configure(fmt.Sprintf("[matrix]\nuser = %q\nhomeserver = %q\naccess_token = { env = \"MOOT_TOKEN\" }\n[commands]\nrate_burst = 1000", w.self, w.home.URL))
	w.town = b.settle("Lab")
	b.cmd = b.command("run", "--console")
	b.cmd.Stdout, b.cmd.Stderr = w.out, w.out
	b.cmd.Env = append(b.cmd.Env, b.env...)
	var err error
	if w.keys, err = b.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	if err := b.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("what the bot says:\n%s", w.out)
		}
	})
	w.ready()
	// What was said in a room before the bot joined it is not answered, and Discord is ready before Matrix has joined.
	if !soon(func() bool { return w.home.Membership(w.room, w.self) == "join" }) {
		t.Fatal("the bot does not join the Matrix room")
	}
	return w
}

// soon waits a while for something.
func soon(so func() bool) bool {
	for end := time.Now().Add(30 * time.Second); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		if so() {
			return true
		}
	}
	return false
}

func (w *trio) discordAnswers() bool {
	if !soon(func() bool { return w.srv.Online() > 0 }) {
		return false
	}
	return strings.Contains(w.ben.Slash(w.general, "ping", nil).Reply().Content, "pong")
}

func (w *trio) consoleAnswers() bool {
	before := strings.Count(w.out.String(), "pong")
	if _, err := io.WriteString(w.keys, "!moot ping\n"); err != nil {
		return false
	}
	return soon(func() bool { return strings.Count(w.out.String(), "pong") > before })
}

func (w *trio) matrixAnswers() bool {
	asked := w.home.Say(w.room, w.ann, "!moot ping")
	return soon(func() bool {
		for _, ev := range w.home.Timeline(w.room) {
			relates, _ := ev.Content["m.relates_to"].(map[string]any)
			to, _ := relates["m.in_reply_to"].(map[string]any)
			if to["event_id"] == asked && ev.Content["body"] == "pong" {
				return true
			}
		}
		return false
	})
}
