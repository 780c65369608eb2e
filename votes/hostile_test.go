package votes_test

import (
	"strings"
	"testing"
	"time"

	"moot/protocol"
	"moot/store"
	"moot/votes"
	"moot/votes/tally"
)

// TestOnlyTheEligibleOpen: who may not vote on it opens no vote that binds, and is told why in private. Polls are open to
// every member, and an appeal to whom it is about.
func TestOnlyTheEligibleOpen(t *testing.T) {
	w := newTown(t)
	w.settle(lobby, "ann", "ben", "cem", "dan", "eve", "olga")
	w.later()
	w.member(lobby, person("new"), protocol.Joined)
	w.active[person("new")] = 5
	w.active[person("eve")] = 1
	w.heard()
	for _, command := range []string{"vote challenge ann because", "vote motion we sing"} {
		w.say(lobby, "new", "!moot "+command)
		w.expect("to new: In «lobby»: You cannot open that: who opens it has to be one of those who may vote on it")
		w.say(lobby, "eve", "!moot "+command)
		w.expect("to eve: In «lobby»: You cannot open that")
	}
	w.say(lobby, "olga", "!moot override challenge ben enough")
	w.say(lobby, "new", "!moot vote restore ben because")
	w.expect("to new: In «lobby»: You cannot open that")
	if v := w.vote(lobby, 1); v.ID != 0 {
		t.Fatalf("a vote is open: %+v", v)
	}
	w.say(lobby, "new", `!moot vote poll "Which?" one two`)
	w.expect("to new: In «lobby»: You can open a poll when you have been a member for 1 day.")
	w.wait(25 * time.Hour)
	w.say(lobby, "new", `!moot vote poll "Which?" one two`)
	if v := w.vote(lobby, 1); v.Type != votes.Poll || v.Size != 6 {
		t.Fatalf("no poll is open: %+v", v)
	}
	w.say(lobby, "ben", "!moot vote appeal because")
	if v := w.vote(lobby, 2); !v.Appeal {
		t.Fatalf("no appeal is open: %+v", v)
	}
}

// TestTheTargetDoesNotVote, not even on their own appeal.
func TestTheTargetDoesNotVote(t *testing.T) {
	w := newTown(t)
	w.settle(lobby, "ann", "ben", "cem", "olga")
	w.say(lobby, "olga", "!moot override challenge ben enough")
	w.say(lobby, "ben", "!moot vote appeal because")
	w.say(lobby, "ben", "!moot vote cast yes")
	w.react(lobby, "ben", "👍")
	w.tell("ben", "vote cast 1 yes")
	w.counts(1, 0, 0, 0)
	if v := w.vote(lobby, 1); v.Size != 3 {
		t.Fatalf("%d may vote", v.Size)
	}
	w.expect("because it is about you")
}

// TestReactionsOutliveTheMessage: ballots by reaction stand when the message is deleted and posted once more, up to the
// close, at which the reactions to the new message are read.
func TestReactionsOutliveTheMessage(t *testing.T) {
	w := opened(t)
	w.react(lobby, "ann", "👍")
	w.react(lobby, "cem", "👍")
	w.react(lobby, "dan", "👍")
	id := w.board(lobby)
	w.messages[id].deleted = true
	w.admit(protocol.Event{Room: lobby, Sender: person("ben"), Body: protocol.Deletion{Target: id}})
	if w.board(lobby) == id || w.board(lobby) == "" {
		t.Fatal("it was not posted once more")
	}
	late := w.react(lobby, "eve", "👍")
	w.unreact(lobby, "eve", late, false)
	w.react(lobby, "eve", "👎")
	w.wait(25 * time.Hour)
	w.counts(1, 3, 1, 0)
	if !w.isChallenged(lobby, "ben") {
		t.Errorf("got %+v", w.vote(lobby, 1))
	}
}

// TestMoreVotersWaiveNothing: a moderator who asks for more voters does not make inactive accounts vote.
func TestMoreVotersWaiveNothing(t *testing.T) {
	w := newTown(t)
	w.mods[person("mia")] = true
	w.settle(lobby, "ann", "ben", "cem", "dan", "mia")
	w.settle(lobby, socks(20)...)
	for _, s := range socks(20) {
		w.active[person(s)] = 0
	}
	w.say(lobby, "mia", "!moot room set votes.voters 10")
	w.later()
	w.heard()
	w.say(lobby, "ann", "!moot vote motion we sing")
	w.expect("That takes at least 10 people who may vote, and here are 5.")
	if v := w.vote(lobby, 1); v.ID != 0 {
		t.Fatalf("a vote is open: %+v", v)
	}
}

