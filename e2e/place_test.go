//go:build goolm

package e2e

import (
	"fmt"
	"strings"
	"testing"

	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"

	"moot/e2e/client"
)

// TestAddressed: it is addressed by its name and by a mention, as clients make them, answers in the thread in which it is
// asked, and understands whom a mention means.
func TestAddressed(t *testing.T) {
	each(t, "", func(w *town) {
		where := w.room("hall", w.person("ben"))
		name := w.BotID.Localpart() // servers make it the first display name
		if got := w.Ann.Ask(where, name+": ping"); got != "pong" {
			w.Errorf("by its name it answers %q", got)
		}
		pill := w.Ann.Send(where, &event.MessageEventContent{
			MsgType: event.MsgText, Body: name + ": ping", Format: event.FormatHTML,
			FormattedBody: fmt.Sprintf(`<a href="https://matrix.to/#/%s">%s</a>: ping`, w.BotID, name),
			Mentions:      &event.Mentions{UserIDs: []id.UserID{w.BotID}},
		})
		if got := w.Ann.Answer(where, pill).Body(); got != "pong" {
			w.Errorf("by a mention it answers %q", got)
		}
		bare := w.Ann.Say(where, "ping")
		root := w.Ann.Say(where, "a topic of its own")
		threaded := w.Ann.Send(where, &event.MessageEventContent{
			MsgType: event.MsgText, Body: "!moot ping", RelatesTo: (&event.RelatesTo{}).SetThread(root, root),
		})
		answer := w.Ann.Answer(where, threaded)
		if m, ok := answer.Content.Parsed.(*event.MessageEventContent); !ok || m.RelatesTo.GetThreadParent() != root {
			w.Errorf("in a thread it answers outside of it: %s", answer.Content.VeryRaw)
		}
		w.ping(w.Ann, where)
		w.answered(w.Ann, where, bare, 0)
		w.sealed(w.Ann, where)
	})
}

// TestRoomOfTwo: a room without a name in which one is alone with the bot is a private conversation, until somebody else
// comes.
func TestRoomOfTwo(t *testing.T) {
	each(t, "", func(w *town) {
		where := w.Ann.Create(client.Room{Encrypted: w.Encrypted, Invite: []id.UserID{w.BotID}})
		w.Ann.AwaitMembership(where, w.BotID, event.MembershipJoin)
		if got := w.Ann.Ask(where, "ping"); got != "pong" {
			w.Errorf("in private it answers %q", got)
		}
		ben := w.person("ben")
		w.Ann.Invite(where, ben.UserID)
		ben.Accept(where)
		w.Ann.AwaitMembership(where, ben.UserID, event.MembershipJoin)
		w.ping(ben, where)
		bare := w.Ann.Say(where, "ping")
		w.ping(w.Ann, where)
		w.answered(w.Ann, where, bare, 0)
	})
}

// TestPrivateAgain: somebody has left their private conversation. What is to be told to them in private opens another one,
// and nothing of it is said in the old one or in a room.
func TestPrivateAgain(t *testing.T) {
	each(t, "", func(w *town) {
		ben := w.person("ben")
		where := w.room("hall", ben)
		first := w.private(ben)
		ben.Message(first, w.BotID, "Hello, I am moot.")
		ben.Ask(first, "whoami")
		ben.Leave(first)
		w.Ann.AwaitMembership(where, ben.UserID, event.MembershipJoin)
		asked := ben.Say(where, "!moot whoami")
		second := ben.Invitation(w.BotID)
		if second == first {
			w.Fatal("it invites Ben into the conversation that he has left")
		}
		ben.Accept(second)
		ben.Message(second, w.BotID, string(ben.UserID))
		if got := ben.Ask(second, "ping"); got != "pong" {
			w.Errorf("in the new conversation it answers %q", got)
		}
		for _, ev := range ben.Answers(where, asked) {
			if strings.Contains(ev.Body(), string(ben.UserID)) {
				w.Errorf("a private answer stands in the room: %q", ev.Body())
			}
		}
		w.sealed(ben, second)
	})
}
