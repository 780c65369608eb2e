package votes_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"moot/internal/say/saytest"
	"moot/votes/words"
)

var slot = regexp.MustCompile(`\{\{[^}]*\}\}`)

// english returns what the catalogue says in English and not in German: pieces of sentences that are long enough to be known again.
func english(t *testing.T) (pieces []string) {
	var texts [2]string
	for i, l := range []string{"en", "de"} {
		data, err := os.ReadFile("words/" + l + ".toml")
		if err != nil {
			t.Fatal(err)
		}
		texts[i] = string(data)
	}
	for _, m := range regexp.MustCompile(`"((?:[^"\\]|\\.)*)"`).FindAllStringSubmatch(texts[0], -1) {
		for _, piece := range slot.Split(m[1], -1) {
			piece = strings.TrimSpace(piece)
			if len(strings.Fields(piece)) >= 4 && !strings.ContainsAny(piece, "*`\\") && !strings.Contains(texts[1], piece) {
				pieces = append(pieces, piece)
			}
		}
	}
	if len(pieces) < 200 {
		t.Fatalf("only %d pieces", len(pieces))
	}
	return pieces
}

// alone is what somebody hears who shares no room with the bot any more, and has chosen no language.
var alone = regexp.MustCompile(`^    • (When you left rooms|Ballots that you have cast in votes that are open)`)

// TestInGerman: in a room that speaks German the conversations go on as in English, and nothing that the catalogue says in English
// is said there.
func TestInGerman(t *testing.T) {
	pieces := english(t)
	files, err := filepath.Glob("testdata/*.chat")
	if err != nil || len(files) < 30 {
		t.Fatalf("no conversations: %v", err)
	}
	for _, file := range files {
		if strings.HasSuffix(file, "german.chat") {
			continue // which goes back to English in the end
		}
		t.Run(strings.TrimSuffix(filepath.Base(file), ".chat"), func(t *testing.T) {
			script, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			for line := range strings.Lines(play(t, "* language de\n"+string(script))) {
				if !strings.HasPrefix(line, "    ") || strings.HasSuffix(file, "escape.chat") && alone.MatchString(line) {
					continue
				}
				for _, piece := range pieces {
					if strings.Contains(line, piece) {
						t.Errorf("in German: %q in %s", piece, line)
					}
				}
			}
		})
	}
}

// TestSaid: what the code says is in the catalogue, with the slots that the code fills, and nothing else is.
func TestSaid(t *testing.T) {
	var made []string
	for _, id := range words.Catalogue().IDs() {
		if strings.Contains(id, "-ballot") || strings.HasSuffix(id, "-event") || strings.HasPrefix(id, "fact-") {
			made = append(made, id)
		}
	}
	saytest.Check(t, words.Catalogue(), saytest.Config{
		Files: []string{"*.go", "words/*.go"}, Least: 200, Says: map[string]int{"add": 0}, Adds: []string{"add"}, Made: made,
		Slots: map[string]string{"number": "Vote", "vote": "Vote", "when": "When", "slot": "Setting", "boundsSlot": "Bounds",
			"cameToSlot": "Ended", "voteOf": "Vote", "endedAs": "Ended", "typeSlot": "Type", "soMany": "Votes", "role": "Role", "roleSlot": "Role",
			"reactionSlot": "Reaction", "until": "Until", "named": "Setting"},
	})
}

// TestLanguageOfARoom: a room speaks English until a moderator chooses another language, and takes it along where it goes on.
func TestLanguageOfARoom(t *testing.T) {
	w := newTown(t)
	w.mods[person("mia")] = true
	w.settle(lobby, "ann", "ben", "cem", "mia")
	w.heard()
	w.say(lobby, "ann", "!moot room set language de")
	w.expect("is for the moderators of this room")
	w.say(lobby, "mia", "!moot room set language xx")
	w.expect("«xx» cannot be set for language. It can be en or de.")
	w.say(lobby, "mia", "!moot room set language German")
	w.expect("hat language von en auf de gesetzt: die Sprache, die ich in diesem Raum spreche")
	w.say(lobby, "ann", "!moot vote motion wir singen")
	w.expect("beantragt: wir singen")
	w.say(lobby, "ben", "!moot vote 1 ja weil es Spaß macht")
	w.heard()
	if v := w.vote(lobby, 1); v.Count.For[0] != 1 {
		t.Errorf("«ja» is no yes: %+v", v.Count)
	}
}
