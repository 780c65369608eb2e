package tally

import (
	"cmp"
	"fmt"
	"math/big"
	"slices"
	"strings"
)

// The single transferable vote, by the weighted inclusive Gregory method as the Scottish Local Government Elections Order
// 2007 has it (rules 45 to 52 of its schedule 1), but for two things: transfers are exact fractions, where the order cuts
// them after five digits; and where it draws lots, all lots are followed.

// Stage is one stage of the count: what was passed on in it, and how the votes stand after it.
type Stage struct {
	// Surplus is the option whose surplus was passed on, and Excluded the one that was left out; -1 if none. In the first
	// stage there is neither.
	Surplus  int `json:"surplus"`
	Excluded int `json:"excluded"`
	// Tie are those who were level when one of them was taken for that, it among them; Earlier is whether an earlier stage
	// told them apart. Where none did, the stages go on as if lots had fallen on it.
	Tie     []int `json:"tie,omitempty"`
	Earlier bool  `json:"earlier,omitempty"`
	// Votes are those of each option, and Lost those of ballots that name nobody else.
	Votes []*big.Rat `json:"votes"`
	Lost  *big.Rat   `json:"lost"`
	// Elected are those who have a seat from this stage on.
	Elected []int `json:"elected,omitempty"`
}

// pile is ballots that rank the options alike: they are always with the same option, at the same value.
type pile struct {
	order []int
	n     int64
	at    int      // in order: with whom they are; behind its end with nobody
	value *big.Rat // of each
}

type standing byte

const (
	hopeful standing = iota
	elected          // its surplus has not been passed on, if it has one
	passed           // its surplus has
	excluded
)

// scrutiny is a count on its way.
type scrutiny struct {
	seats  int
	quota  *big.Rat
	piles  []pile
	as     []standing
	votes  []*big.Rat
	lost   *big.Rat
	rank   []int // of each option by its votes now, those that are level by their votes one stage before, and so on
	seated []int
	stages []Stage
	known  map[string]*Election // what came of standings to which several ways lead
}

// transfer fills the seats.
func transfer(r Rules, ballots []Ballot) *Election {
	s := &scrutiny{
		seats: r.Seats, quota: new(big.Rat).SetInt64(int64(len(ballots)/(r.Seats+1) + 1)), piles: piles(ballots),
		as: make([]standing, r.Options), votes: make([]*big.Rat, r.Options), lost: new(big.Rat), rank: make([]int, r.Options),
		known: map[string]*Election{},
	}
	for o := range s.votes {
		s.votes[o] = new(big.Rat)
	}
	for _, p := range s.piles {
		s.votes[p.order[0]].Add(s.votes[p.order[0]], p.worth())
	}
	s.record(Stage{Surplus: -1, Excluded: -1})
	e := s.goOn()
	e.Quota = len(ballots)/(r.Seats+1) + 1
	return e
}

// piles puts ballots together that are alike.
func piles(ballots []Ballot) (out []pile) {
	for _, b := range slices.SortedFunc(slices.Values(ballots), slices.Compare[Ballot]) {
		var order []int
		for _, group := range b.Groups() {
			order = append(order, group...)
		}
		if last := len(out) - 1; last >= 0 && slices.Equal(out[last].order, order) {
			out[last].n++
			continue
		}
		out = append(out, pile{order: order, n: 1, value: big.NewRat(1, 1)})
	}
	return out
}

// worth returns how many votes the pile is.
func (p pile) worth() *big.Rat { return new(big.Rat).Mul(p.value, new(big.Rat).SetInt64(p.n)) }

// record takes in how the votes stand after a stage, and who has a seat by it.
func (s *scrutiny) record(st Stage) {
	st.Votes, st.Lost = make([]*big.Rat, len(s.votes)), new(big.Rat).Set(s.lost)
	byVotes := make([]int, len(s.votes))
	for o, v := range s.votes {
		st.Votes[o], byVotes[o] = new(big.Rat).Set(v), o
	}
	compare := func(a, b int) int { return cmp.Or(s.votes[a].Cmp(s.votes[b]), cmp.Compare(s.rank[a], s.rank[b])) }
	slices.SortStableFunc(byVotes, compare)
	rank := make([]int, len(s.rank))
	for i, o := range byVotes[1:] {
		rank[o] = rank[byVotes[i]] + min(1, compare(o, byVotes[i]))
	}
	s.rank = rank
	slices.Reverse(byVotes)
	for _, o := range byVotes {
		if s.as[o] == hopeful && s.votes[o].Cmp(s.quota) >= 0 {
			st.Elected = append(st.Elected, o)
		}
	}
	s.seat(st.Elected)
	if left := s.are(hopeful); len(s.seated) < s.seats && len(left) == s.seats-len(s.seated) {
		slices.SortStableFunc(left, func(a, b int) int { return compare(b, a) })
		st.Elected = append(st.Elected, left...) // whoever remains fills the seats that do
		s.seat(left)
	}
	s.stages = append(s.stages, st)
}

func (s *scrutiny) seat(options []int) {
	for _, o := range options {
		s.as[o] = elected
	}
	s.seated = append(s.seated, options...)
}

// are returns the options of that standing, in their order.
func (s *scrutiny) are(is standing) (out []int) {
	for o, as := range s.as {
		if as == is {
			out = append(out, o)
		}
	}
	return out
}

