package discord

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"moot/protocol"
)

// A custom id is all that Discord gives back when a control is pressed, so it holds the whole
// command, and a button works after a restart, and for as long as its message stands:
//
//	1vote.cast~ballot=3~ballot-2=yes~of=k3f      a button
//	1vote.cast~ballot=3>ballot                   a menu, whose values fill the slots of "ballot" that are left
//	1vote.reply~vote=3!text                      a button behind which a form asks for "text"
//
// The first character is the version. What ~ = > ! . % stand for themselves is written as %XX.

const customVersion = "1"

// maxCustomID is Discord's limit in characters; what is written here has one byte each.
const maxCustomID = 100

var errCustomID = errors.New("custom id")

// press is what a custom id says: a command, and what is still to come to it.
type press struct {
	Path []string
	Args map[string]string
	Menu string   // the parameter that the values of a menu fill; zero for none
	Form []string // the parameters that a form asks for
}

// encodePress writes a custom id. It fails where that is too long.
func encodePress(p press) (string, error) {
	var b strings.Builder
	b.WriteString(customVersion)
	for i, word := range p.Path {
		if i > 0 {
			b.WriteByte('.')
		}
		escapeID(&b, word)
	}
	for _, name := range slices.Sorted(maps.Keys(p.Args)) {
		b.WriteByte('~')
		escapeID(&b, name)
		b.WriteByte('=')
		escapeID(&b, p.Args[name])
	}
	if p.Menu != "" {
		b.WriteByte('>')
		escapeID(&b, p.Menu)
	}
	for _, name := range p.Form {
		b.WriteByte('!')
		escapeID(&b, name)
	}
	if b.Len() > maxCustomID {
		return "", fmt.Errorf("%w: it has %d bytes, of which %d fit", errCustomID, b.Len(), maxCustomID)
	}
	return b.String(), nil
}

// decodePress reads a custom id. It fails where the id was not written by encodePress, or by a
// version to come.
func decodePress(id string) (press, error) {
	rest, ok := strings.CutPrefix(id, customVersion)
	if !ok || len(id) > 4*maxCustomID {
		return press{}, fmt.Errorf("%w %s: of no known version", errCustomID, protocol.Quoted(id, maxCustomID))
	}
	p := press{Args: map[string]string{}}
	for mark := byte('.'); ; {
		end := strings.IndexAny(rest, ".~>!")
		if end < 0 {
			end = len(rest)
		}
		name, value, isArg := strings.Cut(rest[:end], "=")
		word, okName := unescapeID(name)
		value, okValue := unescapeID(value)
		switch {
		case !okName || !okValue || word == "" || isArg != (mark == '~'):
			return press{}, fmt.Errorf("%w %s: not well formed", errCustomID, protocol.Quoted(id, maxCustomID))
		case mark == '.':
			p.Path = append(p.Path, word)
		case mark == '~':
			p.Args[word] = value
		case mark == '>':
			p.Menu = word
		case mark == '!':
			p.Form = append(p.Form, word)
		}
		if end == len(rest) {
			return p, nil
		}
		mark, rest = rest[end], rest[end+1:]
	}
}

// reserved are the characters with a meaning.
const reserved = "%.~=>!"

func escapeID(b *strings.Builder, s string) {
	for i := 0; i < len(s); i++ {
		if c := s[i]; c <= ' ' || c >= 0x7f || strings.IndexByte(reserved, c) >= 0 {
			fmt.Fprintf(b, "%%%02X", c)
		} else {
			b.WriteByte(c)
		}
	}
}

func unescapeID(s string) (string, bool) {
	if !strings.Contains(s, "%") {
		return s, true
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '%' {
			b.WriteByte(s[i])
			continue
		}
		if i+2 >= len(s) {
			return "", false
		}
		hi, lo := hexDigit(s[i+1]), hexDigit(s[i+2])
		if hi < 0 || lo < 0 {
			return "", false
		}
		b.WriteByte(byte(hi<<4 | lo))
		i += 2
	}
	return b.String(), true
}

func hexDigit(c byte) int {
	switch {
	case c >= '0' && c <= '9':
		return int(c - '0')
	case c >= 'A' && c <= 'F':
		return int(c-'A') + 10
	}
	return -1
}
