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

// What somebody would try who wants a room for themselves, beyond the review of 2026-11-26.

// TestKickedForAMoment: to put others out for a moment takes no vote from them in what opens next.
func TestKickedForAMoment(t *testing.T) {
	w := newTown(t)
	w.mods[person("mal")] = true
	w.settle(lobby, "mal", "sid", "sue", "ann", "ben", "cem", "dan", "eve")
	w.later()
	for _, who := range []string{"ann", "ben", "cem", "dan", "eve"} {
		w.member(lobby, person(who), protocol.Kicked)
		w.now = w.now.Add(time.Minute)
		w.member(lobby, person(who), protocol.Joined)
	}
	w.say(lobby, "mal", "!moot vote rule votes.member 60d")
	if v := w.vote(lobby, 1); v.Size != 8 {
		t.Fatalf("%d of 8 can vote: %s", v.Size, w.heard())
	}
	// Who went by themselves is new again, and who was put out says nothing where they are not.
	w.member(lobby, person("ann"), protocol.Left)
	w.member(lobby, person("ann"), protocol.Joined)
	w.member(lobby, person("ben"), protocol.Kicked)
	w.say(lobby, "cem", "!moot vote motion we sing")
	if v := w.vote(lobby, 2); v.Size != 6 {
		t.Fatalf("%d of 6 can vote: %s", v.Size, w.heard())
	}
}

// TestConsentIsToWhatWasRead: who says nothing consents to what the motion says, so nobody makes it say something else.
func TestConsentIsToWhatWasRead(t *testing.T) {
	w := newTown(t)
	w.settle(lobby, "mal", "ann", "ben", "cem")
	w.say(lobby, "mal", "!moot vote motion --consent we buy flowers")
	w.wait(47 * time.Hour)
	w.heard()
	w.say(lobby, "mal", "!moot vote edit 1 mal decides everything")
	w.expect("Vote 1 goes by consent: who has said nothing has consented to what it says.")
	w.wait(2 * time.Hour)
	w.expect("Vote 1: motion «we buy flowers» has closed.")
}

// TestObjectionsThatCannotCome: a motion by consent can be defeated by half of those who may vote, whatever its opener asks.
func TestObjectionsThatCannotCome(t *testing.T) {
	w := newTown(t)
	w.settle(lobby, "mal", "ann", "ben", "cem", "dan")
	w.say(lobby, "mal", "!moot vote motion --consent --objections 4 mal decides everything")
	w.expect("Nobody could defeat that: here 5 can vote, so at most --objections 3 makes sense, which is half of them.")
	w.say(lobby, "mal", "!moot vote motion --consent --objections 3 mal decides everything")
	for _, who := range []string{"ann", "ben", "cem"} {
		w.tell(who, "vote 1 no because I object --in lobby")
	}
	w.wait(3 * 24 * time.Hour)
	if v := w.vote(lobby, 1); v.Outcome != tally.Rejected {
		t.Errorf("got %+v", v)
	}
}

// TestAppealFromOutsideOfManyChannels: who is suspended and put out of a room that is made of channels appeals in private, also
// where no channel was chosen for votes: it is heard where the challenge was.
func TestAppealFromOutsideOfManyChannels(t *testing.T) {
	w := newTown(t, func(w *town) { w.places = []protocol.Network{protocol.Console} })
	w.settle(lobby, "ann", "ben", "cem", "dan", "eve")
	w.admit(protocol.Event{Room: lobby, Place: "plaza", Sender: person("ann"), Body: protocol.Message{Text: "!moot vote challenge ben because"}})
	for _, who := range []string{"ann", "cem", "dan"} {
		w.tell(who, "vote 1 yes --in lobby")
	}
	w.wait(25 * time.Hour)
	if !w.isChallenged(lobby, "ben") {
		t.Fatalf("it did not pass: %s", w.heard())
	}
	w.member(lobby, person("ben"), protocol.Kicked)
	w.heard()
	w.tell("ben", "vote appeal I am sorry --in lobby")
	if v := w.vote(lobby, 2); !v.Appeal || v.Place != "plaza" {
		t.Fatalf("no appeal is open: %s", w.heard())
	}
	w.tell("ann", "vote motion we sing --in lobby") // for which there is no such place
	w.expect("In which channel shall the vote be held?")
}

