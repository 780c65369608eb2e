// Package fit breaks lines between words where a terminal would break them anywhere.
package fit

import (
	"io"
	"strings"

	"github.com/charmbracelet/x/ansi"
	"github.com/charmbracelet/x/term"
)

// narrow is the width below which what follows in a paragraph is no longer indented as far as asked.
const narrow = 72

// Width is the width of the terminal that w writes to, in cells; 0 where it is none.
func Width(w io.Writer) int {
	f, ok := w.(term.File)
	if !ok {
		return 0
	}
	width, _, err := term.GetSize(f.Fd())
	if err != nil {
		return 0
	}
	return width
}

// Words breaks the lines of a text between words, so that they fit a width; those that go on begin with indent spaces, or two where the
// width is small. A word that is longer than a line, such as a link, stays whole. A width of 0 breaks nothing.
func Words(text string, width, indent int) string {
	if width <= 0 {
		return text
	}
	if width < narrow {
		indent = min(indent, 2)
	}
	var lines []string
	for _, line := range strings.Split(text, "\n") {
		first := between(line, width)
		head, rest, more := strings.Cut(first, "\n")
		lines = append(lines, head)
		if !more {
			continue
		}
		rest = between(strings.ReplaceAll(rest, "\n", " "), max(width-indent, 1))
		for _, next := range strings.Split(rest, "\n") {
			lines = append(lines, strings.Repeat(" ", indent)+next)
		}
	}
	return strings.Join(lines, "\n")
}

// hyphen is U+2011, which stands for a hyphen where none is to be broken at.
const hyphen = "\u2011"

// between breaks a line between words. Those of a program may have hyphens, such as --api-url, at which the library would break them.
func between(line string, width int) string {
	return strings.ReplaceAll(ansi.Wordwrap(strings.ReplaceAll(line, "-", hyphen), width, ""), hyphen, "-")
}
