package votes_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"moot/protocol"
	"moot/store"
	"moot/votes"
)

// polled is a town whose network has polls, in which a vote is open.
func polled(t *testing.T, opens string) *town {
	w := newTown(t, func(w *town) { w.polls = []protocol.Network{protocol.Console} })
	w.mods[person("mia")] = true
	w.settle(lobby, "ann", "ben", "cem", "dan", "eve", "mia")
	w.say(lobby, "ann", "!moot "+opens)
	w.heard()
	return w
}

// ignored fails where an event did not come to nothing for that reason.
func (w *town) ignored(event protocol.EventID, why string) {
	w.t.Helper()
	w.view(func(tx *store.Tx) {
		if s := tx.Seen(lobby, event); s.Disposition != store.Ignored || !strings.Contains(s.Reason, why) {
			w.t.Errorf("%s is %s: %s; and not ignored because %q", event, s.Disposition, s.Reason, why)
		}
	})
}

func (w *town) stands(id uint64, want ...int) {
	w.t.Helper()
	w.wait(time.Minute) // what waits for the next edit is cast
	if got := w.vote(lobby, id).Count.For; fmt.Sprint(got) != fmt.Sprint(want) {
		w.t.Errorf("vote %d stands at %v, and not at %v", id, got, want)
	}
}

// TestWhatIsNoBallotInAPoll: responses to polls of others, to that of another vote, of those who may not vote, and late ones.
func TestWhatIsNoBallotInAPoll(t *testing.T) {
	w := polled(t, "vote motion we sing")
	w.say(lobby, "ben", "!moot vote motion we dance")
	second := w.poll(lobby)
	values := w.messages[second].poll.Options
	first := w.board(lobby)
	for id, m := range w.messages {
		if m.poll != nil && id != second {
			first = id
		}
	}
	respond := func(who string, poll protocol.EventID, answers ...string) protocol.EventID {
		return w.admit(protocol.Event{Room: lobby, Sender: person(who), Body: protocol.PollResponse{Target: poll, Answers: answers}})
	}
	const foreign = "has not started, or that has ended"
	w.ignored(respond("ben", "$foreign", "1"), foreign)
	w.ignored(respond("ben", "$foreign"), foreign)
	w.ignored(respond("ben", "$foreign", values[0].Value), foreign) // whoever copies what stands for a choice
	w.stands(2, 0, 0, 0)
	respond("cem", second, values[0].Value)
	respond("cem", first, values[0].Value) // carried over from another poll: it is spoiled there
	w.stands(1, 0, 0, 0)
	w.stands(2, 1, 0, 0)
	w.member(lobby, person("zoe"), protocol.Joined)
	w.ignored(respond("zoe", second, values[0].Value), "cannot vote")
	w.ignored(respond("zoe", second, values[0].Value), "cannot vote")
	if said := w.heard(); strings.Count(said, "to zoe") != 1 {
		t.Errorf("Zoe is told:\n%s", said)
	}
	w.wait(3 * 24 * time.Hour)
	if v := w.vote(lobby, 2); v.Open() {
		t.Fatalf("vote 2 is %s", v.Status)
	}
	w.ignored(respond("dan", second, values[0].Value), "which has closed")
	w.ignored(respond("dan", second), foreign)
	if err := w.bus.Verify(t.Context(), ""); err != nil {
		t.Error(err)
	}
}