// TestSecretPollsStaySecret: where a secret poll ends without a close, what was chosen so far is shown to nobody.
func TestSecretPollsStaySecret(t *testing.T) {
	for name, end := range map[string]func(*town){
		"cancelled": func(w *town) { w.say(lobby, "mia", "!moot vote cancel 1 I want to see it") },
		"moved": func(w *town) {
			w.admit(protocol.Event{Room: lobby, Body: protocol.RoomChange{Changes: []protocol.Change{protocol.Upgraded{Successor: hall}}}})
		},
		"void": func(w *town) {
			w.online(false)
			w.now = w.now.Add(31 * 24 * time.Hour)
			w.online(true)
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newTown(t)
			w.mods[person("mia")] = true
			w.settle(lobby, "ann", "ben", "cem", "mia")
			w.say(lobby, "ann", `!moot vote poll --secret "Which?" one two`)
			w.tell("ben", "vote cast 2")
			w.wait(time.Hour)
			w.heard()
			end(w)
			w.wait(time.Hour)
			if v := w.vote(lobby, 1); v.Open() {
				t.Fatalf("it is open: %+v", v)
			}
			w.say(lobby, "cem", "!moot vote show 1")
			if out := w.heard(); strings.Contains(out, "1 vote") || strings.Contains(out, "0 votes") {
				t.Errorf("it is shown:\n%s", out)
			}
		})
	}
}

// TestVoidIsTold: a vote that became void while the bot was out of the room is told of when it is back.
func TestVoidIsTold(t *testing.T) {
	w := opened(t)
	w.botKicked(lobby)
	w.wait(31 * 24 * time.Hour)
	if v := w.vote(lobby, 1); v.Outcome != votes.Void {
		t.Fatalf("got %+v", v)
	}
	w.heard()
	w.botJoins(lobby)
	w.wait(time.Hour)
	out := w.heard()
	if n := strings.Count(out, "@lobby: Vote 1: challenge of Ben has closed.\nVoid:"); n != 1 {
		t.Fatalf("it was told %d times:\n%s", n, out)
	}
	w.crash(time.Minute)
	w.botKicked(lobby)
	w.botJoins(lobby)
	w.wait(time.Hour)
	if out := w.heard(); strings.Contains(out, "Void") {
		t.Errorf("it is told once more:\n%s", out)
	}
}

// TestVoidIsToldWhereTheBotIs: a bot that is out of the room again before it could tell waits until it is back for good.
func TestVoidIsToldWhereTheBotIs(t *testing.T) {
	w := opened(t)
	w.botKicked(lobby)
	w.wait(31 * 24 * time.Hour)
	w.botJoins(lobby)
	w.botKicked(lobby)
	w.heard()
	w.wait(time.Hour)
	if out := w.heard(); strings.Contains(out, "Void") {
		t.Errorf("it is told in a room in which the bot is not:\n%s", out)
	}
	w.botJoins(lobby)
	w.wait(time.Hour)
	if out := w.heard(); strings.Count(out, "@lobby: Vote 1: challenge of Ben has closed.\nVoid:") != 1 {
		t.Errorf("it is not told once:\n%s", out)
	}
}

// TestOwnChallengeCancelled: a moderator who ends their own challenge, for whatever reason, has to rest like everybody else.
func TestOwnChallengeCancelled(t *testing.T) {
	w := newTown(t)
	w.mods[person("mia")] = true
	w.settle(lobby, "ann", "ben", "cem", "dan", "mia")
	w.say(lobby, "mia", "!moot vote challenge ben because")
	w.say(lobby, "ann", "!moot vote cast no")
	w.say(lobby, "mia", "!moot vote cancel 1 it does not go well")
	if v := w.vote(lobby, 1); v.Outcome != votes.Withdrawn {
		t.Fatalf("got %+v", v)
	}
	w.heard()
	w.say(lobby, "mia", "!moot vote challenge ben once more")
	w.expect("You can challenge again after")
}

