package apart

import (
	"slices"

	"moot/internal/alike"
	"moot/internal/say"
)

// Place is where a bot is killed.
type Place string

// The places, in the order in which a message comes by them.
const (
	Now     Place = "now"
	Arrival Place = "arrival"
	Commit  Place = "commit"
	Sending Place = "sending"
	Receipt Place = "receipt"
)

// places are all of them. What each is called in words is the message of its name.
var places = []Place{Now, Arrival, Commit, Sending, Receipt}

// Places are the words for all places, in order.
func Places() (words []string) {
	for _, p := range places {
		words = append(words, string(p))
	}
	return words
}

// Says says in words when a bot is killed at the place.
func (p Place) Says(l say.Language) string { return catalogue.In(l).Plain(string(p)) }

// ParsePlace reads a word, in any case.
func ParsePlace(word string) (Place, bool) {
	p := Place(alike.Fold(word))
	return p, slices.Contains(places, p)
}
