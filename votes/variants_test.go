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

// What somebody would try who knows how the attacks of the review were closed.

// upgrade lets the lobby go on in the hall, with all who are in it.
func (w *town) upgrade() {
	w.t.Helper()
	w.admit(protocol.Event{Room: lobby, Body: protocol.RoomChange{Changes: []protocol.Change{protocol.Upgraded{Successor: hall}}}})
	w.members[hall] = map[protocol.UserID]time.Time{}
	for id := range w.members[lobby] {
		w.members[hall][id] = w.now
	}
	w.botJoins(hall)
	w.wait(time.Minute)
}

// lab is a town in which mia moderates, and ann has opened a challenge of dan.
func lab(t *testing.T, flags string, with ...func(*town)) *town {
	w := newTown(t, with...)
	w.mods[person("mia")] = true
	w.settle(lobby, "ann", "ben", "cem", "dan", "eve", "mia", "olga")
	w.say(lobby, "ann", "!moot vote challenge "+flags+" dan spams")
	w.heard()
	return w
}

// TestForgottenInAVoteThatMoves: an upgrade of the room in the middle of a vote makes nobody unknown who was forgotten: neither
// whom it is about, nor its opener, nor a moderator who has voted in it.
func TestForgottenInAVoteThatMoves(t *testing.T) {
	t.Run("target", func(t *testing.T) {
		w := lab(t, "")
		w.tell("dan", "forget me yes")
		w.upgrade()
		for _, who := range []string{"ben", "cem", "eve"} {
			w.say(hall, who, "!moot vote cast 1 yes")
		}
		w.wait(25 * time.Hour)
		if !w.isChallenged(hall, "dan") {
			t.Error("it was a way out")
		}
	})
	t.Run("opener", func(t *testing.T) {
		w := lab(t, "")
		w.tell("ann", "forget me yes")
		w.upgrade()
		w.wait(25 * time.Hour)
		w.heard()
		w.say(hall, "ann", "!moot vote challenge eve spams")
		w.expect("You can challenge again after")
	})
	t.Run("moderator", func(t *testing.T) {
		w := lab(t, "")
		w.say(lobby, "mia", "!moot vote cast 1 no")
		w.tell("mia", "forget me yes")
		w.upgrade()
		w.heard()
		w.say(hall, "mia", "!moot vote cancel 1 a formality")
		w.expect("You have cast a ballot in vote 1, so you cannot cancel it")
	})
	t.Run("and lets go", func(t *testing.T) {
		w := lab(t, "")
		w.tell("dan", "forget me yes")
		w.upgrade()
		w.say(hall, "olga", "!moot vote cancel 1 a mistake")
		w.view(func(tx *store.Tx) {
			if n := w.bus.Lookup(tx, person("dan")); n != 0 {
				t.Errorf("nothing runs about them, and they are still known as %d: %v", n, w.bus.Reasons(tx, n))
			}
		})
	})
}

// TestWithdrawnBeforeAVoteMoves: a ballot that was cast and taken back in the old room is known in the new one.
func TestWithdrawnBeforeAVoteMoves(t *testing.T) {
	w := lab(t, "")
	w.say(lobby, "mia", "!moot vote cast 1 no")
	w.say(lobby, "mia", "!moot vote withdraw 1")
	w.say(lobby, "ann", "!moot vote motion tea")
	w.say(lobby, "ben", "!moot vote cast 2 yes")
	w.say(lobby, "ben", "!moot vote withdraw 2")
	w.upgrade()
	w.heard()
	w.say(hall, "mia", "!moot vote cancel 1 a formality")
	w.expect("You have cast a ballot in vote 1, so you cannot cancel it")
	w.say(hall, "ann", "!moot vote edit 2 coffee")
	w.expect("Somebody has voted in vote 2")
}

// TestPutOutBeforeTheRoomMoves: who was put out of a room that then goes on elsewhere is no new member there.
func TestPutOutBeforeTheRoomMoves(t *testing.T) {
	w := newTown(t)
	w.settle(lobby, "mal", "sid", "sue", "ann", "ben", "cem", "dan")
	w.member(lobby, person("eve"), protocol.Joined)
	out := []string{"ann", "ben", "cem", "dan", "eve"}
	for _, who := range out {
		w.member(lobby, person(who), protocol.Kicked)
	}
	w.upgrade()
	for _, who := range out {
		w.member(hall, person(who), protocol.Joined)
		w.active[person(who)] = 5
	}
	w.heard()
	w.say(hall, "ann", "!moot vote motion we sing")
	if v := w.vote(hall, 1); v.Size != 7 { // all but eve, who had just come
		t.Errorf("%d can vote: %s", v.Size, w.heard())
	}
}