// TestForgottenAndUpgraded: to be forgotten while challenged is no way out, also where the room goes on elsewhere.
func TestForgottenAndUpgraded(t *testing.T) {
	w := newTown(t)
	w.settle(lobby, "ann", "ben", "cem", "olga")
	w.say(lobby, "olga", "!moot override challenge ben enough")
	w.forget("ben")
	w.admit(protocol.Event{Room: lobby, Body: protocol.RoomChange{Changes: []protocol.Change{protocol.Upgraded{Successor: hall}}}})
	if !w.isChallenged(hall, "ben") {
		t.Fatal("it was a way out")
	}
	w.members[hall] = map[protocol.UserID]time.Time{olga: w.now}
	w.settle(hall, "ben")
	w.say(hall, "olga", "!moot override restore ben enough")
	if w.isChallenged(hall, "ben") {
		t.Error("they cannot be restored")
	}
	if err := w.bus.Verify(t.Context(), ""); err != nil {
		t.Error(err)
	}
}

func (w *town) forget(who string) {
	w.t.Helper()
	w.now = w.now.Add(time.Second)
	err := w.store.Commit(w.now, func(c *store.Commit) error {
		return c.Run(protocol.Scope(person(who)), protocol.Ref{}, func(tx *store.Tx) error {
			w.votes.Forget(tx, person(who))
			w.bus.Forget(tx, person(who), false)
			return nil
		})
	})
	if err != nil {
		w.t.Fatal(err)
	}
}

// TestAnEarlyEndThatDoesNotHold: where the reactions that are read at an early end say that the outcome can still change,
// the vote goes on, and what was pressed meanwhile counts.
func TestAnEarlyEndThatDoesNotHold(t *testing.T) {
	w := newTown(t)
	w.settle(lobby, "ann", "ben", "cem", "dan", "eve")
	w.say(lobby, "ann", "!moot vote motion we sing")
	w.wait(2 * time.Hour)
	w.react(lobby, "ann", "👍")
	w.react(lobby, "cem", "👍")
	m := w.messages[w.board(lobby)]
	m.reactions = append(m.reactions, protocol.Reaction{User: person("cem"), Reaction: "👎", Event: "$missed"})
	w.react(lobby, "dan", "👍")
	v := w.vote(lobby, 1)
	if v.Status != votes.Running || v.Count.For[tally.No] != 1 {
		t.Fatalf("got %+v", v)
	}
	w.say(lobby, "cem", "!moot vote cast yes")
	if v := w.vote(lobby, 1); v.Status != votes.Closed || v.Outcome != tally.Passed {
		t.Fatalf("got %+v", v)
	}
	if err := w.bus.Verify(t.Context(), ""); err != nil {
		t.Error(err)
	}
}

// TestRemovedForAMomentIsGivenBack: less than a minute without the network is not given back, but any time out of the room.
func TestRemovedForAMomentIsGivenBack(t *testing.T) {
	w := opened(t)
	before := w.vote(lobby, 1).Deadline
	w.botKicked(lobby)
	w.now = w.now.Add(40 * time.Second)
	w.botJoins(lobby)
	if got := w.vote(lobby, 1).Deadline.Sub(before); got < 40*time.Second || got > 41*time.Second {
		t.Errorf("the deadline has moved by %s", got)
	}
}

// TestRefusalsOfThePersonArePrivate: that somebody is challenged is not said to the room once more.
func TestRefusalsOfThePersonArePrivate(t *testing.T) {
	w := newTown(t)
	w.settle(lobby, "ann", "ben", "cem", "olga")
	w.say(lobby, "olga", "!moot override challenge ben enough")
	w.heard()
	w.say(lobby, "ben", "!moot vote restore ann I like her")
	if out := w.heard(); !strings.HasPrefix(out, "to ben: ") || strings.Contains(out, "@lobby") {
		t.Errorf("got %s", out)
	}
}