// TestAClosedChannelKeepsNobodyFromVoting: whoever may close the channel for votes, or take from the bot the right to write there,
// could else switch them off, or have them where some do not see them.
func TestAClosedChannelKeepsNobodyFromVoting(t *testing.T) {
	for name, closed := range map[string]protocol.Event{"hidden": {Hidden: true}, "mute": {Mute: true}} {
		t.Run(name, func(t *testing.T) {
			w := newTown(t, func(w *town) { w.places = []protocol.Network{protocol.Console} })
			w.mods[person("mal")] = true
			w.settle(lobby, "ann", "ben", "cem", "mal")
			said := func(who, text string, place protocol.PlaceID, how protocol.Event) {
				how.Room, how.Place, how.Sender, how.Body = lobby, place, person(who), protocol.Message{Text: text}
				w.admit(how)
			}
			said("mal", "!moot room set votes.channel here", "votes", protocol.Event{})
			said("mal", "hello", "votes", closed) // which nobody commands anything with
			said("ann", "!moot vote challenge mal because", "plaza", protocol.Event{})
			if v := w.vote(lobby, 1); v.Place != "plaza" {
				t.Fatalf("it is held in %q: %s", v.Place, w.heard())
			}
			said("mal", "it is open again", "votes", protocol.Event{})
			said("ann", "!moot vote motion we sing", "plaza", protocol.Event{})
			if v := w.vote(lobby, 2); v.Place != "votes" {
				t.Fatalf("it is held in %q: %s", v.Place, w.heard())
			}
		})
	}
}

// TestNamesThatShowNothing, or that are the bot's: the id stands for them, or behind them.
func TestNamesThatShowNothing(t *testing.T) {
	for name, want := range map[string]string{
		"ㅤ": "Vote 1: mal moves:", "\u200b\u200b": "Vote 1: mal moves:", "Moot": "(mal) moves:", "mооt": "(mal) moves:", "Аnn": "(mal) moves:",
	} {
		t.Run(name, func(t *testing.T) {
			w := newTown(t)
			w.settle(lobby, "ann", "ben", "cem", "mal")
			w.named(lobby, "mal", name)
			w.heard()
			w.say(lobby, "mal", "!moot vote motion we obey")
			w.expect(want)
		})
	}
}

// TestARuleTakesItsTime: a few who are awake at night do not change a rule while the others sleep.
func TestARuleTakesItsTime(t *testing.T) {
	w := newTown(t)
	w.settle(lobby, "mal", "sid", "sue", "ann", "ben", "cem", "dan", "eve")
	w.say(lobby, "mal", "!moot vote rule votes.member 60d --for 10m")
	w.expect("A vote on a rule runs for at least 1 day")
	w.say(lobby, "mal", "!moot vote rule votes.member 60d --for 1d")
	if v := w.vote(lobby, 1); v.Deadline.Sub(v.Opened) != 24*time.Hour {
		t.Errorf("got %+v", v)
	}
}

// TestMyDataIsComplete: also what keeps a moderator from cancelling a challenge in which they have voted, and where a secret ballot is.
func TestMyDataIsComplete(t *testing.T) {
	w := newTown(t)
	w.mods[person("mia")] = true
	w.settle(lobby, "ann", "ben", "cem", "dan", "mia")
	w.say(lobby, "ann", "!moot vote challenge --secret ben because")
	w.tell("mia", "vote 1 no --in lobby")
	w.heard()
	w.tell("mia", "mydata")
	got := w.heard()
	for _, want := range []string{"if you have, your ballot is in its box until it closes", "You have cast a ballot in vote 1 in «lobby», and moderate, so you cannot cancel it."} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is not in\n%s", want, got)
		}
	}
	w.tell("dan", "mydata")
	if got := w.heard(); strings.Contains(got, "You have cast") {
		t.Errorf("who has not voted is told\n%s", got)
	}
}

