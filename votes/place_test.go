package votes_test

import (
	"strings"
	"testing"
	"time"

	"moot/protocol"
)

// TestAnOutcomeFindsAPlace: where the bot may not write in the room any more, those whom a challenge concerns most are told what
// came of it.
func TestAnOutcomeFindsAPlace(t *testing.T) {
	w := opened(t)
	w.heard()
	w.shut[lobby] = true
	w.wait(31 * 24 * time.Hour)
	if v := w.vote(lobby, 1); v.Open() {
		t.Fatalf("it is open: %+v", v)
	}
	out := w.heard()
	for _, who := range []string{"ann", "ben"} {
		if n := strings.Count(out, "to "+who+": I cannot write in «lobby», so I tell you here. Vote 1: challenge of Ben has closed."); n != 1 {
			t.Errorf("%s was told %d times:\n%s", who, n, out)
		}
	}
	if strings.HasPrefix(out, "@lobby: ") || strings.Contains(out, "\n@lobby: ") {
		t.Errorf("said where the bot may not write:\n%s", out)
	}
}

// TestNobodyWritesTheCountOffTheMessage: what people write may be as long as it may be, and of characters that the network escapes.
// The message of the vote is one that the network takes, and says how the vote stands, until when, and how to vote.
func TestNobodyWritesTheCountOffTheMessage(t *testing.T) {
	w := newTown(t)
	longest := 0
	w.fits = func(text protocol.Text) bool {
		plain := text.Plain()
		return len([]rune(plain))+strings.Count(plain, "*") <= 1200
	}
	w.settle(lobby, "ann", "ben", "cem", "dan", "eve", "fay")
	stars := strings.Repeat("*", 450)
	w.say(lobby, "ann", "!moot vote challenge ben "+stars)
	w.say(lobby, "ben", "!moot vote reply 1 "+stars)
	w.say(lobby, "cem", "!moot vote cast 1 yes")
	w.say(lobby, "dan", `!moot vote poll "Which?" `+strings.Repeat("*", 79)+"a "+strings.Repeat("*", 79)+"b")
	w.wait(time.Hour)
	for _, m := range w.messages {
		if !strings.HasPrefix(m.text, "Vote ") {
			continue
		}
		longest = max(longest, len(m.text))
		if !w.fits(protocol.Plain(m.text)) || !strings.Contains(m.text, "To vote:") || !strings.Contains(m.text, " voted") || !strings.Contains(m.text, "Open for ") {
			t.Errorf("a vote is shown as (fits: %t)\n%s", w.fits(protocol.Plain(m.text)), m.text)
		}
		if strings.Contains(m.text, "suspend") && !strings.Contains(m.text, "1 of 5 voted: 1 yes, 0 no, 0 abstained.") {
			t.Errorf("the count is not there:\n%s", m.text)
		}
	}
	if longest < 600 {
		t.Errorf("the longest message has %d bytes: less of what people wrote is shown than there is room for", longest)
	}
}

// TestMinutes: where a room keeps its minutes each outcome is said there, too, whatever it is, and once where votes are held
// there.
func TestMinutes(t *testing.T) {
	w := newTown(t, func(w *town) { w.places = []protocol.Network{protocol.Console} })
	w.mods[person("mia")] = true
	w.settle(lobby, "ann", "ben", "cem", "mia")
	said := func(who, text string, place protocol.PlaceID) {
		w.admit(protocol.Event{Room: lobby, Place: place, Sender: person(who), Body: protocol.Message{Text: text}})
	}
	said("ann", "!moot room set votes.minutes here", "minutes")
	w.expect("is for the moderators")
	said("mia", "!moot room set votes.minutes here", "minutes")
	w.expect("has set votes.minutes from nowhere to minutes")
	said("ann", "!moot vote motion we sing", "plaza")
	said("ann", "!moot vote motion we dance", "minutes")
	said("ann", `!moot vote poll "Which?" one two`, "plaza")
	said("mia", "!moot vote cancel 3 a mistake", "plaza")
	w.wait(3 * 24 * time.Hour)
	out := w.heard()
	for line, times := range map[string]int{
		"@lobby/plaza: Vote 1: motion «we sing» has closed.": 1, "@lobby/minutes: Vote 1: motion «we sing» has closed.": 1,
		"@lobby/minutes: Vote 2: motion «we dance» has closed.":                1,
		"@lobby/minutes: Vote 3: poll «Which?» has closed.\nCancelled by Mia.": 1,
	} {
		if got := strings.Count(out, line); got != times {
			t.Errorf("%q is said %d times:\n%s", line, got, out)
		}
	}
	said("mia", "!moot room set votes.minutes -", "plaza")
	said("ann", "!moot vote motion we cook", "plaza")
	w.heard()
	w.wait(3 * 24 * time.Hour)
	if out := w.heard(); strings.Contains(out, "/minutes") {
		t.Errorf("the room keeps no minutes any more:\n%s", out)
	}
}
