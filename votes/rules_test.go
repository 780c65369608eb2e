package votes_test

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"moot/events"
	"moot/internal/bot"
	"moot/protocol"
	"moot/store"
	"moot/votes"
	"moot/votes/tally"
)

// opened is a town in which ann has opened a challenge of ben.
func opened(t *testing.T) *town {
	t.Helper()
	w := newTown(t)
	w.settle(lobby, "ann", "ben", "cem", "dan", "eve", "fay")
	w.say(lobby, "ann", "!moot vote challenge ben he is loud")
	w.heard()
	return w
}

func (w *town) counts(id uint64, yes, no, abstained int) {
	w.t.Helper()
	if got := fmt.Sprint(w.vote(lobby, id).Count.For); got != fmt.Sprint([]int{yes, no, abstained}) {
		w.t.Fatalf("the count is %s, not %d %d %d", got, yes, no, abstained)
	}
}

// TestMissedReactions: what the bot has not heard of it reads when the vote closes; what came after the deadline it leaves out,
// and what is gone changes no ballot.
func TestMissedReactions(t *testing.T) {
	w := opened(t)
	w.react(lobby, "ann", "👍")
	gone := w.react(lobby, "cem", "👍")
	w.react(lobby, "dan", "👎")
	w.say(lobby, "dan", "!moot vote withdraw") // its reaction stands, but was seen and withdrawn
	id := w.board(lobby)
	m := w.messages[id]
	m.reactions = append(m.reactions,
		protocol.Reaction{User: person("eve"), Reaction: "👍", Event: "$missed"},
		protocol.Reaction{User: person("sock"), Reaction: "👍", Event: "$sock"},
		protocol.Reaction{User: self, Reaction: "👍", Bot: true})
	w.unreact(lobby, "cem", gone, true)
	w.counts(1, 2, 0, 0)
	w.mute = true
	w.wait(24*time.Hour + time.Minute)
	if got := w.vote(lobby, 1).Status; got != votes.Closing {
		t.Fatalf("the vote is %s", got)
	}
	w.react(lobby, "fay", "👍") // too late
	w.mute = false
	w.crash(time.Second) // the question is asked once more
	w.counts(1, 3, 0, 0) // with that of Cem: nobody knows who took their reaction away
	if v := w.vote(lobby, 1); v.Status != votes.Closed || v.Outcome != tally.Passed || v.Unread {
		t.Fatalf("got %+v", v)
	}
}

// TestRemovedByAnother: a reaction that a moderator removes leaves the ballot, also of one whom the vote is about.
func TestRemovedByAnother(t *testing.T) {
	w := opened(t)
	for _, who := range []string{"ann", "cem", "dan"} {
		w.removes(lobby, "ben", w.react(lobby, who, "👍"))
	}
	w.counts(1, 3, 0, 0)
	w.wait(time.Minute)
	w.expect("Reactions that were removed by somebody else than who gave them: 3. Their ballots still count.")
	w.wait(25 * time.Hour)
	w.counts(1, 3, 0, 0)
	if !w.isChallenged(lobby, "ben") {
		t.Error("it did not pass")
	}
}

// TestDeletedReactionOfMany: of several reactions the last one that stands counts.
func TestDeletedReactionOfMany(t *testing.T) {
	w := opened(t)
	first := w.react(lobby, "cem", "👍")
	second := w.react(lobby, "cem", "👎")
	w.wait(time.Minute)
	w.counts(1, 0, 1, 0)
	w.unreact(lobby, "cem", second, false)
	w.wait(time.Minute)
	w.counts(1, 1, 0, 0)
	second = w.react(lobby, "cem", "👎")
	w.unreact(lobby, "cem", first, false)
	w.wait(time.Minute)
	w.counts(1, 0, 1, 0)
	w.unreact(lobby, "cem", second, false)
	w.wait(time.Minute)
	w.counts(1, 0, 0, 0)
	third := w.react(lobby, "cem", "👍")
	w.say(lobby, "cem", "!moot vote cast abstain")
	w.unreact(lobby, "cem", third, false)
	w.wait(time.Minute)
	w.counts(1, 0, 0, 1)
}

