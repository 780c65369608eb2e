package commands

import (
	"errors"
	"strings"
	"unicode"
	"unicode/utf8"

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
func closing(r rune) string {
	switch r {
	case '"':
		return `"`
	case '“':
		return "”"
	case '„':
		return "“”"
	case '«':
		return "»"
	}
	return ""
}

// space skips white space and tells whether anything follows.
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
	r, size := utf8.DecodeRuneInString(s.rest())
	if end := closing(r); end != "" {
		return s.quotation(end, size)
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

// quotation reads to the end of a quotation whose beginning has the given size. One that has no end is not read.
func (s *scanner) quotation(end string, size int) (string, error) {
	var b strings.Builder
	escaped := false
	for i, r := range s.s[s.at+size:] {
		switch {
		case escaped:
			escaped = false
			b.WriteRune(r)
		case r == '\\':
			escaped = true
		case strings.ContainsRune(end, r):
			s.at += size + i + utf8.RuneLen(r)
			return b.String(), nil
		default:
			b.WriteRune(r)
		}
	}
	return "", errUnclosed
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

// flag reads --name, and the value that is joined to it by =. It returns false, and reads nothing, where there is no
// such thing. Two hyphens alone are a flag without a name.
func (s *scanner) flag() (name, value string, hasValue, ok bool, err error) {
	rest, ok := strings.CutPrefix(s.rest(), "--")
	if !ok {
		// What phones make of two hyphens. It is a word of its own where no name follows.
		if rest, ok = cutDash(s.rest()); !ok {
			return "", "", false, false, nil
		}
	}
	end := strings.IndexFunc(rest, func(r rune) bool { return r == '=' || unicode.IsSpace(r) })
	if end < 0 {
		end = len(rest)
	}
	name = fold(rest[:end])
	s.at = len(s.s) - len(rest) + end
	if !strings.HasPrefix(s.rest(), "=") {
		return name, "", false, true, nil
	}
	s.at++
	if s.at == len(s.s) || unicode.IsSpace(firstRune(s.rest())) {
		return name, "", true, true, nil
	}
	value, err = s.word()
	return name, value, true, true, err
}

func cutDash(s string) (rest string, ok bool) {
	for _, dash := range []string{"—", "–"} {
		if rest, ok := strings.CutPrefix(s, dash); ok && unicode.IsLetter(firstRune(rest)) {
			return rest, true
		}
	}
	return s, false
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
	_, dash := cutDash(word)
	_, mention := protocol.ParseMention(word)
	mention = mention && strings.IndexByte(word, '>') == len(word)-1 // where it is read to
	odd := strings.ContainsFunc(word, func(r rune) bool { return unicode.IsSpace(r) || r == '\\' })
	if word != "" && !odd && !dash && !strings.HasPrefix(word, "--") && closing(firstRune(word)) == "" &&
		(mention || !strings.HasPrefix(word, "<@")) {
		return word
	}
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(word) + `"`
}

// fold returns a form of s that is the same for all ways to write it with capitals, small letters and white space.
func fold(s string) string {
	return strings.Map(func(r rune) rune {
		if r < utf8.RuneSelf {
			if 'A' <= r && r <= 'Z' {
				r += 'a' - 'A'
			}
			return r
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
	}, protocol.OneLine(s))
}
