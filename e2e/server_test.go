//go:build goolm

package e2e

import (
	"strings"
	"testing"

	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"

	"moot/e2e/client"
	"moot/e2e/homeserver"
	"moot/e2e/process"
)

// TestServerAway: the homeserver is out of the bot's reach for a while, in the middle of a conversation. When it is back,
// all that was asked meanwhile is answered once and in order.
func TestServerAway(t *testing.T) {
	t.Parallel()
	for name, encrypted := range map[string]bool{"plain": false, "encrypted": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := homeserver.StartT(t)
			people := *s
			people.URL = s.Direct
			w := &town{retold: newRetold(t), Encrypted: encrypted}
			w.Ann = client.New(w, &people, "ann")
			account := client.Register(w, &people, "moot")
			w.BotID = id.UserID(account.UserID)
			w.Bot = process.New(w, process.Config{Program: program, Server: s, Account: account})
			w.Bot.Start()
			where := w.Ann.Create(client.Room{Name: "hall", Encrypted: encrypted, Invite: []id.UserID{w.BotID}})
			w.Ann.AwaitMembership(where, w.BotID, event.MembershipJoin)
			w.ping(w.Ann, where)
			var asked []id.EventID
			for range 3 {
				asked = append(asked, w.Ann.Say(where, "!moot ping"))
			}
			if err := s.Down(t.Context(), 3); err != nil {
				t.Fatal(err)
			}
			for range 3 {
				asked = append(asked, w.Ann.Say(where, "!moot ping"))
			}
			if !w.Bot.Running() {
				t.Fatal("it has ended because its server was out of reach")
			}
			s.Up()
			w.inOrder(where, asked)
			w.sealed(w.Ann, where)
			w.well()
		})
	}
}

// TestRefused: what keeps it from logging in, it says in a sentence, and ends.
func TestRefused(t *testing.T) {
	t.Parallel()
	good := client.Register(t, server, "moot")
	for name, tc := range map[string]struct {
		change func(*process.Config)
		says   string
	}{
		"a wrong password": {func(c *process.Config) { c.Account.Password = "not it" }, "password"},
		"nobody":           {func(c *process.Config) { c.Account.UserID = "@nobody:" + homeserver.Name }, "password"},
		"no homeserver":    {func(c *process.Config) { c.Server = &homeserver.Server{URL: "http://127.0.0.1:1"} }, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := process.Config{Program: program, Server: server, Account: good}
			tc.change(&c)
			b := process.New(t, c)
			b.Start()
			if tc.says == "" { // a server that does not answer may do so soon
				b.Says("homeserver")
				b.Kill()
				return
			}
			if code := b.Ended(); code == 0 {
				t.Error("it ended as if all were well")
			}
			if log := b.Log(); !strings.Contains(log, tc.says) {
				t.Errorf("it does not say why:\n%s", log)
			}
		})
	}
}

// TestLoggedOut: the login of the running bot is ended elsewhere. It says so and ends, and what it said it goes by.
func TestLoggedOut(t *testing.T) {
	t.Parallel()
	w := newTown(t, false, "")
	w.Bot.Start()
	where := w.room("hall")
	w.ping(w.Ann, where)
	if err := server.LogoutAll(t.Context(), w.Bot.Account); err != nil {
		t.Fatal(err)
	}
	if code := w.Bot.Ended(); code <= 0 {
		t.Errorf("it ended with code %d", code)
	}
	check, code := w.Bot.Do("check")
	t.Logf("moot check then says:\n%s", check)
	if code == 0 {
		t.Error("moot check finds nothing wrong")
	}
}
