package invites

import (
	"fmt"
	"testing"
	"time"

	"moot/events"
	"moot/internal/say"
	"moot/protocol"
	"moot/store"
)

const hello = "Hello, I am moot. !moot help says what I can do."

func TestWhoMayInvite(t *testing.T) {
	for _, tc := range []struct {
		by   protocol.UserID
		want State
	}{{boss, Accepted}, {ann, Accepted}, {bob, Accepted}, {cem, Accepted}, {mal, Waiting}, {"", Waiting},
		{"matrix:@eve:here.org.evil.net", Waiting}, {"matrix:@eve:evil.net:here.org", Waiting}, {"matrix:@eve:friend.org:8448", Waiting}} {
		r := newRig(t)
		r.invites(tc.by, hall)
		r.stands(hall, tc.want)
		if tc.want == Accepted {
			r.expect(hall, "AskJoin")
		} else {
			r.expect(hall)
		}
	}
}

func TestOwnServerCanBeLeftOut(t *testing.T) {
	r := newRig(t)
	r.restart(func(c *Config) { c.OwnServer = false })
	r.invites(ann, hall)
	r.stands(hall, Waiting)
}

func TestAnotherNetworkIsLeftAlone(t *testing.T) {
	r := newRig(t)
	r.restart(func(c *Config) { c.Networks = nil })
	if s := r.invites(ann, hall); s.Disposition != store.Handled || s.Reason != "" {
		t.Errorf("it was %v: %s", s.Disposition, s.Reason)
	}
	r.expect(hall)
}

func TestItComesAndGreetsOnce(t *testing.T) {
	r := newRig(t)
	r.invites(ann, hall)
	if s := r.invites(ann, hall); s.Reason != "the bot is on its way there" {
		t.Errorf("the second invitation was %v: %s", s.Disposition, s.Reason)
	}
	r.answer(hall, "AskJoin", "")
	r.expect(hall)
	r.joins(hall, ann)
	r.expect(hall, hello)
	r.stands(hall, "")
	r.Later(2 * hour)
	if left := r.leftovers(); left != nil {
		t.Errorf("left over: %q", left)
	}

	r.restart(nil)
	r.Flying = nil
	r.happens(hall, ann, protocol.MemberChange{User: self, Self: true, Membership: protocol.Kicked})
	r.invites(ann, hall)
	r.answer(hall, "AskJoin", "")
	r.joins(hall, ann)
	r.expect(hall) // it has been here before
}

func TestTheGreetingFitsThePlace(t *testing.T) {
	r := newRig(t)
	r.invites(ann, hall)
	r.answer(hall, "AskJoin", "")
	r.Admit(protocol.Event{Room: hall, ID: "$own", Sender: self, Private: true, Body: protocol.MemberChange{User: self, Self: true, Membership: protocol.Joined}})
	r.members(hall, ann)
	r.expect(hall, "Hello, I am moot. help says what I can do.")

	r.restart(func(c *Config) { c.Greet = false })
	r.invites(ann, yard)
	r.answer(yard, "AskJoin", "")
	r.joins(yard, ann)
	r.expect(yard)
}

func TestARoomThatItWasInAlreadyIsNotGreeted(t *testing.T) {
	r := newRig(t)
	r.joins(hall, ann)
	r.expect(hall)

	// Nor one whose invitation waited, when somebody lets it in by other means.
	r.invites(mal, yard)
	r.joins(yard, mal)
	r.expect(yard)
	r.stands(yard, "")
}

func TestAFailedJoinIsTriedAgainAndGivenUp(t *testing.T) {
	r := newRig(t)
	r.invites(ann, hall)
	for n, wait := range retries {
		r.answer(hall, "AskJoin", "no such room")
		r.expect(hall)
		r.Later(wait - time.Second)
		r.expect(hall)
		r.Later(time.Second)
		r.expect(hall, "AskJoin")
		if n == 2 {
			r.restart(nil) // what flew comes again
			r.expect(hall, "AskJoin")
		}
	}
	r.answer(hall, "AskJoin", "no such room")
	r.stands(hall, Failed)
	r.Later(24 * hour)
	r.expect(hall)
	r.View(func(tx *store.Tx) {
		for i := range r.feature.Open(tx) {
			if i.Fault != "no such room" || i.By != ann {
				t.Errorf("it is told as %+v", i)
			}
		}
	})

	// A new invitation begins anew.
	r.invites(ann, hall)
	r.stands(hall, Accepted)
	r.answer(hall, "AskJoin", "no such room")
	r.Later(retries[0])
	r.answer(hall, "AskJoin", "")
	r.joins(hall, ann)
	r.expect(hall, hello)
	r.Later(2 * hour)
	if left := r.leftovers(); left != nil {
		t.Errorf("left over: %q", left)
	}
}