// TestSameReactionTwice: where a network lets the same reaction stand twice, the newer one is the ballot, and nothing is left
// of either when the vote has closed.
func TestSameReactionTwice(t *testing.T) {
	w := opened(t)
	first := w.react(lobby, "cem", "👍")
	second := w.react(lobby, "cem", "👍")
	w.wait(time.Minute)
	w.counts(1, 1, 0, 0)
	w.unreact(lobby, "cem", first, false)
	w.wait(time.Minute)
	w.counts(1, 1, 0, 0)
	w.unreact(lobby, "cem", second, false)
	w.wait(time.Minute)
	w.counts(1, 0, 0, 0)
	w.react(lobby, "cem", "👍")
	w.react(lobby, "cem", "👍")
	// One of two that is taken back leaves no reaction that would seem to have been missed when the vote closes.
	w.react(lobby, "dan", "👎")
	again := w.react(lobby, "dan", "👎")
	w.react(lobby, "dan", "👍")
	w.unreact(lobby, "dan", again, false)
	w.wait(2 * 24 * time.Hour)
	w.counts(1, 2, 0, 0)
	w.view(func(tx *store.Tx) {
		for _, bucket := range []string{"votes-mark-events", "votes-marks", "votes-made-by", "votes-recasts"} {
			for k := range tx.Range(store.ScopedBucket(bucket), "", "") {
				t.Errorf("%s has %q left", bucket, k)
			}
		}
	})
}

// TestForgottenTakesBack: who was forgotten while something holds them takes their reaction back as before.
func TestForgottenTakesBack(t *testing.T) {
	w := newTown(t)
	w.settle(lobby, "ann", "ben", "cem", "dan")
	w.say(lobby, "ann", "!moot vote motion tea") // which holds her
	event := w.react(lobby, "ann", "👍")
	w.wait(time.Minute)
	w.tell("ann", "forget me yes")
	w.counts(1, 1, 0, 0)
	w.unreact(lobby, "ann", event, false)
	w.wait(time.Minute)
	w.counts(1, 0, 0, 0)
}

// TestSecretFactsTellNothing: while a secret vote is open no ballot of it is in the log. Then all are, in one fact, sorted by
// what they say, and nothing in the store leads from one to a person.
func TestSecretFactsTellNothing(t *testing.T) {
	w := newTown(t)
	w.settle(lobby, "ann", "ben", "cem", "dan", "eve")
	w.say(lobby, "ann", "!moot vote motion --secret --for 1d we sing")
	ballots := func(what string) (found []events.Fact) {
		w.view(func(tx *store.Tx) {
			for f, err := range w.bus.Matching(tx, events.Query{Kind: votes.KindVote, Filters: map[string]string{"what": what}}) {
				if err != nil {
					t.Fatal(err)
				}
				found = append(found, f)
			}
		})
		return found
	}
	w.tell("ben", "vote cast abstain")
	w.tell("cem", "vote cast no")
	w.tell("dan", "vote cast yes")
	w.tell("eve", "vote cast yes")
	w.tell("eve", "vote withdraw")
	w.wait(time.Hour)
	if all := append(ballots("ballot"), ballots("withdrawn")...); len(all) > 0 {
		t.Fatalf("the log has %+v", all)
	}
	w.wait(24 * time.Hour)
	all := ballots("ballots")
	if len(all) != 1 || len(all[0].People) > 0 || string(all[0].Payload) != `{"ballots":[[0],[1],[2]]}` {
		t.Fatalf("the log has %+v", all)
	}
	if f := all[0]; strings.Contains(string(f.Cause.Event), "$") || f.Cause.Room != lobby {
		t.Errorf("its cause is %+v", f.Cause)
	}
	w.view(func(tx *store.Tx) {
		for _, bucket := range []string{"votes-keys", "votes-box", "votes-turnout", "votes-ballots", "votes-electorate"} {
			for k := range tx.Range(store.ScopedBucket(bucket), "", "") {
				t.Errorf("%s still has %q", bucket, k)
			}
		}
	})
	w.expect("1 yes, 1 no")
	if err := w.bus.Verify(t.Context(), ""); err != nil {
		t.Error(err)
	}
}

