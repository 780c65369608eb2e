package console

import (
	"strings"

	"github.com/rivo/uniseg"

	"moot/protocol"
)

// screen knows what a terminal can show: colours or not, and how wide it is.
type screen struct {
	color bool
	width func() int // zero means unlimited: nothing is wrapped
}

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

// lines lays pieces out: every line after the first is indented, and where the width is known no word runs over it.
// What pieces hold is cleaned here, at the last moment, so that nothing can garble the screen.
func (s screen) lines(pieces []piece, indent int) []string {
	limit := 0
	if s.width != nil {
		if limit = s.width() - indent - 1; limit < 20 {
			limit = 0
		}
	}
	l := layout{screen: s, limit: limit}
	left := maxShown
	for _, p := range pieces {
		text := protocol.Clean(p.text)
		if n := len([]rune(text)); n > left {
			text = protocol.Shorten(text, max(left, 1))
			left = 0
		} else {
			left -= n
		}
		l.write(p.style, text)
		if left == 0 {
			break
		}
	}
	l.newline()
	margin := strings.Repeat(" ", indent)
	for i := range l.done {
		if i > 0 && l.done[i] != "" {
			l.done[i] = margin + l.done[i]
		}
	}
	return l.done
}

// layout breaks styled text into lines.
type layout struct {
	screen
	limit int
	done  []string
	line  strings.Builder
	used  int // cells of line
}

func (l *layout) newline() {
	l.done = append(l.done, l.line.String())
	l.line.Reset()
	l.used = 0
}

func (l *layout) write(st style, text string) {
	for i, part := range strings.Split(text, "\n") {
		if i > 0 {
			l.newline()
		}
		if l.limit == 0 {
			l.put(st, part)
			continue
		}
		for part != "" {
			word := part
			if n := strings.IndexByte(part[1:], ' '); n >= 0 {
				word = part[:n+1] // a word brings the space before it along
			}
			part = part[len(word):]
			l.place(st, word)
		}
	}
}

// place puts a word on this line, or on the next if it does not fit, or on several.
func (l *layout) place(st style, word string) {
	width := uniseg.StringWidth(word)
	if l.used > 0 && l.used+width > l.limit {
		l.newline()
		word = strings.TrimPrefix(word, " ")
		width = uniseg.StringWidth(word)
	}
	for width > l.limit {
		head, rest := cutCells(word, l.limit)
		l.put(st, head)
		l.newline()
		word, width = rest, uniseg.StringWidth(rest)
	}
	l.put(st, word)
}

func (l *layout) put(st style, text string) {
	l.line.WriteString(l.paint(st, text))
	l.used += uniseg.StringWidth(text)
}

// cutCells cuts a text after at most n cells, between characters as people see them.
func cutCells(text string, n int) (head, rest string) {
	state, used := -1, 0
	for tail := text; tail != ""; {
		var cluster string
		var width int
		cluster, tail, width, state = uniseg.FirstGraphemeClusterInString(tail, state)
		if used+width > n && used > 0 {
			at := len(text) - len(tail) - len(cluster)
			return text[:at], text[at:]
		}
		used += width
	}
	return text, ""
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