func TestAWithdrawnInvitationIsOver(t *testing.T) {
	for _, by := range []protocol.UserID{ann, mal} {
		r := newRig(t)
		r.invites(by, hall)
		if by == ann {
			r.answer(hall, "AskJoin", "forbidden")
		}
		r.happens(hall, by, protocol.MemberChange{User: self, Self: true, Membership: protocol.Kicked})
		r.stands(hall, "")
		r.Later(24 * hour)
		r.expect(hall)
		if left := r.leftovers(); left != nil {
			t.Errorf("left over: %q", left)
		}
	}
}

func TestOnePersonMayNotInviteTooOften(t *testing.T) {
	r := newRig(t)
	room := func(n int) protocol.RoomID { return protocol.RoomID(fmt.Sprintf("matrix:!%d:here.org", n)) }
	for n := range 5 {
		r.invites(ann, room(n))
		r.Later(time.Minute)
	}
	for n, want := range []State{Accepted, Accepted, Held, Held, Held} {
		r.stands(room(n), want)
	}
	r.invites(cem, hall) // others do not notice
	r.stands(hall, Accepted)
	for n := range 5 {
		r.invites(boss, protocol.RoomID(fmt.Sprintf("matrix:!b%d:here.org", n)))
		r.stands(protocol.RoomID(fmt.Sprintf("matrix:!b%d:here.org", n)), Accepted)
	}
	r.restart(nil)
	r.Later(hour - 5*time.Minute) // an hour since the first
	for n, want := range []State{Accepted, Accepted, Accepted, Held, Held} {
		r.stands(room(n), want)
	}
	r.Later(time.Minute)
	r.stands(room(3), Accepted)
	r.stands(room(4), Held)
	r.Later(hour)
	r.stands(room(4), Accepted)
	r.Later(2 * hour)
	r.View(func(tx *store.Tx) {
		if tx.Has(rates, string(ann)) {
			t.Error("when invitations were accepted is kept for longer than it is of use")
		}
	})
}

func TestStrangersFillNothing(t *testing.T) {
	r := newRig(t)
	var last store.Seen
	for n := range maxOpenEach + 1 {
		last = r.invites(mal, protocol.RoomID(fmt.Sprintf("matrix:!%d:nowhere.org", n)))
	}
	if n := len(r.standing()); n != maxOpenEach {
		t.Errorf("%d invitations of one person are open", n)
	}
	if last.Disposition != store.Ignored {
		t.Errorf("the last was %v: %s", last.Disposition, last.Reason)
	}
	before := r.facts()
	r.invites(mal, "matrix:!0:nowhere.org") // again
	if n := r.facts(); n != before {
		t.Errorf("an invitation that was made again gave %d facts more", n-before)
	}
	r.invites(ann, hall)
	r.stands(hall, Accepted)
	r.Later(10*24*hour + time.Hour)
	for more := true; more; {
		var err error
		if _, more, err = r.Bus.ArchiveStep(r.Now, 0); err != nil {
			t.Fatal(err)
		}
	}
	if all := r.standing(); len(all) != 0 {
		t.Errorf("these are still open: %v", all)
	}
}

func (r *rig) facts() (n uint64) {
	r.View(func(tx *store.Tx) { n = tx.NextFact() })
	return n
}

func TestStrangersEndNoInvitation(t *testing.T) {
	r := newRig(t)
	r.invites(ann, hall)
	r.invites(mal, hall)
	r.stands(hall, Accepted)
	r.answer(hall, "AskJoin", "busy")
	r.invites(mal, hall)
	r.Later(retries[0])
	r.answer(hall, "AskJoin", "")
	r.joins(hall, ann, mal)
	r.expect(hall, hello)

	// The other way round, somebody who may invite settles it.
	r.invites(mal, yard)
	r.stands(yard, Waiting)
	r.invites(ann, yard)
	r.stands(yard, Accepted)

	// What is held stays so, too.
	attic := protocol.RoomID("matrix:!attic:here.org")
	r.invites(ann, attic)
	r.stands(attic, Held)
	r.invites(mal, attic)
	r.stands(attic, Held)
	r.Later(hour)
	r.stands(attic, Accepted)
}

