package protocol

import (
	"strings"
	"testing"
	"unicode/utf8"
)

// FuzzText: whatever people write can be shown: without what cannot be seen, on a line where it has to be, and no longer than
// there is room.
func FuzzText(f *testing.F) {
	for _, s := range []string{"", "hello\tthere\r\n", "\u202eolleh\x00\xff", "👩‍👩‍👧", "<@matrix:@ann:x>", "<@discord:1>>", "console:a\x1fb"} {
		f.Add(s, 5)
	}
	f.Fuzz(func(t *testing.T, s string, most int) {
		most = 1 + max(most, -most, 1)%200
		clean := Clean(s)
		if Clean(clean) != clean || !utf8.ValidString(clean) || len(clean) > 3*len(s) {
			t.Fatalf("%q is cleaned to %q", s, clean)
		}
		line := OneLine(s)
		if OneLine(line) != line || strings.ContainsAny(line, "\n\r\u2028\u2029") {
			t.Fatalf("%q is on a line %q", s, line)
		}
		if short := Shorten(clean, most); utf8.RuneCountInString(short) > most || !utf8.ValidString(short) {
			t.Fatalf("%q is shortened to %q", s, short)
		}
		if q := Quoted(s, most); utf8.RuneCountInString(q) > most+2 {
			t.Fatalf("%q is quoted as %q", s, q)
		}
		if id, ok := ParseMention(s); ok && (MentionToken(id) != s || CheckID(string(id)) != nil) {
			t.Fatalf("%q mentions %q", s, id)
		}
		if CheckID(s) == nil {
			id := RoomID("console:" + s)
			if id.Network() != Console || id.Local() != s {
				t.Fatalf("%q is %q of %q", id, id.Local(), id.Network())
			}
		}
	})
}
