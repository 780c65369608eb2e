package protocol_test

import (
	"strings"
	"testing"
	"unicode/utf16"

	"moot/protocol"
)

// TestOptionText: what a menu shows of an option is no longer than Discord takes it, which counts UTF-16 units.
func TestOptionText(t *testing.T) {
	for _, s := range []string{"1: tea", "10: " + strings.Repeat("🦊", 80), "10: " + strings.Repeat("é", 80), strings.Repeat("👩‍👩‍👧‍👦", 40)} {
		c := protocol.Control{Label: "Choose", Path: []string{"vote"}, Param: "place", Options: []protocol.Option{{Label: protocol.OptionText(s), Value: "1"}}}
		if err := c.Check(); err != nil {
			t.Errorf("%q: %v", s, err)
		}
		if short := protocol.OptionText(s); len(utf16.Encode([]rune(short))) > protocol.MaxOptionText || len(s) < 90 && short != s {
			t.Errorf("%q is shown as %q", s, short)
		}
	}
	c := protocol.Control{Label: "Choose", Path: []string{"vote"}, Param: "place", Options: []protocol.Option{{Label: strings.Repeat("🦊", 80), Value: "1"}}}
	if c.Check() == nil {
		t.Error("a label of 160 units is said to fit")
	}
}
