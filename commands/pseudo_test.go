package commands_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"moot/internal/say/saytest"
)

// heard is the beginning of what the bot says in a played script.
var heard = regexp.MustCompile(`^moot [^>]*> |^    `)

// own are the words of the commands and features of this test, which have no catalogue, and what became of what nobody answered.
var own = regexp.MustCompile(`^    \(|Hello|A warm hello|better late|you pick|quiet for|a fault|` +
	`[Gg]reets somebody|who is greeted|which one|[Ii]s as good late|nobody else's business|[Ii]s for moderators|how long|what else you want|` +
	`— how$|You are challenged|So are you|vote state=|^    moot 0|^moot [^>]*> moot 0`)

// typed is what stands unmarked where it can only be something to type, or a name: a line of its own, what a list is of, and what is quoted.
var typed = regexp.MustCompile(`^(!moot |/)[^—.]*$|^[a-z]+( [a-z]+)?( [[A-Z<].*)$|^• [^—]* — |^• (!moot )?[a-z]+( [a-z]+)?( --?[a-z0-9 -]*| -)?$|«[^»]*»`)

// TestInDisguise: all that the conversations hear stands in a catalogue.
func TestInDisguise(t *testing.T) {
	files, err := filepath.Glob("testdata/*.chat")
	if err != nil || len(files) == 0 {
		t.Fatalf("no conversations: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".chat"), func(t *testing.T) {
			script, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			saytest.Disguise(t)
			lines := 0
			for line := range strings.Lines(newChat(t).play(string(script))) {
				if begin := heard.FindString(line); begin != "" && !own.MatchString(strings.TrimRight(line, "\n")) {
					saytest.Hold(t, typed.ReplaceAllString(strings.TrimRight(line[len(begin):], "\n"), ""), nil)
					lines++
				}
			}
			if lines == 0 {
				t.Error("nothing is heard")
			}
		})
	}
}
