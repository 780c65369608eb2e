package tally

import (
	"slices"
)

// Ballot is what somebody chose: numbers of options, each once and in order. Where options are ranked it has a place for
// each of them instead, with its rank: 1 for the first, the same for those that are wanted equally, no rank left out, and 0
// for one that is not ranked and so comes after all others. It is never empty.
type Ballot []int

// Valid reports whether the ballot may be cast under the rules.
func (r Rules) Valid(b Ballot) bool {
	if r.Method.Ranked() {
		return r.validRanking(b)
	}
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

func (r Rules) validRanking(b Ballot) bool {
	if len(b) != r.Options {
		return false
	}
	at := make([]int, r.Options+1) // how many stand at each rank
	for _, rank := range b {
		if rank < 0 || rank > r.Options {
			return false
		}
		at[rank]++
	}
	for rank, last := 1, slices.Max(b); rank <= max(last, 1); rank++ {
		if at[rank] == 0 || at[rank] > 1 && r.Method == STV {
			return false
		}
	}
	return true
}

// Chosen returns the options that a ballot counts for in a tally: where options are ranked, those that it ranks first.
func (r Rules) Chosen(b Ballot) Ballot {
	if !r.Method.Ranked() {
		return b
	}
	var first Ballot
	for o, rank := range b {
		if rank == 1 {
			first = append(first, o)
		}
	}
	return first
}

// Rank returns the ballot that ranks options so: groups of options that are wanted equally, the most wanted first. It may
// not be valid.
func (r Rules) Rank(groups [][]int) Ballot {
	b := make(Ballot, r.Options)
	for i, group := range groups {
		for _, o := range group {
			if o < 0 || o >= len(b) || b[o] != 0 {
				return nil
			}
			b[o] = i + 1
		}
	}
	return b
}

// Groups returns what a ballot ranks: groups of options that are wanted equally, the most wanted first.
func (b Ballot) Groups() [][]int {
	groups := make([][]int, max(0, slices.Max(b)))
	for o, rank := range b {
		if rank > 0 {
			groups[rank-1] = append(groups[rank-1], o)
		}
	}
	return groups
}

// Tally is how many chose what.
type Tally struct {
	// Cast is how many have cast a ballot.
	Cast int `json:"cast"`
	// For is how many chose each option; where options are ranked, how many ranked it first.
	For []int `json:"for"`
	// Ballots are all of them where options are ranked: no count decides that. Only who decides it fills them in.
	Ballots []Ballot `json:"-"`
}

// NewTally returns the tally of a vote in which nobody has voted.
func (r Rules) NewTally() Tally { return Tally{For: make([]int, r.Options)} }

// Add adds a ballot, or what [Rules.Chosen] returns of it. The tally that it returns shares nothing with the old one.
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
			t = t.Add(r.Chosen(b))
			if r.Method.Ranked() {
				t.Ballots = append(t.Ballots, b)
			}
		}
	}
	return t
}
