// Package near says how near one word is to another: what somebody may have meant who mistyped it.
package near

import "unicode/utf8"

// Distance returns how many characters have to be added, left out, replaced or swapped with their neighbour to make b of a
// (Damerau and Levenshtein, optimal string alignment). Where that is more than most it returns some number above most, and
// looks no further.
func Distance(a, b string, most int) int {
	if d := utf8.RuneCountInString(a) - utf8.RuneCountInString(b); d > most || -d > most {
		return most + 1
	}
	s, t := []rune(a), []rune(b)
	// rows[i%3][j] is the distance of the first i characters of s from the first j of t.
	var rows [3][]int
	for i := range rows {
		rows[i] = make([]int, len(t)+1)
	}
	for j := range rows[0] {
		rows[0][j] = j
	}
	for i := 1; i <= len(s); i++ {
		row, above := rows[i%3], rows[(i+2)%3]
		row[0] = i
		best := i
		for j := 1; j <= len(t); j++ {
			cost := 1
			if s[i-1] == t[j-1] {
				cost = 0
			}
			row[j] = min(above[j]+1, row[j-1]+1, above[j-1]+cost)
			if i > 1 && j > 1 && s[i-1] == t[j-2] && s[i-2] == t[j-1] {
				row[j] = min(row[j], rows[(i+1)%3][j-2]+1)
			}
			best = min(best, row[j])
		}
		if best > most+1 {
			return best
		}
	}
	return rows[len(s)%3][len(t)]
}
