package commands

import (
	"cmp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/sahilm/fuzzy"

	"moot/internal/near"
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
		switch d := near.Distance(word, name, slips); {
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