// TestAVoteEndsAndLeavesNothing: the reaction that settles a vote leaves no row of its own behind it.
func TestAVoteEndsAndLeavesNothing(t *testing.T) {
	w := newTown(t)
	w.settle(lobby, "ann", "ben", "cem")
	w.say(lobby, "ann", "!moot vote motion we sing")
	w.wait(2 * time.Hour)
	for _, who := range []string{"ann", "ben", "cem"} {
		w.react(lobby, who, "👍")
	}
	if v := w.vote(lobby, 1); v.Open() {
		t.Fatalf("it is open: %+v", v)
	}
	w.view(func(tx *store.Tx) {
		for _, bucket := range []string{"votes-mark-events", "votes-marks", "votes-made-by", "votes-recasts", "votes-late", "votes-told", "votes-ballots"} {
			for k := range tx.Range(store.ScopedBucket(bucket), "", "") {
				t.Errorf("%s has %q left", bucket, k)
			}
		}
	})
}

// TestALongList: all votes of a room can be listed, and all that was about somebody.
func TestALongList(t *testing.T) {
	w := newTown(t)
	w.settle(lobby, "ann", "ben", "cem", "dan", "olga")
	for range 23 {
		w.say(lobby, "ann", "!moot vote motion we sing")
		w.say(lobby, "ann", "!moot vote cancel")
		w.say(lobby, "olga", "!moot override challenge ben enough")
		w.say(lobby, "olga", "!moot override restore ben enough")
		w.now = w.now.Add(time.Hour)
	}
	w.heard()
	seen := map[string]bool{}
	for line := "vote list --in lobby"; line != ""; {
		w.tell("ann", line)
		line = w.nextPage(seen, "Vote ")
	}
	if len(seen) != 23 {
		t.Errorf("%d of 23 votes are listed", len(seen))
	}
	clear(seen)
	for line := "history ben --in lobby"; line != ""; {
		w.tell("ann", line)
		line = w.nextPage(seen, "2026-")
	}
	if len(seen) != 46 {
		t.Errorf("the history has %d facts of 46", len(seen))
	}
	w.tell("ann", "vote list --page 9 --in lobby")
	w.expect("There is no page 9.")
}

// nextPage notes the lines of a page that begin so, and returns the command that shows the next one.
func (w *town) nextPage(seen map[string]bool, begins string) (next string) {
	w.t.Helper()
	for line := range strings.SplitSeq(w.heard(), "\n") {
		if strings.HasPrefix(line, begins) {
			seen[line] = true
		}
		if _, more, ok := strings.Cut(line, "There is more: "); ok {
			next = strings.TrimSuffix(more, ".")
		}
	}
	return next
}

// TestALateCancelTellsNothing: who opened a secret vote, or moderates, learns nothing of its ballots by ending it, editing it, or
// exporting it.
func TestALateCancelTellsNothing(t *testing.T) {
	w := newTown(t)
	w.mods[person("mal")] = true
	w.settle(lobby, "ann", "ben", "cem", "mal")
	w.say(lobby, "mal", "!moot vote poll --secret \"Who leads?\" mal ann")
	w.tell("ben", "vote 1 #2 --in lobby")
	w.heard()
	for _, line := range []string{"vote edit 1 Who is best?", "vote export", "vote export 1 --json", "vote voters 1", "vote show 1", "events", "events --kind vote",
		"vote cancel 1 a formality", "vote export", "vote export 1 --json", "vote show 1", "vote voters 1", "mydata", "mydata --raw", "events --kind vote", "history ben"} {
		w.tell("mal", line+" --in lobby")
		w.tell("mal", line)
	}
	for line := range strings.SplitSeq(w.heard(), "\n") {
		if strings.Contains(line, "ballot") && strings.Contains(line, "Ben") || strings.Contains(line, "[0,1") || strings.Contains(line, "«ann»") ||
			strings.Contains(line, "– 1 vote") || strings.Contains(line, `"cast":1`) {
			t.Errorf("it tells: %s", line)
		}
	}
	w.view(func(tx *store.Tx) {
		if v, _ := votes.Get(tx, lobby, 1); v.Outcome != votes.Withdrawn && v.Outcome != votes.Cancelled {
			t.Errorf("got %+v", v)
		}
	})
}
