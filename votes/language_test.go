package votes_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"moot/internal/say"
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

// foreign are lines of packages that have no catalogue yet: of challenges, of the list of events, of what is listed by help and mydata.
var foreign = regexp.MustCompile(`you are now suspended|you are suspended|you are restored|What has happened|^    • `)

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
				if !strings.HasPrefix(line, "    ") || foreign.MatchString(line) {
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
	speaker := words.In(say.English)
	texts, calls := map[string]bool{}, 0
	for _, pattern := range []string{"*.go", "words/*.go"} {
		files, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range files {
			if strings.HasSuffix(name, "_test.go") {
				continue
			}
			file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
			if err != nil {
				t.Fatal(err)
			}
			ast.Inspect(file, func(n ast.Node) bool {
				if text, ok := literal(n); ok {
					texts[text] = true
				}
				call, ok := n.(*ast.CallExpr)
				if !ok {
					return true
				}
				args := call.Args
				switch called(call.Fun) {
				case "sorry":
					args = args[1:]
				case "Say", "say", "Plain", "add":
				default:
					return true
				}
				if len(args) == 0 {
					return true
				}
				id, ok := literal(args[0])
				if !ok || called(call.Fun) == "Plain" && len(args) == 1 && !speaker.Has(id) {
					return true // protocol.Plain
				}
				if !speaker.Has(id) {
					t.Errorf("%s: %q is in no catalogue", name, id)
					return true
				}
				given, all := filled(args[1:])
				for _, slot := range words.Slots(id) {
					if all && called(call.Fun) != "add" && !slices.Contains(given, slot) {
						t.Errorf("%s: %q is said without %s", name, id, slot)
					}
				}
				calls++
				return true
			})
		}
	}
	if calls < 200 {
		t.Errorf("only %d sentences are looked at", calls)
	}
	for _, id := range words.IDs() {
		used := texts[id]
		for i := range id {
			used = used || id[i] == '-' && texts[id[:i+1]] || id[i] == '-' && texts[id[:i]] && texts[id[i:]]
		}
		if !used && !strings.HasPrefix(id, "span-") && !strings.HasPrefix(id, "list-") && !strings.Contains(id, "-ballot") && !strings.HasSuffix(id, "-event") {
			t.Errorf("nobody says %q", id)
		}
	}
}

func literal(n ast.Node) (string, bool) {
	lit, ok := n.(*ast.BasicLit)
	if !ok || lit.Kind != token.STRING {
		return "", false
	}
	s, err := strconv.Unquote(lit.Value)
	return s, err == nil
}

func called(f ast.Expr) string {
	switch f := f.(type) {
	case *ast.Ident:
		return f.Name
	case *ast.SelectorExpr:
		return f.Sel.Name
	}
	return ""
}

// filled returns the names of the slots that arguments fill, and whether all of them can be told.
func filled(args []ast.Expr) (names []string, all bool) {
	helpers := map[string]string{"number": "Vote", "vote": "Vote", "when": "When", "slot": "Setting", "boundsSlot": "Bounds", "cameToSlot": "Ended",
		"typeSlot": "Type", "soMany": "Votes", "role": "Role", "roleSlot": "Role", "reactionSlot": "Reaction", "until": "Until", "named": "Setting"}
	for _, arg := range args {
		call, ok := arg.(*ast.CallExpr)
		if !ok {
			return nil, false
		}
		if name, known := helpers[called(call.Fun)]; known {
			names = append(names, name)
		} else if name, ok := literal(call.Args[0]); ok {
			names = append(names, name)
		} else {
			return nil, false
		}
	}
	return names, true
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