// TestSecretVotesOnSeveralMachines: their message says that other machines keep the ballots too, and what comes of the vote where one
// fails; that of another vote, or of a bot on one machine, does not.
func TestSecretVotesOnSeveralMachines(t *testing.T) {
	for name, shared := range map[string]bool{"one": false, "several": true} {
		t.Run(name, func(t *testing.T) {
			w := newTown(t, func(w *town) { w.shared = shared })
			w.settle(lobby, "ann", "ben", "cem")
			w.heard()
			w.say(lobby, "ann", "!moot vote motion --secret we sing")
			if out := w.heard(); strings.Contains(out, "where one fails, another goes on with the vote") != shared {
				t.Errorf("it says\n%s", out)
			}
			w.say(lobby, "ann", "!moot vote motion --hidden we dance")
			if out := w.heard(); strings.Contains(out, "several machines") {
				t.Errorf("of a vote that is not secret it says\n%s", out)
			}
		})
	}
}

// TestUndecidedSecretVotesTellNoCount: the fact by which a secret vote ended without a close says nothing of its ballots.
func TestUndecidedSecretVotesTellNoCount(t *testing.T) {
	for name, end := range map[string]func(*town){
		"cancelled": func(w *town) { w.say(lobby, "mia", "!moot vote cancel 1 I want to see it") },
		"void": func(w *town) {
			w.online(false)
			w.now = w.now.Add(31 * 24 * time.Hour)
			w.online(true)
		},
	} {
		for _, flag := range []string{"--secret", "--hidden"} {
			t.Run(name+flag, func(t *testing.T) {
				w := newTown(t)
				w.mods[person("mia")] = true
				w.settle(lobby, "ann", "ben", "cem", "mia")
				w.say(lobby, "ann", `!moot vote poll `+flag+` "Which?" one two`)
				w.tell("ben", "vote cast 2")
				w.wait(time.Hour)
				end(w)
				w.wait(time.Hour)
				n := 0
				w.view(func(tx *store.Tx) {
					for f, err := range w.bus.Matching(tx, events.Query{Kind: votes.KindVote, Filters: map[string]string{"what": "closed"}}) {
						if n++; err != nil || strings.Contains(string(f.Payload), `"cast":1`) || strings.Contains(string(f.Payload), ",1]") {
							t.Errorf("the fact says %s: %v", f.Payload, err)
						}
					}
				})
				if n != 1 {
					t.Errorf("it has ended %d times", n)
				}
			})
		}
	}
}

// TestSecretVotesRunTheirTime: an early end would tell what the last ballot did.
func TestSecretVotesRunTheirTime(t *testing.T) {
	w := newTown(t)
	w.settle(lobby, "ann", "ben", "cem", "dan")
	w.say(lobby, "ann", "!moot vote challenge dan spams --secret")
	for _, who := range []string{"ann", "ben", "cem"} {
		w.tell(who, "vote cast yes")
	}
	w.wait(23 * time.Hour)
	if v := w.vote(lobby, 1); v.Status != votes.Running || v.Turnout != 3 || v.Count.Cast != 0 {
		t.Errorf("got %+v", v)
	}
	w.wait(time.Hour + time.Minute)
	if !w.isChallenged(lobby, "dan") {
		t.Error("it did not pass")
	}
}

