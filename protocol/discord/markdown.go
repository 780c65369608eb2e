package discord

import (
	"strings"
	"time"
	"unicode/utf16"
	"unicode/utf8"

	"moot/protocol"
)

// maxContent is how long a message of a bot may be, counted in UTF-16 units, which are never fewer
// than the characters that Discord counts (developer documentation, "Create Message": 2,000
// characters).
const maxContent = 2000

// rendered is a message, or a piece of one, as Discord takes it.
type rendered struct {
	Content string
	Users   []string // whom it mentions, and who are to notice
}

// render writes a text in Discord's markdown, in as many pieces as it takes. A piece ends between
// paragraphs if it can, otherwise between lines, otherwise between words, and never inside of
// markup. An empty text has no pieces.
func render(text protocol.Text) []rendered {
	var w writer
	for _, span := range text {
		w.span(span)
	}
	return w.pieces()
}

// renderIn is render for what has room for so many pieces. The rest is left out, and that is shown.
func renderIn(text protocol.Text, most int) []rendered {
	var w writer
	for _, span := range text {
		w.span(span)
	}
	all := w.pieces()
	if len(all) <= most || most <= 0 {
		return all
	}
	all = w.piecesOf(maxContent - 2)[:most]
	all[most-1].Content += " …"
	return all
}

// Fits reports whether a text is one message: at most 2,000 UTF-16 units once it is escaped, which
// are never fewer than the characters that Discord counts.
func Fits(text protocol.Text) bool { return len(render(text)) <= 1 }

// Fits implements protocol.Measurer.
func (a *Adapter) Fits(text protocol.Text) bool { return Fits(text) }

// atom is what is not taken apart any more.
type atom struct {
	text string
	user string // mentioned by it
	ends int    // how good a place to end a piece is behind it
}

// The places where a piece can end, from the worst to the best.
const (
	endNowhere = iota
	endWord
	endLine
	endParagraph
)

// writer takes a text apart into atoms.
type writer struct {
	atoms   []atom
	midLine bool // whether something stands in the line already
}

// longest is how many characters of words become one atom at most: escaped and in UTF-16 they may
// be four times as long.
const longest = 400

func (w *writer) span(s protocol.Span) {
	switch s.Style {
	case protocol.MentionStyle, protocol.PersonStyle:
		id, ok := userOf(protocol.UserID(s.Ref))
		if !ok {
			w.words(s.Text, escape)
			return
		}
		a := atom{text: "<@" + id + ">", ends: endWord}
		if s.Style == protocol.MentionStyle {
			a.user = id
		}
		w.add(a)
	case protocol.PlaceStyle:
		if !isSnowflake(s.Ref) {
			w.words(s.Text, escape)
			return
		}
		w.add(atom{text: "<#" + s.Ref + ">", ends: endWord})
	case protocol.TimeStyle:
		at, err := time.Parse(time.RFC3339, s.Ref)
		if err != nil {
			w.words(s.Text, escape)
			return
		}
		// https://discord.com/developers/docs/reference#message-formatting-timestamp-styles
		w.add(atom{text: "<t:" + itoa(at.Unix()) + ":f>", ends: endWord})
	case protocol.StrongStyle:
		w.words(s.Text, func(words string, _ bool) string { return strong(words) })
	case protocol.CodeStyle:
		w.words(s.Text, func(word string, _ bool) string { return code(word) })
	default:
		w.words(s.Text, escape)
	}
}

func (w *writer) add(a atom) {
	w.atoms = append(w.atoms, a)
	w.midLine = !strings.HasSuffix(a.text, "\n")
}

// words adds what is written in a style: line by line, since no markup spans lines, and plain text
// word by word.
func (w *writer) words(s string, style func(words string, midLine bool) string) {
	for i, line := range strings.Split(s, "\n") {
		if i > 0 {
			w.newline()
		}
		for line != "" {
			var piece string
			piece, line = cutWords(line)
			end := endWord
			if line != "" && !strings.HasSuffix(piece, " ") {
				end = endNowhere + 1
			}
			w.add(atom{text: style(piece, w.midLine), ends: end})
		}
	}
}

func (w *writer) newline() {
	a := atom{text: "\n", ends: endLine}
	if n := len(w.atoms); n > 0 && w.atoms[n-1].text == "\n" {
		a.ends = endParagraph
	}
	w.add(a)
}

