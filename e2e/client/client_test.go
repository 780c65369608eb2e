//go:build goolm

package client

import (
	"testing"

	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"

	"moot/e2e/homeserver"
)

// TestClientsUnderstandEachOther shows that what the scenarios rest on works without the bot.
func TestClientsUnderstandEachOther(t *testing.T) {
	s := homeserver.StartT(t)
	for _, encrypted := range []bool{false, true} {
		ann, bob := New(t, s, "ann"), New(t, s, "bob")
		where := ann.Create(Room{Name: "hall", Encrypted: encrypted, Invite: []id.UserID{bob.UserID}})
		bob.Accept(where)
		ann.AwaitMembership(where, bob.UserID, event.MembershipJoin)
		asked := ann.Say(where, "how are you?")
		bob.Message(where, ann.UserID, "how are you?")
		content := &event.MessageEventContent{MsgType: event.MsgText, Body: "well", RelatesTo: (&event.RelatesTo{}).SetReplyTo(asked)}
		said := bob.Send(where, content)
		if got := ann.Answer(where, asked).Body(); got != "well" {
			t.Errorf("the answer was %q", got)
		}
		bob.Edit(where, said, "very well")
		ann.Message(where, bob.UserID, "very well")
		if n := len(ann.Answers(where, asked)); n != 1 {
			t.Errorf("%d answers, where the edit is none", n)
		}
		ann.Redact(where, ann.React(where, said, "👍"))
		if clear := ann.Clear(where); (len(clear) == 0) != encrypted {
			t.Errorf("encrypted: %v, and %d messages in clear", encrypted, len(clear))
		}
		ann.Kick(where, bob.UserID, "late")
		bob.AwaitMembership(where, bob.UserID, event.MembershipLeave)
		ann.Invite(where, bob.UserID)
		bob.Accept(where)
		bob.Leave(where)
		ann.AwaitMembership(where, bob.UserID, event.MembershipLeave)
		ann.Ban(where, bob.UserID, "noise")
		ann.Unban(where, bob.UserID)
	}
}

func TestKeysCanComeLate(t *testing.T) {
	s := homeserver.StartT(t)
	ann, bob := New(t, s, "ann"), New(t, s, "bob")
	where := ann.Create(Room{Encrypted: true, Invite: []id.UserID{bob.UserID}})
	bob.Accept(where)
	ann.AwaitMembership(where, bob.UserID, event.MembershipJoin)
	ann.HoldKeys()
	ann.Say(where, "secret")
	bob.Await("a message that it cannot read", func() bool { return len(bob.sealed) == 1 })
	ann.ReleaseKeys()
	bob.Message(where, ann.UserID, "secret")
	if n := bob.Sealed(); n != 0 {
		t.Errorf("%d messages are still sealed", n)
	}
}