// TestTimeAwayIsGivenBack: also that of a process which was not running, but nothing where it was short.
func TestTimeAwayIsGivenBack(t *testing.T) {
	w := opened(t)
	deadline := w.vote(lobby, 1).Deadline
	moved := func(want time.Duration) {
		t.Helper()
		got := w.vote(lobby, 1).Deadline.Sub(deadline)
		if d := got - want; d < -time.Minute || d > time.Minute {
			t.Fatalf("the deadline has moved by %s, not %s", got, want)
		}
	}
	w.crash(30 * time.Second)
	moved(0)
	w.crash(3 * time.Hour)
	moved(3 * time.Hour)
	w.wait(time.Minute)
	w.expect("Vote 1 ends that much later: by 3 hours.")
	w.online(false)
	w.now = w.now.Add(48 * time.Hour) // over the deadline
	w.online(true)
	moved(51 * time.Hour)
	w.admit(protocol.Event{Room: lobby, Body: protocol.RoomChange{Changes: []protocol.Change{protocol.Available{}}}})
	w.wait(time.Hour)
	w.admit(protocol.Event{Room: lobby, Body: protocol.RoomChange{Changes: []protocol.Change{protocol.Available{Reachable: true}}}})
	moved(52 * time.Hour)
	w.botKicked(lobby)
	w.wait(29 * 24 * time.Hour)
	w.botJoins(lobby)
	moved(52*time.Hour + 29*24*time.Hour)
	w.botKicked(lobby)
	w.wait(31 * 24 * time.Hour)
	w.botJoins(lobby)
	if v := w.vote(lobby, 1); v.Outcome != votes.Void || w.isChallenged(lobby, "ben") {
		t.Fatalf("got %+v", v)
	}
}

// TestSleepIsGivenBack: a machine that slept over the end of a vote takes nobody's ballot, though no network was ever lost.
func TestSleepIsGivenBack(t *testing.T) {
	w := opened(t)
	deadline, since := w.vote(lobby, 1).Deadline, w.now
	w.now = deadline.Add(8 * time.Hour)
	slept := w.now.Sub(since)
	w.step(bot.Slept{Since: since})
	v := w.vote(lobby, 1)
	if d := v.Deadline.Sub(deadline) - slept; v.Status != votes.Running || d < -time.Minute || d > time.Minute {
		t.Fatalf("slept for %s: %s, and the deadline has moved by %s", slept, v.Status, v.Deadline.Sub(deadline))
	}
	w.react(lobby, "ann", "👍")
	w.counts(1, 1, 0, 0)
	w.wait(25 * time.Hour)
	if v := w.vote(lobby, 1); v.Open() {
		t.Errorf("it never ends: %+v", v)
	}
}

// TestNoTakeover: who ends a room cannot bring its votes, settings and challenges into a room in which the bot is already.
func TestNoTakeover(t *testing.T) {
	w := opened(t)
	w.settle(hall, "ben", "gus")
	w.members[lobby][olga] = w.now
	w.say(lobby, "olga", "!moot override challenge ben enough")
	w.admit(protocol.Event{Room: lobby, Body: protocol.RoomChange{Changes: []protocol.Change{protocol.Upgraded{Successor: hall}}}})
	if w.isChallenged(hall, "ben") || w.vote(hall, 1).ID != 0 {
		t.Error("the room was taken over")
	}
	if v := w.vote(lobby, 1); !v.Open() {
		t.Errorf("the vote is lost: %+v", v)
	}
}