// cutWords cuts off as many words as become one atom, with the white space behind them.
func cutWords(line string) (piece, rest string) {
	if len(line) <= longest {
		return line, ""
	}
	at := strings.LastIndexByte(line[:longest], ' ') + 1
	if at == 0 {
		for at = longest; !utf8.RuneStart(line[at]); at-- {
		}
	}
	return line[:at], line[at:]
}

func (w *writer) pieces() []rendered { return w.piecesOf(maxContent) }

func (w *writer) piecesOf(most int) (out []rendered) {
	for from := 0; from < len(w.atoms); {
		to, size := from, 0
		best, bestEnds := from, endNowhere
		for ; to < len(w.atoms); to++ {
			if size += units(w.atoms[to].text); size > most {
				break
			}
			// A paragraph that ends in the first half is no reason to leave the second empty.
			if ends := w.atoms[to].ends; ends > bestEnds || ends == bestEnds || ends >= endLine && size > most/2 &&
				bestEnds < endLine {
				best, bestEnds = to+1, ends
			}
		}
		if to == len(w.atoms) || best == from {
			best = max(to, from+1)
		}
		if r := join(w.atoms[from:best]); r.Content != "" {
			out = append(out, r)
		}
		from = best
	}
	return out
}

func join(atoms []atom) rendered {
	var b strings.Builder
	var r rendered
	for _, a := range atoms {
		b.WriteString(a.text)
		if a.user != "" && !contains(r.Users, a.user) {
			r.Users = append(r.Users, a.user)
		}
	}
	r.Content = strings.TrimRight(strings.TrimLeft(b.String(), "\n"), " \n")
	return r
}

// units is the length of a string in UTF-16 units.
func units(s string) (n int) {
	for _, r := range s {
		n += max(utf16.RuneLen(r), 1)
	}
	return n
}

// escape writes words so that Discord shows them as they are. A link stays one. MidLine is whether
// something stands before them in their line: some markup is such only at the beginning of a line.
func escape(s string, midLine bool) string {
	var b strings.Builder
	for i := 0; i < len(s); {
		if n := link(s[i:]); n > 0 && (i == 0 || !isWordByte(s[i-1])) {
			b.WriteString(s[i : i+n])
			i += n
			midLine = true
			continue
		}
		c := s[i]
		switch {
		case strings.IndexByte("\\*_~`|[]<>", c) >= 0, c == '@':
			b.WriteByte('\\')
		case !midLine && (c == '#' || c == '-' || c == '+'):
			b.WriteByte('\\')
		case !midLine && c >= '0' && c <= '9':
			digits := len(s[i:]) - len(strings.TrimLeft(s[i:], "0123456789"))
			if rest := s[i+digits:]; strings.HasPrefix(rest, ".") || strings.HasPrefix(rest, ")") {
				b.WriteString(s[i:i+digits] + "\\")
				i += digits
				c = s[i]
			}
		}
		b.WriteByte(c)
		i++
		if c != ' ' {
			midLine = true
		}
	}
	return b.String()
}

func isWordByte(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_'
}

// link returns how long the link is with which s begins; 0 if it begins with none. Within one no
// markup is understood.
func link(s string) int {
	rest, ok := strings.CutPrefix(s, "https://")
	if !ok {
		if rest, ok = strings.CutPrefix(s, "http://"); !ok {
			return 0
		}
	}
	end := strings.IndexAny(rest, " <>\"`|*\\()[]")
	if end < 0 {
		end = len(rest)
	}
	if end == 0 {
		return 0
	}
	return len(s) - len(rest) + end
}

// strong writes words with emphasis. White space at their ends would keep it from being one.
func strong(s string) string {
	inner := strings.TrimSpace(s)
	if inner == "" {
		return s
	}
	at := strings.Index(s, inner)
	return s[:at] + "**" + escape(inner, true) + "**" + s[at+len(inner):]
}

// code writes what can be typed as it stands.
func code(s string) string {
	switch {
	case strings.TrimSpace(s) == "":
		return s
	case !strings.Contains(s, "`"):
		return "`" + s + "`"
	}
	// Two backticks around, and none beside them.
	return "`` " + strings.ReplaceAll(s, "``", "`\u200b`") + " ``"
}
