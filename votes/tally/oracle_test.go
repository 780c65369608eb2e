package tally

import (
	"bytes"
	"math/big"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// The oracle decides by enumeration: it knows the rules as the spec words them, walks through every way in which the
// ballots that are out can be cast or not, and shares nothing with the code but the types.

// verdict is the outcome of ballots that are all cast; each is 'y', 'n', 'a', or '-' for none.
func verdict(r Rules, ballots []byte) Outcome {
	n := map[byte]int64{}
	for _, b := range ballots {
		n[b]++
	}
	if r.Method == Consent {
		if n['n'] < int64(r.Objections) {
			return Passed
		}
		return Rejected
	}
	if n['y']+n['n']+n['a'] < int64(r.Quorum) {
		return NoQuorum
	}
	if r.Method == Majority {
		if n['y'] > n['n'] {
			return Passed
		}
		return Rejected
	}
	if n['y'] < int64(r.LeastYes) || n['y']+n['n'] == 0 {
		return Rejected
	}
	if big.NewRat(n['y'], n['y']+n['n']).Cmp(big.NewRat(int64(r.Part), int64(r.Of))) < 0 {
		return Rejected
	}
	return Passed
}

// endings returns all outcomes to which the ballots can still lead.
func endings(r Rules, ballots []byte) map[Outcome]bool {
	found := map[Outcome]bool{}
	var walk func(int)
	walk = func(i int) {
		if i == len(ballots) {
			found[verdict(r, ballots)] = true
			return
		}
		if ballots[i] != '-' {
			walk(i + 1)
			return
		}
		for _, b := range []byte("yna-") {
			ballots[i] = b
			walk(i + 1)
		}
		ballots[i] = '-'
	}
	walk(0)
	return found
}

var opening = time.Date(2026, 11, 21, 8, 0, 0, 0, time.UTC)

func genRules(t *rapid.T, size int) Rules {
	r := Rules{Method: Majority, Options: 3, Quorum: rapid.IntRange(0, size+1).Draw(t, "quorum"), Early: time.Hour}
	switch rapid.IntRange(0, 2).Draw(t, "method") {
	case 1:
		r.Method, r.Objections = Consent, rapid.IntRange(1, size+1).Draw(t, "objections")
	case 2:
		r.Method, r.Of = Supermajority, rapid.IntRange(1, 5).Draw(t, "of")
		r.Part = rapid.IntRange(1, r.Of).Draw(t, "part")
		r.LeastYes = rapid.IntRange(1, 4).Draw(t, "least")
	}
	return r
}

func TestAgainstTheOracle(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		size := rapid.IntRange(0, 7).Draw(t, "size")
		r := genRules(t, size)
		ballots := make([]byte, size)
		cast := map[int]Ballot{}
		voters := make([]int, size)
		for i := range ballots {
			voters[i] = i
			ballots[i] = rapid.SampledFrom([]byte("yna-")).Draw(t, "ballot")
			switch ballots[i] {
			case 'y':
				cast[i] = Ballot{Yes}
			case 'n':
				cast[i] = Ballot{No}
			case 'a':
				cast[i] = Ballot{Abstain}
			}
		}
		if got, want := Possible(r, size), endings(r, bytes.Repeat([]byte{'-'}, size))[Passed]; got != want {
			t.Fatalf("with %d people by %+v it can pass: got %v, want %v", size, r, got, want)
		}
		cast[size+5] = Ballot{Yes} // by somebody who may not vote
		runs := rapid.Int64Range(int64(10*time.Minute), int64(48*time.Hour)).Draw(t, "runs")
		now := rapid.Int64Range(0, int64(50*time.Hour)).Draw(t, "now")
		clock := Clock{Opened: opening, Deadline: opening.Add(time.Duration(runs)), Now: opening.Add(time.Duration(now))}
		want := Open
		switch ends := endings(r, ballots); {
		case now >= runs:
			want = verdict(r, ballots)
		case now >= int64(time.Hour) && len(ends) == 1:
			for o := range ends {
				want = o
			}
		}
		got := Decide(r, size, Count(r, voters, cast), clock)
		if got.Outcome != want {
			t.Fatalf("%s after %s of %s by %+v: got %q, want %q", ballots, time.Duration(now), time.Duration(runs), r, got.Outcome, want)
		}
	})
}

func TestQuorum(t *testing.T) {
	q := Quorum{Least: 3, Most: 50, Share: 4}
	for size, want := range map[int]int{0: 3, 1: 3, 3: 3, 12: 3, 13: 4, 16: 4, 17: 5, 199: 50, 200: 50, 10_000: 50} {
		if got := q.Of(size); got != want {
			t.Errorf("quorum of %d is %d, not %d", size, got, want)
		}
	}
}

