package console

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"moot/internal/alike"
	"moot/protocol"
)

// withMentions puts mention tokens in the place of names after an @: a display name written exactly, or an id. A
// name that two people have mentions nobody.
func (s *state) withMentions(text string) string {
	if !strings.Contains(text, "@") {
		return text
	}
	var out strings.Builder
	before := rune(' ')
	for i := 0; i < len(text); {
		r, size := utf8.DecodeRuneInString(text[i:])
		if r == '@' && !isWord(before) {
			if id, n := s.namedAt(text[i+1:]); n > 0 {
				out.WriteString(protocol.MentionToken(id))
				i += 1 + n
				before = '>'
				continue
			}
		}
		out.WriteString(text[i : i+size])
		before = r
		i += size
	}
	return out.String()
}

// namedAt finds the longest name at the beginning of text and how long it is.
func (s *state) namedAt(text string) (found protocol.UserID, length int) {
	twice := false
	consider := func(id protocol.UserID, name string, same bool) {
		if name == "" || !same {
			return
		}
		if next, _ := utf8.DecodeRuneInString(text[len(name):]); isWord(next) && len(text) > len(name) {
			return
		}
		switch {
		case len(name) > length:
			found, length, twice = id, len(name), false
		case len(name) == length && id != found:
			twice = true
		}
	}
	for _, id := range s.everybody {
		local, name := id.Local(), s.people[id].name
		consider(id, name, strings.HasPrefix(text, name))
		consider(id, local, len(text) >= len(local) && strings.EqualFold(text[:len(local)], local))
	}
	if twice {
		return "", 0
	}
	return found, length
}

func isWord(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) || r == '_' || r == '-' }

// addressed reports whether a text begins by naming the bot, and what it then says.
func addressed(text string) (rest string, ok bool) {
	trimmed := strings.TrimLeft(text, " ")
	if rest, ok := strings.CutPrefix(trimmed, protocol.MentionToken(Bot)); ok {
		return strings.TrimLeft(strings.TrimLeft(rest, ":,"), " "), true
	}
	if rest, ok := alike.Called(text, false, Bot.Local()); ok {
		return rest, true
	}
	return text, false
}

// mentioned calls plain with the pieces of a text between its mention tokens and person with those whom they name.
func mentioned(text string, plain func(string), person func(protocol.UserID)) {
	for text != "" {
		i := strings.Index(text, "<@")
		if i < 0 {
			break
		}
		end := strings.IndexByte(text[i:], '>')
		if end < 0 {
			break
		}
		id, ok := protocol.ParseMention(text[i : i+end+1])
		if !ok {
			plain(text[:i+2])
			text = text[i+2:]
			continue
		}
		if i > 0 {
			plain(text[:i])
		}
		person(id)
		text = text[i+end+1:]
	}
	if text != "" {
		plain(text)
	}
}
