package tally

import "time"

// Method is how ballots become an outcome.
type Method string

// The methods.
const (
	// Majority passes what has a quorum and more yes than no.
	Majority Method = "majority"
	// Supermajority passes what has a quorum, enough yes among yes and no, and enough yes in number.
	Supermajority Method = "supermajority"
	// Consent passes unless too many say no. It knows no quorum: who says nothing consents.
	Consent Method = "consent"
	// Plurality names the options with the most votes. It knows no quorum and never ends early.
	Plurality Method = "plurality"
	// Schulze fills one seat from ranked ballots, by comparing each two options. It never ends early.
	Schulze Method = "schulze"
	// STV fills several seats from ranked ballots, by the single transferable vote as Scottish councils count it. It
	// never ends early.
	STV Method = "stv"
)

// Ranked reports whether a ballot ranks the options.
func (m Method) Ranked() bool { return m == Schulze || m == STV }

// The options of every vote but a poll and an election, by their numbers.
const (
	Yes = iota
	No
	Abstain
)

// Rules are those of one vote. They do not change while it is open.
type Rules struct {
	Method Method `json:"method"`
	// Options is how many there are to choose from; 3 for all methods but Plurality and those that rank.
	Options int `json:"options"`
	// Multiple is whether a ballot of a poll may name several.
	Multiple bool `json:"multiple,omitempty"`
	// Quorum is how many ballots it takes for the vote to count.
	Quorum int `json:"quorum,omitempty"`
	// Part and Of are the share of yes among yes and no that a Supermajority takes: at least Part of Of.
	Part int `json:"part,omitempty"`
	Of   int `json:"of,omitempty"`
	// LeastYes is how many yes a Supermajority takes in any case.
	LeastYes int `json:"least_yes,omitempty"`
	// Objections is how many no it takes that a Consent does not pass; at least 1.
	Objections int `json:"objections,omitempty"`
	// Seats is how many an STV fills; fewer than there are options.
	Seats int `json:"seats,omitempty"`
	// Early is how long after the opening the vote may end before its deadline at the soonest.
	Early time.Duration `json:"early,omitempty"`
}

// Quorum is how the quorum follows from the number of those who may vote.
type Quorum struct {
	// Least is the smallest quorum, and Most the largest.
	Least, Most int
	// Share is how many of those who may vote there are to each ballot that it takes: 4 for a quarter, rounded up.
	Share int
}

// Of returns the quorum for that many who may vote: max(Least, min(⌈size/Share⌉, Most)).
func (q Quorum) Of(size int) int {
	return max(q.Least, min((size+q.Share-1)/q.Share, q.Most))
}

// Clock is where a vote stands in time.
type Clock struct {
	Opened, Deadline time.Time
	// Paused is the time by which the deadline has been moved because nobody could vote. No early end comes before it
	// has passed as well.
	Paused time.Duration
	Now    time.Time
}

// Due reports whether the deadline has come.
func (c Clock) Due() bool { return !c.Now.Before(c.Deadline) }

// Soonest returns when a vote with these rules may end before its deadline at the soonest; zero if it never does.
func (r Rules) Soonest(c Clock) time.Time {
	at := c.Opened.Add(r.Early + c.Paused)
	if r.Method == Plurality || r.Method.Ranked() || !at.Before(c.Deadline) {
		return time.Time{}
	}
	return at
}

// NeededYes returns how many yes the rules take among that many yes and no together.
func (r Rules) NeededYes(votes int) int {
	if r.Method == Supermajority {
		return max(r.LeastYes, (votes*r.Part+r.Of-1)/r.Of)
	}
	return votes/2 + 1
}

// Carries reports whether that many yes and no pass, the quorum aside.
func (r Rules) Carries(yes, no int) bool { return yes >= r.NeededYes(yes+no) }
