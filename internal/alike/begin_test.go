package alike

import (
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestCutPrefix(t *testing.T) {
	for _, test := range []struct{ s, word, rest string }{
		{"!moot ping", "!moot", " ping"},
		{"！ＭＯＯＴ ping", "!moot", " ping"},
		{"Rene\u0301, ping", "René", ", ping"},
		{"Bob  the\u00a0Bot: x", "bob the bot", ": x"},
		{"m\u200boot", "Moot", ""},
		{wales + "x", wales, "x"},
	} {
		if rest, ok := CutPrefix(test.s, Fold(test.word)); !ok || rest != test.rest {
			t.Errorf("%q behind %q leaves %q, %v", test.s, test.word, rest, ok)
		}
	}
	for _, pair := range [][2]string{{"moo", "moot"}, {"e\u0301", "e"}, {wales, "🏴"}, {"", "a"}, {"bobthe", "bob the"}, {"👩\u200d👧", "👩"}} {
		if rest, ok := CutPrefix(pair[0], Fold(pair[1])); ok || rest != pair[0] {
			t.Errorf("%q begins with %q, and %q is left", pair[0], pair[1], rest)
		}
	}
}

func TestCalled(t *testing.T) {
	names := []string{"Moot", "Bob the Bot", "moot:fake.test"}
	for text, want := range map[string]string{
		"Moot: ping":            "ping",
		"moot, ping":            "ping",
		"  @moot: ping":         "ping",
		"MOOT:ping":             "ping",
		"moot：ping":             "ping",
		"ｍｏｏｔ，ping":             "ping",
		"moot、 ping":            "ping",
		"moot:":                 "",
		"moot: see example.org": "see example.org",
		"Bob the  bot: ping":    "ping",
		"moot:fake.test: ping":  "ping",
		"@moot:fake.test, ping": "ping",
		"moot:help.":            "help.",
	} {
		if rest, ok := Called(text, false, names...); !ok || rest != want {
			t.Errorf("%q says %q, %v", text, rest, ok)
		}
	}
	for _, text := range []string{
		"@moot:other.example: hello", "@moot:other.example hello", "moot:fake.test is a server", "moot:fake.test:8448: x", "moot:8448 x", "moot:[::1]: x",
		"moot", "moot ping", "moots: ping", "a moot: ping", "", ":", "@", "mooté: x", "Bob: x",
	} {
		if rest, ok := Called(text, false, names...); ok {
			t.Errorf("%q calls the bot, and says %q", text, rest)
		}
	}
	for text, want := range map[string]string{"Moot ping": "ping", "@moot:fake.test ping": "ping", "moot": ""} {
		if rest, ok := Called(text, true, names...); !ok || rest != want {
			t.Errorf("%q, where the name is enough, says %q, %v", text, rest, ok)
		}
	}
}

// What begins with a word, begins with what it is folded to.
func TestCutPrefixFindsWhatWasPutThere(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		word := rapid.StringMatching(`[!a-zÀ-ÿ]{1,5}( [a-z0-9]{1,4})?`).Draw(t, "word")
		rest := rapid.StringMatching(`[ :,][a-z ]{0,5}`).Draw(t, "rest")
		for _, s := range []string{word, strings.ToUpper(word), wide(word)} {
			if got, ok := CutPrefix(s+rest, Fold(word)); !ok || got != rest {
				t.Fatalf("%q behind %q leaves %q, %v", s+rest, word, got, ok)
			}
		}
	})
}

// wide writes a word in full-width characters, as far as there are such.
func wide(s string) string {
	return strings.Map(func(r rune) rune {
		if r > ' ' && r <= '~' {
			return r + 0xFEE0
		}
		return r
	}, s)
}

func FuzzCalled(f *testing.F) {
	for _, s := range []string{"Moot: ping", "@moot:fake.test ping", "moot：\u0301", "\xffmoot:", "m\u200bo\u0301ot , x"} {
		f.Add(s, "Moot", true)
	}
	f.Fuzz(func(t *testing.T, text, name string, loosely bool) {
		rest, ok := Called(text, loosely, name)
		if !strings.HasSuffix(text, rest) || ok && Fold(name) == "" {
			t.Fatalf("%q, called by %q, leaves %q", text, name, rest)
		}
	})
}
