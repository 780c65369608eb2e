package commands

import (
	"cmp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/sahilm/fuzzy"
)

// maxNear is how long, in characters, what is compared may be; people do not mistype longer names, they paste them.
const maxNear = 48

// nearest returns the places in the list of at most so many names that somebody may have meant who typed word, the
// likeliest first.
func nearest(word string, names []string, most int) []int {
	word = fold(word)
	length := utf8.RuneCountInString(word)
	if length == 0 || length > maxNear {
		return nil
	}
	type candidate struct{ place, distance int }
	var found []candidate
	slips := (length + 2) / 4
	for i, name := range names {
		name = fold(name)
		switch d := distance(word, name, slips); {
		case strings.HasPrefix(name, word):
			found = append(found, candidate{i, 0})
		case d <= slips:
			found = append(found, candidate{i, d})
		case length >= 3 && strings.Contains(name, word), length >= 4 && len(fuzzy.Find(word, []string{name})) > 0:
			found = append(found, candidate{i, length})
		}
	}
	slices.SortStableFunc(found, func(a, b candidate) int { return cmp.Compare(a.distance, b.distance) })
	var places []int
	for _, f := range found[:min(most, len(found))] {
		places = append(places, f.place)
	}
	return places
}

// distance returns how many characters have to be added, left out, replaced or swapped with their neighbour to make b of
// a. Where that is more than most, it returns some number above most.
func distance(a, b string, most int) int {
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

// spelled returns the place of the one name that has the letters of word in their order, and how many there are.
func spelled(word string, names []string) (place, n int) {
	folded := make([]string, len(names))
	for i, name := range names {
		folded[i] = fold(name)
	}
	matches := fuzzy.Find(fold(word), folded)
	if len(matches) == 0 {
		return 0, 0
	}
	return matches[0].Index, len(matches)
}