// goOn counts on until every seat is filled.
func (s *scrutiny) goOn() *Election {
	for len(s.seated) < s.seats {
		next, act := s.first(s.over(), 1), (*scrutiny).pass
		if len(next) == 0 {
			next, act = s.first(s.are(hopeful), -1), (*scrutiny).exclude
			slices.Reverse(next)
		}
		if len(next) > 1 {
			return s.eachWay(next, act)
		}
		level := s.level(next[0])
		act(s, next[0], Stage{Tie: level, Earlier: level != nil})
	}
	return &Election{Elected: s.seated, Stages: s.stages}
}

// over returns the options that have more than a quota.
func (s *scrutiny) over() (out []int) {
	for _, o := range s.are(elected) {
		if s.votes[o].Cmp(s.quota) > 0 {
			out = append(out, o)
		}
	}
	return out
}

// first returns those of the options with the most votes, or with the fewest where sign is negative; of those that are
// level only those who have more, or fewer, in the latest stage that tells.
func (s *scrutiny) first(options []int, sign int) (out []int) {
	for _, o := range options {
		switch {
		case len(out) > 0 && sign*s.rank[o] < sign*s.rank[out[0]]:
			continue
		case len(out) > 0 && s.rank[o] != s.rank[out[0]]:
			out = out[:0]
		}
		out = append(out, o)
	}
	return out
}

// level returns the options that could have been taken in the place of one if only the votes of now told; nil if none could.
func (s *scrutiny) level(one int) (out []int) {
	for o, as := range s.as {
		if as == s.as[one] && s.votes[o].Cmp(s.votes[one]) == 0 {
			out = append(out, o)
		}
	}
	if len(out) < 2 {
		return nil
	}
	return out
}

// pass passes on the surplus of an option: all its ballots go on, each at the same part of its value.
func (s *scrutiny) pass(o int, st Stage) {
	part := new(big.Rat).Sub(s.votes[o], s.quota)
	part.Quo(part, s.votes[o])
	s.as[o] = passed
	s.hand(o, part)
	s.votes[o] = s.quota
	st.Surplus, st.Excluded = o, -1
	s.record(st)
}

// exclude leaves an option out: all its ballots go on at their value.
func (s *scrutiny) exclude(o int, st Stage) {
	s.as[o] = excluded
	s.hand(o, big.NewRat(1, 1))
	s.votes[o] = new(big.Rat)
	st.Surplus, st.Excluded = -1, o
	s.record(st)
}

// hand gives the ballots of an option to the next that each names and that has no seat, at that part of their value.
func (s *scrutiny) hand(o int, part *big.Rat) {
	for i := range s.piles {
		p := &s.piles[i]
		if p.at >= len(p.order) || p.order[p.at] != o {
			continue
		}
		p.value = new(big.Rat).Mul(p.value, part)
		for p.at++; p.at < len(p.order) && s.as[p.order[p.at]] != hopeful; p.at++ {
		}
		to := &s.lost
		if p.at < len(p.order) {
			to = &s.votes[p.order[p.at]]
		}
		*to = new(big.Rat).Add(*to, p.worth())
	}
}

// eachWay goes on as if lots had fallen on each of several options. Who has a seat in every case has it; who has one in some
// cases only is tied for it. The stages are those of the first case.
func (s *scrutiny) eachWay(options []int, act func(*scrutiny, int, Stage)) *Election {
	key := s.key()
	if e := s.known[key]; e != nil { // never on the first way, whose stages are kept
		return e
	}
	var e *Election
	may := make([]int, len(s.as)) // how often each has a seat for sure, or may have one
	must := make([]int, len(s.as))
	for _, o := range options {
		way := *s
		way.piles, way.as = slices.Clone(s.piles), slices.Clone(s.as)
		way.votes = slices.Clone(s.votes)
		way.seated, way.stages = slices.Clip(s.seated), slices.Clip(s.stages)
		act(&way, o, Stage{Tie: slices.Sorted(slices.Values(options))})
		came := way.goOn()
		for _, o := range came.Elected {
			must[o]++
			may[o]++
		}
		for _, o := range came.Tied {
			may[o]++
		}
		if e == nil {
			e = &Election{Elected: came.Elected, Stages: came.Stages}
		}
	}
	e.Elected = slices.DeleteFunc(slices.Clone(e.Elected), func(o int) bool { return must[o] < len(options) })
	for o := range may {
		if may[o] > 0 && must[o] < len(options) {
			e.Tied = append(e.Tied, o)
		}
	}
	s.known[key] = e
	return e
}

// key says how the count stands, as far as the rest of it depends on that: not on the rank of those who are out of it.
func (s *scrutiny) key() string {
	in := slices.Concat(s.are(hopeful), s.are(elected))
	slices.SortStableFunc(in, func(a, b int) int { return cmp.Compare(s.rank[a], s.rank[b]) })
	var b strings.Builder
	fmt.Fprint(&b, s.as)
	for i, o := range in {
		if i > 0 && s.rank[o] > s.rank[in[i-1]] {
			b.WriteByte('<')
		}
		fmt.Fprint(&b, " ", o)
	}
	for _, p := range s.piles {
		if p.at < len(p.order) {
			fmt.Fprint(&b, " ", p.at, " ", p.value.RatString())
		}
		b.WriteByte(',')
	}
	return b.String()
}