func TestManyStrangersTakeNobodysPlace(t *testing.T) {
	r := newRig(t)
	for n := range maxOpen / maxOpenEach {
		by := protocol.UserID(fmt.Sprintf("matrix:@mal%d:nowhere.org", n))
		for m := range maxOpenEach {
			r.invites(by, protocol.RoomID(fmt.Sprintf("matrix:!%d-%d:nowhere.org", n, m)))
		}
	}
	if s := r.invites(mal, hall); s.Disposition != store.Ignored {
		t.Errorf("one more was %v: %s", s.Disposition, s.Reason)
	}
	r.invites(ann, hall)
	r.stands(hall, Accepted)
}

func TestWhoMayNoLongerInviteIsHeldNoMore(t *testing.T) {
	r := newRig(t)
	for n := range 3 {
		r.invites(ann, protocol.RoomID(fmt.Sprintf("matrix:!%d:here.org", n)))
	}
	r.stands("matrix:!2:here.org", Held)
	r.restart(func(c *Config) { c.OwnServer = false })
	r.Later(hour)
	r.stands("matrix:!2:here.org", Waiting)
}

func TestAnotherConfigurationAdmitsWhatWaits(t *testing.T) {
	r := newRig(t)
	r.invites(mal, hall)
	r.restart(nil)
	r.stands(hall, Waiting)
	r.restart(func(c *Config) { c.People = append(c.People, mal) })
	r.expect(hall, "AskJoin")
	r.stands(hall, Accepted)
}

