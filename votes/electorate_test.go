package votes_test

import (
	"slices"
	"testing"
	"time"

	"moot/protocol"
	"moot/votes"
	"moot/votes/tally"
)

// TestThreeAreNotTheRoom: until the bot has been in a room for as long as activity is counted, all who were there before vote,
// not the few who wrote in its first minutes.
func TestThreeAreNotTheRoom(t *testing.T) {
	w := newTown(t)
	people := []string{"ann", "ben", "cem", "dan", "eve", "fay", "gil", "hal"}
	w.settle(lobby, people...)
	for _, p := range people[3:] {
		w.active[person(p)] = 0
	}
	w.say(lobby, "ann", "!moot vote challenge hal because")
	if v := w.vote(lobby, 1); v.Size != 7 || v.Waived {
		t.Fatalf("got %+v", v)
	}
	w.say(lobby, "fay", "!moot vote cast no")
	w.expect("✅ on the message of fay")
	w.later()
	w.say(lobby, "ben", "!moot vote motion we sing")
	if v := w.vote(lobby, 2); v.Size != 3 || v.Waived {
		t.Fatalf("later: got %+v", v)
	}
}

// TestSilentAccountsNeverVote: who came after the bot and never took part has no vote, however few the others are.
func TestSilentAccountsNeverVote(t *testing.T) {
	w := newTown(t)
	w.settle(lobby, "ann", "ben", "cem", "dan")
	for _, s := range socks(6) {
		w.member(lobby, person(s), protocol.Joined)
	}
	w.wait(8 * 24 * time.Hour) // within the first days of the bot
	w.say(lobby, "ann", "!moot vote motion we sing")
	if v := w.vote(lobby, 1); v.Size != 4 {
		t.Fatalf("in the first days: got %+v", v)
	}
	w.later()
	for _, p := range []string{"ann", "ben", "cem", "dan"} {
		w.active[person(p)] = 1 // not on enough days
	}
	w.heard()
	w.say(lobby, "sock1", "!moot vote challenge ann because")
	w.expect("to sock1: In «lobby»: You cannot open that")
	w.say(lobby, "ann", "!moot vote motion we dance")
	if v := w.vote(lobby, 2); v.Size != 4 || !v.Waived {
		t.Fatalf("later: got %+v", v)
	}
}

// TestTheQuorumCountsTheChallenged: it is taken of all members of long standing, and never of more than half of those who can
// vote.
func TestTheQuorumCountsTheChallenged(t *testing.T) {
	w := newTown(t, func(w *town) { w.rules = votes.DefaultRules(); w.rules.QuorumShare = 2 })
	w.settle(lobby, "ann", "ben", "cem", "dan", "eve", "fay", "gil", "hal", "olga")
	for _, p := range []string{"fay", "gil", "hal"} {
		w.say(lobby, "olga", "!moot override challenge "+p+" enough")
	}
	w.say(lobby, "ann", "!moot vote motion we sing")
	if v := w.vote(lobby, 1); v.Size != 6 || v.Peers != 9 || v.Tally.Quorum != 5 {
		t.Fatalf("got %+v", v)
	}
	w.later()
	for _, p := range []string{"cem", "dan", "eve", "olga"} {
		w.active[person(p)] = 0
	}
	w.active[person("dan")] = 2
	w.say(lobby, "ann", "!moot vote motion we dance")
	if v := w.vote(lobby, 2); v.Size != 3 || v.Peers != 6 || v.Tally.Quorum != 3 {
		t.Fatalf("with lurkers: got %+v", v)
	}
}

// TestChainedChallenges: a few do not put one after the other out of a vote. After one challenge has passed, the others of
// the next 30 days take yes from half of those who could vote if nobody were challenged.
func TestChainedChallenges(t *testing.T) {
	w := newTown(t)
	w.settle(lobby, "ann", "ben", "cem", "dan", "eve", "fay", "gil", "hal")
	w.say(lobby, "ann", "!moot vote challenge dan because")
	w.say(lobby, "ben", "!moot vote challenge eve because")
	for _, id := range []string{"1", "2"} {
		for _, who := range []string{"ann", "ben", "cem"} {
			w.say(lobby, who, "!moot vote cast "+id+" yes")
		}
	}
	w.wait(25 * time.Hour)
	if !w.isChallenged(lobby, "dan") || w.isChallenged(lobby, "eve") {
		t.Fatalf("got %+v and %+v", w.vote(lobby, 1), w.vote(lobby, 2))
	}
	if v := w.vote(lobby, 2); v.Outcome != tally.Rejected || v.Tally.LeastYes != 4 {
		t.Errorf("the one beside it: got %+v", v)
	}
	w.say(lobby, "cem", "!moot vote challenge fay because")
	if v := w.vote(lobby, 3); v.Size != 6 || v.Tally.LeastYes != 4 {
		t.Errorf("the next one: got %+v", v)
	}
	w.wait(31 * 24 * time.Hour)
	w.say(lobby, "cem", "!moot vote challenge gil because")
	if v := w.vote(lobby, 4); v.Tally.LeastYes != 3 {
		t.Errorf("after 30 days: got %+v", v)
	}
}

// memberList is what the network says of who is in a room.
func (w *town) memberList(room protocol.RoomID) protocol.MemberList {
	list := protocol.MemberList{Last: true, Members: []protocol.Member{{User: self, Self: true, Bot: true}}}
	var ids []protocol.UserID
	for id := range w.members[room] {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	for _, id := range ids {
		m := protocol.Member{User: id, Name: name(id), Since: w.members[room][id]}
		if w.mods[id] {
			m.Power = protocol.PowerModerator
		}
		list.Members = append(list.Members, m)
	}
	return list
}
