package standard

import (
	"iter"
	"slices"
	"strconv"
	"unicode/utf8"

	"moot/commands"
	"moot/internal/say"
	"moot/protocol"
)

const (
	maxPage        = 200
	pageLines      = 25
	pageCharacters = 3000 // so that a head and a foot fit into an answer too
)

// paged is one page of a long list.
type paged struct {
	lines []protocol.Text
	more  bool // whether there is another page
}

// page returns the page of that number, from 1. A page ends before it has too many lines or characters; a line that is
// too long for a page is shortened.
func page(lines iter.Seq[protocol.Text], number int64) paged {
	var p paged
	at, size := int64(1), 0
	for line := range lines {
		n := utf8.RuneCountInString(line.Plain())
		if n >= pageCharacters {
			n = pageCharacters - 1
			line = protocol.Plain(protocol.Shorten(line.Plain(), n))
		}
		if len(p.lines) == pageLines || size+n+1 > pageCharacters {
			if at == number {
				p.more = true
				return p
			}
			at++
			p.lines, size = nil, 0
		}
		p.lines = append(p.lines, line)
		size += n + 1
	}
	if at < number {
		p.lines = nil
	}
	return p
}

// answerPage answers with the page of the lines that the call wants, under a head. Flags are those, each with a space
// behind it, that the next page needs too.
func answerPage(c *commands.Call, head protocol.Text, lines iter.Seq[protocol.Text], flags string) error {
	number := max(1, c.Integer("page"))
	p := page(lines, number)
	if len(p.lines) == 0 && number > 1 {
		return commands.Sorry(answers(c).Say("no-page", say.Number("Page", number)))
	}
	out := append([]protocol.Text{head}, p.lines...)
	if p.more && number < maxPage {
		again := c.Again(flags + "--page " + strconv.FormatInt(number+1, 10))
		out = append(out, answers(c).Say("more", say.Code("Command", again)))
	}
	return c.Answer(protocol.Lines(slices.DeleteFunc(out, func(t protocol.Text) bool { return t == nil })...))
}

// title shows the name of a room.
func title(name string) string { return protocol.Quoted(name, 0) }

// bullet makes a line of a list.
func bullet(parts ...any) protocol.Text { return protocol.Join(append([]any{"• "}, parts...)...) }
