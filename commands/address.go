package commands

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"moot/protocol"
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

// addressed tells whether a message is meant for the bot, and what it then says, clean. Of what is too long for a command
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

// maxBytes is how many bytes a message may have that holds a command.
func (c *Commands) maxBytes() int { return c.config.MaxLength*utf8.UTFMax + headLength }

// head returns about the first n bytes of s, and all of it where it is not longer.
func head(s string, n int) string { return s[:min(n, len(s))] }

// cutPrefix takes off the longest prefix with which a text begins. One that ends with a letter or a digit is a word of
// its own.
func (c *Commands) cutPrefix(text string) (rest string, how address) {
	text = strings.TrimLeftFunc(text, unicode.IsSpace)
	for _, p := range c.prefixes {
		rest, ok := cutFold(text, p)
		if !ok {
			continue
		}
		if last := rune(p[len(p)-1]); rest != "" && (last >= 0x80 || unicode.IsLetter(last) || unicode.IsDigit(last)) && !unicode.IsSpace(firstRune(rest)) {
			continue
		}
		how = addressed
		if shared(p) {
			how = perhaps
		}
		return strings.TrimLeftFunc(rest, unicode.IsSpace), how
	}
	return text, notAddressed
}

// cutFold is strings.CutPrefix for a folded prefix.
func cutFold(s, prefix string) (rest string, ok bool) {
	for i, r := range s {
		if prefix == "" {
			return s[i:], true
		}
		folded := fold(string(r))
		if folded == "" || !strings.HasPrefix(prefix, folded) {
			return s, false
		}
		prefix = prefix[len(folded):]
	}
	return "", prefix == ""
}

// mannerOf returns how to speak where the event was said.
func (c *Commands) mannerOf(ev protocol.Event) *manner {
	if _, ok := ev.Body.(protocol.Invocation); ok {
		return &manner{"/", ev.Private, c}
	}
	if ev.Private {
		return &manner{"", true, nil}
	}
	return &manner{c.shownPrefix(), false, nil}
}

// shownPrefix is what stands before a command that is typed in a room.
func (c *Commands) shownPrefix() string {
	p := c.config.Prefixes[0]
	if shared(p) {
		return p
	}
	return p + " "
}
