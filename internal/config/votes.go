package config

import (
	"time"

	"moot/internal/span"
)

// Votes says how votes are held. What a room may change by `room set` it may make safer than this, or slower, but never
// easier to win by showing up with many accounts: these values are the floors too.
type Votes struct {
	// Duration is how long a challenge or a restore runs, and ShortestDuration the least that a room may set for that.
	Duration         time.Duration `toml:"duration" min:"1h" max:"14d"`
	ShortestDuration time.Duration `toml:"shortest_duration" min:"1h" max:"14d"`

	// Who may vote on what binds.
	Member       time.Duration `toml:"member" min:"0s" max:"365d"`
	ActiveDays   int           `toml:"active_days" min:"0" max:"365"`
	ActiveWindow time.Duration `toml:"active_window" min:"1d" max:"365d"`
	Voters       int           `toml:"voters" min:"1" max:"1000"`

	// How it is decided.
	Quorum      int           `toml:"quorum" min:"1" max:"100000"`
	QuorumMost  int           `toml:"quorum_most" min:"1" max:"100000"`
	QuorumShare int           `toml:"quorum_share" min:"1" max:"1000"`
	YesPart     int           `toml:"yes_part" min:"1" max:"1000"`
	YesOf       int           `toml:"yes_of" min:"1" max:"1000"`
	LeastYes    int           `toml:"least_yes" min:"1" max:"1000"`
	Early       time.Duration `toml:"early" min:"1m" max:"14d"`

	// How many may be open at once.
	Polls      int `toml:"polls" min:"1" max:"1000"`
	Motions    int `toml:"motions" min:"1" max:"1000"`
	Restores   int `toml:"restores" min:"1" max:"1000"`
	Challenges int `toml:"challenges" min:"1" max:"1000"`
	PerPerson  int `toml:"per_person" min:"1" max:"1000"`

	// PollMember is how long one has to be a member to open a poll.
	PollMember time.Duration `toml:"poll_member" min:"0s" max:"365d"`

	// What cannot be asked again for a while, and of whom.
	Protected   time.Duration `toml:"protected" min:"1h" max:"365d"`
	Rest        time.Duration `toml:"rest" min:"1h" max:"365d"`
	RestoreRest time.Duration `toml:"restore_rest" min:"1h" max:"365d"`
	Appeal      time.Duration `toml:"appeal" min:"1d" max:"365d"`
	Gone        time.Duration `toml:"gone" min:"1h" max:"365d"`

	// ChallengeMax is how long a challenge stands at most; zero means until it is lifted.
	ChallengeMax time.Duration `toml:"challenge_max" min:"0s" max:"3650d"`
	Reminder     bool          `toml:"reminder"`
	Reminders    bool          `toml:"reminders"` // in private

	// How long polls and motions run: if nobody says, and at the least and the most.
	PollDuration time.Duration `toml:"poll_duration" min:"10m" max:"14d"`
	PollShortest time.Duration `toml:"poll_shortest" min:"1m" max:"14d"`
	PollLongest  time.Duration `toml:"poll_longest" min:"10m" max:"30d"`

	// What happens beside it.
	Reading      time.Duration `toml:"reading" min:"10s" max:"1h"`
	Outage       time.Duration `toml:"outage" min:"1s" max:"1h"`
	Void         time.Duration `toml:"void" min:"1d" max:"365d"`
	Edits        time.Duration `toml:"edits" min:"1s" max:"10m"`
	EditsDiscord time.Duration `toml:"edits_discord" min:"1s" max:"10m"`
}

func defaultVotes() Votes {
	return Votes{
		Duration: day, ShortestDuration: 12 * time.Hour,
		Member: 7 * day, ActiveDays: 2, ActiveWindow: 10 * day, Voters: 3,
		Quorum: 3, QuorumMost: 50, QuorumShare: 4, YesPart: 2, YesOf: 3, LeastYes: 3, Early: time.Hour,
		Polls: 5, Motions: 5, Restores: 5, Challenges: 2, PerPerson: 2, PollMember: day,
		Protected: 7 * day, Rest: 7 * day, RestoreRest: 3 * day, Appeal: 7 * day, Gone: 10 * day, ChallengeMax: 90 * day, Reminders: true,
		PollDuration: 2 * day, PollShortest: 10 * time.Minute, PollLongest: 14 * day,
		Reading: 5 * time.Minute, Outage: time.Minute, Void: 30 * day,
		Edits: 30 * time.Second, EditsDiscord: 5 * time.Second,
	}
}

// votes finds what no single value of [votes] tells.
func (d *decoder) votes(c *Config) {
	v := c.Votes
	at := func(key string) []string { return []string{"votes", key} }
	if v.QuorumMost < v.Quorum {
		d.complain(at("quorum_most"), "quorum_most in [votes]: it is the largest quorum, and less than quorum (%d), the smallest", v.Quorum)
	}
	if v.YesOf < v.YesPart {
		d.complain(at("yes_of"), "yes_of in [votes]: a challenge would take more yes than there are yes and no; it has to be at least yes_part (%d)", v.YesPart)
	}
	if v.Duration < v.ShortestDuration {
		d.complain(at("duration"), "duration in [votes]: it is less than shortest_duration (%q), which no room may go below", span.Format(v.ShortestDuration))
	}
	if v.PollShortest > v.PollLongest || v.PollDuration < v.PollShortest || v.PollDuration > v.PollLongest {
		d.complain(at("poll_duration"), "poll_duration in [votes]: it has to lie between poll_shortest (%q) and poll_longest (%q)",
			span.Format(v.PollShortest), span.Format(v.PollLongest))
	}
	if v.ActiveWindow > c.Events.Window {
		d.complain(at("active_window"), "active_window in [votes]: it is longer than window in [events] (%q), after which nobody knows who was active",
			span.Format(c.Events.Window))
	}
	if v.ActiveDays > int(v.ActiveWindow/day) {
		d.complain(at("active_days"), "active_days in [votes]: nobody can be active on %d days of active_window (%q)", v.ActiveDays, span.Format(v.ActiveWindow))
	}
	if v.ChallengeMax != 0 && v.ChallengeMax < day {
		d.complain(at("challenge_max"), `challenge_max in [votes]: expected at least "1d", or "0s" for a challenge that stands until it is lifted`)
	}
	if max(v.PollLongest, 14*day)+v.Void > c.Store.Retention {
		d.complain(at("void"), "void in [votes]: a vote could be open for %q, its time away included, and retention in [store] (%q) is less; the bot would not recognise its message any more",
			span.Format(max(v.PollLongest, 14*day)+v.Void), span.Format(c.Store.Retention))
	}
}
