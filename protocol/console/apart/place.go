package apart

import (
	"slices"

	"moot/internal/alike"
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

var places = []struct {
	place Place
	says  string
}{
	{Now, "at once, while nothing is under way"},
	{Arrival, "when the next message is on its way to it, and nothing is written down"},
	{Commit, "while it writes the next message down; whether that is durable is for the next life to find out"},
	{Sending, "when an answer is written down as begun, and the network does not have it"},
	{Receipt, "when the network has the answer, and the bot does not know that it has"},
}

// Places are the words for all places, in order.
func Places() (words []string) {
	for _, p := range places {
		words = append(words, string(p.place))
	}
	return words
}

// Says says in words when a bot is killed at the place.
func (p Place) Says() string {
	i := slices.IndexFunc(places, func(known struct {
		place Place
		says  string
	}) bool {
		return known.place == p
	})
	if i < 0 {
		return ""
	}
	return places[i].says
}

// ParsePlace reads a word, in any case.
func ParsePlace(word string) (Place, bool) {
	p := Place(alike.Fold(word))
	return p, p.Says() != ""
}