// TestCancelledChallengesAreTold: who may not challenge again, and who is protected, hears for how long, also where the vote was
// secret.
func TestCancelledChallengesAreTold(t *testing.T) {
	for _, flag := range []string{"", "--secret", "--hidden"} {
		t.Run("challenge"+flag, func(t *testing.T) {
			w := lab(t, flag)
			w.tell("ben", "vote 1 yes --in lobby")
			w.heard()
			w.say(lobby, "mia", "!moot vote cancel 1 a formality")
			out := w.heard()
			for _, want := range []string{"to ann: In «lobby»: You can open the next challenge after 2026-11-28", "Nobody can challenge you there again before 2026-11-28"} {
				if !strings.Contains(out, want) {
					t.Errorf("%q is not in\n%s", want, out)
				}
			}
		})
	}
}

// TestAppealsThatFailAreTold: who has appealed in vain hears from when on they can again.
func TestAppealsThatFailAreTold(t *testing.T) {
	w := lab(t, "")
	w.say(lobby, "olga", "!moot override challenge eve enough")
	w.tell("eve", "vote appeal I am sorry --in lobby")
	w.heard()
	w.wait(25 * time.Hour)
	w.expect("You can appeal again after 2026-11-28 08:00 UTC.")
}

// TestAppealBesideAChallenge: an appeal is not kept off by a vote that somebody else has opened, whatever it is.
func TestAppealBesideAChallenge(t *testing.T) {
	w := lab(t, "")
	w.say(lobby, "olga", "!moot override challenge dan enough")
	w.tell("dan", "vote appeal I am sorry --in lobby")
	if v := w.vote(lobby, 2); !v.Appeal {
		t.Fatalf("no appeal is open: %s", w.heard())
	}
	w.heard()
	w.tell("dan", "vote appeal I am very sorry --in lobby")
	w.expect("Vote 2 about Dan is already open")
	for _, who := range []string{"ann", "ben", "cem"} {
		w.say(lobby, who, "!moot vote 2 yes")
	}
	w.wait(25 * time.Hour)
	if w.isChallenged(lobby, "dan") || w.vote(lobby, 1).Outcome != tally.NoQuorum {
		t.Errorf("got %+v", w.vote(lobby, 1))
	}
}

// TestNobodyIsToldWhoVotedInSecret: not by the answer to somebody who would cancel a secret challenge, either.
func TestNobodyIsToldWhoVotedInSecret(t *testing.T) {
	w := lab(t, "--secret")
	w.tell("mia", "vote 1 no --in lobby")
	w.heard()
	w.say(lobby, "mia", "!moot vote cancel 1 a formality")
	if out := w.heard(); !strings.HasPrefix(out, "to mia: ") || strings.Contains(out, "@lobby") {
		t.Errorf("the room hears: %s", out)
	}
}

// TestReasonsThatShowNothing are none.
func TestReasonsThatShowNothing(t *testing.T) {
	w := lab(t, "")
	for _, blank := range []string{"ㅤ", "\u2800", "\u034f\u115f", "\ufffc"} {
		w.heard()
		w.say(lobby, "mia", "!moot vote cancel 1 "+blank)
		w.expect("Say why")
		w.tell("dan", "vote reply 1 "+blank+" --in lobby")
		w.expect("What do you want to answer?")
	}
}

// TestASignIsNoPlace: "+1" is what people say for a thumb, and not for the first option of a poll.
func TestASignIsNoPlace(t *testing.T) {
	w := newTown(t)
	w.settle(lobby, "ann", "ben", "cem", "dan")
	w.say(lobby, "ann", `!moot vote poll "How warm?" 0 -1 +1`)
	for _, reaction := range []string{"+1", "+2", "＋1"} {
		w.react(lobby, "ben", reaction)
	}
	w.say(lobby, "cem", "!moot vote 1 +2")
	w.say(lobby, "cem", "!moot vote 1 #+2")
	w.counts(1, 0, 0, 0)
	w.say(lobby, "cem", "!moot vote 1 +1") // which is the third
	w.say(lobby, "dan", "!moot vote 1 -1") // the second
	w.say(lobby, "ann", "!moot vote 1 ＃1")
	w.counts(1, 1, 1, 1)
}