// TestChallengedKeepTheirBallot: who is challenged while a vote is open keeps their ballot in it, and gets none in the next.
func TestChallengedKeepTheirBallot(t *testing.T) {
	w := newTown(t)
	w.settle(lobby, "ann", "ben", "cem", "dan", "olga")
	w.say(lobby, "ann", "!moot vote motion we sing")
	w.say(lobby, "ben", "!moot vote cast yes")
	w.say(lobby, "olga", "!moot override challenge ben enough")
	w.say(lobby, "ben", "!moot vote cast 1 no")
	w.counts(1, 0, 1, 0)
	w.say(lobby, "ann", `!moot vote poll "Which?" one two`)
	w.heard()
	w.say(lobby, "ben", "!moot vote cast 2 1")
	w.expect("You cannot vote in vote 2")
	w.say(lobby, "ben", "!moot vote motion we dance")
	w.expect("You have been suspended in «lobby»")
}

// TestActivityIsWaivedVisibly where fewer than three would remain.
func TestActivityIsWaivedVisibly(t *testing.T) {
	w := newTown(t)
	w.settle(lobby, "ann", "ben", "cem", "dan")
	w.active[person("ann")], w.active[person("cem")] = 1, 1
	w.later()
	w.say(lobby, "ann", "!moot vote motion we sing")
	w.expect("Too few members were active on 2 of the last days")
	if v := w.vote(lobby, 1); v.Size != 4 || !v.Waived {
		t.Errorf("got %+v", v)
	}
}

// TestChallengeMax: a challenge that may not stand for ever ends by itself.
func TestChallengeMax(t *testing.T) {
	w := newTown(t)
	w.mods[person("ann")] = true
	w.settle(lobby, "ann", "ben", "cem", "olga")
	w.say(lobby, "ann", "!moot room set challenge.max 2d")
	w.say(lobby, "olga", "!moot override challenge ben enough")
	w.wait(47 * time.Hour)
	if !w.isChallenged(lobby, "ben") {
		t.Fatal("it ended too early")
	}
	w.heard()
	w.wait(2 * time.Hour)
	w.expect("Ben is no longer suspended")
	if w.isChallenged(lobby, "ben") {
		t.Error("it stands")
	}
}

// TestForgottenUnderAChallenge: who is forgotten while challenged is recognised when they come back, until they are
// restored.
func TestForgottenUnderAChallenge(t *testing.T) {
	w := newTown(t)
	w.settle(lobby, "ann", "ben", "cem", "olga")
	w.say(lobby, "olga", "!moot override challenge ben enough")
	forget := func() (stays string) {
		t.Helper()
		w.now = w.now.Add(time.Second)
		err := w.store.Commit(w.now, func(c *store.Commit) error {
			return c.Run(protocol.Scope(person("ben")), protocol.Ref{}, func(tx *store.Tx) error {
				_, s1 := w.votes.Forget(tx, person("ben"))
				_, s2 := w.challenges.Forget(tx, person("ben"))
				stays = s1.Plain() + s2.Plain()
				w.bus.Forget(tx, person("ben"), false)
				return nil
			})
		})
		if err != nil {
			t.Fatal(err)
		}
		return stays
	}
	if got := forget(); !strings.Contains(got, "recognised until you are restored") {
		t.Errorf("got %q", got)
	}
	if !w.isChallenged(lobby, "ben") {
		t.Fatal("forgetting is a way out")
	}
	w.say(lobby, "olga", "!moot override restore ben enough")
	forget()
	if w.isChallenged(lobby, "ben") {
		t.Error("still challenged")
	}
	w.view(func(tx *store.Tx) {
		if n := w.bus.Lookup(tx, person("ben")); n != 0 {
			t.Errorf("still known as %d", n)
		}
	})
}

// TestExport shows what is stored of somebody.
func TestExport(t *testing.T) {
	w := opened(t)
	w.say(lobby, "cem", "!moot vote cast yes")
	w.member(lobby, person("cem"), protocol.Left)
	var lines []string
	w.view(func(tx *store.Tx) {
		for line := range w.votes.Export(tx, person("cem")) {
			lines = append(lines, line.Plain())
		}
	})
	if got := strings.Join(lines, "\n"); !strings.Contains(got, "You left") || !strings.Contains(got, "your ballot is yes") {
		t.Errorf("got %q", got)
	}
}

