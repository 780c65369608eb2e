//go:build goolm

package e2e

import (
	"strings"
	"testing"

	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"

	"moot/e2e/client"
)

// TestInvited: it is invited, joins, greets once, and answers, also after a restart.
func TestInvited(t *testing.T) {
	each(t, "", func(w *town) {
		where := w.room("hall")
		w.Ann.Message(where, w.BotID, "Hello, I am moot.")
		w.ping(w.Ann, where)
		w.Bot.Stop()
		w.Bot.Start()
		w.ping(w.Ann, where)
		if n := w.Ann.Count(where, w.BotID, "Hello, I am"); n != 1 {
			w.Errorf("it greeted %d times", n)
		}
		w.sealed(w.Ann, where)
	})
}

// TestInvitedByAStranger: an invitation by somebody who may not invite waits, is told of, and is taken up when the
// configuration admits them.
func TestInvitedByAStranger(t *testing.T) {
	each(t, "[invites]\nown_server = false\n", func(w *town) {
		mal := w.person("mal")
		own := w.room("hall")
		w.ping(w.Ann, own)
		where := mal.Create(client.Room{Name: "den", Encrypted: w.Encrypted, Invite: []id.UserID{w.BotID}})
		dm := w.private(w.Ann)
		line := `people = ["matrix:` + string(mal.UserID) + `"]`
		w.until("an invitation, and how to admit it", func() (string, bool) {
			list := w.Ann.Ask(dm, "invites")
			return list, strings.Contains(list, line)
		})
		if check, _ := w.Bot.Do("check"); !strings.Contains(check, line) {
			w.Errorf("moot check does not tell how to admit %s:\n%s", mal.UserID, check)
		}
		if m := mal.Membership(where, w.BotID); m != event.MembershipInvite {
			w.Errorf("the bot is %q there", m)
		}
		w.Bot.Stop()
		w.Bot.Configure("[invites]\nown_server = false\n" + line + "\n")
		w.Bot.Start()
		mal.AwaitMembership(where, w.BotID, event.MembershipJoin)
		mal.Message(where, w.BotID, "Hello, I am moot.")
		w.ping(mal, where)
	})
}

// TestAlone: it leaves a room in which nobody else is left, after a while, and a conversation whose person has gone; where
// somebody is, or comes in time, it stays.
func TestAlone(t *testing.T) {
	each(t, "[invites]\nleave_alone = \"1m\"\n", func(w *town) {
		ben := w.person("ben")
		gone, kept := w.room("gone"), w.room("kept")
		dm := w.private(ben)
		w.ping(w.Ann, gone)
		w.ping(w.Ann, kept)
		w.Ann.Invite(kept, ben.UserID)
		w.Ann.Leave(gone)
		w.Ann.Leave(kept)
		ben.Accept(kept)
		w.ping(ben, kept)
		w.ping(ben, dm)
		// Ann is outside and sees nothing; the bot itself says where it is.
		w.Bot.Follow(string(gone), "--kind", "room", "--key", "what=left")
		if out, _ := w.Bot.Do("log", "--kind", "room", "--key", "what=left"); strings.Contains(out, string(kept)) {
			w.Errorf("it has left a room in which somebody is:\n%s", out)
		}
		w.ping(ben, kept)
	})
}

// TestPrivate: commands in a private conversation against a shared room, and nothing of a room for who is not in it.
func TestPrivate(t *testing.T) {
	each(t, "", func(w *town) {
		ben, eve := w.person("ben"), w.person("eve")
		where := w.room("hall", ben)
		w.ping(w.Ann, where)
		dm := w.private(ben)
		ben.Message(dm, w.BotID, "Hello, I am moot. help says")
		w.knows(ben, dm, "hall")
		if got := ben.Ask(dm, "members --in hall"); !strings.Contains(got, "3 members") {
			w.Errorf("the members are told as %q", got)
		}
		strange := w.private(eve) // whose first word comes before the greeting, and before the bot knows her devices
		if got := eve.Ask(strange, "rooms"); strings.Contains(got, "hall") {
			w.Errorf("Eve, who is not in the hall, is told %q", got)
		}
		known, unknown := eve.Ask(strange, "members --in "+string(where)), eve.Ask(strange, "members --in !nowhere:moot.test")
		if strings.ReplaceAll(known, string(where), "X") != strings.ReplaceAll(unknown, "!nowhere:moot.test", "X") {
			w.Errorf("a room that is there is told from one that is not:\n%s\n%s", known, unknown)
		}
		w.ping(w.Ann, where)
		for _, ev := range w.Ann.Timeline(where) {
			if ev.Sender == w.BotID && strings.Contains(ev.Body(), "members") {
				w.Errorf("what was asked in private is answered in the room: %q", ev.Body())
			}
		}
		// What is to be private is answered in private, wherever it was asked.
		asked := w.Ann.Say(where, "!moot whoami")
		private := w.Ann.Invitation(w.BotID)
		w.Ann.Accept(private)
		w.Ann.Message(private, w.BotID, string(w.Ann.UserID))
		w.ping(w.Ann, where)
		for _, ev := range w.Ann.Answers(where, asked) {
			if strings.Contains(ev.Body(), string(w.Ann.UserID)) {
				w.Errorf("a private answer stands in the room: %q", ev.Body())
			}
		}
		for _, r := range []id.RoomID{where, private} {
			w.sealed(w.Ann, r)
		}
		w.sealed(ben, dm)
	})
}