// TestRulesOnlyBecomeStricter: a shorter window of activity takes no fewer days of it.
func TestRulesOnlyBecomeStricter(t *testing.T) {
	w := newTown(t)
	w.mods[person("mia")] = true
	w.settle(lobby, "ann", "ben", "cem", "dan", "mia")
	w.heard()
	w.say(lobby, "mia", "!moot room set votes.active-window 1d")
	w.expect("It can be a length of time from 2d to 10d")
	w.say(lobby, "mia", "!moot room set votes.active-days 10")
	w.say(lobby, "mia", "!moot room set votes.active-window 2d")
	w.say(lobby, "ann", "!moot vote motion we sing")
	if r := w.vote(lobby, 1).Rules; r.ActiveDays != 2 || r.ActiveWindow != 48*time.Hour {
		t.Errorf("got %+v", r)
	}
}

// TestARuleRunsAsLongAsAChallenge, also where polls and motions are short.
func TestARuleRunsAsLongAsAChallenge(t *testing.T) {
	w := newTown(t)
	w.settle(lobby, "ann", "ben", "cem", "dan")
	w.votes.Runs = time.Hour
	w.say(lobby, "ann", "!moot vote rule votes.member 60d")
	if v := w.vote(lobby, 1); v.Deadline.Sub(v.Opened) != 24*time.Hour {
		t.Errorf("it runs for %s", v.Deadline.Sub(v.Opened))
	}
}

// TestWhatIsSetIsAnnounced to the room, also where it is set, or somebody is suspended, in a channel that not all can see or in which
// the bot may not write.
func TestWhatIsSetIsAnnounced(t *testing.T) {
	for name, how := range map[string]protocol.Event{"hidden": {Hidden: true}, "mute": {Mute: true}} {
		t.Run(name, func(t *testing.T) {
			w := newTown(t, func(w *town) { w.places = []protocol.Network{protocol.Console} })
			w.mods[person("mia")] = true
			w.settle(lobby, "ann", "ben", "mia", "olga")
			said := func(who, text string, place protocol.PlaceID, how protocol.Event) string {
				w.heard()
				how.Room, how.Place, how.Sender, how.Body = lobby, place, person(who), protocol.Message{Text: text}
				w.admit(how)
				return w.heard()
			}
			hears := func(got, want string) {
				t.Helper()
				if !strings.Contains(got, want) {
					t.Errorf("%q is not in\n%s", want, got)
				}
			}
			hears(said("mia", "!moot room set votes.member 30d", "cellar", how), "@lobby: Mia has set votes.member from 7d to 30d")
			hears(said("olga", "!moot override challenge ben enough", "cellar", how), "@lobby: Ben is now suspended by decision of Olga")
			said("mia", "!moot room set votes.channel here", "plaza", protocol.Event{})
			hears(said("mia", "!moot room set votes.member 40d", "cellar", how), "@lobby/plaza: Mia has set votes.member")
			said("mia", "hello", "plaza", how) // which was closed
			hears(said("mia", "!moot room set votes.member 50d", "cellar", how), "@lobby: Mia has set votes.member")
			hears(said("olga", "!moot override restore ben enough", "cellar", how), "@lobby: Ben is restored by decision of Olga")
		})
	}
}

// TestAnOutcomeInAClosedChannel: who closes the channel of a vote to some keeps its outcome from nobody.
func TestAnOutcomeInAClosedChannel(t *testing.T) {
	w := newTown(t, func(w *town) { w.places = []protocol.Network{protocol.Console} })
	w.settle(lobby, "ann", "ben", "cem")
	w.admit(protocol.Event{Room: lobby, Place: "plaza", Sender: person("ann"), Body: protocol.Message{Text: "!moot vote motion we sing"}})
	w.admit(protocol.Event{Room: lobby, Place: "plaza", Hidden: true, Sender: person("ann"), Body: protocol.Message{Text: "hello"}})
	w.heard()
	w.wait(49 * time.Hour)
	w.expect("@lobby: Vote 1: motion «we sing» has closed.")
}