// TestOnlyWhoRespondedTakesItBack: and falls back on what was before, be it a response or a reaction.
func TestOnlyWhoRespondedTakesItBack(t *testing.T) {
	w := polled(t, "vote motion we sing")
	w.react(lobby, "ben", "👎")
	w.stands(1, 0, 1, 0)
	one := w.answers(lobby, "ben", "Abstain")
	w.stands(1, 0, 0, 1)
	two := w.answers(lobby, "ben", "Yes")
	w.stands(1, 1, 0, 0)
	w.removes(lobby, "mia", two)
	w.stands(1, 1, 0, 0)
	if v := w.messages[w.board(lobby)].text; !strings.Contains(v, "removed by somebody else") {
		t.Errorf("the message says nothing of it:\n%s", v)
	}
	three := w.answers(lobby, "ben", "No")
	w.stands(1, 0, 1, 0)
	w.removes(lobby, "ben", three)
	w.stands(1, 1, 0, 0)
	w.removes(lobby, "ben", two)
	w.stands(1, 0, 0, 1)
	w.crash(time.Second)
	w.removes(lobby, "ben", one)
	w.stands(1, 0, 1, 0)
	w.say(lobby, "ben", "!moot vote cast 1 yes")
	four := w.answers(lobby, "ben", "No")
	w.say(lobby, "ben", "!moot vote cast 1 yes")
	w.removes(lobby, "ben", four) // the command came after it
	w.stands(1, 1, 0, 0)
}

// TestMoreResponsesThanAreRemembered: the newest counts however many there were, and all are forgotten in the end.
func TestMoreResponsesThanAreRemembered(t *testing.T) {
	w := polled(t, "vote motion we sing")
	for range 50 {
		w.answers(lobby, "ben", "No")
	}
	last := w.answers(lobby, "ben", "Yes")
	w.react(lobby, "ben", "🤷") // which is not crowded out
	w.stands(1, 0, 0, 1)
	w.answers(lobby, "ben", "Yes")
	w.stands(1, 1, 0, 0)
	w.removes(lobby, "ben", last)
	w.stands(1, 1, 0, 0)
	w.wait(3 * 24 * time.Hour)
	w.view(func(tx *store.Tx) {
		for _, bucket := range []string{"votes-marks", "votes-mark-events", "votes-made-by"} {
			for k := range tx.Range(store.ScopedBucket(bucket), "", "") {
				t.Errorf("%s still has %q", bucket, k)
			}
		}
	})
}

// TestAPollThatIsRemoved is put to the room once more, once, and the ballots stand.
func TestAPollThatIsRemoved(t *testing.T) {
	w := polled(t, "vote motion we sing")
	w.answers(lobby, "ben", "Yes")
	first := w.poll(lobby)
	remove := func(id protocol.EventID) {
		w.messages[id].deleted = true
		w.admit(protocol.Event{Room: lobby, Sender: person("mia"), Body: protocol.Deletion{Target: id}})
	}
	remove(first)
	second := w.poll(lobby)
	if second == first {
		t.Fatal("there is no other poll")
	}
	w.answers(lobby, "cem", "No")
	w.stands(1, 1, 1, 0)
	board := w.board(lobby)
	remove(board) // which is shown once more, and the poll stays as it is
	if w.board(lobby) == board || w.poll(lobby) != second {
		t.Error("the message is not shown once more, or the poll is")
	}
	w.answers(lobby, "dan", "No")
	w.stands(1, 1, 2, 0)
	remove(second)
	w.wait(time.Hour)
	if w.poll(lobby) != second || strings.Contains(w.messages[w.board(lobby)].text, "press in the poll") {
		t.Errorf("there is another poll, or the message speaks of one:\n%s", w.messages[w.board(lobby)].text)
	}
	w.stands(1, 1, 2, 0)
}

// TestThePollGoesAlong: where the room goes on elsewhere the poll ends, and another one is there.
func TestThePollGoesAlong(t *testing.T) {
	w := polled(t, "vote motion we sing")
	w.answers(lobby, "ben", "Yes")
	old := w.poll(lobby)
	w.admit(protocol.Event{Room: lobby, Body: protocol.RoomChange{Changes: []protocol.Change{protocol.Upgraded{Successor: hall}}}})
	w.members[hall] = w.members[lobby]
	w.botJoins(hall)
	w.wait(time.Hour)
	if !w.messages[old].ended || w.poll(hall) == "" {
		t.Fatal("the old poll goes on, or there is no new one")
	}
	w.answers(hall, "cem", "No")
	w.wait(time.Minute)
	if v := w.vote(hall, 1); fmt.Sprint(v.Count.For) != "[1 1 0]" {
		t.Errorf("it stands at %v", v.Count.For)
	}
}

