package console

import (
	"strings"

	"github.com/rivo/uniseg"

	"moot/protocol"
)

// screen knows what a terminal can show. Nothing is wrapped: a terminal does that, and whoever reads a line aloud wants it
// whole.
type screen struct{ color bool }

// style is an SGR sequence without its frame; zero is plain.
type style string

const (
	plain     style = ""
	bold      style = "1"
	dim       style = "2"
	codeStyle style = "36"
	atStyle   style = "1;33"
	botStyle  style = "1;32"
	nameStyle style = "1;34"
	private   style = "35"
	failure   style = "31"
)

func (s screen) paint(st style, text string) string {
	if !s.color || st == plain || text == "" {
		return text
	}
	return "\x1b[" + string(st) + "m" + text + "\x1b[0m"
}

// pad fills a text up to a width in cells.
func pad(text string, width int) string {
	if n := width - uniseg.StringWidth(text); n > 0 {
		return text + strings.Repeat(" ", n)
	}
	return text
}

// piece is text in one style.
type piece struct {
	style style
	text  string
}

// maxShown is how much of one message is shown, in characters.
const maxShown = 4000

// lines lays pieces out: every line after the first is indented. What pieces hold is cleaned here, at the last moment, so
// that nothing can garble the screen.
func (s screen) lines(pieces []piece, indent int) []string {
	done := []string{""}
	left := maxShown
	for _, p := range pieces {
		text := protocol.Clean(p.text)
		if n := len([]rune(text)); n > left {
			text = protocol.Shorten(text, max(left, 1))
			left = 0
		} else {
			left -= n
		}
		for i, part := range strings.Split(text, "\n") {
			if i > 0 {
				done = append(done, "")
			}
			if last := len(done) - 1; part != "" {
				if last > 0 && done[last] == "" {
					done[last] = strings.Repeat(" ", indent)
				}
				done[last] += s.paint(p.style, part)
			}
		}
		if left == 0 {
			break
		}
	}
	return done
}

// rich makes pieces of what the bot says.
func (s *state) rich(text protocol.Text) []piece {
	pieces := make([]piece, 0, len(text))
	for _, span := range text {
		switch span.Style {
		case protocol.StrongStyle:
			pieces = append(pieces, piece{bold, span.Text})
		case protocol.CodeStyle:
			pieces = append(pieces, piece{codeStyle, span.Text})
		case protocol.MentionStyle:
			pieces = append(pieces, piece{atStyle, "@" + strings.TrimPrefix(span.Text, "@")})
		case protocol.PersonStyle:
			pieces = append(pieces, piece{nameStyle, span.Text})
		default:
			pieces = append(pieces, piece{plain, span.Text})
		}
	}
	return pieces
}

// typed makes pieces of what a person said.
func (s *state) typed(text string) []piece {
	var pieces []piece
	mentioned(text,
		func(words string) { pieces = append(pieces, piece{plain, words}) },
		func(id protocol.UserID) { pieces = append(pieces, piece{atStyle, "@" + s.name(id)}) })
	return pieces
}
