package alike

import (
	"strings"
	"testing"
	"unicode"

	"golang.org/x/text/unicode/runenames"
	"pgregory.net/rapid"
)

func TestSame(t *testing.T) {
	for _, pair := range [][2]string{
		{"Yes", "yes"}, {"Yes", "Yes\u200d"}, {"Yes", "Y\u0435s"}, {"Yes", "Ye\u034fs"}, {"café", "cafe\u0301"}, {"a b", "ab"},
		{"ten", "ｔｅｎ"}, {"Paul", "PauI"}, {"ben", "Β\u0435n"}, {"3d", "３d"}, {"🏴", "🏴\ufe0f"},
	} {
		if !Same(pair[0], pair[1]) {
			t.Errorf("%q and %q do not look the same", pair[0], pair[1])
		}
	}
	for _, pair := range [][2]string{{"yes", "no"}, {"1", "2"}, {"12", "21"}, {"café", "cafe"}, {"Monday", "Tuesday"}, {"tea", "téa"}} {
		if Same(pair[0], pair[1]) {
			t.Errorf("%q and %q look the same", pair[0], pair[1])
		}
	}
}

const (
	wales    = "🏴\U000E0067\U000E0062\U000E0077\U000E006C\U000E0073\U000E007F"
	scotland = "🏴\U000E0067\U000E0062\U000E0073\U000E0063\U000E0074\U000E007F"
)

// The digits of each script are ten in a row, from zero to nine.
func TestDigitsOfAllScripts(t *testing.T) {
	names := []string{"ZERO", "ONE", "TWO", "THREE", "FOUR", "FIVE", "SIX", "SEVEN", "EIGHT", "NINE"}
	for r := range rune(unicode.MaxRune) {
		if !unicode.Is(unicode.Nd, r) {
			continue
		}
		// The newest digits have no name in the tables of names.
		if name := runenames.Name(r); name != "" && !strings.HasSuffix(name, " "+names[digit(r)-'0']) {
			t.Errorf("%s (%U) is taken for %c", name, r, digit(r))
		}
	}
}

func TestFold(t *testing.T) {
	for _, pair := range [][2]string{{"René", "rene\u0301"}, {"１", "1"}, {"A  b", "a b"}, {"K", "\u212a"}, {"Ann", "A\u200bnn"},
		{"٣", "3"}, {"۴۲", "42"}, {"१", "1"}, {"𝟙", "1"}, {"❤\ufe0f", "❤"}, {"CAFÉ", "cafe\u0301"},
		{"\u1ffa\u0345", "\u1ff2"}} {
		if Fold(pair[0]) != Fold(pair[1]) {
			t.Errorf("%q and %q are not folded to the same", pair[0], pair[1])
		}
	}
	for _, pair := range [][2]string{
		{"a b", "ab"}, {"é", "e"}, {wales, scotland}, {wales, "🏴"}, {"👩\u200d👩\u200d👧", "👩👩👧"}, {"👍", "👍🏽"}, {"🇩🇪", "🇪🇩"}, {"٣", "4"},
	} {
		if Fold(pair[0]) == Fold(pair[1]) {
			t.Errorf("%q and %q are folded to the same", pair[0], pair[1])
		}
	}
}

func TestBlank(t *testing.T) {
	for _, s := range []string{"", " ", "\u3164", "\u200b\u2060", "\u2800", "\u034f", "\u0301", "\ufe0f", "\U000e0061"} {
		if !Blank(s) {
			t.Errorf("%q shows something", s)
		}
	}
	for _, s := range []string{"a", "。", "👍", "1", "\u3164a"} {
		if Blank(s) {
			t.Errorf("%q shows nothing", s)
		}
	}
}

// What is folded the same also looks the same, and folding once is enough.
func TestFoldIsFiner(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a := rapid.String().Draw(t, "a")
		if f := Fold(a); Fold(f) != f || !Same(a, f) {
			t.Fatalf("%q is folded to %q, which is folded to %q", a, f, Fold(f))
		}
	})
}