// TestTheTargetIsToldWhatCameOfIt in private: that they are challenged, by a vote or otherwise, what can be done about it,
// and that it has ended.
func TestTheTargetIsToldWhatCameOfIt(t *testing.T) {
	w := newTown(t)
	w.mods[person("mia")] = true
	w.settle(lobby, "ann", "ben", "cem", "dan", "mia", "olga")
	told := func(what string) {
		t.Helper()
		for _, line := range strings.Split(w.heard(), "\n") {
			if strings.HasPrefix(line, "to ben: ") && strings.Contains(line, what) {
				return
			}
		}
		t.Fatalf("ben was not told %q", what)
	}
	w.say(lobby, "ann", "!moot vote challenge ben because")
	for _, who := range []string{"ann", "cem", "dan"} {
		w.say(lobby, who, "!moot vote cast yes")
	}
	w.heard()
	w.wait(25 * time.Hour)
	told("You are now suspended in «lobby», by vote 1")
	w.say(lobby, "ann", "!moot vote restore ben because")
	for _, who := range []string{"ann", "cem", "dan"} {
		w.say(lobby, who, "!moot vote cast yes")
	}
	w.heard()
	w.wait(25 * time.Hour)
	told("You are restored in «lobby», by vote 2")
	w.say(lobby, "mia", "!moot room set challenge.max 2d")
	w.say(lobby, "olga", "!moot override challenge ben enough")
	told("You are now suspended in «lobby», by somebody who operates me")
	w.wait(49 * time.Hour)
	told("You are restored in «lobby», because the time of the challenge is over")
	w.say(lobby, "olga", "!moot override challenge ben enough")
	w.heard()
	w.say(lobby, "olga", "!moot override restore ben enough")
	told("You are restored in «lobby», by somebody who operates me")
	w.wait(31 * 24 * time.Hour)
	w.say(lobby, "dan", "!moot vote challenge ben because")
	w.heard()
	w.wait(25 * time.Hour)
	told("In «lobby»: Vote 3: challenge of Ben has closed.")
}

// TestSeniorityGoesAlong: who has been a member for long in the old room may vote in the new one, also when they, or the
// bot, have left the old one since.
func TestSeniorityGoesAlong(t *testing.T) {
	w := newTown(t)
	w.settle(lobby, "ann", "ben", "cem", "dan")
	w.member(lobby, person("young"), protocol.Joined)
	w.admit(protocol.Event{Room: lobby, Body: protocol.RoomChange{Changes: []protocol.Change{protocol.Upgraded{Successor: hall}}}})
	w.members[hall] = map[protocol.UserID]time.Time{}
	for id := range w.members[lobby] {
		w.members[hall][id] = w.now
	}
	for _, p := range []string{"new", "young"} { // who was not there before, or for too short a time
		w.members[hall][person(p)] = w.now
		w.active[person(p)] = 5
	}
	w.botJoins(hall)
	w.wait(time.Minute)
	w.member(lobby, person("ann"), protocol.Left)
	w.botKicked(lobby)
	w.wait(time.Minute)
	w.say(hall, "ann", "!moot vote motion we sing")
	if v := w.vote(hall, 1); v.Size != 4 {
		t.Fatalf("%d may vote: %s", v.Size, w.heard())
	}
}

// TestFloors: a room goes below the values of the configuration in nothing that makes a vote easier to win, and above them
// in nothing that makes it easier to be in the way of one.
func TestFloors(t *testing.T) {
	w := newTown(t)
	w.mods[person("mia")] = true
	w.settle(lobby, "ann", "mia")
	for _, line := range []string{
		"votes.duration 11h", "votes.member 6d", "votes.active-days 1", "votes.voters 2", "votes.quorum 2", "votes.quorum-most 49",
		"votes.quorum-share 5", "votes.least-yes 2", "votes.polls 6", "votes.motions 6", "votes.restores 6", "votes.challenges 3", "votes.protected 6d", "votes.rest 6d",
		"votes.restore-rest 4d", "votes.appeal 8d", "challenge.max 1h",
	} {
		w.heard()
		w.say(lobby, "mia", "!moot room set "+line)
		w.expect("cannot be set for")
	}
	w.view(func(tx *store.Tx) {
		for k := range tx.Range(store.ScopedBucket("settings"), "", "") {
			t.Errorf("it was set: %q", k)
		}
	})
}

