package votes_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"moot/internal/say/saytest"
	"moot/protocol"
)

// forPrograms is a line of a file that programs read, and "pong", which the command of this test says that stands for all others.
var forPrograms = regexp.MustCompile(`^(vote|\d+),|^pong$`)

// TestInDisguise: all that the conversations hear stands in a catalogue. What it does not say are names, words of people, and what can be
// typed, and these are marked; on buttons and in polls what somebody wrote stands alone.
func TestInDisguise(t *testing.T) {
	files, err := filepath.Glob("testdata/*.chat")
	if err != nil || len(files) < 30 {
		t.Fatalf("no conversations: %v", err)
	}
	saytest.Disguise(t) // until all of them have ended, as they are played beside each other
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".chat"), func(t *testing.T) {
			script, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			typed, lines := "", 0
			for line := range strings.Lines(string(script)) {
				if m := spoken.FindStringSubmatch(strings.TrimSuffix(line, "\n")); m != nil {
					typed += " " + m[3] + "\n"
				}
			}
			known := func(line string) bool {
				line = strings.TrimSpace(line)
				return forPrograms.MatchString(line) || strings.Contains(typed, " "+line)
			}
			play(t, string(script), func(w *town) {
				w.overheard = func(text string) {
					lines++
					saytest.Hold(t, text, known)
				}
			})
			if lines == 0 {
				t.Error("nothing is heard")
			}
		})
	}
}

func (w *town) overhear(texts ...string) {
	for _, text := range texts {
		if w.overheard != nil {
			w.overheard(text)
		}
	}
}

// offers is what stands on buttons and in menus.
func (w *town) offers(controls []protocol.Control) {
	for _, c := range controls {
		w.overhear(c.Label)
		for _, o := range c.Options {
			w.overhear(o.Label, o.Detail)
		}
	}
}
