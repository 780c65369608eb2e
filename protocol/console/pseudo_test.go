package console_test

import (
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"moot/internal/say"
	"moot/internal/say/saytest"
	"moot/protocol/console"
)

var (
	// message is a line of what somebody says, or goes on to say.
	message = regexp.MustCompile(`^ *\d+ \S|^ {21}|^> |^#`)
	// column is what stands before a sentence: where it happened, or who or what a list is about.
	column = regexp.MustCompile(`^    .*?— |^  /.*?  +|^  \S+( \S+)?  +|^  \S+ +`)
)

// TestInDisguise: all that the console itself says stands in its catalogue.
func TestInDisguise(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatal("no conversations in testdata", err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			ar, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			cfg, lines := console.Config{Dir: t.TempDir(), Frozen: true, Start: start, Language: say.Pseudo}, 0
			for _, f := range ar.Files {
				if !strings.HasPrefix(f.Name, "typed") {
					continue
				}
				text, _ := converse(t, cfg, string(f.Data))
				for line := range strings.Lines(text) {
					if !message.MatchString(line) {
						saytest.Hold(t, line[len(column.FindString(line)):], nil)
						lines++
					}
				}
			}
			if lines == 0 {
				t.Error("it says nothing")
			}
		})
	}
}
