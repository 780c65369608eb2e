package votes_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"moot/votes"
)

// suggested returns the command that an answer suggests, zero if none.
func suggested(heard string) string {
	_, after, ok := strings.Cut(heard, "Did you mean: ")
	if !ok {
		return ""
	}
	line, _, _ := strings.Cut(after, "? Put the question between quotes")
	return line
}

// polled has somebody open a poll, and cancels it again.
func (w *town) polled(text string) (v votes.Vote, heard string) {
	w.t.Helper()
	w.heard()
	before := w.newest()
	w.say(lobby, "ann", text)
	heard = w.heard()
	if v = w.newest(); v.ID == before.ID {
		return votes.Vote{}, heard
	}
	w.say(lobby, "ann", fmt.Sprintf("!moot vote cancel %d", v.ID))
	w.wait(time.Minute)
	return v, heard
}

// newest returns the vote that was opened last.
func (w *town) newest() (v votes.Vote) {
	for id := uint64(1); ; id++ {
		next := w.vote(lobby, id)
		if next.ID == 0 {
			return v
		}
		v = next
	}
}

// TestAPollIsWhatItsWordsMean: a poll that is plainly meant otherwise than its words are read does not open, and what is
// suggested instead opens just that. What can be read in one way only is read so.
func TestAPollIsWhatItsWordsMean(t *testing.T) {
	w := newTown(t)
	w.settle(lobby, "ann", "ben", "cem")
	three := []string{"Monday", "Tuesday", "any day"}
	for text, want := range map[string][]string{
		// understood
		"\"Which day?\"\nMonday\nTuesday\nany day":      append([]string{"", "Which day?"}, three...),
		"Which day?\n- Monday\n- Tuesday\n- any day":    append([]string{"", "Which day?"}, three...),
		"Which day?\n1. Monday\n2. Tuesday\n3. any day": append([]string{"", "Which day?"}, three...),
		"Which day? | Monday | Tuesday | any day":       append([]string{"", "Which day?"}, three...),
		"”Which day?” Monday Tuesday ”any day”":         append([]string{"", "Which day?"}, three...),
		"‘Which day?’ Monday Tuesday ‘any day’":         append([]string{"", "Which day?"}, three...),
		"»Which day?« Monday Tuesday »any day«":         append([]string{"", "Which day?"}, three...),
		"＂Which day?＂ Monday Tuesday ＂any day＂":         append([]string{"", "Which day?"}, three...),
		`"Which one?" "tea (hot)" "milk (cold)"`:        {"", "Which one?", "tea (hot)", "milk (cold)"},
		`"How much?" 1,5 2,5 "a, b and c"`:              {"", "How much?", "1,5", "2,5", "a, b and c"},
		`Where? here there`:                             {"", "Where?", "here", "there"},
		// suggested
		`"Which day?" Monday, Tuesday, any day`:     append([]string{"?", "Which day?"}, three...),
		`"Which day?"; Monday; Tuesday; any day`:    append([]string{"?", "Which day?"}, three...),
		`"Which day?" Monday | Tuesday | any day`:   append([]string{"?", "Which day?"}, three...),
		`Which day? Monday, Tuesday, any day`:       append([]string{"?", "Which day?"}, three...),
		`Which day, Monday, Tuesday, any day`:       {"?", "Which day", "Monday", "Tuesday", "any day"},
		`{Which day?} [Monday] [Tuesday] [any day]`: append([]string{"?", "Which day?"}, three...),
		`"Which day?" [Monday] [Tuesday] [any day]`: append([]string{"?", "Which day?"}, three...),
		`Which day? Monday Tuesday`:                 {"?", "Which day?", "Monday", "Tuesday"},
		`"Monday" or "Tuesday"`:                     {"?", "Monday or Tuesday?", "Monday", "Tuesday"},
		// refused
		"Should we do it":       nil,
		`"Which day?" , ;`:      nil,
		`"Which day?" Monday`:   nil,
		`"Which day?"` + "\n- ": nil,
	} {
		for _, flags := range []string{"", "--secret ", "--for 3h --secret "} {
			got, heard := w.polled("!moot vote poll " + flags + text)
			if want == nil {
				if got.ID != 0 {
					t.Errorf("%q opened %q", text, got.Options)
				}
				continue
			}
			if want[0] == "?" {
				line := suggested(heard)
				if got.ID != 0 || line == "" {
					t.Errorf("%q opened vote %d, and is answered %q", text, got.ID, heard)
					continue
				}
				if got, heard = w.polled(line); got.ID == 0 {
					t.Errorf("%q suggests %q, which is answered %q", text, line, heard)
				}
			}
			if got.ID == 0 || got.Secret != (flags != "") || !strings.Contains(heard, want[1]) || !slices.Equal(got.Options, want[2:]) {
				t.Errorf("%q opened vote %d, %q, and is answered %q", flags+text, got.ID, got.Options, heard)
			}
		}
	}
}

// TestEverySuggestedPollOpens, whatever the words are that it is made of.
func TestEverySuggestedPollOpens(t *testing.T) {
	w := newTown(t)
	w.settle(lobby, "ann", "ben", "cem")
	pieces := rapid.SampledFrom([]string{"day", "Mon", "a b", "?", ",", ";", "|", "\n", "\n- ", " ", " ", `"`, "“", "”", "'", "’", "«", "»", "[", "]", "(", "{", "}", "--secret", "—for",
		"-for 2d", "--", `\`, " or ", "/", "<@console:ben>", "@", "*", "_", "`", "é", "1.", "\u202e"})
	rapid.Check(t, func(rt *rapid.T) {
		text := strings.Join(rapid.SliceOfN(pieces, 1, 12).Draw(rt, "text"), "")
		got, heard := w.polled("!moot vote poll " + text)
		line := suggested(heard)
		if line == "" {
			return
		}
		if got.ID != 0 {
			rt.Fatalf("%q opened a poll and suggests %q", text, line)
		}
		if got, heard = w.polled(line); got.ID == 0 {
			rt.Fatalf("%q suggests %q, which is answered %q", text, line, heard)
		}
	})
}
