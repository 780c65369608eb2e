package tally

import (
	"fmt"
	"slices"
	"strings"
)

// Outcome is what came of a vote.
type Outcome string

// The outcomes. The first is none: the vote is open.
const (
	Open     Outcome = ""
	Passed   Outcome = "passed"
	Rejected Outcome = "rejected"  // the quorum was reached
	NoQuorum Outcome = "no-quorum" // it was not
	Chosen   Outcome = "chosen"    // of a poll: one option has the most votes; of an election: every seat is filled
	Tied     Outcome = "tied"      // of a poll: several have; of an election: several stand equally for a seat
	Unvoted  Outcome = "unvoted"   // of a poll and an election: nobody voted
)

// Result is an outcome and what it rests on.
type Result struct {
	Outcome Outcome
	Rules   Rules
	Size    int // how many could vote
	Tally   Tally
	Winners []int // of a poll: the options with the most votes; of an election: who has a seat
	// Election is how the seats of an election were filled; nil where too few voted.
	Election *Election
}

// Decide returns the outcome of a vote in which size people may vote, or Open.
func Decide(r Rules, size int, t Tally, c Clock) Result {
	res := Result{Rules: r, Size: size, Tally: t}
	switch {
	case c.Due():
		return Final(r, size, t)
	case r.Soonest(c).IsZero() || c.Now.Before(r.Soonest(c)):
		return res
	}
	if o, fixed := settled(r, size, t); fixed {
		res.Outcome = o
	}
	return res
}

// Final returns the outcome of a vote in which no more ballots will be cast.
func Final(r Rules, size int, t Tally) Result {
	res := Result{Rules: r, Size: size, Tally: t}
	switch {
	case r.Method == Plurality:
		res.Outcome, res.Winners = plurality(t)
		return res
	case r.Method.Ranked():
		return res.elect()
	}
	res.Outcome = outcome(r, t.Cast, t.For[Yes], t.For[No])
	return res
}

// elect is Final where options are ranked.
func (res Result) elect() Result {
	switch {
	case res.Tally.Cast < res.Rules.Quorum:
		res.Outcome = NoQuorum
		return res
	case res.Tally.Cast == 0:
		res.Outcome = Unvoted
		return res
	case res.Rules.Method == STV:
		res.Election = transfer(res.Rules, res.Tally.Ballots)
	default:
		res.Election = schulze(res.Rules, res.Tally.Ballots)
	}
	res.Outcome, res.Winners = Chosen, res.Election.Elected
	if len(res.Election.Tied) > 0 {
		res.Outcome = Tied
	}
	return res
}

// Possible reports whether a vote in which size people may vote can pass at all. A poll has nothing to pass; an election
// has a quorum to reach.
func Possible(r Rules, size int) bool {
	if r.Method.Ranked() {
		return size >= r.Quorum
	}
	return r.Method == Plurality || outcome(r, size, size, 0) == Passed
}

func outcome(r Rules, cast, yes, no int) Outcome {
	switch {
	case r.Method == Consent && no >= r.Objections:
		return Rejected
	case r.Method == Consent:
		return Passed
	case cast < r.Quorum:
		return NoQuorum
	case r.Carries(yes, no):
		return Passed
	}
	return Rejected
}

// settled reports whether all ways to cast the ballots that are out lead to one outcome, and to which. Each outcome has
// one way that is the best for it, so three ways tell about all.
func settled(r Rules, size int, t Tally) (Outcome, bool) {
	out, yes, no := max(size-t.Cast, 0), t.For[Yes], t.For[No]
	possible := map[Outcome]bool{
		outcome(r, t.Cast, yes, no):         true, // nobody else votes
		outcome(r, t.Cast+out, yes+out, no): true, // all say yes
		outcome(r, t.Cast+out, yes, no+out): true, // all say no
	}
	if len(possible) > 1 {
		return Open, false
	}
	for o := range possible {
		return o, true
	}
	return Open, false
}

func plurality(t Tally) (Outcome, []int) {
	most := slices.Max(t.For)
	if most == 0 {
		return Unvoted, nil
	}
	var winners []int
	for o, n := range t.For {
		if n == most {
			winners = append(winners, o)
		}
	}
	if len(winners) > 1 {
		return Tied, winners
	}
	return Chosen, winners
}

// done is what is said of a vote that passed, and of one that did not.
var done = map[bool]string{true: "passed", false: "failed"}

// Explain says the arithmetic in a sentence: "7 yes, 2 no, 1 abstained of 12 who could vote; quorum 3 reached; needed
// 6 of 9: passed". It is for all methods but Plurality and those
// that rank.
func (r Result) Explain() string {
	yes, no := r.Tally.For[Yes], r.Tally.For[No]
	var b strings.Builder
	fmt.Fprintf(&b, "%d yes, %d no, %d abstained of %d who could vote; ", yes, no, r.Tally.For[Abstain], r.Size)
	if r.Rules.Method == Consent {
		fmt.Fprintf(&b, "%d no would defeat it: %s", r.Rules.Objections, done[no < r.Rules.Objections])
		return b.String()
	}
	if r.Tally.Cast < r.Rules.Quorum {
		fmt.Fprintf(&b, "quorum %d not reached: failed", r.Rules.Quorum)
		return b.String()
	}
	fmt.Fprintf(&b, "quorum %d reached; needed ", r.Rules.Quorum)
	if need := r.Rules.NeededYes(yes + no); need <= yes+no {
		fmt.Fprintf(&b, "%d of %d: ", need, yes+no)
	} else {
		fmt.Fprintf(&b, "%d yes: ", need)
	}
	return b.String() + done[r.Rules.Carries(yes, no)]
}
