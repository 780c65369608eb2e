package votes_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"moot/internal/bot"
	"moot/protocol"
	"moot/store"
	"moot/votes"
)

// largeTown is a town in whose eyes eleven people are many: it opens votes in steps of two.
func largeTown(t *testing.T) *town {
	w := newTown(t, func(w *town) { w.atOnce, w.rules = 2, votes.DefaultRules(); w.rules.Challenges = 4 })
	w.mods[person("mia")] = true
	w.settle(lobby, "ann", "ben", "cem", "dan", "eve", "mia", "zed")
	w.later()
	w.member(lobby, person("new"), protocol.Joined)
	w.active[person("eve")] = 0
	return w
}

// beginStep admits a command and makes one step, so that what follows from it is under way.
func (w *town) beginStep(who, text string) {
	w.t.Helper()
	w.next++
	w.now = w.now.Add(time.Millisecond)
	_, err := w.rig.Machine.Step(w.now, []bot.Input{bot.Admitted{Batch: &bot.Batch{Network: protocol.Console, Events: []protocol.Event{{
		Room: lobby, ID: protocol.EventID(fmt.Sprintf("$%d", w.next)), Sender: person(who), Time: w.now, Body: protocol.Message{Text: text},
	}}}}})
	if err != nil {
		w.t.Fatal(err)
	}
}

// TestOpeningInALargeRoom gives what opening in a small one does, in several steps.
func TestOpeningInALargeRoom(t *testing.T) {
	w := largeTown(t)
	w.heard()
	w.say(lobby, "ann", "!moot vote challenge ben because")
	out := w.heard()
	if !strings.Contains(out, "I am finding out who of the 9 members may vote") || !strings.Contains(out, "to ben: People in «lobby» are voting on whether to suspend you") {
		t.Errorf("heard:\n%s", out)
	}
	if v := w.vote(lobby, 1); v.Size != 5 || v.Waived {
		t.Fatalf("got %+v", v)
	}
	for who, may := range map[string]bool{"ann": true, "ben": false, "cem": true, "eve": false, "new": false, "zed": true} {
		w.say(lobby, who, "!moot vote cast yes")
		if got := strings.Contains(w.heard(), "You cannot vote"); got == may {
			t.Errorf("%s may vote: %v", who, !got)
		}
	}
	w.say(lobby, "eve", "!moot vote motion we sing")
	w.expect("to eve: In «lobby»: You cannot open that")
	w.say(lobby, "ann", `!moot vote poll "Which?" one two`)
	if v := w.vote(lobby, 2); v.Size != 8 {
		t.Fatalf("got %+v", v)
	}
	for _, p := range []string{"cem", "dan", "mia", "zed"} {
		w.active[person(p)] = 0
	}
	w.tell("ann", "vote motion we sing")
	if v := w.vote(lobby, 3); v.Size != 7 || !v.Waived {
		t.Fatalf("got %+v", v)
	}
	w.expect("to ann: In «lobby»: Vote 3 is open")
	w.heard()
	w.tell("cem", "vote cast 3 yes")
	w.wait(3 * 24 * time.Hour)
	w.heard()
	w.tell("cem", "vote voters 3") // named by several facts, of which those of votes that never opened do not count
	w.expect("There are 7 of them.\nHave voted: Cem.\nHave not voted: ")
	if err := w.bus.Verify(t.Context(), ""); err != nil {
		t.Error(err)
	}
}

// TestOpeningIsInterrupted: a crash in the middle of an opening does not lose it, and being put out of the room ends it
// kindly. What was noted for it is cleared away.
func TestOpeningIsInterrupted(t *testing.T) {
	left := func(w *town) (n int) {
		w.view(func(tx *store.Tx) {
			for _, b := range []string{"votes-enrolments", "votes-electing"} {
				for range tx.Range(store.ScopedBucket(b), "", "") {
					n++
				}
			}
		})
		return n
	}
	w := largeTown(t)
	w.beginStep("ann", "!moot vote motion we sing")
	if left(w) == 0 {
		t.Fatal("nothing is under way")
	}
	w.crash(time.Second)
	if v := w.vote(lobby, 1); v.Size != 6 || left(w) > 0 {
		t.Fatalf("%d rows are left, and %+v", left(w), v)
	}
	w.beginStep("ann", "!moot vote motion we dance")
	w.beginStep("cem", "!moot vote motion we cook")
	w.botKicked(lobby)
	w.botJoins(lobby)
	out := w.heard()
	if !strings.Contains(out, "to ann: In «lobby»: I was put out of the room") && !strings.Contains(out, "to ann: In «lobby»: I am still reading the member list") {
		t.Errorf("heard:\n%s", out)
	}
	if v := w.vote(lobby, 2); v.ID != 0 || left(w) > 0 {
		t.Fatalf("%d rows are left, and %+v", left(w), v)
	}
	w.members[lobby][person("zoe")] = w.now.Add(-month)
	w.active[person("zoe")] = 5
	w.botJoins(lobby)
	w.say(lobby, "cem", "!moot vote motion we cook")
	if v := w.vote(lobby, 2); v.Type != votes.Motion || v.Size != 7 {
		t.Fatalf("got %+v", v)
	}
	if err := w.bus.Verify(t.Context(), ""); err != nil {
		t.Error(err)
	}
}

// TestOpeningInParts: where those who may vote are named in several facts, all of them may.
func TestOpeningInParts(t *testing.T) {
	w := newTown(t, func(w *town) { w.atOnce = 2 })
	people := socks(45)
	w.settle(lobby, people...)
	w.say(lobby, "sock0", "!moot vote motion we sing")
	if v := w.vote(lobby, 1); v.Size != 45 {
		t.Fatalf("got %+v", v)
	}
	for _, p := range people {
		w.say(lobby, p, "!moot vote cast yes")
	}
	w.counts(1, 45, 0, 0)
	if err := w.bus.Verify(t.Context(), ""); err != nil {
		t.Error(err)
	}
}

// TestWhatHappensDuringAnOpening counts: what may not be opened any more when it is known who may vote is not opened.
func TestWhatHappensDuringAnOpening(t *testing.T) {
	w := largeTown(t)
	w.say(lobby, "ann", "!moot vote challenge cem because")
	w.heard()
	w.beginStep("ann", "!moot vote challenge ben because")
	w.say(lobby, "ann", "!moot vote cancel 1") // from here on she rests
	w.expect("You can challenge again after")
	if v := w.vote(lobby, 2); v.ID != 0 {
		t.Fatalf("a vote is open: %+v", v)
	}
}

// TestWhoMayNotOpenHoldsNobodyUp: in a large room the members are not looked at for somebody who cannot open the vote in any
// case, so that nobody else has to wait for it.
func TestWhoMayNotOpenHoldsNobodyUp(t *testing.T) {
	w := largeTown(t)
	for _, line := range []string{"vote motion we obey", "vote challenge ben because", `vote poll "Which?" one two`} {
		w.beginStep("new", "!moot "+line)
		w.say(lobby, "ann", "!moot vote motion we sing")
		if out := w.heard(); strings.Contains(out, "still finding out") || !strings.Contains(out, "Ann moves: we sing") {
			t.Errorf("%s:\n%s", line, out)
		}
		w.say(lobby, "ann", "!moot vote cancel")
		w.heard()
	}
}
