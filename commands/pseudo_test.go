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

// own are the words of the commands of this test, which have no catalogue, and what became of what nobody answered.
var own = regexp.MustCompile(`^    \(|Hello|A warm hello|better late|you pick|quiet for|a fault`)

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
				if begin := heard.FindString(line); begin != "" && !own.MatchString(line) {
					saytest.Hold(t, line[len(begin):], nil)
					lines++
				}
			}
			if lines == 0 {
				t.Error("nothing is heard")
			}
		})
	}
}
