package votes

import (
	"errors"
	"fmt"
	"time"

	"moot/votes/tally"
)

const day = 24 * time.Hour

// Rules are the numbers by which votes are held. Those of a vote are frozen when it opens. The default stands behind
// each.
type Rules struct {
	// Duration is how long a challenge or a restore runs: 24 hours.
	Duration time.Duration `json:"duration"`
	// Member is how long one has to be a member to vote on what binds: 7 days.
	Member time.Duration `json:"member"`
	// ActiveDays is on how many different days of the last ActiveWindow one has to be active: 2 of 10 days.
	ActiveDays   int           `json:"active_days"`
	ActiveWindow time.Duration `json:"active_window"`
	// Voters is how many there have to be at least for a challenge or a motion: 3.
	Voters int `json:"voters"`
	// QuorumLeast and QuorumMost bound the quorum, which between them is one in QuorumShare of all who have been
	// members for long enough, rounded up, but at most half of those who can vote: 3, 50, 4.
	QuorumLeast int `json:"quorum_least"`
	QuorumMost  int `json:"quorum_most"`
	QuorumShare int `json:"quorum_share"`
	// Part of Of is the share of yes among yes and no that a challenge takes, and LeastYes how many in any case: 2,
	// 3, 3.
	Part     int `json:"part"`
	Of       int `json:"of"`
	LeastYes int `json:"least_yes"`
	// Early is before what time no vote ends early: 1 hour. A challenge does not in its first half either.
	Early time.Duration `json:"early"`
	// Polls, Motions, Restores and Challenges are how many of each may be open in a room, so that none crowds out
	// another (of elections as many as of polls), and Mine is how many of a kind one person may have open, but never more than half of them: 5, 5, 5, 2,
	// 2. An appeal is never refused for a limit.
	Polls      int `json:"polls"`
	Motions    int `json:"motions"`
	Restores   int `json:"restores"`
	Challenges int `json:"challenges"`
	Mine       int `json:"mine"`
	// PollMember is how long one has to be a member to open a poll, once the bot has been in the room for as long: 1
	// day.
	PollMember time.Duration `json:"poll_member"`
	// Protected is how long a challenge that reached its quorum and failed protects its target: 7 days.
	Protected time.Duration `json:"protected"`
	// Rest is how long an opener starts no challenge after one that did not reach its quorum or was withdrawn: 7 days.
	Rest time.Duration `json:"rest"`
	// RestoreRest is how long somebody opens no restore after one of theirs that failed: 3 days.
	RestoreRest time.Duration `json:"restore_rest"`
	// Appeal is how far apart the appeals of one person are: 7 days.
	Appeal time.Duration `json:"appeal"`
	// Gone is for how long somebody who has left can still be the target of a vote: 10 days.
	Gone time.Duration `json:"gone"`
	// ChallengeMax is how long a challenge stands at most; zero means until it is lifted: 90 days.
	ChallengeMax time.Duration `json:"challenge_max,omitempty"`
	// Remind is whether there is a reminder at three quarters of the time. By default there is none.
	Remind bool `json:"remind,omitempty"`
}

// DefaultRules returns the defaults.
func DefaultRules() Rules {
	return Rules{
		Duration: day, Member: 7 * day, ActiveDays: 2, ActiveWindow: 10 * day, Voters: 3,
		QuorumLeast: 3, QuorumMost: 50, QuorumShare: 4, Part: 2, Of: 3, LeastYes: 3, Early: time.Hour,
		Polls: 5, Motions: 5, Restores: 5, Challenges: 2, Mine: 2, PollMember: day,
		Protected: 7 * day, Rest: 7 * day, RestoreRest: 3 * day, Appeal: 7 * day, Gone: 10 * day,
		ChallengeMax: 90 * day,
	}
}

// check tells what cannot be.
func (r Rules) check() error {
	for name, d := range map[string]time.Duration{
		"duration": r.Duration, "member": r.Member, "active window": r.ActiveWindow, "early": r.Early,
		"protected": r.Protected,
		"rest":      r.Rest, "poll member": r.PollMember, "restore rest": r.RestoreRest, "appeal": r.Appeal, "gone": r.Gone,
	} {
		if d < 0 {
			return fmt.Errorf("votes: %s is negative: %s", name, d)
		}
	}
	switch {
	case r.ChallengeMax < 0:
		return errors.New("votes: the longest challenge is negative")
	case r.Voters < 1 || r.QuorumLeast < 1 || r.QuorumMost < r.QuorumLeast || r.QuorumShare < 1 || r.LeastYes < 1:
		return errors.New("votes: a quorum and its bounds are at least 1, and the largest not below the smallest")
	case r.Part < 1 || r.Of < r.Part:
		return errors.New("votes: the share of yes that a challenge takes lies between 0 and 1")
	case r.ActiveDays < 0 || min(r.Polls, r.Motions, r.Restores, r.Challenges, r.Mine) < 1:
		return errors.New("votes: numbers of votes and days are not negative")
	}
	return nil
}

// atOnce returns how many votes of a type may be open in a room, and how many of one person.
func (r Rules) atOnce(t Type) (all, mine int) {
	all = map[Type]int{Challenge: r.Challenges, Restore: r.Restores, Motion: r.Motions, Rule: r.Motions,
		Poll: r.Polls, Election: r.Polls}[t]
	return all, max(1, min(r.Mine, all/2))
}

// tally returns the rules by which a vote of that type is decided, by those who may vote, if it runs for that long.
func (r Rules) tally(t Type, e electors, size int, runs time.Duration) tally.Rules {
	quorum := tally.Quorum{Least: r.QuorumLeast, Most: r.QuorumMost, Share: r.QuorumShare}.Of(e.members())
	quorum = min(quorum, max(r.QuorumLeast, half(size+e.Apart)))
	early := r.Early
	switch t {
	case Challenge:
		return tally.Rules{
			Method: tally.Supermajority, Options: 3, Quorum: quorum,
			Part: r.Part, Of: r.Of, LeastYes: r.LeastYes, Early: max(early, runs/2),
		}
	case Rule:
		return tally.Rules{Method: tally.Supermajority, Options: 3, Quorum: quorum, Part: 2, Of: 3,
			LeastYes: r.LeastYes, Early: early}
	case Restore:
		return tally.Rules{Method: tally.Majority, Options: 3, Quorum: min(quorum, size), Early: early}
	}
	return tally.Rules{Method: tally.Majority, Options: 3, Quorum: quorum, Early: early}
}

// half returns the half of a number, rounded up.
func half(n int) int { return (n + 1) / 2 }
