package config

import (
	"fmt"
	"strings"

	"moot/internal/near"
)

// Problem is one thing that is wrong with a file.
type Problem struct {
	File string // zero where it is none of a file
	Line int    // counted from 1; 0 where it has no line of its own
	Text string
}

// String says the file, the line and the problem.
func (p Problem) String() string {
	if p.File == "" {
		return p.Text
	}
	if p.Line == 0 {
		return fmt.Sprintf("%s: %s", p.File, p.Text)
	}
	return fmt.Sprintf("%s:%d: %s", p.File, p.Line, p.Text)
}

// Problems are all that is wrong with a file, in the order of its lines.
type Problems []Problem

// Error says each problem on a line of its own.
func (ps Problems) Error() string {
	lines := make([]string, len(ps))
	for i, p := range ps {
		lines[i] = p.String()
	}
	return strings.Join(lines, "\n")
}

// maxProblems is how many of them are reported; who has more has given the wrong file.
const maxProblems = 20

// nearest returns the one of the words that s was most likely meant to be, zero if none is near.
func nearest(s string, words []string) string {
	best, word := len(s)/2+1, ""
	for _, w := range words {
		if d := near.Distance(s, w, best); d < best {
			best, word = d, w
		}
	}
	return word
}