func TestExplain(t *testing.T) {
	challenge := Rules{Method: Supermajority, Options: 3, Quorum: 3, Part: 2, Of: 3, LeastYes: 3}
	motion := Rules{Method: Majority, Options: 3, Quorum: 3}
	consent := Rules{Method: Consent, Options: 3, Objections: 2}
	all := Rules{Method: Supermajority, Options: 3, Quorum: 3, Part: 1, Of: 1, LeastYes: 1}
	for _, tc := range []struct {
		r    Rules
		t    Tally
		want string
	}{
		{challenge, Tally{Cast: 10, For: []int{7, 2, 1}}, "7 yes, 2 no, 1 abstained of 12 who could vote; quorum 3 reached; needed 6 of 9: passed"},
		{challenge, Tally{Cast: 3, For: []int{2, 1, 0}}, "2 yes, 1 no, 0 abstained of 12 who could vote; quorum 3 reached; needed 3 of 3: failed"},
		{challenge, Tally{Cast: 3, For: []int{2, 0, 1}}, "2 yes, 0 no, 1 abstained of 12 who could vote; quorum 3 reached; needed 3 yes: failed"},
		{motion, Tally{Cast: 4, For: []int{2, 2, 0}}, "2 yes, 2 no, 0 abstained of 12 who could vote; quorum 3 reached; needed 3 of 4: failed"},
		{motion, Tally{Cast: 2, For: []int{2, 0, 0}}, "2 yes, 0 no, 0 abstained of 12 who could vote; quorum 3 not reached: failed"},
		{motion, Tally{Cast: 3, For: []int{0, 0, 3}}, "0 yes, 0 no, 3 abstained of 12 who could vote; quorum 3 reached; needed 1 yes: failed"},
		{consent, Tally{Cast: 2, For: []int{0, 1, 1}}, "0 yes, 1 no, 1 abstained of 12 who could vote; 2 no would defeat it: passed"},
		{consent, Tally{Cast: 7, For: []int{5, 2, 0}}, "5 yes, 2 no, 0 abstained of 12 who could vote; 2 no would defeat it: failed"},
		{all, Tally{Cast: 4, For: []int{3, 0, 1}}, "3 yes, 0 no, 1 abstained of 12 who could vote; quorum 3 reached; needed 3 of 3: passed"},
		{all, Tally{Cast: 4, For: []int{3, 1, 0}}, "3 yes, 1 no, 0 abstained of 12 who could vote; quorum 3 reached; needed 4 of 4: failed"},
	} {
		if got := Final(tc.r, 12, tc.t).Explain(); got != tc.want {
			t.Errorf("got  %s\nwant %s", got, tc.want)
		}
	}
}

func TestNoEarlyEnd(t *testing.T) {
	r := Rules{Method: Majority, Options: 3, Quorum: 3, Early: time.Hour}
	all := Tally{Cast: 3, For: []int{3, 0, 0}}
	at := func(after, runs, paused time.Duration) Clock {
		return Clock{Opened: opening, Deadline: opening.Add(runs), Paused: paused, Now: opening.Add(after)}
	}
	for _, tc := range []struct {
		name string
		c    Clock
		want Outcome
	}{
		{"in the first hour", at(59*time.Minute, 24*time.Hour, 0), Open},
		{"after it", at(time.Hour, 24*time.Hour, 0), Passed},
		{"a pause counts for nothing", at(time.Hour, 24*time.Hour, time.Minute), Open},
		{"a vote of ten minutes has no early end", at(9*time.Minute, 10*time.Minute, 0), Open},
		{"but an end", at(10*time.Minute, 10*time.Minute, 0), Passed},
	} {
		if got := Decide(r, 3, all, tc.c).Outcome; got != tc.want {
			t.Errorf("%s: got %q, want %q", tc.name, got, tc.want)
		}
	}
}

func TestPolls(t *testing.T) {
	r := Rules{Method: Plurality, Options: 3, Multiple: true}
	c := Clock{Opened: opening, Deadline: opening.Add(time.Hour), Now: opening.Add(30 * time.Minute)}
	count := r.NewTally().Add(Ballot{0, 2}).Add(Ballot{2})
	if got := Decide(r, 2, count, c).Outcome; got != Open {
		t.Errorf("a poll ended early: %q", got)
	}
	c.Now = c.Deadline
	if got := Decide(r, 2, count, c); got.Outcome != Chosen || len(got.Winners) != 1 || got.Winners[0] != 2 {
		t.Errorf("got %+v", got)
	}
	if got := Decide(r, 2, count.Remove(Ballot{2}), c); got.Outcome != Tied || len(got.Winners) != 2 {
		t.Errorf("got %+v", got)
	}
	if got := Decide(r, 2, r.NewTally(), c); got.Outcome != Unvoted {
		t.Errorf("got %+v", got)
	}
}

func TestValid(t *testing.T) {
	one, many := Rules{Options: 3}, Rules{Options: 3, Multiple: true}
	for _, tc := range []struct {
		r    Rules
		b    Ballot
		want bool
	}{
		{one, nil, false}, {one, Ballot{0}, true}, {one, Ballot{3}, false}, {one, Ballot{-1}, false}, {one, Ballot{0, 1}, false},
		{many, Ballot{0, 1}, true}, {many, Ballot{1, 0}, false}, {many, Ballot{1, 1}, false},
	} {
		if got := tc.r.Valid(tc.b); got != tc.want {
			t.Errorf("%v: got %v", tc.b, got)
		}
	}
}

func BenchmarkDecide(b *testing.B) {
	r := Rules{Method: Supermajority, Options: 3, Quorum: 50, Part: 2, Of: 3, LeastYes: 3, Early: time.Hour}
	c := Clock{Opened: opening, Deadline: opening.Add(24 * time.Hour), Now: opening.Add(2 * time.Hour)}
	t := Tally{Cast: 4000, For: []int{2500, 1400, 100}}
	for b.Loop() {
		Decide(r, 10_000, t, c)
	}
}
