package screen

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/charmbracelet/x/ansi"
	"github.com/rivo/uniseg"

	"moot/protocol"
)

// editor is a text that is being written, as characters that people see: each is one element, a newline too.
type editor struct {
	text []string
	at   int      // the cursor stands before this one
	cut  []string // what was removed last by a key that removes several
}

func split(s string) (clusters []string) {
	state := -1
	for s != "" {
		var c string
		c, s, _, state = uniseg.FirstGraphemeClusterInString(s, state)
		clusters = append(clusters, c)
	}
	return clusters
}

func (e *editor) value() string { return strings.Join(e.text, "") }

func (e *editor) set(s string) {
	e.text = split(s)
	e.at = len(e.text)
}

// insert writes at the cursor. What is typed may belong to the character before it, as an accent does.
func (e *editor) insert(s string) {
	s = strings.ReplaceAll(strings.ReplaceAll(s, "\r\n", "\n"), "\r", "\n")
	before := strings.Join(e.text[:e.at], "") + protocol.Clean(s)
	after := strings.Join(e.text[e.at:], "")
	e.text = split(before + after)
	e.at = min(len(split(before)), len(e.text))
}

// remove takes away what stands between two places.
func (e *editor) remove(from, to int, keep bool) {
	if from >= to {
		return
	}
	if keep {
		e.cut = slices.Clone(e.text[from:to])
	}
	e.text = slices.Delete(e.text, from, to)
	e.at = from
}

func isSpace(c string) bool {
	r, _ := utf8.DecodeRuneInString(c)
	return unicode.IsSpace(r)
}

// word returns where the word before the cursor begins, or, forward, where the one behind it ends.
func (e *editor) word(forward bool) int {
	i := e.at
	if forward {
		for i < len(e.text) && isSpace(e.text[i]) {
			i++
		}
		for i < len(e.text) && !isSpace(e.text[i]) {
			i++
		}
		return i
	}
	for i > 0 && isSpace(e.text[i-1]) {
		i--
	}
	for i > 0 && !isSpace(e.text[i-1]) {
		i--
	}
	return i
}

// line returns where the line of the cursor begins and ends.
func (e *editor) line() (from, to int) {
	from, to = e.at, e.at
	for from > 0 && e.text[from-1] != "\n" {
		from--
	}
	for to < len(e.text) && e.text[to] != "\n" {
		to++
	}
	return from, to
}

// vertical moves the cursor a line up or down and reports whether there was one.
func (e *editor) vertical(down bool) bool {
	from, to := e.line()
	col := e.at - from
	if down {
		if to == len(e.text) {
			return false
		}
		e.at = to + 1
		_, end := e.line()
		e.at = min(e.at+col, end)
		return true
	}
	if from == 0 {
		return false
	}
	e.at = from - 1
	begin, end := e.line()
	e.at = min(begin+col, end)
	return true
}

// key does what a key does to a text, and reports whether it is one that does.
func (e *editor) key(name string) bool {
	from, to := e.line()
	switch name {
	case "left", "ctrl+b":
		e.at = max(0, e.at-1)
	case "right", "ctrl+f":
		e.at = min(len(e.text), e.at+1)
	case "ctrl+left", "alt+left", "alt+b":
		e.at = e.word(false)
	case "ctrl+right", "alt+right", "alt+f":
		e.at = e.word(true)
	case "home", "ctrl+a":
		e.at = from
	case "end", "ctrl+e":
		e.at = to
	case "backspace", "ctrl+h":
		e.remove(max(0, e.at-1), e.at, false)
	case "delete":
		e.remove(e.at, min(len(e.text), e.at+1), false)
	case "ctrl+w", "alt+backspace", "ctrl+backspace":
		e.remove(e.word(false), e.at, true)
	case "alt+d", "ctrl+delete", "alt+delete":
		e.remove(e.at, e.word(true), true)
	case "ctrl+u":
		e.remove(from, e.at, true)
	case "ctrl+k":
		e.remove(e.at, max(to, min(len(e.text), e.at+1)), true)
	case "ctrl+y":
		e.insert(strings.Join(e.cut, ""))
	case "alt+enter", "shift+enter", "ctrl+j":
		e.insert("\n")
	default:
		return false
	}
	return true
}

// layout breaks the text into lines of a width and says where the cursor is in them.
func (e *editor) layout(m ansi.Method, width int) (lines []string, x, y int) {
	var b strings.Builder
	used := 0
	next := func() {
		lines = append(lines, b.String())
		b.Reset()
		used = 0
	}
	for i, c := range e.text {
		w := m.StringWidth(c)
		if c != "\n" && used+w > width {
			next()
		}
		if i == e.at {
			x, y = used, len(lines)
		}
		if c == "\n" {
			next()
			continue
		}
		b.WriteString(c)
		used += w
	}
	if e.at == len(e.text) {
		if used >= width {
			next()
		}
		x, y = used, len(lines)
	}
	next()
	return lines, x, y
}