// TestNativeCasts: what comes through the network's own interface is not seen by the room, and so may be secret.
func TestNativeCasts(t *testing.T) {
	w := newTown(t)
	w.settle(lobby, "ann", "ben", "cem", "dan")
	w.say(lobby, "ann", "!moot vote motion --secret we sing")
	w.heard()
	w.admit(protocol.Event{Room: lobby, Sender: person("ben"), Handle: "token", Body: protocol.Invocation{
		Path: []string{"vote", "cast"}, Args: map[string]string{"ballot": "1", "ballot-2": "yes"},
	}})
	w.expect("to ben: Your ballot in vote 1 is yes")
	w.wait(49 * time.Hour)
	w.counts(1, 1, 0, 0)
}

// TestRulesAreFrozen: what a moderator sets holds for votes that open from then on.
func TestRulesAreFrozen(t *testing.T) {
	w := newTown(t)
	w.mods[person("mia")] = true
	w.settle(lobby, "ann", "ben", "cem", "mia")
	w.say(lobby, "ann", "!moot vote challenge ben he is loud")
	before, _ := json.Marshal(w.vote(lobby, 1).Rules)
	w.say(lobby, "mia", "!moot room set votes.least-yes 9")
	after, _ := json.Marshal(w.vote(lobby, 1).Rules)
	if string(before) != string(after) {
		t.Errorf("the rules of an open vote have changed:\n%s\n%s", before, after)
	}
}

// TestEverySettingIsShown: what can be set is named where all of it is shown.
func TestEverySettingIsShown(t *testing.T) {
	w := newTown(t)
	w.mods[person("mia")] = true
	w.settle(lobby, "ann", "mia")
	w.heard()
	w.say(lobby, "mia", "!moot room set")
	shown := w.heard()
	w.say(lobby, "mia", "!moot room set nothing")
	listed := regexp.MustCompile(`(?:votes|challenge)\.[a-z-]+`).FindAllString(w.heard(), -1)
	if len(listed) < 20 {
		t.Fatalf("only %d can be set", len(listed))
	}
	for _, name := range listed {
		if !strings.Contains(shown, "("+name+")") {
			t.Errorf("%s is not shown:\n%s", name, shown)
		}
	}
}

// TestTick: a ballot by command in a room is answered by ✅ on its message, and in words where that cannot be or nobody else
// reads along.
func TestTick(t *testing.T) {
	w := newTown(t)
	w.settle(lobby, "ann", "ben", "cem", "dan")
	w.say(lobby, "ann", "!moot vote motion we sing")
	w.heard()
	for _, line := range []string{"vote 1 yes", "vote 1 yes", "vote reason 1 it is fun", "vote 1 no because I am hoarse", "vote withdraw 1"} {
		w.say(lobby, "ben", "!moot "+line)
		if got := w.heard(); got != "✅ on the message of ben" {
			t.Errorf("%s: %q", line, got)
		}
	}
	w.tell("cem", "vote 1 yes --in lobby")
	w.expect("Your ballot in vote 1 is yes")
	w.say(lobby, "cem", "!moot vote 1 maybe")
	w.expect("cannot be chosen in vote 1")
	w.noReact = true
	w.say(lobby, "ben", "!moot vote 1 yes")
	w.expect("@lobby: Your ballot in vote 1 is yes. You can change or withdraw it until the vote closes.")
	w.say(lobby, "ben", "!moot vote withdraw 1")
	w.expect("@lobby: Your ballot in vote 1 is withdrawn.")
	ends := map[store.State]int{}
	w.view(func(tx *store.Tx) {
		for s := range tx.RecentDeliveries() {
			ends[s.State]++
		}
	})
	if ends[store.StateFailed] != 0 || ends[store.StateReplaced] != 2 {
		t.Errorf("what was sent has ended so: %v", ends)
	}
}
