package votes_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"moot/internal/say/saytest"
	"moot/protocol"
)

// TestInDisguise: all that the conversations hear stands in a catalogue. What it does not say are names, words of people, and what can be
// typed, and these are marked.
func TestInDisguise(t *testing.T) {
	files, err := filepath.Glob("testdata/*.chat")
	if err != nil || len(files) < 30 {
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
			overheard = func(text string) {
				lines++
				saytest.Hold(t, text, nil)
			}
			defer func() { overheard = nil }()
			play(t, string(script))
			if lines == 0 {
				t.Error("nothing is heard")
			}
		})
	}
}

// overheard is told of all that the bot says, unless it is nil.
var overheard func(text string)

func overhear(texts ...string) {
	for _, text := range texts {
		if overheard != nil {
			overheard(text)
		}
	}
}

// offers is what stands on buttons and in menus.
func offers(controls []protocol.Control) {
	for _, c := range controls {
		overhear(c.Label)
		for _, o := range c.Options {
			overhear(o.Label, o.Detail)
		}
	}
}