// TestHiddenChannels: no vote is held where not all can see it, whether it is opened there or the channel of all votes.
func TestHiddenChannels(t *testing.T) {
	w := newTown(t, func(w *town) { w.places = []protocol.Network{protocol.Console} })
	w.mods[person("mia")] = true
	w.settle(lobby, "ann", "ben", "cem", "mia")
	said := func(who, text string, place protocol.PlaceID, hidden bool) {
		w.admit(protocol.Event{Room: lobby, Place: place, Hidden: hidden, Sender: person(who), Body: protocol.Message{Text: text}})
	}
	for _, command := range []string{"vote challenge ben because", `vote poll "Which?" one two`, "vote motion we sing"} {
		said("ann", "!moot "+command, "cellar", true)
		w.expect("Not everybody who may vote can see that channel")
	}
	said("mia", "!moot room set votes.channel here", "cellar", true)
	w.expect("Not everybody in this room can see that channel")
	said("mia", "!moot room set votes.channel cellar", "plaza", false)
	w.expect("Not everybody in this room can see that channel")
	said("mia", "!moot room set votes.channel attic", "plaza", false)
	w.expect("I do not know yet who can see that channel. Say it in that channel (of a forum, in one of its posts): !moot room set votes.channel here")
	w.tell("ann", "vote motion we sing")
	w.expect("In which channel shall the vote be held?")
	said("mia", "!moot room set votes.channel here", "plaza", false)
	w.expect("has set votes.channel")
	w.tell("ann", "vote motion we sing")
	if v := w.vote(lobby, 1); v.Place != "plaza" {
		t.Fatalf("it is held in %q", v.Place)
	}
	said("ann", "!moot vote motion we dance", "plaza", true) // it was closed to some since
	w.expect("Not everybody who may vote can see that channel")
	if v := w.vote(lobby, 2); v.ID != 0 {
		t.Errorf("a vote is open: %+v", v)
	}
}

// TestSecretBallotsOfTheLastMoment count, and keep the opener from taking the vote back.
func TestSecretBallotsOfTheLastMoment(t *testing.T) {
	w := newTown(t)
	w.settle(lobby, "ann", "ben", "cem", "dan")
	w.say(lobby, "ann", "!moot vote motion --secret --for 3h we sing")
	w.wait(3*time.Hour - 5*time.Second)
	w.tell("ben", "vote cast yes")
	w.heard()
	w.say(lobby, "ann", "!moot vote cancel")
	w.expect("Somebody has already voted in vote 1")
	w.tell("cem", "vote cast yes")
	w.tell("dan", "vote cast no")
	w.wait(time.Minute)
	if v := w.vote(lobby, 1); v.Outcome != tally.Passed || v.Count.Cast != 3 {
		t.Errorf("got %+v", v)
	}
}

// TestSecretVotesMove: after an upgrade a secret ballot is still that of the same person, and is changed rather than doubled.
func TestSecretVotesMove(t *testing.T) {
	w := newTown(t)
	w.settle(lobby, "ann", "ben", "cem", "dan")
	w.say(lobby, "ann", "!moot vote motion --secret we sing")
	w.tell("ben", "vote cast yes")
	w.wait(time.Minute)
	w.tell("cem", "vote cast yes")
	w.admit(protocol.Event{Room: lobby, Body: protocol.RoomChange{Changes: []protocol.Change{protocol.Upgraded{Successor: hall}}}})
	w.members[hall] = map[protocol.UserID]time.Time{}
	for id := range w.members[lobby] {
		w.members[hall][id] = w.now
	}
	w.botJoins(hall)
	w.tell("ben", "vote cast 1 no --in hall")
	w.wait(49 * time.Hour)
	if v := w.vote(hall, 1); v.Count.Cast != 2 || v.Count.For[tally.Yes] != 1 || v.Count.For[tally.No] != 1 {
		t.Errorf("got %+v", v.Count)
	}
	if err := w.bus.Verify(t.Context(), ""); err != nil {
		t.Error(err)
	}
}

// TestNotRunningForTooLong: a vote is void too where the bot was not even running.
func TestNotRunningForTooLong(t *testing.T) {
	w := opened(t)
	w.crash(31 * 24 * time.Hour)
	if v := w.vote(lobby, 1); v.Outcome != votes.Void {
		t.Fatalf("got %+v", v)
	}
	w.expect("Void: for more than 30 days I was away")
}

