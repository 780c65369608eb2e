package votes

import (
	"errors"
	"fmt"
	"time"

	"moot/votes/tally"
)

const day = 24 * time.Hour

// Rules are the numbers by which votes are held. Those of a vote are frozen when it opens. The default stands behind each.
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
	// QuorumLeast and QuorumMost bound the quorum, which between them is one in QuorumShare, rounded up: 3, 50, 4.
	QuorumLeast int `json:"quorum_least"`
	QuorumMost  int `json:"quorum_most"`
	QuorumShare int `json:"quorum_share"`
	// Part of Of is the share of yes among yes and no that a challenge takes, and LeastYes how many in any case: 2, 3, 3.
	Part     int `json:"part"`
	Of       int `json:"of"`
	LeastYes int `json:"least_yes"`
	// Early is before what time no vote ends early: 1 hour. A challenge does not in its first half either.
	Early time.Duration `json:"early"`
	// Open is how many votes may be open in a room, Challenges how many of them challenges, and Mine how many of one
	// person: 10, 2, 2.
	Open       int `json:"open"`
	Challenges int `json:"challenges"`
	Mine       int `json:"mine"`
	// Protected is how long a challenge that reached its quorum and failed protects its target: 7 days.
	Protected time.Duration `json:"protected"`
	// Rest is how long an opener starts no challenge after one that did not reach its quorum or was withdrawn: 7 days.
	Rest time.Duration `json:"rest"`
	// RestoreRest is how long nobody asks again for the restore of somebody after one that failed: 3 days.
	RestoreRest time.Duration `json:"restore_rest"`
	// Appeal is how far apart the appeals of one person are: 7 days.
	Appeal time.Duration `json:"appeal"`
	// Gone is for how long somebody who has left can still be the target of a vote: 10 days.
	Gone time.Duration `json:"gone"`
	// ChallengeMax is how long a challenge stands at most; zero means until it is lifted, which is the default.
	ChallengeMax time.Duration `json:"challenge_max,omitempty"`
	// Remind is whether there is a reminder at three quarters of the time. By default there is none.
	Remind bool `json:"remind,omitempty"`
}

// DefaultRules returns the defaults.
func DefaultRules() Rules {
	return Rules{
		Duration: day, Member: 7 * day, ActiveDays: 2, ActiveWindow: 10 * day, Voters: 3,
		QuorumLeast: 3, QuorumMost: 50, QuorumShare: 4, Part: 2, Of: 3, LeastYes: 3, Early: time.Hour,
		Open: 10, Challenges: 2, Mine: 2,
		Protected: 7 * day, Rest: 7 * day, RestoreRest: 3 * day, Appeal: 7 * day, Gone: 10 * day,
	}
}

// check tells what cannot be.
func (r Rules) check() error {
	for name, d := range map[string]time.Duration{
		"duration": r.Duration, "member": r.Member, "active window": r.ActiveWindow, "early": r.Early, "protected": r.Protected,
		"rest": r.Rest, "restore rest": r.RestoreRest, "appeal": r.Appeal, "gone": r.Gone,
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
	case r.ActiveDays < 0 || r.Open < 1 || r.Challenges < 1 || r.Mine < 1:
		return errors.New("votes: numbers of votes and days are not negative")
	}
	return nil
}

// tally returns the rules by which a vote of that type is decided, if size people may vote and it runs for that long.
func (r Rules) tally(t Type, size int, runs time.Duration) tally.Rules {
	quorum := tally.Quorum{Least: r.QuorumLeast, Most: r.QuorumMost, Share: r.QuorumShare}.Of(size)
	early := r.Early
	switch t {
	case Challenge:
		return tally.Rules{
			Method: tally.Supermajority, Options: 3, Quorum: quorum,
			Part: r.Part, Of: r.Of, LeastYes: r.LeastYes, Early: max(early, runs/2),
		}
	case Restore:
		return tally.Rules{Method: tally.Majority, Options: 3, Quorum: min(quorum, size), Early: early}
	}
	return tally.Rules{Method: tally.Majority, Options: 3, Quorum: quorum, Early: early}
}
