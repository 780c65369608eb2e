package tally

// Election is how the seats of an election were filled.
type Election struct {
	// Elected are those who have a seat, in the order in which they got it.
	Elected []int `json:"elected,omitempty"`
	// Tied are those of whom none is before the others for the seats that are left.
	Tied []int `json:"tied,omitempty"`
	// Pairs is of Schulze: how many ballots have the first option before the second.
	Pairs [][]int `json:"pairs,omitempty"`
	// Quota is of STV: how many votes make sure of a seat.
	Quota int `json:"quota,omitempty"`
	// Stages are of STV: how the votes went from one option to the next, the first preferences first.
	Stages []Stage `json:"stages,omitempty"`
}

// schulze fills one seat. An option has it that no other beats along the strongest paths; where several are so, they tie.
func schulze(r Rules, ballots []Ballot) *Election {
	e := &Election{Pairs: pairs(r, ballots)}
	paths := e.Paths()
	for a := range paths {
		beaten := false
		for b := range paths {
			beaten = beaten || paths[b][a] > paths[a][b]
		}
		if !beaten {
			e.Elected = append(e.Elected, a)
		}
	}
	if len(e.Elected) > 1 {
		e.Elected, e.Tied = nil, e.Elected
	}
	return e
}

// pairs counts how many ballots have one option before another: one that is not ranked stands behind all that are.
func pairs(r Rules, ballots []Ballot) [][]int {
	n := square(r.Options)
	for _, ballot := range ballots {
		for a, one := range ballot {
			for b, other := range ballot {
				if one > 0 && (other == 0 || one < other) {
					n[a][b]++
				}
			}
		}
	}
	return n
}

// Paths returns how strong the strongest path from each option to each other is. A step of a path goes to an option that the
// one before beats, and is as strong as ballots are for that; a path is as strong as its weakest step.
func (e *Election) Paths() [][]int {
	n := len(e.Pairs)
	p := square(n)
	for a := range n {
		for b := range n {
			if e.Pairs[a][b] > e.Pairs[b][a] {
				p[a][b] = e.Pairs[a][b]
			}
		}
	}
	for by := range n {
		for a := range n {
			for b := range n {
				if a != b {
					p[a][b] = max(p[a][b], min(p[a][by], p[by][b]))
				}
			}
		}
	}
	return p
}

// Beats reports whether an option is before each other one in a direct comparison.
func (e *Election) Beats(a int) bool {
	for b := range e.Pairs {
		if a != b && e.Pairs[a][b] <= e.Pairs[b][a] {
			return false
		}
	}
	return true
}

func square(n int) [][]int {
	rows := make([][]int, n)
	for i := range rows {
		rows[i] = make([]int, n)
	}
	return rows
}
