package sim

import (
	"fmt"
	"math/big"
	"slices"
	"strings"

	"moot/events"
	"moot/protocol"
	"moot/store"
)

// called is a vote as somebody keeps it who reads the log aloud: by what the facts say, and by hand.
type called struct {
	room, typ                 string
	secret                    bool
	options, quorum, leastYes int
	peers                     int
	may                       map[events.Number]bool
	ballots                   map[events.Number][]int
	boxed                     [][]int
	done                      bool
}

// referee decides each vote once more from the ballots in the log, with no code of the bot, and holds each ballot to an act
// of the person whose it is: nobody else made it, and none was made before the vote opened or after it had closed.
func (h *history) referee(tx *store.Tx) error {
	votes := map[string]*called{}
	for f, err := range h.life.bus.Matching(tx, events.Query{Kind: "vote"}) {
		if err != nil {
			return err
		}
		id, what := fmt.Sprint(f.Scope, " vote ", f.Keys["vote"]), f.Keys["what"]
		v := votes[id]
		switch {
		case what == "opened":
			if v, err = open(f); err != nil {
				return err
			}
			votes[id] = v
			continue
		case v == nil:
			continue // who may vote in a vote that is about to open
		case v.done:
			return fmt.Errorf("%s had ended, and then: %s", id, what)
		}
		switch what {
		case "ballot", "withdrawn":
			if err := h.ballot(tx, f, v); err != nil {
				return fmt.Errorf("%s: %w", id, err)
			}
		case "ballots":
			var p struct{ Ballots [][]int }
			if err := f.Decode(&p); err != nil {
				return err
			}
			v.boxed = append(v.boxed, p.Ballots...)
		case "closed":
			v.done = true
			h.tally.refereed++
			outcome := f.Keys["outcome"]
			if slices.Contains([]string{"withdrawn", "cancelled", "void", "replaced"}, outcome) {
				continue
			}
			if want := v.call(); outcome != want {
				return fmt.Errorf("%s is %s, and by its ballots %s: %+v", id, outcome, want, v)
			}
			h.tally.decided++
			for _, other := range votes { // it makes the others harder to pass
				if v.typ == "challenge" && outcome == "passed" && other.room == v.room && other.typ == v.typ {
					other.leastYes = max(other.leastYes, (other.peers+1)/2)
				}
			}
		}
	}
	return nil
}

func open(f events.Fact) (*called, error) {
	var p struct {
		Secret     bool `json:"secret"`
		Electorate []uint64
		Peers      int
		Tally      struct {
			Options  int
			Quorum   int
			LeastYes int `json:"least_yes"`
		}
	}
	if err := f.Decode(&p); err != nil {
		return nil, err
	}
	v := &called{
		room: string(f.Scope), typ: f.Keys["type"], secret: p.Secret, peers: p.Peers,
		may: map[events.Number]bool{}, ballots: map[events.Number][]int{},
	}
	v.options, v.quorum, v.leastYes = p.Tally.Options, p.Tally.Quorum, p.Tally.LeastYes
	n := uint64(0)
	for _, d := range p.Electorate { // the distance of each to the one before
		n += d
		v.may[events.Number(n)] = true
	}
	return v, nil
}

// ballot takes a ballot in. One by a command was given by the voter themselves; one by reactions may become a fact by the act
// of somebody else, which ends the vote.
func (h *history) ballot(tx *store.Tx, f events.Fact, v *called) error {
	var p struct {
		Choices []int
		Via     string
	}
	if err := f.Decode(&p); err != nil {
		return err
	}
	who := f.People["voter"]
	switch user, known := h.life.bus.Who(tx, who); {
	case !v.may[who]:
		return fmt.Errorf("a ballot of %d, who may not vote: %v", who, v.may)
	case v.secret:
		return fmt.Errorf("a ballot of %d in a secret vote", who)
	case known && (p.Via == "command" || p.Via == "private") && !strings.HasPrefix(string(f.Cause.Event), "timer/") && // told late
		h.sender(f.Cause) != user:
		return fmt.Errorf("a ballot of %s by %s, which is of %q", user, f.Cause.Event, h.sender(f.Cause))
	}
	if p.Via == "poll" {
		h.tally.polled++
	}
	if v.ballots[who] = p.Choices; len(p.Choices) == 0 {
		delete(v.ballots, who)
	}
	return nil
}

// sender returns who made an event.
func (h *history) sender(ref protocol.Ref) protocol.UserID {
	for _, n := range h.nets {
		for _, piece := range n.log {
			for _, ev := range piece {
				if ev.Ref() == ref {
					return ev.Sender
				}
			}
		}
	}
	return ""
}

// call decides a vote by hand.
func (v *called) call() string {
	all := v.boxed
	for _, b := range v.ballots {
		all = append(all, b)
	}
	if v.typ == "election" {
		return v.elect(all)
	}
	n := make([]int, v.options)
	for _, b := range all {
		for _, o := range b {
			n[o]++
		}
	}
	if v.typ == "poll" {
		most := slices.Max(n)
		switch first := slices.Index(n, most); {
		case most == 0:
			return "unvoted"
		case slices.Contains(n[first+1:], most):
			return "tied"
		}
		return "chosen"
	}
	yes, no := n[0], n[1]
	twoThirds := v.typ == "challenge" || v.typ == "rule"
	switch {
	case len(all) < v.quorum:
		return "no-quorum"
	case twoThirds && yes >= v.leastYes && yes > 0 && big.NewRat(int64(yes), int64(yes+no)).Cmp(big.NewRat(2, 3)) >= 0:
		return "passed"
	case !twoThirds && yes > no:
		return "passed"
	}
	return "rejected"
}

// elect decides an election for one seat by hand: along every path there is from one option to another.
func (v *called) elect(all [][]int) string {
	if len(all) < v.quorum {
		return "no-quorum"
	}
	before := func(a, b int) (n int) { // how many have a before b
		for _, ranks := range all {
			if ranks[a] > 0 && (ranks[b] == 0 || ranks[a] < ranks[b]) {
				n++
			}
		}
		return n
	}
	var path func(a, b int, seen ...int) int
	path = func(a, b int, seen ...int) (best int) {
		for next := range v.options {
			strength := before(a, next)
			if strength <= before(next, a) || slices.Contains(seen, next) {
				continue
			}
			if next != b {
				strength = min(strength, path(next, b, append(seen, a)...))
			}
			best = max(best, strength)
		}
		return best
	}
	winners := 0
	for a := range v.options {
		beaten := false
		for b := range v.options {
			beaten = beaten || a != b && path(b, a) > path(a, b)
		}
		if !beaten {
			winners++
		}
	}
	if winners > 1 {
		return "tied"
	}
	return "chosen"
}
