package tally

import (
	"slices"
)

// Ballot is what somebody chose: numbers of options, each once and in order. It is never empty.
type Ballot []int

// Valid reports whether the ballot may be cast under the rules.
func (r Rules) Valid(b Ballot) bool {
	if len(b) == 0 || len(b) > 1 && !r.Multiple {
		return false
	}
	for i, o := range b {
		if o < 0 || o >= r.Options || i > 0 && o <= b[i-1] {
			return false
		}
	}
	return true
}

// Tally is how many chose what.
type Tally struct {
	// Cast is how many have cast a ballot.
	Cast int `json:"cast"`
	// For is how many chose each option.
	For []int `json:"for"`
}

// NewTally returns the tally of a vote in which nobody has voted.
func (r Rules) NewTally() Tally { return Tally{For: make([]int, r.Options)} }

// Add adds a ballot. The tally that it returns shares nothing with the old one.
func (t Tally) Add(b Ballot) Tally { return t.with(b, 1) }

// Remove takes a ballot away that was added.
func (t Tally) Remove(b Ballot) Tally { return t.with(b, -1) }

func (t Tally) with(b Ballot, n int) Tally {
	t.For = slices.Clone(t.For)
	t.Cast += n
	for _, o := range b {
		t.For[o] += n
	}
	return t
}

// Count counts the valid ballots of those who may vote.
func Count[Voter comparable](r Rules, electorate []Voter, ballots map[Voter]Ballot) Tally {
	t := r.NewTally()
	counted := make(map[Voter]bool, len(ballots))
	for _, v := range electorate {
		if b, ok := ballots[v]; ok && !counted[v] && r.Valid(b) {
			counted[v] = true
			t = t.Add(b)
		}
	}
	return t
}
