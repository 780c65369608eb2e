package config

import (
	"fmt"
	"strings"
)

// Problem is one thing that is wrong with a file.
type Problem struct {
	File string
	Line int // counted from 1; 0 where it has no line of its own
	Text string
}

// String says the file, the line and the problem.
func (p Problem) String() string {
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
		if d := distance(s, w); d < best {
			best, word = d, w
		}
	}
	return word
}

// distance is how many letters are to be inserted, deleted, replaced or swapped with their neighbour to make b of a.
func distance(a, b string) int {
	// Three rows of the table of Damerau and Levenshtein (optimal string alignment).
	if len(a) > 64 || len(b) > 64 {
		return max(len(a), len(b))
	}
	var before []int
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range a {
		next := make([]int, len(b)+1)
		next[0] = i + 1
		for j := range b {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			next[j+1] = min(row[j]+cost, row[j+1]+1, next[j]+1)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				next[j+1] = min(next[j+1], before[j-1]+1)
			}
		}
		before, row = row, next
	}
	return row[len(b)]
}
