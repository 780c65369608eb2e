package main

import (
	"iter"
	"slices"
	"time"

	"moot/activity"
	"moot/challenges"
	"moot/commands"
	"moot/commands/standard"
	"moot/enforce"
	"moot/events"
	"moot/internal/bot"
	"moot/internal/config"
	"moot/invites"
	"moot/protocol"
	"moot/protocol/console"
	"moot/protocol/discord"
	"moot/protocol/matrix"
	"moot/rooms"
	"moot/sealed"
	"moot/services"
	"moot/store"
	"moot/votes"
)

// kinds are the kinds of facts that the bot and its features publish.
func kinds() []events.Kind {
	return slices.Concat([]events.Kind{rooms.Kind, activity.Kind(), invites.Kind()}, votes.Kinds(), challenges.Kinds())
}

// features are what the bot does.
type features struct {
	commands   *commands.Commands
	activity   *activity.Feature
	votes      *votes.Feature
	challenges *challenges.Feature
	enforce    *enforce.Feature
	invites    *invites.Feature
	services   *services.Feature
	prefix     string // that stands before a command in a room
}

// newFeatures returns what the bot does, and has read and written nothing: a caller that only wants the tree of commands, as the
// check of Discord does, gives it an empty bus.
func newFeatures(cfg config.Config, bus *events.Bus) (*features, error) {
	var ballots *votes.Feature
	active, err := activity.New(activity.Config{
		Bus: bus, Window: cfg.Events.Window,
		Quiet: func(tx *store.Tx, ev protocol.Event) bool { return ballots.Quiet(tx, ev) },
	})
	if err != nil {
		return nil, err
	}
	settings, err := votes.NewSettings(votes.SettingsConfig{Bus: bus, Rules: voteRules(cfg.Votes), ShortestVote: cfg.Votes.ShortestDuration})
	if err != nil {
		return nil, err
	}
	var tree *commands.Commands
	line := func(n protocol.Network, line string) string {
		if n == discord.Network {
			return tree.Native(line) // as everybody can there, with or without message_content
		}
		return cfg.Commands.Prefixes[0] + " " + line
	}
	var enforcer *enforce.Feature
	sanctions, err := challenges.New(challenges.Config{
		Bus: bus, Operators: cfg.Operators, Max: settings.ChallengeMax, Channel: settings.Announces, Line: line,
		Changed: func(tx *store.Tx, user protocol.UserID) { enforcer.Changed(tx, user) },
	})
	if err != nil {
		return nil, err
	}
	enforcer, err = enforce.New(enforce.Config{Sanctions: sanctions, Networks: enforced(cfg), Channel: settings.Announces})
	if err != nil {
		return nil, err
	}
	ballots, err = votes.New(votes.Config{
		Bus: bus, Settings: settings, Activity: active, Sanctions: sanctions, Operators: cfg.Operators, Line: line, Fits: fits,
		Edits: map[protocol.Network]time.Duration{
			"matrix": cfg.Votes.Edits, "discord": cfg.Votes.EditsDiscord, protocol.Console: consoleEdits,
		},
		Polls: polled(cfg), Shortest: cfg.Votes.PollShortest, Longest: cfg.Votes.PollLongest, Runs: cfg.Votes.PollDuration,
		Shared: cfg.Replica.Enabled(), Reminders: cfg.Votes.Reminders, Reading: cfg.Votes.Reading, Outage: cfg.Votes.Outage, Void: cfg.Votes.Void,
	})
	if err != nil {
		return nil, err
	}
	guests, err := newInvites(cfg, bus, line)
	if err != nil {
		return nil, err
	}
	helpers, err := newServices(cfg, sanctions.Challenged, func() *commands.Commands { return tree })
	if err != nil {
		return nil, err
	}
	list := standard.Commands(standard.Config{
		Bus:      bus,
		Version:  ownVersion(cfg.Name),
		Outcomes: outcomes(),
		Filters: []standard.Filter{
			{Key: "vote"},
			{Key: "outcome", Values: votes.Outcomes()},
		},
		Retention: cfg.Store.Retention,
		Personal: []standard.Personal{
			personalActivity(active),
			{Name: "votes", Export: ballots.Export, Forget: ballots.Forget},
			{Name: "challenges", Export: sanctions.Export, Forget: sanctions.Forget},
			{Name: "networks", Export: enforcer.Export, Forget: enforcer.Forget},
			{Name: "sealed", Export: sealed.Feature{}.Export},
			{Name: "invitations", Export: guests.Export, Forget: guests.Forget},
			{Name: "services", Export: helpers.Export, Forget: helpers.Forget},
		},
		RoomCommands: ballots.RoomCommands(),
	})
	list = append(list, ballots.Commands()...)
	list = append(list, sanctions.Commands()...)
	list = append(list, guests.Commands()...)
	list = append(list, helpers.Commands()...)
	tree, err = commands.New(commands.Config{
		Prefixes: cfg.Commands.Prefixes, First: []string{"vote poll", "vote motion", "vote challenge", "vote list"},
		Operators: cfg.Operators, MaxAge: cfg.Commands.MaxAge, Burst: cfg.Commands.RateBurst, Every: cfg.Commands.RateEvery,
		Challenged: sanctions.Challenged, Reaches: ballots.Reaches, Replied: ballots.Replied, Pressed: ballots.Pressed,
	}, list...)
	if err != nil {
		return nil, err
	}
	return &features{tree, active, ballots, sanctions, enforcer, guests, helpers, cfg.Commands.Prefixes[0]}, nil
}

