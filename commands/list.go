package commands

import (
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// People write a list one a line, with or without a mark before each, or between bars. It is the same as words between
// quotes, and is read as such.

// itemMark is what stands before an item: a dash, a dot, a number or a letter.
var itemMark = regexp.MustCompile(`^(?:[-*+•·‣◦–—]|\(?(?:\p{Nd}{1,2}|[A-Za-z])[.)]|\p{Nd}{1,2}\x{FE0F}?\x{20E3})[\s]+`)

// unlisted writes the list in a line as words between quotes, if the command takes one and one stands there.
func (s *manner) unlisted(n *Node, line string) string {
	if !slices.ContainsFunc(n.Params, func(p Param) bool { return p.Listed }) {
		return line
	}
	items := itemsOf(line)
	if len(items) < 2 {
		return line
	}
	for i, item := range items {
		if i > 0 {
			item = itemMark.ReplaceAllString(item, "")
		}
		before, body, behind, ok := s.withoutFlags(n, item)
		if !ok || i == 0 && closing(firstRune(body)) != "" && unquoted(body) == body {
			return line // a quotation, and something behind it
		}
		if body != "" {
			body = escapedWord(unquoted(body))
		}
		items[i] = strings.TrimSpace(before + " " + body + " " + behind)
	}
	return strings.Join(items, " ")
}

// itemsOf splits a line at the ends of lines and the bars that stand outside of quotations, and leaves out what is empty.
func itemsOf(line string) (items []string) {
	start, begins := 0, true
	add := func(end int) {
		if item := strings.TrimSpace(line[start:end]); item != "" {
			items = append(items, item)
		}
	}
	for i := 0; i < len(line); {
		r, size := utf8.DecodeRuneInString(line[i:])
		ends := r == '\n' || r == '|' || r == '｜'
		if q := (scanner{s: line, at: i}); begins && closing(r) != "" {
			if _, ok := q.quotation(r); ok {
				i, begins = q.at, false
				continue
			}
		}
		if ends {
			add(i)
			start = i + size
		}
		begins = ends || unicode.IsSpace(r)
		i += size
	}
	add(len(line))
	return items
}

// withoutFlags returns what stands in a line between the flags at its beginning and at its end. It is not ok where the flags
// are mistaken, or one stands within the text.
func (s *manner) withoutFlags(n *Node, line string) (before, body, behind string, ok bool) {
	p := s.pass(n, line)
	for p.space() && !p.words {
		taken, m := p.flagged()
		if m != nil {
			return "", "", "", false
		}
		if !taken {
			break
		}
	}
	before, rest := line[:p.at], p.rest()
	if p.words || rest == "" {
		return before, rest, "", true
	}
	body, m := p.tail(rest)
	if m != nil || !strings.HasPrefix(rest, body) {
		return "", "", "", false
	}
	return before, body, rest[len(body):], true
}
