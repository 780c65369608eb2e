// Package alike compares what people write.
//
// # Promises
//
//   - [Fold] is the same for all ways to write a word: capitals and small letters, composed and decomposed letters, full-width
//     ones, the digits of all scripts, any white space, and characters that show nothing (Unicode normalization form KC,
//     UAX #15). What is one character to a reader stays one: the flag of Wales is not a black flag, a family not its members.
//   - [CutPrefix] and [Called] find a word at the beginning of a text in all these forms.
//   - [Same] is wider: it is for words that look the same to a reader, also across scripts (UTS #39, confusable skeletons).
//     It serves to refuse, never to guess which of two words was meant.
//   - [Blank] reports what shows nothing at all.
package alike

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/mtibben/confusables"
	"golang.org/x/text/unicode/norm"

	"moot/protocol"
)

// Fold returns a form of s that is the same for all ways to write it.
func Fold(s string) string {
	s = protocol.OneLine(s)
	if ascii(s) {
		return strings.Map(small, s)
	}
	s = strings.Map(small, norm.NFKC.String(shown(s)))
	// Once more: a mark that the capital could not have may be one letter with the small one, as in U+1FFA U+0345.
	return protocol.OneLine(norm.NFKC.String(s))
}

// Same reports whether two words look the same to a reader, white space and capitals aside.
func Same(a, b string) bool {
	a, b = bare(a), bare(b)
	return skeleton(a) == skeleton(b) || skeleton(strings.Map(small, a)) == skeleton(strings.Map(small, b))
}

// Look returns how a word looks, for those who compare one with many: two words of one Look are the [Same].
func Look(s string) string { return skeleton(strings.Map(small, bare(s))) }

// Blank reports whether s shows nothing.
func Blank(s string) bool {
	return !strings.ContainsFunc(shown(protocol.Clean(s)), func(r rune) bool {
		return unicode.IsGraphic(r) && !unicode.IsSpace(r) && !unicode.Is(unicode.M, r)
	})
}

// empty are the characters that are something by their category, and show nothing: the braille pattern without dots, the joiner of
// Tifinagh, the mark of an object, the filler of Khitan, and the note without a head.
const empty = "\u2800\u2d7f\ufffc\U00016fe4\U0001d159"

// bare returns s without white space and without what shows nothing.
func bare(s string) string {
	return shown(strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) {
			return -1
		}
		return digit(r)
	}, norm.NFKC.String(protocol.Clean(s))))
}

// skeleton maps twice: what one mapping yields can be a capital that looks like another letter.
func skeleton(s string) string {
	return confusables.Skeleton(strings.Map(small, confusables.Skeleton(s)))
}

// joiner is the zero-width joiner, which makes one emoji of several, as a family (UTS #51, "Emoji ZWJ Sequences").
const joiner = '\u200d'

// shown drops the characters of a clean text that show nothing: those with the property Default_Ignorable_Code_Point, but for
// what makes an emoji another one, and those that are empty.
func shown(s string) string {
	var b strings.Builder
	last := rune(0)
	for i, r := range s {
		switch {
		case r == joiner:
			next, _ := utf8.DecodeRuneInString(s[i+utf8.RuneLen(r):])
			if !unicode.In(last, unicode.So, unicode.Sk) || !unicode.Is(unicode.So, next) {
				continue
			}
		case 0xE0020 <= r && r <= 0xE007F: // the letters of a flag; [protocol.Clean] leaves no others
		case strings.ContainsRune(empty, r):
			continue
		case unicode.In(r, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector, unicode.Cf) &&
			!unicode.Is(unicode.Prepended_Concatenation_Mark, r):
			continue
		}
		b.WriteRune(r)
		last = r
	}
	return b.String()
}

// digit returns the ASCII digit of the same value for a decimal digit of any script. Those of a script are ten in a row.
func digit(r rune) rune {
	for _, t := range unicode.Nd.R16 {
		if rune(t.Lo) <= r && r <= rune(t.Hi) {
			return '0' + (r-rune(t.Lo))%10
		}
	}
	for _, t := range unicode.Nd.R32 {
		if rune(t.Lo) <= r && r <= rune(t.Hi) {
			return '0' + (r-rune(t.Lo))%10
		}
	}
	return r
}

// small returns the one character that stands for all cases of a letter, or for all scripts of a digit.
func small(r rune) rune {
	if r < utf8.RuneSelf {
		if 'A' <= r && r <= 'Z' {
			r += 'a' - 'A'
		}
		return r
	}
	if unicode.IsDigit(r) {
		return digit(r)
	}
	low := r
	for f := unicode.SimpleFold(r); f != r; f = unicode.SimpleFold(f) {
		low = min(low, f)
	}
	// An orbit that reaches into ASCII, as that of the Kelvin sign does, is that of the small letter.
	if 'A' <= low && low <= 'Z' {
		low += 'a' - 'A'
	}
	return low
}

func ascii(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}
