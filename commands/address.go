package commands

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"moot/internal/alike"
	"moot/protocol"
	"moot/store"
)

// address says how a message is meant for the bot.
type address int

const (
	notAddressed address = iota
	// perhaps is behind a prefix that is shared with other bots: it is meant for this one only if it is a command.
	perhaps
	addressed
)

// headLength is how many bytes of a message are looked at to see whether it is addressed.
const headLength = 256

// addressed reports whether a message is meant for the bot, and what it then says, clean. Of what is too long for a command
// in any case it returns the beginning.
func (c *Commands) addressed(ev protocol.Event, m protocol.Message) (line string, how address) {
	if m.Addressed || ev.Private {
		how = addressed
	} else if _, how = c.cutPrefix(protocol.Clean(head(m.Text, headLength))); how == notAddressed {
		return "", notAddressed
	}
	line = strings.TrimSpace(protocol.Clean(head(m.Text, c.maxBytes())))
	if rest, h := c.cutPrefix(line); h != notAddressed {
		line = rest
	}
	return line, how
}

// Meant reports whether a message is meant for the bot, as far as its first words tell.
func (c *Commands) Meant(ev protocol.Event, m protocol.Message) bool {
	_, how := c.addressed(ev, m)
	return how != notAddressed
}

// maxBytes is how many bytes a message may have that holds a command.
func (c *Commands) maxBytes() int { return c.config.MaxLength*utf8.UTFMax + headLength }

// head returns about the first n bytes of s, and all of it where it is not longer.
func head(s string, n int) string { return s[:min(n, len(s))] }

// cutPrefix takes off the longest prefix with which a text begins, in whichever form it is written there. One that ends with
// a letter or a digit is a word of its own.
func (c *Commands) cutPrefix(text string) (rest string, how address) {
	text = strings.TrimLeftFunc(text, unicode.IsSpace)
	for _, p := range c.prefixes {
		rest, ok := p.cut(text)
		switch {
		case !ok:
			continue
		case p.word == "":
			return strings.TrimLeftFunc(rest, unicode.IsSpace), perhaps
		}
		if after, pause := alike.CutColon(rest); pause {
			rest = after
		} else if p.glued && rest != "" && !unicode.IsSpace(firstRune(rest)) {
			continue
		}
		return strings.TrimLeftFunc(rest, unicode.IsSpace), addressed
	}
	return text, notAddressed
}

// prefix is what a command may begin with, folded: a mark such as "!", a word, or a mark and a word, between which there may
// be a space.
type prefix struct {
	mark, word string
	glued      bool // it ends with a letter or a digit, so that a further one would make another word of it
}

func prefixOf(s string) prefix {
	s = fold(s)
	i := strings.IndexFunc(s, isWordRune)
	if i < 0 {
		return prefix{mark: s}
	}
	last, _ := utf8.DecodeLastRuneInString(s)
	return prefix{s[:i], s[i:], isWordRune(last)}
}

func isWordRune(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) }

func (p prefix) cut(text string) (rest string, ok bool) {
	if rest, ok = alike.CutPrefix(text, p.mark); ok && p.mark != "" && p.word != "" {
		rest = strings.TrimLeftFunc(rest, unicode.IsSpace)
	}
	if ok {
		rest, ok = alike.CutPrefix(rest, p.word)
	}
	return rest, ok
}

// mannerOf returns how to speak where the event was said, about a command.
func (c *Commands) mannerOf(tx *store.Tx, ev protocol.Event, n *Node) *manner {
	s := &manner{lead: c.shownPrefix()}
	switch _, native := ev.Body.(protocol.Invocation); {
	case native:
		s = &manner{lead: "/", private: ev.Private, tree: c}
	case ev.Private:
		s = &manner{private: true}
	}
	return s.speaks(tx, ev, n, "")
}

// shownPrefix is what stands before a command that is typed in a room.
func (c *Commands) shownPrefix() string {
	p := c.config.Prefixes[0]
	if shared(p) {
		return p
	}
	return p + " "
}
