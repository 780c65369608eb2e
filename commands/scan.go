package commands

import (
	"errors"
	"strings"
	"unicode"
	"unicode/utf8"

	"moot/internal/alike"
	"moot/protocol"
)

// scanner takes apart what somebody typed, one word at a time. What it reads is clean.
type scanner struct {
	s  string
	at int
}

// errUnclosed is the error of a quotation that does not end.
var errUnclosed = errors.New("a quotation does not end")

// closing returns what ends a quotation that begins so; zero if nothing begins so.
func closing(r rune) string { return quotations[r] }

// quotations are what begins a quotation, and what ends it.
var quotations = map[rune]string{
	'"': `"`, '“': "”", '”': "”", '„': "“”", '＂': "＂", '«': "»", '»': "«", '「': "」", '『': "』",
	'\'': "'", '‘': "’", '’': "’", '‚': "‘’", '‹': "›", '›': "‹",
}

const (
	// apart are those that are also an apostrophe, or the end of a quotation. What they begin is one only where it ends
	// before a space.
	apart = "'‘’‚‹›”»"
	// doubles are those of which a keyboard puts one in the place of another.
	doubles = "\"“”„＂"

	quotationMarks = doubles + "«»「」『』" + "'‘’‚‹›"
)

// space skips white space and reports whether anything follows.
func (s *scanner) space() bool {
	s.at = len(s.s) - len(strings.TrimLeftFunc(s.s[s.at:], unicode.IsSpace))
	return s.at < len(s.s)
}

// rest returns what has not been read yet.
func (s *scanner) rest() string { return s.s[s.at:] }

// word reads a word, a quotation or a mention. It is called where something follows.
func (s *scanner) word() (string, error) {
	if m := s.mention(); m != "" {
		return m, nil
	}
	if r := firstRune(s.rest()); closing(r) != "" {
		in, ok := s.quotation(r)
		switch {
		case ok:
			return in, nil
		case !strings.ContainsRune(apart, r):
			return "", errUnclosed
		}
	}
	var b strings.Builder
	for s.at < len(s.s) {
		r, size := utf8.DecodeRuneInString(s.rest())
		if unicode.IsSpace(r) {
			break
		}
		s.at += size
		if r == '\\' && s.at < len(s.s) {
			r, size = utf8.DecodeRuneInString(s.rest())
			s.at += size
		}
		b.WriteRune(r)
	}
	return b.String(), nil
}

// quotation reads a quotation that begins with the given mark. One that has no end is not read. Of a quotation within it the
// marks are words of it.
func (s *scanner) quotation(open rune) (in string, ok bool) {
	var b strings.Builder
	escaped, within, last := false, 0, ' '
	start := s.at + utf8.RuneLen(open)
	for i, r := range s.s[start:] {
		after := firstRune(s.s[start+i+utf8.RuneLen(r):])
		ends := start+i+utf8.RuneLen(r) == len(s.s) || unicode.IsSpace(after)
		proper := strings.ContainsRune(closing(open), r)
		mixed := strings.ContainsRune(doubles, open) && strings.ContainsRune(doubles, r)
		switch {
		case escaped:
			escaped = false
		case r == '\\':
			escaped = true
			continue
		case mixed && r != open && unicode.IsSpace(last) && !ends:
			within++
		case mixed && within > 0 && r != open:
			within--
		case proper && (ends || !strings.ContainsRune(apart, open)), mixed && ends && !unicode.IsSpace(last):
			s.at = start + i + utf8.RuneLen(r)
			return b.String(), true
		}
		b.WriteRune(r)
		last = r
	}
	return "", false
}

// mention reads the mention of a person, and the comma or colon that people, and the clients of some networks, put
// behind it. It returns zero where there is none.
func (s *scanner) mention() string {
	if !strings.HasPrefix(s.rest(), "<@") {
		return ""
	}
	end := strings.IndexByte(s.rest(), '>') + 1
	if _, ok := protocol.ParseMention(s.rest()[:end]); !ok {
		return ""
	}
	m := s.rest()[:end]
	s.at += end
	if after := strings.TrimLeft(s.rest(), ",:;"); after == "" || unicode.IsSpace(firstRune(after)) {
		s.at = len(s.s) - len(after)
	}
	return m
}

func firstRune(s string) rune { r, _ := utf8.DecodeRuneInString(s); return r }

// unquoted returns a whole text without the quotes around it, and as it stands where there are none or other words
// follow them.
func unquoted(text string) string {
	text = strings.TrimSpace(text)
	end := closing(firstRune(text))
	if end == "" {
		return text
	}
	s := scanner{s: text}
	if in, err := s.word(); err == nil && !s.space() {
		return strings.TrimSpace(in)
	}
	return text
}

// quoted returns a word so that it is read as one: as it is, or between quotes.
func quoted(word string) string {
	_, dash := flagAt(word)
	_, mention := protocol.ParseMention(word)
	mention = mention && strings.IndexByte(word, '>') == len(word)-1 // where it is read to
	odd := strings.ContainsFunc(word, func(r rune) bool { return unicode.IsSpace(r) || strings.ContainsRune(`\|｜`, r) })
	if word != "" && !odd && !dash && closing(firstRune(word)) == "" &&
		(mention || !strings.HasPrefix(word, "<@")) {
		return word
	}
	return escapedWord(word)
}

// escapedWord returns a word between quotes.
func escapedWord(word string) string {
	_, dash := flagAt(word)
	word = escapes.Replace(word)
	if dash && word[0] != '\\' { // no flag between quotation marks
		word = `\` + word
	}
	return `"` + word + `"`
}

// escapes are what has to stand before what would end a quotation.
var escapes = strings.NewReplacer(`\`, `\\`, `"`, `\"`, "“", `\“`, "”", `\”`, "„", `\„`, "＂", `\＂`)

// fold returns a form of s that is the same for all ways to write it.
func fold(s string) string { return alike.Fold(s) }
