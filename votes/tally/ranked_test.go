package tally

import (
	"math/big"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// The oracles for ranked votes share nothing with the code but the types. That for Schulze walks along every path that there
// is. That for STV keeps each single ballot with its own value and reads the rules anew at each step; at a lot it goes each
// way and compares whom each way elects.

// bestPath returns the strength of the strongest path from a to b that touches none of those seen.
func bestPath(d [][]int, a, b int, seen []int) int {
	best := 0
	for next := range d {
		if d[a][next] <= d[next][a] || slices.Contains(seen, next) {
			continue
		}
		strength := d[a][next]
		if next != b {
			strength = min(strength, bestPath(d, next, b, append(slices.Clone(seen), next)))
		}
		best = max(best, strength)
	}
	return best
}

// unbeaten returns the options that Schulze's method has before or level with each other one.
func unbeaten(options int, ballots []Ballot) (out []int) {
	d := make([][]int, options)
	for a := range d {
		d[a] = make([]int, options)
		for b := range d {
			for _, ballot := range ballots {
				rank := func(o int) int {
					if ballot[o] == 0 {
						return 1000
					}
					return ballot[o]
				}
				if rank(a) < rank(b) {
					d[a][b]++
				}
			}
		}
	}
	for a := range d {
		wins := true
		for b := range d {
			wins = wins && (a == b || bestPath(d, a, b, []int{a}) >= bestPath(d, b, a, []int{b}))
		}
		if wins {
			out = append(out, a)
		}
	}
	return out
}

// byHand is the count of an STV by hand.
type byHand struct {
	seats   int
	quota   *big.Rat
	ballots [][]int // each in its order
	value   []*big.Rat
	with    []int  // the option with which each is, -1 for none
	state   []byte // of each option: 'h'opeful, 'e'lected, 'p'assed on, 'x'cluded
	history [][]*big.Rat
}

func (h byHand) clone() *byHand {
	h.value, h.with, h.state, h.history = slices.Clone(h.value), slices.Clone(h.with), slices.Clone(h.state), slices.Clone(h.history)
	return &h
}

// sums adds up what each option has.
func (h *byHand) sums() []*big.Rat {
	out := make([]*big.Rat, len(h.state))
	for o := range out {
		out[o] = new(big.Rat)
		for i, w := range h.with {
			if w == o {
				out[o].Add(out[o], h.value[i])
			}
		}
		if h.state[o] == 'p' {
			out[o].Set(h.quota)
		}
	}
	return out
}

// narrow leaves those of the options that have the most, or the least, now or else at the latest stage that tells.
func (h *byHand) narrow(options []int, least bool) []int {
	for i := len(h.history) - 1; i >= 0; i-- {
		best := h.history[i][options[0]]
		for _, o := range options {
			if c := h.history[i][o].Cmp(best); c < 0 && least || c > 0 && !least {
				best = h.history[i][o]
			}
		}
		options = slices.DeleteFunc(slices.Clone(options), func(o int) bool { return h.history[i][o].Cmp(best) != 0 })
	}
	return options
}

// winners returns each set of options that lots can elect.
func (h *byHand) winners() [][]int {
	sums := h.sums()
	h.history = append(h.history, sums)
	for o := range h.state {
		if h.state[o] == 'h' && sums[o].Cmp(h.quota) >= 0 {
			h.state[o] = 'e'
		}
	}
	var in, hopeful, over []int
	for o, s := range h.state {
		switch s {
		case 'h':
			hopeful = append(hopeful, o)
		case 'e', 'p':
			in = append(in, o)
		}
		if s == 'e' && sums[o].Cmp(h.quota) > 0 {
			over = append(over, o)
		}
	}
	if len(in) == h.seats {
		return [][]int{in}
	}
	if len(in)+len(hopeful) == h.seats {
		return [][]int{slices.Sorted(slices.Values(append(in, hopeful...)))}
	}
	next, state, part := h.narrow(hopeful, true), byte('x'), func(int) *big.Rat { return big.NewRat(1, 1) }
	if len(over) > 0 {
		next, state = h.narrow(over, false), 'p'
		part = func(o int) *big.Rat { return new(big.Rat).Quo(new(big.Rat).Sub(sums[o], h.quota), sums[o]) }
	}
	var all [][]int
	for _, o := range next {
		way := h.clone()
		way.state[o] = state
		for i, w := range way.with {
			if w != o {
				continue
			}
			way.value[i], way.with[i] = new(big.Rat).Mul(way.value[i], part(o)), -1
			for _, to := range way.ballots[i][slices.Index(way.ballots[i], o)+1:] {
				if way.state[to] == 'h' {
					way.with[i] = to
					break
				}
			}
		}
		all = append(all, way.winners()...)
	}
	return all
}

// lots returns who has a seat however lots fall, and who has one in some cases only.
func lots(r Rules, ballots []Ballot) (sure, tied []int) {
	h := &byHand{seats: r.Seats, quota: big.NewRat(int64(len(ballots)/(r.Seats+1)+1), 1)}
	for range r.Options {
		h.state = append(h.state, 'h')
	}
	for _, b := range ballots {
		var order []int
		for rank := 1; rank <= r.Options; rank++ {
			if o := slices.Index(b, rank); o >= 0 {
				order = append(order, o)
			}
		}
		h.ballots, h.value, h.with = append(h.ballots, order), append(h.value, big.NewRat(1, 1)), append(h.with, order[0])
	}
	all := h.winners()
	for o := range r.Options {
		n := 0
		for _, set := range all {
			if slices.Contains(set, o) {
				n++
			}
		}
		switch {
		case n == len(all):
			sure = append(sure, o)
		case n > 0:
			tied = append(tied, o)
		}
	}
	return sure, tied
}

// allBallots returns every ballot that is valid.
func allBallots(r Rules) (all []Ballot) {
	b := make(Ballot, r.Options)
	var walk func(int)
	walk = func(i int) {
		if i == len(b) {
			if r.Valid(b) {
				all = append(all, slices.Clone(b))
			}
			return
		}
		for b[i] = 0; b[i] <= r.Options; b[i]++ {
			walk(i + 1)
		}
		b[i] = 0
	}
	walk(0)
	return all
}

// everyProfile calls f with every way in which up to most voters can vote, but for their order.
func everyProfile(r Rules, most int, f func([]Ballot)) {
	all := allBallots(r)
	var walk func(from int, cast []Ballot)
	walk = func(from int, cast []Ballot) {
		if len(cast) > 0 {
			f(cast)
		}
		if len(cast) == most {
			return
		}
		for i := from; i < len(all); i++ {
			walk(i, append(cast, all[i]))
		}
	}
	walk(0, nil)
}

func compare(t interface {
	Helper()
	Fatalf(string, ...any)
}, r Rules, ballots []Ballot) {
	t.Helper()
	e := Final(r, len(ballots), Tally{Cast: len(ballots), Ballots: ballots}).Election
	var sure, tied []int
	if r.Method == STV {
		sure, tied = lots(r, ballots)
		for i, st := range e.Stages {
			if votesOf(st).Cmp(big.NewRat(int64(len(ballots)), 1)) != 0 {
				t.Fatalf("%v: votes are lost or made in stage %d: %+v", ballots, i+1, st)
			}
		}
	} else if sure = unbeaten(r.Options, ballots); len(sure) > 1 {
		sure, tied = nil, sure
	}
	if got := slices.Sorted(slices.Values(e.Elected)); !slices.Equal(got, sure) || !slices.Equal(e.Tied, tied) {
		t.Fatalf("%d seats, %v: got %v elected and %v tied, want %v and %v", r.Seats, ballots, got, e.Tied, sure, tied)
	}
}

// TestEverySmallElection counts all elections of a few options and voters.
func TestEverySmallElection(t *testing.T) {
	counted := 0
	for _, r := range []Rules{
		{Method: Schulze, Options: 2}, {Method: Schulze, Options: 3}, {Method: STV, Options: 2, Seats: 1},
		{Method: STV, Options: 3, Seats: 1}, {Method: STV, Options: 3, Seats: 2}, {Method: Schulze, Options: 4},
		{Method: STV, Options: 4, Seats: 1}, {Method: STV, Options: 4, Seats: 2}, {Method: STV, Options: 4, Seats: 3},
	} {
		most := []int{2: 7, 3: 5, 4: 2}[r.Options]
		everyProfile(r, most, func(ballots []Ballot) {
			counted++
			compare(t, r, ballots)
		})
	}
	t.Logf("%d elections", counted)
}

// TestElections counts elections by chance, of more options and voters.
func TestElections(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := Rules{Method: Schulze, Options: rapid.IntRange(2, 5).Draw(t, "options")}
		if rapid.Bool().Draw(t, "several") {
			r.Method, r.Seats = STV, rapid.IntRange(1, r.Options-1).Draw(t, "seats")
		}
		n := rapid.IntRange(1, 14).Draw(t, "voters")
		ballots := make([]Ballot, n)
		for i := range ballots {
			order := rapid.Permutation(slices.Collect(func(yield func(int) bool) {
				for o := range r.Options {
					if !yield(o) {
						return
					}
				}
			})).Draw(t, "order")[:rapid.IntRange(1, r.Options).Draw(t, "ranked")]
			var groups [][]int
			for j, o := range order {
				if j > 0 && r.Method == Schulze && rapid.Bool().Draw(t, "equal") {
					groups[len(groups)-1] = append(groups[len(groups)-1], o)
					continue
				}
				groups = append(groups, []int{o})
			}
			ballots[i] = r.Rank(groups)
		}
		compare(t, r, ballots)
	})
}

func BenchmarkSTV(b *testing.B) {
	r := Rules{Method: STV, Options: 10, Seats: 4}
	var all Tally
	for i := range 4000 {
		ballot := make(Ballot, 10)
		for rank := range 10 {
			ballot[(i*7+rank*(1+2*(i%2))*3)%10] = rank + 1
		}
		all.Cast++
		all.Ballots = append(all.Ballots, ballot)
	}
	for b.Loop() {
		Final(r, 4000, all)
	}
}