// TestFromOutside: who is out of the room votes in private, and nowhere else, whatever the network lets them do there.
func TestFromOutside(t *testing.T) {
	w := opened(t)
	w.react(lobby, "cem", "👍")
	w.member(lobby, person("cem"), protocol.Left)
	w.react(lobby, "cem", "👎")
	w.say(lobby, "cem", "!moot vote cast abstain")
	w.counts(1, 1, 0, 0)
	w.admit(protocol.Event{Room: lobby, Body: protocol.RoomChange{Changes: []protocol.Change{protocol.Renamed{Name: "Plans"}}}})
	w.heard()
	w.tell("cem", "vote cast 1 abstain --in Plans")
	w.expect("I find no room called «Plans»")
	w.tell("cem", "vote cast 1 abstain --in lobby")
	w.expect("In «lobby»: Your ballot in vote 1 is abstain")
	w.counts(1, 0, 0, 1)
	w.tell("cem", "vote show 1 --in lobby")
	w.expect("I find no room called «lobby»")
	// The target answers, and appeals.
	w.member(lobby, person("ben"), protocol.Kicked)
	w.tell("ben", "vote reply 1 I have not --in Plans")
	w.expect("Your answer will stand")
	w.tell("eve", "vote cast 1 yes --in Plans")
	w.tell("dan", "vote cast 1 yes --in Plans")
	w.tell("ann", "vote cast 1 yes --in Plans")
	w.wait(25 * time.Hour)
	w.heard()
	w.tell("ben", "vote appeal I am sorry --in Plans")
	w.expect("ben appeals")
	w.tell("zed", "vote cast 1 yes --in lobby")
	w.expect("I find no room called «lobby»")
}

// TestBackAgain: who comes back is still among those who may vote.
func TestBackAgain(t *testing.T) {
	w := opened(t)
	w.react(lobby, "cem", "👍")
	w.member(lobby, person("cem"), protocol.Left)
	w.react(lobby, "cem", "👎")
	w.counts(1, 1, 0, 0)
	w.member(lobby, person("cem"), protocol.Joined)
	w.say(lobby, "cem", "!moot vote cast no") // who comes back is still among those who may
	w.counts(1, 0, 1, 0)
}

// TestNoChallengeEndsInItsFirstHalf, however clear it is; and it ends soon after.
func TestNoChallengeEndsInItsFirstHalf(t *testing.T) {
	w := opened(t)
	for _, who := range []string{"ann", "cem", "dan", "eve", "fay"} {
		w.say(lobby, who, "!moot vote cast yes")
	}
	w.wait(11*time.Hour + 50*time.Minute)
	if v := w.vote(lobby, 1); v.Status != votes.Running {
		t.Fatalf("got %+v", v)
	}
	w.wait(time.Hour)
	if v := w.vote(lobby, 1); v.Outcome != tally.Passed {
		t.Fatalf("got %+v", v)
	}
}

// TestTwoCanRestore: a restore takes no more ballots than there can be.
func TestTwoCanRestore(t *testing.T) {
	w := newTown(t)
	w.settle(lobby, "ann", "ben", "cem")
	w.members[lobby][olga] = w.now
	w.say(lobby, "olga", "!moot override challenge ben enough")
	w.say(lobby, "ann", "!moot vote restore ben enough")
	w.member(lobby, olga, protocol.Left)
	v := w.vote(lobby, 1)
	if v.Size != 2 || v.Tally.Quorum != 2 {
		t.Fatalf("got %+v", v)
	}
	w.say(lobby, "ann", "!moot vote cast yes")
	w.say(lobby, "cem", "!moot vote cast abstain")
	w.wait(25 * time.Hour)
	if w.isChallenged(lobby, "ben") {
		t.Errorf("got %+v", w.vote(lobby, 1))
	}
}

// TestLimitsOfEachKind: what fills one limit does not touch the others.
func TestLimitsOfEachKind(t *testing.T) {
	w := newTown(t)
	w.settle(lobby, "ann", "ben", "cem", "dan", "eve", "fay", "olga")
	for _, who := range []string{"ann", "ben", "cem", "dan", "eve"} {
		w.say(lobby, who, "!moot vote motion we sing")
		w.say(lobby, who, `!moot vote poll "Which?" one two`)
	}
	w.heard()
	w.say(lobby, "fay", "!moot vote motion we dance")
	w.expect("Open here: 5 motions, which is the most that there can be.")
	w.say(lobby, "fay", `!moot vote poll "Which?" one two`)
	w.expect("Open here: 5 polls, which is the most that there can be.")
	w.say(lobby, "fay", "!moot vote challenge ann because")
	w.expect("Vote 11: suspend Ann from using me here? Opened by Fay.")
	w.say(lobby, "olga", "!moot override challenge ben enough")
	w.say(lobby, "fay", "!moot vote restore ben because")
	w.expect("Vote 12: restore Ben? Opened by Fay.")
	w.say(lobby, "ben", "!moot vote appeal because")
	w.expect("Vote 13: Ben appeals")
}
