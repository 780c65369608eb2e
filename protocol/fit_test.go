package protocol

import (
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"
)

// TestWhatPeopleWroteIsShortenedUntilTheTextFits: a network that escapes characters takes the longest text that it can, and
// what decides stands in it whole.
func TestWhatPeopleWroteIsShortenedUntilTheTextFits(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		words := rapid.StringOfN(rapid.SampledFrom([]rune("a*é👍")), 0, 600, -1).Draw(t, "words")
		limit := rapid.IntRange(20, 800).Draw(t, "limit")
		length := func(text Text) int { // as a network that escapes stars
			plain := text.Plain()
			return utf8.RuneCountInString(plain) + strings.Count(plain, "*")
		}
		fits := func(text Text) bool { return length(text) <= limit }
		write := func(n int) Text { return Plain("3 yes, until 8.\n" + Shorten(words, n)) }
		most := utf8.RuneCountInString(words)
		got := Fit(fits, most, write)
		switch {
		case !strings.HasPrefix(got.Plain(), "3 yes, until 8."):
			t.Fatalf("what decides is gone: %q", got.Plain())
		case !fits(got):
			t.Fatalf("%d characters do not fit %d", length(got), limit)
		}
		for n := range most + 1 {
			if longer := write(n); fits(longer) && utf8.RuneCountInString(longer.Plain()) > utf8.RuneCountInString(got.Plain()) {
				t.Fatalf("%d characters of what people wrote fit too", n)
			}
		}
	})
}

func TestATextThatNeverFitsIsTheShortest(t *testing.T) {
	none := func(Text) bool { return false }
	if got := Fit(none, 10, func(n int) Text { return Plain(strings.Repeat("x", n+1)) }); got.Plain() != "x" {
		t.Errorf("%q", got.Plain())
	}
	if got := Fit(nil, 10, func(n int) Text { return Plain(strings.Repeat("x", n+1)) }); len(got.Plain()) != 11 {
		t.Errorf("%q", got.Plain())
	}
}
