package elect

import (
	"math/rand/v2"
	"slices"
	"testing"

	"moot/e2e/node"
	"moot/votes/tally"
)

// election is what the witness counts: the rank of each option, ballot by ballot.
type election struct {
	Options int     `json:"options"`
	Ballots [][]int `json:"ballots"`
}

// counted is what it says of one.
type counted struct {
	Duels []int // how many others each option beats
	Ahead []int // who beats the most
	First []int // how many ballots have each option first
}

// ranking returns a ballot by chance, with some options wanted equally and some not ranked.
func ranking(rng *rand.Rand, r tally.Rules) tally.Ballot {
	var groups [][]int
	for i, o := range rng.Perm(r.Options)[:1+rng.IntN(r.Options)] {
		if i > 0 && rng.IntN(3) == 0 {
			groups[len(groups)-1] = append(groups[len(groups)-1], o)
			continue
		}
		groups = append(groups, []int{o})
	}
	return r.Rank(groups)
}

// TestElections counts elections by chance on both sides. The witness knows no strongest paths: who beats each other option has
// the seat by both, and where nobody does, all the comparisons are the same.
func TestElections(t *testing.T) {
	const elections = 3000
	rng := rand.New(rand.NewPCG(16, 4))
	var asked []election
	var ours []tally.Result
	for range elections {
		r := tally.Rules{Method: tally.Schulze, Options: 2 + rng.IntN(9)}
		e, voters, cast := election{Options: r.Options}, []int(nil), map[int]tally.Ballot{}
		for v := range 1 + rng.IntN(30) {
			b := ranking(rng, r)
			e.Ballots, voters, cast[v] = append(e.Ballots, b), append(voters, v), b
		}
		asked, ours = append(asked, e), append(ours, tally.Final(r, len(voters), tally.Count(r, voters, cast)))
	}
	var theirs []counted
	node.Start(t, "elect/js/witness.mjs").Do("count", asked, &theirs)
	won := 0
	for i, e := range asked {
		got, want := ours[i], theirs[i]
		duels := make([]int, e.Options)
		for a, row := range got.Election.Pairs {
			for b, n := range row {
				if n > got.Election.Pairs[b][a] {
					duels[a]++
				}
			}
		}
		if !slices.Equal(duels, want.Duels) || !slices.Equal(got.Tally.For, want.First) {
			t.Fatalf("%v: got %v and %v first; by the witness %v and %v", e.Ballots, duels, got.Tally.For, want.Duels, want.First)
		}
		if ahead := want.Ahead[0]; want.Duels[ahead] == e.Options-1 {
			won++
			if !slices.Equal(got.Winners, want.Ahead) || got.Outcome != tally.Chosen {
				t.Fatalf("%v: got %v, %s; by the witness %v", e.Ballots, got.Winners, got.Outcome, want.Ahead)
			}
		}
	}
	if t.Logf("%d elections, %d of them with an option that beats each other one", elections, won); won < elections/10 || won == elections {
		t.Error("the elections are of one kind only")
	}
}
