// Package saytest holds a package that speaks to its catalogue; nothing but tests.
package saytest

import (
	"strings"
	"testing"
	"unicode"

	"moot/internal/say"
)

// Disguise has everything said in [say.Pseudo] until the test ends.
func Disguise(t *testing.T) {
	t.Helper()
	t.Cleanup(say.Disguise())
}

// Outside returns what of a text that was said in [say.Pseudo] no catalogue says: the first words with plain letters outside of ⟦ and ⟧. It
// is empty where there are none. A ⟧ that was cut off is at the end of its line.
func Outside(text string) string {
	for line := range strings.Lines(text) {
		depth, found := 0, ""
		for _, r := range line {
			switch {
			case r == '⟦':
				depth++
			case r == '⟧':
				depth--
			case depth > 0:
			case r < unicode.MaxASCII && unicode.IsLetter(r):
				found += string(r)
			case found != "" && r == ' ':
				found += " "
			case found != "":
				return strings.TrimSpace(found)
			}
		}
		if found = strings.TrimSpace(found); found != "" {
			return found
		}
	}
	return ""
}

// Hold fails for each line of a text with something that no catalogue says, unless the line is known: what may be so is named by known, which
// may be nil.
func Hold(t *testing.T, text string, known func(line string) bool) {
	t.Helper()
	for line := range strings.Lines(text) {
		if out := Outside(line); out != "" && (known == nil || !known(line)) {
			t.Errorf("in no catalogue: %q in %s", out, strings.TrimSpace(line))
		}
	}
}