// TestTooLateIsTooLate: a reaction that comes when the time is over, and before the vote has ended, is not taken for one that was
// missed when the reactions are read.
func TestTooLateIsTooLate(t *testing.T) {
	w := opened(t)
	board := w.board(lobby)
	w.now = w.vote(lobby, 1).Deadline
	if err := w.store.Commit(w.now, func(c *store.Commit) error {
		return c.Run(protocol.Scope(lobby), protocol.Ref{Room: lobby, Event: "$late"}, func(tx *store.Tx) error {
			_, err := w.votes.Handle(tx, protocol.Event{Room: lobby, ID: "$late", Sender: person("fay"), Time: w.now,
				Body: protocol.ReactionAdded{Target: board, Reaction: "👍"}})
			return err
		})
	}); err != nil {
		t.Fatal(err)
	}
	m := w.messages[board]
	m.reactions = append(m.reactions, protocol.Reaction{User: person("fay"), Reaction: "👍", Event: "$late"})
	w.wait(time.Hour)
	if v := w.vote(lobby, 1); v.Status != votes.Closed || v.Count.Cast != 0 {
		t.Errorf("got %s with %+v", v.Status, v.Count)
	}
}

// TestRemindersAfterAnOutage: those that were due while nobody could vote come once, when people can again.
func TestRemindersAfterAnOutage(t *testing.T) {
	for name, away := range map[string]func(*town){
		"offline": func(w *town) { w.online(false); w.wait(9 * time.Hour); w.online(true) },
		"crash":   func(w *town) { w.crash(9 * time.Hour) },
		"kicked":  func(w *town) { w.botKicked(lobby); w.wait(9 * time.Hour); w.botJoins(lobby) },
	} {
		t.Run(name, func(t *testing.T) {
			w := newTown(t, func(w *town) { w.reminded = true })
			w.mods[person("mia")] = true
			w.settle(lobby, "ann", "ben", "cem", "dan", "mia")
			w.say(lobby, "mia", "!moot room set votes.reminder on")
			w.say(lobby, "ann", "!moot vote challenge dan spams")
			w.wait(11 * time.Hour)
			w.heard()
			away(w)
			w.wait(23 * time.Hour)
			out := w.heard()
			if n := strings.Count(out, "to ben: In «lobby»"); n != 1 {
				t.Errorf("ben was reminded %d times:\n%s", n, out)
			}
			if n := strings.Count(out, "@lobby: Vote 1: challenge of Dan is open; it closes"); n != 1 {
				t.Errorf("the room was reminded %d times:\n%s", n, out)
			}
		})
	}
}

// TestEverybodyReadsTheRules, and only moderators set what is theirs to set.
func TestEverybodyReadsTheRules(t *testing.T) {
	w := newTown(t)
	w.settle(lobby, "ann", "ben")
	w.heard()
	w.say(lobby, "ann", "!moot room set")
	w.expect("Who votes on what binds: who has been a member for 7d (votes.member)")
	w.say(lobby, "ann", "!moot room set votes.member")
	w.expect("votes.member")
	w.say(lobby, "ann", "!moot room set votes.duration 2d")
	w.expect("To set votes.duration is for the moderators of this room.")
	w.say(lobby, "ann", "!moot room set votes.member 60d")
	w.expect("votes.member is a rule of the room, and the room decides it: !moot vote rule votes.member 60d.")
	w.view(func(tx *store.Tx) {
		for k := range tx.Range(store.ScopedBucket("settings"), "", "") {
			t.Errorf("it was set: %q", k)
		}
	})
}

// TestAppealsAreNotCrowdedOut: neither by all the restores that there can be, nor by those that the one who appeals has opened.
func TestAppealsAreNotCrowdedOut(t *testing.T) {
	w := newTown(t)
	people := []string{"ann", "ben", "cem", "dan", "eve", "fay", "gil", "hal", "ida"}
	w.settle(lobby, append(people, "olga")...)
	for _, who := range people[4:] {
		w.say(lobby, "olga", "!moot override challenge "+who+" enough")
	}
	for i, who := range people[4:] {
		w.say(lobby, people[i/2], "!moot vote restore "+who+" because")
	}
	w.heard()
	w.say(lobby, "dan", "!moot vote restore eve because")
	w.say(lobby, "olga", "!moot override challenge ann enough")
	w.tell("ann", "vote appeal I am sorry --in lobby") // who has two restores open
	if v := w.vote(lobby, 6); !v.Appeal {
		t.Errorf("no appeal is open: %s", w.heard())
	}
}
