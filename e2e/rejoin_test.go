//go:build goolm

package e2e

import (
	"strings"
	"testing"

	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"

	"moot/e2e/client"
)

// back waits until the bot, which is out of a room, is in it again.
func (w *town) back(where id.RoomID) {
	w.Helper()
	w.Ann.Invite(where, w.BotID)
	w.Ann.AwaitMembership(where, w.BotID, event.MembershipJoin)
}

// TestKicked: it is put out, the room goes on, it is invited again: nothing old is acted on a second time, nothing that was
// said without it at all, what is new is, and the list of members is whole.
func TestKicked(t *testing.T) {
	for name, offline := range map[string]bool{"while it runs": false, "while it is away": true} {
		t.Run(name, func(t *testing.T) {
			each(t, "", func(w *town) {
				ben, dan := w.person("ben"), w.person("dan")
				where := w.room("hall", ben)
				w.Ann.Message(where, w.BotID, "Hello, I am") // a room is greeted when it has come to rest
				first := w.Ann.Say(where, "!moot ping")
				w.Ann.Answer(where, first)
				if offline {
					w.Bot.Stop()
				}
				w.Ann.Kick(where, w.BotID, "it is late")
				var without []id.EventID
				for range 3 {
					without = append(without, ben.Say(where, "!moot ping"))
				}
				ben.Leave(where)
				w.Ann.AwaitMembership(where, ben.UserID, event.MembershipLeave)
				w.Ann.Invite(where, dan.UserID)
				dan.Accept(where)
				w.Ann.AwaitMembership(where, dan.UserID, event.MembershipJoin)
				if offline {
					w.Ann.Invite(where, w.BotID)
					w.Bot.Start()
					w.Ann.AwaitMembership(where, w.BotID, event.MembershipJoin)
				} else {
					w.back(where)
				}
				dan.AwaitMembership(where, w.BotID, event.MembershipJoin)
				w.ping(w.Ann, where)
				w.ping(dan, where)
				w.answered(w.Ann, where, first, 1)
				for _, asked := range without {
					w.answered(w.Ann, where, asked, 0)
				}
				members := w.members(where)
				if !strings.Contains(members, "3 members") || !strings.Contains(members, string(dan.UserID)) || strings.Contains(members, string(ben.UserID)) {
					w.Errorf("the members are told as %q", members)
				}
				if n := w.Ann.Count(where, w.BotID, "Hello, I am"); n != 1 {
					w.Errorf("it greeted %d times", n)
				}
				w.sealed(w.Ann, where)
			})
		})
	}
}

// TestBanned: a ban and its end, while the bot runs and while it is away.
func TestBanned(t *testing.T) {
	each(t, "", func(w *town) {
		where, dm := w.room("hall"), w.private(w.Ann)
		w.ping(w.Ann, where)
		out := func() {
			w.Helper()
			w.ping(w.Ann, dm) // it has heard of what was before
			if got := w.Ann.Ask(dm, "rooms"); strings.Contains(got, "hall") {
				w.Errorf("it is banned from the hall, and says %q", got)
			}
		}
		w.Ann.Ban(where, w.BotID, "noise")
		out()
		missed := w.Ann.Say(where, "!moot ping")
		w.Ann.Unban(where, w.BotID)
		w.back(where)
		w.ping(w.Ann, where)
		w.answered(w.Ann, where, missed, 0)

		w.Bot.Stop()
		w.Ann.Ban(where, w.BotID, "noise")
		w.Bot.Start()
		out()
		w.Bot.Stop()
		w.Ann.Unban(where, w.BotID)
		w.Ann.Invite(where, w.BotID)
		w.Bot.Start()
		w.Ann.AwaitMembership(where, w.BotID, event.MembershipJoin)
		w.ping(w.Ann, where)
		w.answered(w.Ann, where, missed, 0)
		w.knows(w.Ann, dm, "hall")
	})
}

// TestUpgraded: the room goes on elsewhere, and the bot follows, also where whoever invites it may not invite it otherwise.
func TestUpgraded(t *testing.T) {
	each(t, "[invites]\nown_server = false\n", func(w *town) {
		ben := w.person("ben")
		where := ben.Create(client.Room{Name: "hall", Encrypted: w.Encrypted, Invite: []id.UserID{w.Ann.UserID}})
		w.Ann.Accept(where)
		w.back(where) // Ann invites it
		ben.AwaitMembership(where, w.BotID, event.MembershipJoin)
		w.ping(ben, where)
		next := ben.Upgrade(where, w.Encrypted, w.BotID)
		ben.AwaitMembership(next, w.BotID, event.MembershipJoin)
		w.ping(ben, next)
		w.sealed(ben, next)
	})
}
