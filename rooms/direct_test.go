package rooms

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"moot/protocol"
	"moot/store"
)

// talks returns what is kept of the conversations with somebody, the newest last.
func (w *world) talks(user protocol.UserID) (all []string) {
	w.view(func(tx *store.Tx) {
		for _, c := range Conversations(tx, user) {
			all = append(all, fmt.Sprintf("%s %s", c.Room.Local(), c.State))
		}
	})
	return all
}

// TestAConversationIsFollowedFromTheInvitationToItsEnd, also through a restart, and is forgotten when the pause is over.
func TestAConversationIsFollowedFromTheInvitationToItsEnd(t *testing.T) {
	const ann, ben protocol.UserID = "console:ann", "console:ben"
	w := newWorld(t)
	expect := func(after string, want ...string) {
		t.Helper()
		if got := w.talks(ann); !slices.Equal(got, want) {
			t.Fatalf("after %s there is %q and not %q", after, got, want)
		}
	}
	invite := func(room protocol.RoomID, by protocol.UserID, direct bool) {
		w.event(protocol.Event{Room: room, ID: protocol.EventID("invite-" + by), Sender: by, Body: protocol.MemberChange{
			User: ann, Membership: protocol.Invited, Direct: direct,
		}})
	}
	for _, room := range []protocol.RoomID{"console:hall", "console:dm1", "console:dm2", "console:dm3"} {
		w.apply(room, ownJoin())
		w.apply(room, list())
	}
	invite("console:hall", self, false)
	w.apply("console:hall", change(ben, protocol.Joined))
	invite("console:hall", ben, true)
	expect("invitations that are none to a conversation with the bot")

	invite("console:dm1", self, true)
	expect("the invitation", "dm1 invited")
	w.apply("console:dm1", list())
	expect("a list without those who are invited", "dm1 invited")
	w.reopen()
	w.apply("console:dm1", change(ann, protocol.Left))
	expect("it was turned down", "dm1 declined")
	w.apply("console:dm1", ownEnd(protocol.Left))
	expect("the bot has left too", "dm1 declined")

	invite("console:dm2", self, true)
	w.apply("console:dm2", change(ann, protocol.Joined))
	expect("they came", "dm1 declined", "dm2 open")
	w.apply("console:dm2", list(ann))
	w.apply("console:dm2", change(ann, protocol.Left))
	expect("they left", "dm1 declined", "dm2 left")

	invite("console:dm3", self, true)
	w.apply("console:dm3", change(ann, protocol.Joined))
	w.apply("console:dm3", list())
	expect("a gap in which they left", "dm1 declined", "dm2 left", "dm3 left")
	w.timers(Pause + time.Minute)
	expect("the pause")
}

// TestAConversationThatTheBotHasLeftIsNone.
func TestAConversationThatTheBotHasLeftIsNone(t *testing.T) {
	w := newWorld(t)
	w.apply(lobby, ownJoin())
	w.event(protocol.Event{Room: lobby, ID: "invite", Sender: self, Body: protocol.MemberChange{User: "console:ann", Membership: protocol.Invited, Direct: true}})
	w.apply(lobby, ownEnd(protocol.Kicked))
	if got := w.talks("console:ann"); len(got) != 0 || w.info(lobby).With != "" {
		t.Errorf("there is %q, with %q", got, w.info(lobby).With)
	}
}
