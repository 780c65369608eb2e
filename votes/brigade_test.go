package votes_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"moot/protocol"
)

// socks are accounts that somebody has made.
func socks(n int) []string {
	names := make([]string, n)
	for i := range names {
		names[i] = fmt.Sprintf("sock%d", i)
	}
	return names
}

// TestFiveHundredJoinAfterTheOpening: who was not there when a vote opened does not vote in it, by whatever way.
func TestFiveHundredJoinAfterTheOpening(t *testing.T) {
	w := newTown(t)
	w.settle(lobby, "ann", "ben", "cem", "dan", "eve")
	w.say(lobby, "ann", "!moot vote challenge ben he is loud")
	for _, s := range socks(500) {
		w.member(lobby, person(s), protocol.Joined)
		w.active[person(s)] = 2 // however active they are
		w.react(lobby, s, "👍")
	}
	w.say(lobby, "sock1", "!moot vote cast 1 yes")
	w.tell("sock2", "vote cast 1 yes --in lobby")
	if v := w.vote(lobby, 1); v.Count.Cast != 0 || v.Size != 4 {
		t.Fatalf("their ballots count: %+v", v)
	}
	out := w.heard()
	if n := strings.Count(out, "You cannot vote in vote 1"); n < 500 {
		t.Errorf("only %d were told why", n)
	}
	w.wait(25 * time.Hour)
	if w.isChallenged(lobby, "ben") {
		t.Error("the brigade has won")
	}
	w.expect("Not passed, too few voted: ")
}

// TestTwentyFromYesterday: 20 accounts that joined 25 hours ago and have reacted once neither open a binding vote nor vote
// in one.
func TestTwentyFromYesterday(t *testing.T) {
	w := newTown(t)
	w.settle(lobby, "ann", "ben", "cem", "dan")
	for _, s := range socks(20) {
		w.member(lobby, person(s), protocol.Joined)
		w.active[person(s)] = 1
	}
	w.wait(25 * time.Hour)
	w.heard()
	w.say(lobby, "sock0", "!moot vote challenge ann we are many")
	w.expect("You cannot open that")
	w.say(lobby, "ben", "!moot vote challenge ann they are many") // who is with them
	for _, s := range socks(20) {
		w.react(lobby, s, "👍")
	}
	if v := w.vote(lobby, 1); v.Size != 3 || v.Count.Cast != 0 {
		t.Fatalf("they may vote: %+v", v)
	}
	w.wait(25 * time.Hour)
	if w.isChallenged(lobby, "ann") {
		t.Error("the brigade has won")
	}
}

// TestTheFirstDay: the same where the bot has come only today. Where the network says when people joined, that counts from
// the first day on; where it does not, who was there before the bot counts as being there for long, and who comes after it
// does not.
func TestTheFirstDay(t *testing.T) {
	for name, known := range map[string]bool{"joins are known": true, "joins are not known": false} {
		t.Run(name, func(t *testing.T) {
			w := newTown(t)
			w.members[lobby] = map[protocol.UserID]time.Time{}
			if known {
				for _, s := range socks(20) {
					w.members[lobby][person(s)] = w.now.Add(-25 * time.Hour)
				}
			}
			for _, p := range []string{"ann", "ben"} {
				w.members[lobby][person(p)] = time.Time{}
			}
			w.botJoins(lobby)
			if !known {
				for _, s := range socks(20) {
					w.member(lobby, person(s), protocol.Joined)
				}
			}
			for _, s := range socks(20) {
				w.active[person(s)] = 1
			}
			w.wait(3 * time.Hour)
			w.heard()
			for _, command := range []string{"vote challenge ann we are many", "vote motion we own this room"} {
				w.say(lobby, "sock0", "!moot "+command)
				w.expect("That takes at least 3 people who may vote")
			}
			if v := w.vote(lobby, 1); v.ID != 0 {
				t.Errorf("a vote is open: %+v", v)
			}
		})
	}
}

// TestKickedOutToBeBlinded: who joins while the bot is put out of the room is not taken for an old member afterwards.
func TestKickedOutToBeBlinded(t *testing.T) {
	w := newTown(t)
	w.members[lobby] = map[protocol.UserID]time.Time{}
	for _, p := range []string{"ann", "ben", "cem", "dan"} {
		w.members[lobby][person(p)] = time.Time{} // the network does not say
		w.active[person(p)] = 5
	}
	w.botJoins(lobby)
	w.wait(11 * 24 * time.Hour)
	w.botKicked(lobby)
	for _, s := range socks(20) {
		w.members[lobby][person(s)] = time.Time{}
		w.active[person(s)] = 5
	}
	w.botJoins(lobby)
	w.heard()
	w.say(lobby, "sock0", "!moot vote challenge ann we are many")
	w.expect("That takes at least 3 people who may vote, and here are 0.")
}

// TestNoVoteBeforeTheMembersAreKnown: nobody knows who may vote while the list is being read.
func TestNoVoteBeforeTheMembersAreKnown(t *testing.T) {
	w := newTown(t)
	w.settle(lobby, "ann", "ben", "cem", "dan")
	w.admit(protocol.Event{Room: lobby, Body: protocol.MemberList{Last: true, Fault: "the server is asleep"}})
	w.heard()
	w.say(lobby, "ann", "!moot vote motion we wake it up")
	w.expect("still reading the member list")
}

func (w *town) expect(what string) {
	w.t.Helper()
	if got := w.heard(); !strings.Contains(got, what) {
		w.t.Fatalf("expected %q in:\n%s", what, got)
	}
}