// TestEdited: an edit runs no command, whatever it makes of a message.
func TestEdited(t *testing.T) {
	each(t, "", func(w *town) {
		where := w.room("hall")
		said := w.Ann.Say(where, "good morning")
		edit := w.Ann.Edit(where, said, "!moot ping")
		w.ping(w.Ann, where)
		w.answered(w.Ann, where, said, 0)
		w.answered(w.Ann, where, edit, 0)
		asked := w.Ann.Say(where, "!moot ping")
		w.Ann.Answer(where, asked)
		edit = w.Ann.Edit(where, asked, "!moot version")
		w.ping(w.Ann, where)
		w.answered(w.Ann, where, asked, 1)
		w.answered(w.Ann, where, edit, 0)
	})
}

// TestNotices: what is a notice, an echo of its own or history is never obeyed.
func TestNotices(t *testing.T) {
	each(t, "", func(w *town) {
		ben := w.person("ben")
		where := ben.Create(client.Room{Name: "hall", Encrypted: w.Encrypted})
		early := ben.Say(where, "!moot ping")
		ben.Invite(where, w.BotID)
		ben.AwaitMembership(where, w.BotID, event.MembershipJoin)
		notice := ben.Send(where, &event.MessageEventContent{MsgType: event.MsgNotice, Body: "!moot ping"})
		w.ping(ben, where)
		w.answered(ben, where, early, 0)
		w.answered(ben, where, notice, 0)
	})
}

// TestTwoBots: two bots in one room answer whoever asks, once each, and never one another.
func TestTwoBots(t *testing.T) {
	each(t, "", func(w *town) {
		other := newTown(w.T, w.Encrypted, "")
		other.Bot.Start()
		where := w.room("hall")
		w.Ann.Invite(where, other.BotID)
		w.Ann.AwaitMembership(where, other.BotID, event.MembershipJoin)
		for _, bot := range []id.UserID{w.BotID, other.BotID} {
			w.Ann.Message(where, bot, "Hello, I am moot.")
		}
		both := func(text string) (asked id.EventID) {
			asked = w.Ann.Say(where, text)
			w.Ann.Await("the answers of both bots", func() bool { return len(w.Ann.AnswersIn(where, asked)) >= 2 })
			return asked
		}
		var asked []id.EventID
		for _, text := range []string{"!moot ping", "!moot pnig", "!moot help", "!moot ping"} {
			asked = append(asked, both(text))
		}
		for _, a := range asked {
			by := map[id.UserID]int{}
			for _, ev := range w.Ann.Answers(where, a) {
				by[ev.Sender]++
			}
			if by[w.BotID] != 1 || by[other.BotID] != 1 {
				w.Errorf("a command of Ann was answered %d and %d times", by[w.BotID], by[other.BotID])
			}
		}
		bots := 0
		for _, ev := range w.Ann.Timeline(where) {
			if ev.Type == event.EventMessage && ev.Sender != w.Ann.UserID {
				bots++
			}
		}
		if want := 2 + 2*len(asked); bots != want {
			w.Errorf("the bots said %d things, and %d were to be said", bots, want)
		}
		// A private conversation of two bots does not go on for ever either.
		if out, code := w.Bot.Do("dead"); code != 0 || !strings.Contains(out, "no dead letters") {
			w.Errorf("dead letters: %s", out)
		}
	})
}
