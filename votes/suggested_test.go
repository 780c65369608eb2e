package votes_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"moot/commands"
	"moot/protocol"
	"moot/store"
)

// hostile draws words that were made to be read as something else: as a flag, a quotation, a mention, an id, a command.
func hostile(t *rapid.T, label string) string {
	pieces := []string{
		"ann", "Ann", "Аnn", "ben", "cem", "lobby", " ", " ", "\"", "“", "”", "«", "»", "'", "\\", "-", "--", "--in", "--secret", "—in", "@", "<@", ">", "<@console:ben>",
		"console:ben", "console:hall", ":", ".", ",", "/", "|", "REASON", "yes", "1", "2", "#1", "#2", "because", "or", "?", "\n", "\u200d", "\u202e", "a\u0301", "🏴", "🇫🇷",
		"`", "*", "ㅤ", "!moot", "vote",
	}
	return strings.Join(rapid.SliceOfN(rapid.SampledFrom(pieces), 1, 6).Draw(t, label), "")
}

// misread are the reasons for which a command is refused that was not read as it was meant.
var misread = []string{
	"a flag", "a name in a large room", "a quotation", "addressed without", "an unknown", "neither yes nor no", "no room", "no such room", "nobody of that name",
	"not a ", "not one of", "several of that name", "several rooms", "something is missing", "too long", "too many words", "too short", "--in",
}

// misreadWords are in the answers to such a command, of which a private conversation leaves no reason on record.
var misreadWords = []string{
	"I find no room", "I know no command", "I do not know what to do with", "is one too many", "A quotation begins", " is missing:", " knows no ", "may be several people",
	"Nobody here is called", "may be several rooms", "cannot be set for", "There is no such",
}

// TestEverySuggestedCommandIsRead: whatever people, a room and the options of a poll are called, each command that the bot shows is
// read as a command by the bot, where it is shown and by whom it is shown to.
func TestEverySuggestedCommandIsRead(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		w := newTown(rt)
		w.mods[person("ann")] = true
		w.settle(lobby, "ann", "ben", "cem", "dan", "eve", "olga")
		w.settle(hall, "ann", "cem")
		w.admit(protocol.Event{Room: lobby, Body: protocol.RoomChange{Changes: []protocol.Change{protocol.Renamed{Name: hostile(rt, "the room")}}}})
		for _, who := range []string{"ann", "ben", "cem", "dan"} {
			w.named(lobby, who, hostile(rt, who))
		}
		say := func(line string) { w.say(lobby, "ann", "!moot "+line) }
		tell := func(line string) { w.tell("ann", line+" --in console:lobby") }
		w.say(lobby, "olga", "!moot override challenge console:ben enough")
		say("vote challenge console:cem because")
		say(`vote poll ` + commands.InQuotes(hostile(rt, "question")+"?") + " " + commands.InQuotes(hostile(rt, "option 1")) + " " + commands.InQuotes(hostile(rt, "option 2")))
		say("vote motion --secret " + commands.InQuotes(hostile(rt, "motion")))
		for _, line := range []string{
			"vote 9 yes", "vote cast 2", "vote 2 2", "vote show", "vote list", "room set", "history console:cem", "history console:ben", "vote restore console:ben because",
			"vote challenge console:ben once more", "vote challenge console:cem once more", "vote reply 1", "vote reason 2 so", "vote edit 2", "vote cancel", "vote voters 1",
			"vote appeal because", "vote rule votes.member 8d", "vote rule votes.member 1s", "vote export", "vote poll Which one two",
		} {
			say(line)
			tell(line)
		}
		w.say(lobby, "ben", "!moot vote motion we sing")
		w.say(lobby, "zoe", "!moot vote motion we sing")
		w.say(lobby, "dan", "!moot vote 3 yes")
		w.react(lobby, "dan", "👍")
		for _, who := range []string{"ann", "dan", "eve", "olga"} {
			w.tell(who, "vote 1 yes --in console:lobby")
		}
		w.wait(25 * time.Hour)
		w.tell("cem", "vote appeal because --in console:lobby")
		w.heard()
		shown := slices.Clone(w.shown)
		slices.SortFunc(shown, func(a, b shownCode) int { return strings.Compare(a.where+a.code, b.where+b.code) })
		read, wrong := 0, []string(nil)
		for _, s := range slices.Compact(shown) {
			line := strings.TrimPrefix(s.code, "!moot ")
			first, _, _ := strings.Cut(line, " ")
			if !slices.Contains([]string{"vote", "room", "history"}, first) || line == "vote" || line == "room" {
				continue // the name of a setting, an id, a flag
			}
			if strings.Contains(line, " [--") {
				continue // how a command is used
			}
			line, room, named := strings.Cut(line, " --in ")
			for from, to := range map[string]string{"REASON": "so it is", "TEXT": "words", "CHOICE": "yes"} {
				if before, last := strings.CutSuffix(line, " "+from); last {
					line = before + " " + to
				}
			}
			if named {
				line += " --in " + room
			}
			where := strings.TrimPrefix(s.where, "edits ")
			who, private := strings.CutPrefix(where, "to ")
			if dm, ok := strings.CutPrefix(where, "@dm-"); ok {
				who, private = dm, true
			}
			if !private {
				who = "ann"
			}
			ev := protocol.Event{Room: lobby, Sender: person(who), Body: protocol.Message{Text: "!moot " + line}}
			if !strings.HasPrefix(s.code, "!moot ") { // as it is given in private, also where a room is told so
				ev = protocol.Event{Room: protocol.RoomID("console:dm-" + who), Sender: person(who), Private: true, Body: protocol.Message{Text: line}}
			}
			id := w.admit(ev)
			var seen store.Seen
			w.view(func(tx *store.Tx) { seen = tx.Seen(ev.Room, id) })
			read++
			answer := w.heard()
			switch {
			case seen.Disposition != store.Handled, slices.ContainsFunc(misread, func(why string) bool { return strings.Contains(seen.Reason, ": "+why) }),
				slices.ContainsFunc(misreadWords, func(words string) bool { return strings.Contains(answer, words) }):
				wrong = append(wrong, fmt.Sprintf("%s was shown %q; given as %q it is %v: %s\n%s", s.where, s.code, line, seen.Disposition, seen.Reason, answer))
			}
		}
		if len(wrong) > 0 {
			rt.Fatal(strings.Join(wrong, "\n"))
		}
		if read < 15 {
			rt.Fatalf("only %d commands were shown", read)
		}
	})
}