// newInvites returns what takes care of invitations. On Discord the bot is added to a guild rather than invited.
func newInvites(
	cfg config.Config, bus *events.Bus, line func(protocol.Network, string) string,
) (*invites.Feature, error) {
	c := cfg.Invites
	return invites.New(invites.Config{
		Bus: bus, Networks: []protocol.Network{protocol.Console, "matrix"}, Added: []protocol.Network{discord.Network},
		Typed: line, Operators: cfg.Operators,
		OwnServer: c.OwnServer, Servers: c.Servers, People: c.People,
		PerHour: c.PerHour, Alone: c.LeaveAlone, Greet: c.Greet, Settle: map[protocol.Network]time.Duration{matrix.Network: matrixSettles}, Name: cfg.Name, Prefix: cfg.Commands.Prefixes[0],
	})
}

// matrixSettles is how long a room on Matrix is at rest before it is greeted: whoever is invited together with the bot could
// otherwise not read the greeting.
const matrixSettles = 3 * time.Second

// consoleEdits is how far apart the edits of a message are in the terminal, where nothing but a line comes of one. It is no
// whole number of ticks of a frozen clock, so that no edit becomes due at the moment at which somebody does something.
const consoleEdits = 1500 * time.Millisecond

// enforced are the networks that hold back, by their own means, who is challenged.
func enforced(cfg config.Config) (networks []protocol.Network) {
	if cfg.Matrix.Enforcement != "off" {
		networks = append(networks, "matrix")
	}
	if cfg.Discord.Enforcement != "off" {
		networks = append(networks, "discord")
	}
	return networks
}

// polled are the networks on which votes are polls too.
func polled(cfg config.Config) []protocol.Network {
	if cfg.Matrix.NativePolls {
		return []protocol.Network{matrix.Network}
	}
	return []protocol.Network{}
}

// voteRules are the rules of a room that has set nothing.
func voteRules(v config.Votes) votes.Rules {
	return votes.Rules{
		Duration: v.Duration, Member: v.Member, ActiveDays: v.ActiveDays, ActiveWindow: v.ActiveWindow, Voters: v.Voters,
		QuorumLeast: v.Quorum, QuorumMost: v.QuorumMost, QuorumShare: v.QuorumShare, Part: v.YesPart, Of: v.YesOf,
		LeastYes: v.LeastYes, Early: v.Early, Polls: v.Polls, Motions: v.Motions, Restores: v.Restores, Challenges: v.Challenges, Mine: v.PerPerson, PollMember: v.PollMember,
		Protected: v.Protected, Rest: v.Rest, RestoreRest: v.RestoreRest, Appeal: v.Appeal, Gone: v.Gone,
		ChallengeMax: v.ChallengeMax, Remind: v.Reminder,
	}
}

// outcomes are the facts that everybody in a room may see.
func outcomes() []events.Query {
	q := []events.Query{{Kind: rooms.Kind.Name}, {Kind: "challenge"}, {Kind: "restore"}, {Kind: "setting"}}
	for _, what := range []string{"opened", "closed", "extended"} {
		q = append(q, events.Query{Kind: "vote", Filters: map[string]string{"what": what}})
	}
	return q
}

// ownVersion is what the bot answers who asks for its version.
func ownVersion(name string) string {
	if name == "moot" {
		return "moot " + version()
	}
	return name + ", moot " + version()
}

// list returns the features in the order in which they see an event.
func (f *features) list() []bot.Feature {
	return []bot.Feature{
		f.commands, f.activity, f.votes, f.challenges, f.enforce, f.invites, f.services,
	}
}

// personalActivity is what is stored about when people were active.
func personalActivity(f *activity.Feature) standard.Personal {
	return standard.Personal{
		Name: "activity",
		Export: func(tx *store.Tx, user protocol.UserID) iter.Seq[protocol.Text] {
			return slices.Values(f.Export(tx, user))
		},
		Forget: func(tx *store.Tx, user protocol.UserID) (gone, stays protocol.Text) {
			f.Forget(tx, user)
			return nil, nil
		},
	}
}

// fits reports whether a text is one message of a network.
func fits(network protocol.Network, t protocol.Text) bool {
	switch network {
	case matrix.Network:
		return matrix.Fits(t)
	case discord.Network:
		return discord.Fits(t)
	}
	return len(t.Plain()) <= console.MaxText
}