// TestWhatAPollAsks fits the network, whatever people write, and is left out where there are none.
func TestWhatAPollAsks(t *testing.T) {
	w := polled(t, "vote motion "+strings.Repeat("we sing and ", 80))
	w.say(lobby, "ben", `!moot vote challenge console:cem `+strings.Repeat("reasons ", 60))
	for _, m := range w.messages {
		if m.poll != nil {
			if err := m.poll.Check(); err != nil {
				t.Error(err)
			}
		}
	}
	if !strings.HasPrefix(w.messages[w.poll(lobby)].text, "Vote 2: challenge of Cem. Reason: reasons") {
		t.Errorf("it asks %q", w.messages[w.poll(lobby)].text)
	}
	before := w.poll(lobby)
	w.say(lobby, "eve", `!moot vote elect "Who speaks for us?" Anna Berta`) // an order of candidates is more than a choice
	if w.poll(lobby) != before || !strings.Contains(w.messages[w.board(lobby)].text, "Who speaks for us?") {
		t.Errorf("an election is a poll, or was not opened: %s", w.messages[w.board(lobby)].text)
	}
	w.votes.Polls = []protocol.Network{}
	w.say(lobby, "dan", "!moot vote motion we dance")
	if w.poll(lobby) != before || strings.Contains(w.messages[w.board(lobby)].text, "poll below") {
		t.Errorf("there is a poll where the network has none: %s", w.messages[w.board(lobby)].text)
	}
}

// TestASecretVoteInPrivate: who may vote is given a poll of it alone, the last one that they have asked for counts, and others
// have nothing of it.
func TestASecretVoteInPrivate(t *testing.T) {
	w := polled(t, "vote motion --secret we whisper")
	if w.poll(lobby) != "" {
		t.Fatal("a secret vote is a poll in the room")
	}
	dm := protocol.RoomID("console:dm-ben")
	w.tell("ben", "vote show 1 --in lobby")
	old := w.poll(dm)
	w.answers(dm, "ben", "Yes")
	w.tell("ben", "vote show 1 --in lobby")
	if w.poll(dm) == old || !w.messages[old].ended {
		t.Error("the poll that they were given first goes on")
	}
	value := w.messages[old].poll.Options[1].Value
	stale := w.admit(protocol.Event{Room: dm, Private: true, Sender: person("ben"), Body: protocol.PollResponse{Target: old, Answers: []string{value}}})
	stolen := w.admit(protocol.Event{Room: "console:dm-cem", Private: true, Sender: person("cem"),
		Body: protocol.PollResponse{Target: w.poll(dm), Answers: []string{value}}})
	w.view(func(tx *store.Tx) {
		for _, ref := range []protocol.Ref{{Room: dm, Event: stale}, {Room: "console:dm-cem", Event: stolen}} {
			if s := tx.Seen(ref.Room, ref.Event); s.Disposition != store.Ignored || !strings.Contains(s.Reason, "has not started") {
				t.Errorf("%v is %s: %s", ref, s.Disposition, s.Reason)
			}
		}
	})
	w.say(lobby, "ann", "!moot vote show 1") // nobody is given a poll in the room
	w.tell("zoe", "vote show 1 --in lobby")
	if w.poll(lobby) != "" || w.poll("console:dm-zoe") != "" {
		t.Error("there is a poll for all, or for somebody who cannot vote")
	}
	w.wait(3 * 24 * time.Hour)
	v := w.vote(lobby, 1)
	if fmt.Sprint(v.Count.For) != "[1 0 0]" || v.Status != votes.Closed || !w.messages[w.poll(dm)].ended {
		t.Errorf("it is %s at %v, and the poll has ended: %v", v.Status, v.Count.For, w.messages[w.poll(dm)].ended)
	}
	w.view(func(tx *store.Tx) {
		for k := range tx.Range(store.ScopedBucket("votes-private-polls"), "", "") {
			t.Errorf("who had a poll is kept: %q", k)
		}
	})
}
