package votes_test

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"moot/events"
	"moot/store"
	"moot/votes"
	"moot/votes/tally"
)

// judge decides the votes that have ended since, and holds the bot to it.
func (r *referee) judge() {
	var ended []votes.Vote
	for id, t := range r.votes {
		if v := r.town.vote(lobby, id); !t.done && !v.Open() {
			ended = append(ended, v)
		}
	}
	slices.SortFunc(ended, func(a, b votes.Vote) int { return cmp.Or(a.Ended.Compare(b.Ended), cmp.Compare(a.ID, b.ID)) })
	for _, v := range ended {
		id, t := v.ID, r.votes[v.ID]
		t.done = true
		yes, no, all := 0, 0, 0
		for _, choice := range t.ballots {
			switch all++; choice {
			case 0:
				yes++
			case 1:
				no++
			}
		}
		if !v.Ended.Before(r.second.Add(-30*24*time.Hour)) && t.kind == "challenge" && r.second.After(v.Opened) {
			t.least = max(t.least, t.half)
		}
		want := t.outcome(all, yes, no)
		switch v.Outcome {
		case votes.Cancelled, votes.Withdrawn:
			if len(t.cancel) == 0 {
				r.rt.Fatalf("vote %d is %s, and nobody could have that", id, v.Outcome)
			}
			want = string(v.Outcome)
		case votes.Replaced:
			if t.kind != "restore" {
				r.rt.Fatalf("vote %d, a %s, was replaced by an appeal", id, t.kind)
			}
			want = string(v.Outcome)
		}
		if string(v.Outcome) != want || v.Size != len(t.may) || v.Tally.Quorum != t.quorum {
			r.rt.Fatalf("vote %d, a %s: %s of %d with a quorum of %d; the referee says %s of %d with %d: %v, needs %d yes\n%+v",
				id, t.kind, v.Outcome, v.Size, v.Tally.Quorum, want, len(t.may), t.quorum, t.ballots, t.least, v)
		}
		if counted := v.Count.For; v.Decided() && (v.Count.Cast != all || t.kind != "election" && (counted[0] != yes || counted[1] != no)) {
			r.rt.Fatalf("vote %d, a %s, has counted %+v; the referee has %v", id, t.kind, v.Count, t.ballots)
		}
		if v.Decided() && v.Ended.Before(t.closes) {
			r.endedEarly(id, t, v, all, yes, no)
		}
		r.follows(t, v)
	}
	for who, is := range r.challenged {
		if is && r.until[who].Before(r.now) {
			is, r.challenged[who] = false, false
		}
		if got := r.isChallenged(lobby, who); got != is {
			r.rt.Fatalf("%s is challenged: %v", who, got)
		}
	}
	r.forgets()
}

func (t *tallied) outcome(all, yes, no int) string {
	switch {
	case all < t.quorum:
		return string(tally.NoQuorum)
	case t.kind == "election":
		return elected(yes, no, all-yes-no)
	case t.kind == "challenge" || t.kind == "rule":
		if yes >= t.least && 3*yes >= 2*(yes+no) && yes > 0 {
			return string(tally.Passed)
		}
	case yes > no:
		return string(tally.Passed)
	}
	return string(tally.Rejected)
}

// elected decides an election in which so many have said «a, then b», «b», and «c, then a, then b».
func elected(first, second, third int) string {
	// How many have the one before the other.
	ab, ba, ac, ca, bc, cb := first+third, second, first, third, first+second, third
	path := func(direct, back, to, toBack, on, onBack int) int { // directly, or by the way of the one that is left
		strength := func(n, against int) int {
			if n > against {
				return n
			}
			return 0
		}
		return max(strength(direct, back), min(strength(to, toBack), strength(on, onBack)))
	}
	pab, pba := path(ab, ba, ac, ca, cb, bc), path(ba, ab, bc, cb, ca, ac)
	pac, pca := path(ac, ca, ab, ba, bc, cb), path(ca, ac, cb, bc, ba, ab)
	pbc, pcb := path(bc, cb, ba, ab, ac, ca), path(cb, bc, ca, ac, ab, ba)
	winners := 0
	for _, wins := range []bool{pab >= pba && pac >= pca, pba >= pab && pbc >= pcb, pca >= pac && pcb >= pbc} {
		if wins {
			winners++
		}
	}
	if winners > 1 {
		return string(tally.Tied)
	}
	return string(tally.Chosen)
}

// endedEarly holds a vote that ended before its time to the rule that nobody could change its outcome any more.
func (r *referee) endedEarly(id uint64, t *tallied, v votes.Vote, all, yes, no int) {
	if v.Ended.Before(t.opened.Add(t.early)) {
		r.rt.Fatalf("vote %d ended %s after it was opened", id, v.Ended.Sub(t.opened))
	}
	out, is := len(t.may)-all, t.outcome(all, yes, no)
	for y := range out + 1 {
		for n := range out + 1 - y {
			if could := t.outcome(all+y+n, yes+y, no+n); could != is {
				r.rt.Fatalf("vote %d ended early, %s, and could have become %s", id, is, could)
			}
		}
	}
}

// follows notes what follows from the end of a vote.
func (r *referee) follows(t *tallied, v votes.Vote) {
	voted := len(t.ballots) > 0
	ended := v.Outcome == votes.Cancelled || v.Outcome == votes.Withdrawn
	passed := v.Outcome == tally.Passed
	switch t.kind {
	case "challenge":
		if v.Outcome == tally.Rejected || ended && voted {
			r.protected[t.target] = later(r.protected[t.target], v.Ended.Add(week))
		}
		if v.Outcome == tally.NoQuorum || v.Outcome == votes.Withdrawn || ended && voted {
			r.rests[t.opener] = later(r.rests[t.opener], v.Ended.Add(week))
		}
		if passed {
			r.challenged[t.target], r.until[t.target] = true, v.Ended.Add(90*24*time.Hour)
			r.second = v.Ended.Add(30 * 24 * time.Hour)
		}
	case "restore", "appeal":
		if passed {
			r.challenged[t.target] = false
		}
		if t.kind == "appeal" && (v.Outcome == votes.Cancelled || v.Outcome == votes.Void) {
			r.appealed[t.opener] = time.Time{}
		}
	case "rule":
		if passed {
			r.member = t.value
		}
	}
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// slow holds the log to the promise that reactions of one person make at most one fact in the time between two edits.
func (r *referee) slow() {
	r.view(func(tx *store.Tx) {
		last := map[string]time.Time{}
		for f, err := range r.bus.Matching(tx, events.Query{Kind: votes.KindVote}) {
			var p struct{ Via string }
			if err != nil || f.Payload == nil || f.Decode(&p) != nil || p.Via != "reaction" {
				continue
			}
			key := fmt.Sprint(f.Keys["vote"], " ", f.People["voter"])
			if at, ok := last[key]; ok && f.Time.Sub(at) < votes.DefaultEdits && !r.settledAt(tx, f) {
				r.rt.Fatalf("%s of vote %s: two facts by reactions within %s", key, f.Keys["vote"], f.Time.Sub(at))
			}
			last[key] = f.Time
		}
	})
}

// settledAt reports whether a fact was made because its vote was about to end: by the act of somebody else, or the time.
func (r *referee) settledAt(tx *store.Tx, f events.Fact) bool {
	for o, err := range r.bus.Matching(tx, events.Query{Kind: votes.KindVote, Filters: map[string]string{"vote": f.Keys["vote"]}}) {
		if err == nil && o.Time.Equal(f.Time) && o.Seq != f.Seq {
			return true
		}
	}
	return false
}