func TestTheLineKeepsWhoIsThere(t *testing.T) {
	r := newRig(t)
	if got, want := r.feature.Line(mal), `people = ["matrix:@cem:far.org", "matrix:@mal:nowhere.org"]`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestASuccessorMayBeJoined(t *testing.T) {
	for _, first := range []string{"tombstone", "invitation"} {
		r := newRig(t)
		r.joins(hall, mal)
		if first == "invitation" {
			r.invites(mal, yard)
			r.stands(yard, Waiting)
		}
		r.happens(hall, mal, protocol.RoomChange{Changes: []protocol.Change{protocol.Upgraded{Successor: yard}}})
		if first == "tombstone" {
			r.invites(mal, yard)
		}
		r.answer(yard, "AskJoin", "not invited") // which rooms asks for
		r.View(func(tx *store.Tx) {
			for i := range r.feature.Open(tx) {
				if i.Fault != "" {
					t.Errorf("what somebody else asked for counts as a failure of its own: %s", i.Fault)
				}
			}
		})
		r.stands(yard, Accepted)
		r.answer(yard, "AskJoin", "")
		r.joins(yard, mal)
		r.expect(yard)
	}
}

func TestWhoSaysOfThemselvesThatTheyFollowIsNotBelieved(t *testing.T) {
	r := newRig(t)
	// mal's own room, in which the bot never was, says that it goes on in yard.
	r.happens("matrix:!den:nowhere.org", mal, protocol.RoomChange{Changes: []protocol.Change{protocol.Upgraded{Successor: yard}}})
	r.invites(mal, yard)
	r.stands(yard, Waiting)
}

func TestItLeavesWhereItIsAlone(t *testing.T) {
	r := newRig(t)
	r.joins(hall, ann, mal)
	left := func(user protocol.UserID) {
		r.happens(hall, user, protocol.MemberChange{User: user, Membership: protocol.Left})
	}
	left(mal)
	r.Later(2 * DefaultAlone)
	r.expect(hall) // ann is there
	left(ann)
	r.Later(DefaultAlone - time.Second)
	r.expect(hall)
	r.happens(hall, mal, protocol.MemberChange{User: mal, Membership: protocol.Joined})
	r.Later(time.Hour)
	r.expect(hall)
	left(mal)
	r.restart(nil)
	r.Later(DefaultAlone)
	r.answer(hall, "AskLeave", "the server is tired")
	r.expect(hall)
	r.Later(DefaultAlone)
	r.answer(hall, "AskLeave", "")
	r.happens(hall, self, protocol.MemberChange{User: self, Self: true, Membership: protocol.Left})
	if left := r.leftovers(); left != nil {
		t.Errorf("left over: %q", left)
	}
}

func TestWhoeverPutsItOutWhereItIsAloneLeavesNothingBehind(t *testing.T) {
	r := newRig(t)
	r.joins(hall, ann)
	r.happens(hall, ann, protocol.MemberChange{User: ann, Membership: protocol.Left})
	if len(r.leftovers()) != 1 {
		t.Fatalf("it waits with %q", r.leftovers())
	}
	r.happens(hall, self, protocol.MemberChange{User: self, Self: true, Membership: protocol.Left})
	if left := r.leftovers(); left != nil {
		t.Errorf("left over: %q", left)
	}
}

func TestItStaysWhereItCannotKnow(t *testing.T) {
	r := newRig(t)
	r.happens(hall, self, protocol.MemberChange{User: self, Self: true, Membership: protocol.Joined})
	r.Flying = nil // nobody answers who is there
	r.Later(3 * DefaultAlone)
	for _, want := range r.wants(hall) {
		if want == "AskLeave" {
			t.Fatal("it leaves a room whose members it does not know")
		}
	}
}

func TestAPrivateConversationIsLeftWhenItsPersonIsGone(t *testing.T) {
	r := newRig(t)
	r.Admit(protocol.Event{Room: hall, ID: "$own", Sender: self, Private: true, Body: protocol.MemberChange{User: self, Self: true, Membership: protocol.Joined}})
	r.members(hall) // the bot has opened it, and ann has not come yet
	r.Later(3 * DefaultAlone)
	r.expect(hall)
	r.happens(hall, ann, protocol.MemberChange{User: ann, Membership: protocol.Joined})
	r.happens(hall, ann, protocol.MemberChange{User: ann, Membership: protocol.Left})
	r.Later(DefaultAlone)
	r.expect(hall, "AskLeave")
}

// TestTheGreetingWaitsUntilTheRoomIsSettled: until nobody comes for a while, who is there is known, and the bot may speak. It is
// said once.
func TestTheGreetingWaitsUntilTheRoomIsSettled(t *testing.T) {
	const settle = 3 * time.Second
	r := newRig(t)
	r.restart(func(c *Config) { c.Settle = map[protocol.Network]time.Duration{"matrix": settle} })
	r.invites(ann, hall)
	r.answer(hall, "AskJoin", "")
	r.happens(hall, self, protocol.MemberChange{User: self, Self: true, Membership: protocol.Joined})
	r.Later(2 * settle)
	r.expect(hall, "AskMembers")
	r.members(hall, ann)
	r.Later(settle - time.Second)
	r.happens(hall, bob, protocol.MemberChange{User: bob, Membership: protocol.Joined})
	r.Later(settle - time.Second)
	r.expect(hall)
	r.happens(hall, ann, protocol.RoomChange{Changes: []protocol.Change{protocol.PowersChanged{Mute: true}}})
	r.Later(hour)
	r.expect(hall)
	r.restart(nil)
	r.happens(hall, ann, protocol.RoomChange{Changes: []protocol.Change{protocol.PowersChanged{}}})
	r.Later(settle)
	r.expect(hall, hello)
	r.happens(hall, ann, protocol.RoomChange{Changes: []protocol.Change{protocol.Renamed{Name: "Hall"}}})
	r.Later(hour)
	r.expect(hall, hello)
}

// TestAConversationIsKeptForWhoeverIsInvited, also where it does not count as private while the bot is alone in it.
func TestAConversationIsKeptForWhoeverIsInvited(t *testing.T) {
	r := newRig(t)
	r.happens(hall, self, protocol.MemberChange{User: self, Self: true, Membership: protocol.Joined})
	r.happens(hall, self, protocol.MemberChange{User: ann, Membership: protocol.Invited, Direct: true})
	r.members(hall)
	r.Later(3 * DefaultAlone)
	r.expect(hall)
	r.happens(hall, ann, protocol.MemberChange{User: ann, Membership: protocol.Left})
	r.Later(DefaultAlone)
	r.expect(hall, "AskLeave")
}

func TestHistoryInvitesNobody(t *testing.T) {
	r := newRig(t)
	r.Admit(protocol.Event{Room: hall, ID: "$old", Sender: ann, History: true, Body: protocol.MemberChange{User: self, Self: true, Membership: protocol.Invited}})
	r.expect(hall)
	r.stands(hall, "")
}

func TestWhoIsForgottenIsNotShownAndStillLimited(t *testing.T) {
	r := newRig(t)
	r.invites(ann, hall)
	r.invites(mal, yard)
	forget := func(user protocol.UserID) {
		r.Step()
		err := r.Store.Commit(r.Now, func(c *store.Commit) error {
			return c.Run(protocol.Scope(user), protocol.Ref{}, func(tx *store.Tx) error {
				var texts []string
				for text := range r.feature.Export(tx, user) {
					texts = append(texts, text.Plain())
				}
				if len(texts) == 0 {
					t.Errorf("of %s nothing is shown", user)
				}
				r.feature.Forget(tx, user)
				r.Bus.Forget(tx, user, false)
				return nil
			})
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	forget(ann)
	forget(mal)
	r.View(func(tx *store.Tx) {
		for i := range r.feature.Open(tx) {
			if i.By != "" {
				t.Errorf("the invitation to %s still names %s", i.Room, i.By)
			}
		}
	})
	r.invites(ann, "matrix:!1:here.org")
	r.invites(ann, "matrix:!2:here.org")
	r.stands("matrix:!2:here.org", Held)
	r.answer(hall, "AskJoin", "")
	r.joins(hall, ann)
	r.expect(hall, hello)
}

func TestFactsSpeakForThemselves(t *testing.T) {
	for _, s := range []State{Waiting, Held, Accepted, Failed, Joined, Withdrawn, Declined} {
		if describe(say.English, events.Fact{Keys: map[string]string{keyWhat: string(s)}}) == "" {
			t.Errorf("%s is not described", s)
		}
	}
}

func TestAnOperatorDecides(t *testing.T) {
	r := newRig(t)
	says := func(by protocol.UserID, line, want string) {
		t.Helper()
		if got := r.says(by, line); got != want {
			t.Errorf("to %q the answer is\n%s\nwhere this was expected:\n%s", line, got, want)
		}
	}
	says(boss, "invites", "No invitation waits.")
	r.invites(mal, hall)
	r.invites(mal, yard)
	r.invites(ann, "matrix:!attic:here.org")
	r.answer("matrix:!attic:here.org", "AskJoin", "no such room")
	says(boss, "invites", `These invitations are open. invites accept ROOM and invites decline ROOM decide one:
• «!attic:here.org» (matrix:!attic:here.org), by matrix:@ann:here.org: accepted, and not joined yet, because «no such room»
• «!hall:here.org» (matrix:!hall:here.org), by matrix:@mal:nowhere.org: it waits, and would not with people = ["matrix:@cem:far.org", "matrix:@mal:nowhere.org"] in [invites]
• «!yard:here.org» (matrix:!yard:here.org), by matrix:@mal:nowhere.org: it waits, and would not with people = ["matrix:@cem:far.org", "matrix:@mal:nowhere.org"] in [invites]`)
	says(boss, "invites accept matrix:!hall:here.org", "I am on my way to «!hall:here.org».")
	r.stands(hall, Accepted)
	r.expect(hall, "AskJoin")
	says(boss, "invites accept matrix:!hall:here.org", "I am already on my way there. invites shows how it goes.")
	says(boss, "invites decline matrix:!yard:here.org", "I have turned down the invitation to «!yard:here.org».")
	r.stands(yard, "")
	r.expect(yard, "AskLeave")
	says(boss, "invites accept matrix:!yard:here.org", "I have no open invitation to a room with that id. invites lists those that there are.")
	if got := r.says(ann, "invites accept matrix:!yard:here.org"); r.standing()[yard] != "" || got == "" {
		t.Errorf("somebody who is no operator was answered %q", got)
	}
}

// TestOnALargeOpenServerTheOwnServerIsNobody: there everybody can have an account.
func TestOnALargeOpenServerTheOwnServerIsNobody(t *testing.T) {
	r := newRig(t)
	r.View(func(tx *store.Tx) {
		if r.feature.admits(tx, hall, "matrix:@any:matrix.org", true) {
			t.Error("anybody of matrix.org may invite the bot")
		}
		if !r.feature.admits(tx, hall, ann, true) {
			t.Error("ann of the own server may not")
		}
	})
}
