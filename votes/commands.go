package votes

import (
	"moot/commands"
	"moot/internal/alike"
	"moot/internal/say"
	"moot/protocol"
	"moot/rooms"
	"moot/votes/words"
)

// Commands returns the commands about votes: the group "vote", and "history".
func (f *Feature) Commands() []*commands.Command {
	secret := commands.Param{Name: "secret", Kind: commands.Switch}
	hidden := commands.Param{Name: "hidden", Kind: commands.Switch}
	runs := commands.Param{
		Name: "for", Kind: commands.Duration, Flag: true,
		Min: int64(f.Shortest), Max: int64(f.Longest),
	}
	role := commands.Param{Name: "role", Kind: commands.NamedRole, Flag: true}
	of := commands.Param{Name: ofParam, Kind: commands.Word, Flag: true, Hidden: true,
		Summary: "which vote a control was made for"}
	place := commands.Param{
		Name: placeParam, Kind: commands.Word, Flag: true, Hidden: true, Repeat: MaxOptions,
		Summary: "the places of what a control chose",
	}
	vote := commands.Param{Name: "vote", Kind: commands.Word,
		Optional: true}
	page := commands.Param{Name: "page", Kind: commands.Integer, Flag: true, Min: 1, Max: 100_000}
	return []*commands.Command{
		{
			Name: "vote", Words: words.Catalogue(), Else: "cast", Takes: isChoice,
			Sub: []*commands.Command{
				{
					Name:     "challenge",
					Examples: []string{"vote challenge @bob has posted the same advertisement all week"},
					Where:    commands.NeedsRoom,
					Params: []commands.Param{
						secret, hidden, somebody(),
						{Name: "reason", Kind: commands.Text, Min: 1, Max: MaxReason},
					},
					Visibility: commands.Discreet, // the message of the vote is for all to see
					Run:        f.openChallenge,
				},
				{
					Name:     "restore",
					Examples: []string{"vote restore @bob has apologised"},
					Where:    commands.NeedsRoom, Challenged: true,
					Params: []commands.Param{
						secret, hidden, somebody(),
						{Name: "reason", Kind: commands.Text, Min: 1, Max: MaxReason},
					},
					Visibility: commands.Discreet,
					Run:        f.openRestore,
				},
				{
					Name:     "appeal",
					Examples: []string{"vote appeal I have taken it back and will not do it again"},
					Where:    commands.NeedsRoom, Outside: true, Challenged: true,
					Params: []commands.Param{
						secret, hidden, {Name: "reason", Kind: commands.Text, Min: 1,
							Max: MaxReason},
					},
					Visibility: commands.Discreet,
					Run:        f.openAppeal,
				},
				{
					Name: "motion",
					Examples: []string{"vote motion we meet on Tuesdays",
						"vote motion --for 3d --secret we meet on Tuesdays",
						"vote motion --consent we meet on Tuesdays",
						"vote motion --role councillors we meet on Tuesdays"},
					Where: commands.NeedsRoom,
					Params: []commands.Param{
						secret, hidden, runs, role,
						{Name: string(twoThirds), Kind: commands.Switch},
						{Name: string(unanimous), Kind: commands.Switch},
						{Name: string(consent), Kind: commands.Switch},
						{Name: "objections", Kind: commands.Integer, Flag: true, Min: 1, Max: 1000},
						{Name: "text", Kind: commands.Text, Min: 1,
							Max: MaxReason},
					},
					Visibility: commands.Discreet,
					Run:        f.openMotion,
				},
				{
					Name:     "rule",
					Examples: []string{"vote rule votes.member 14d", "vote rule votes.yes 3/4"},
					Where:    commands.NeedsRoom,
					Params: []commands.Param{
						secret, hidden, runs, {Name: "setting", Kind: commands.Choice,
							Choices: f.settings.names(true)},
						{Name: "value", Kind: commands.Word, Min: 1,
							Max: 200},
					},
					Visibility: commands.Discreet,
					Run:        f.openRule,
				},
				{
					Name:     "poll",
					Examples: []string{`vote poll "Which day?" Monday Tuesday "any other day"`},
					Where:    commands.NeedsRoom,
					Params: []commands.Param{
						secret, hidden, runs, role, {Name: "multiple", Kind: commands.Switch},
						{Name: "question", Kind: commands.Word, Min: 1, Max: MaxQuery},
						{Name: "option", Kind: commands.Word, Repeat: MaxOptions, Min: 1,
							Max: MaxOption, Listed: true},
					},
					Visibility: commands.Discreet,
					Run:        f.openPoll,
				},
				{
					Name: "elect",
					Examples: []string{`vote elect "Who speaks for us?" Anna Bob Cleo`,
						`vote elect --seats 2 "Who keeps the garden?" Anna Bob Cleo Dan`},
					Where: commands.NeedsRoom,
					Params: []commands.Param{
						secret, hidden, runs, role,
						{Name: "seats", Kind: commands.Integer, Flag: true, Min: 1, Max: MaxOptions - 1},
						{Name: "question", Kind: commands.Word, Min: 1, Max: MaxQuery},
						{Name: "option", Kind: commands.Word, Repeat: MaxOptions, Min: 1,
							Max: MaxOption, Listed: true},
					},
					Visibility: commands.Discreet,
					Run:        f.openElection,
				},
				{
					Name: "list", Where: commands.NeedsRoom, Challenged: true,
					Params: []commands.Param{page}, Run: f.list,
				},
				{
					Name: "show", Where: commands.NeedsRoom, Challenged: true,
					Params: []commands.Param{vote}, Run: f.show,
				},
				{
					Name:     "voters",
					Examples: []string{"vote voters 3"},
					Where:    commands.NeedsRoom, Outside: true, Challenged: true, Visibility: commands.Private,
					Params: []commands.Param{vote, page},
					Run:    f.whoVotes,
				},
				{
					Name:     "export",
					Examples: []string{"vote export", "vote export 3 --json", "vote export --since 2026-11-01", "vote export --text"},
					Where:    commands.NeedsRoom, Visibility: commands.Private,
					Params: []commands.Param{
						{Name: "vote", Kind: commands.Word, Optional: true},
						{Name: "since", Kind: commands.Word, Flag: true},
						{Name: "csv", Kind: commands.Switch},
						{Name: "json", Kind: commands.Switch},
						{Name: "text", Kind: commands.Switch},
						page,
					},
					Run: f.export,
				},
				{
					Name:     "cast",
					Examples: []string{"vote 3 yes", "vote no because it is too far away", "vote 4 2", "vote 5 Bob > Anna"},
					Where:    commands.NeedsRoom, Outside: true, Challenged: true, Ageless: true,
					Visibility: commands.Discreet,
					Params: []commands.Param{of, place, {
						Name: "ballot", Kind: commands.Word,
						Repeat: maxBallotWords, Joined: true,
						Complete: f.completeBallot,
					}, {Name: "because", Kind: commands.Text, Optional: true, Max: maxBecause}},
					Run: f.cast,
				},
				{
					Name:     "reason",
					Examples: []string{"vote reason 3 it is too far away"},
					Where:    commands.NeedsRoom, Outside: true, Challenged: true, Ageless: true,
					Params: []commands.Param{
						of, {Name: "vote", Kind: commands.Word},
						{Name: "text", Kind: commands.Text, Optional: true, Max: MaxReason},
					},
					Visibility: commands.Discreet,
					Run:        f.because,
				},
				{
					Name: "withdraw", Where: commands.NeedsRoom, Outside: true,
					Challenged: true, Ageless: true,
					Visibility: commands.Discreet,
					Params:     []commands.Param{of, vote}, Run: f.withdraw,
				},
				{
					Name:  "cancel",
					Where: commands.NeedsRoom,
					Params: []commands.Param{
						vote, {Name: "reason", Kind: commands.Text, Optional: true,
							Max: MaxReason, Min: 0},
					},
					Visibility: commands.Discreet,
					Run:        f.cancel,
				},
				{
					Name:     "edit",
					Examples: []string{"vote edit 3 we meet on Wednesdays"},
					Where:    commands.NeedsRoom,
					Params: []commands.Param{
						{Name: "vote", Kind: commands.Word},
						{Name: "text", Kind: commands.Text, Optional: true, Max: MaxReason},
					},
					Visibility: commands.Discreet,
					Run:        f.correct,
				},
				{
					Name:     "reply",
					Examples: []string{"vote reply 3 I have paid it back"},
					Where:    commands.NeedsRoom, Outside: true, Challenged: true, Ageless: true,
					Params: []commands.Param{
						of, {Name: "vote", Kind: commands.Word},
						{Name: "text", Kind: commands.Text, Optional: true,
							Max: MaxReason},
					},
					Visibility: commands.Discreet,
					Run:        f.reply,
				},
			},
		},
		{
			Name: "reminders", Words: words.Catalogue(),
			Examples: []string{"reminders off"},
			Where:    commands.Personal, Visibility: commands.Private, Challenged: true,
			Params: []commands.Param{{Name: "what", Kind: commands.Choice, Choices: []string{"on", "off"}, Optional: true}},
			Run:    f.reminders,
		},
		{
			Name: "history", Words: words.Catalogue(),
			Where: commands.NeedsRoom, Params: []commands.Param{somebody(), page}, Run: f.history,
		},
	}
}

func somebody() commands.Param {
	return commands.Param{Name: "person", Kind: commands.Person, Outside: true}
}

// RoomCommands returns the command "set", which belongs under the group "room".
func (f *Feature) RoomCommands() []*commands.Command {
	return []*commands.Command{{
		Name: "set", Words: words.Catalogue(),
		Examples: []string{"room set", "room set votes.duration 48h", "room set votes.channel here",
			"room set votes.duration -"},
		Where: commands.NeedsRoom, // everybody reads the rules; who sets what, the command knows
		Params: []commands.Param{
			{Name: "setting", Kind: commands.Choice, Optional: true,
				Choices: f.settings.names(false)},
			{Name: "value", Kind: commands.Word, Optional: true, Min: 1, Max: 200},
		},
		Run: f.set,
	}}
}

func (f *Feature) openChallenge(c *commands.Call) error {
	who, in := c.Somebody("person")
	return f.open(c, proposal{Type: Challenge, Target: who, In: in, Text: protocol.OneLine(c.Word("reason")),
		Secret: c.Switch("secret"), Hidden: c.Switch("hidden")})
}

func (f *Feature) openMotion(c *commands.Call) error {
	w := proposal{Type: Motion, Text: protocol.OneLine(c.Word("text")), Secret: c.Switch("secret"),
		Hidden: c.Switch("hidden"), Runs: c.Duration("for"), Role: Role{Name: c.Word("role")}, Objections: int(max(1, c.Integer("objections")))}
	for _, m := range []majority{twoThirds, unanimous, consent} {
		switch {
		case !c.Switch(string(m)):
		case w.Majority != "":
			return sorry(f.here(c), "motion-both", flag("One", string(w.Majority)), flag("Other", string(m)))
		default:
			w.Majority = m
		}
	}
	switch {
	case w.Majority != consent && c.Has("objections"):
		return sorry(f.here(c), "belongs-to", flag("One", "objections"), flag("Other", "consent"))
	case w.Majority != consent:
	case w.Secret:
		return sorry(f.here(c), "consent-secret")
	case w.Runs > 0 && w.Runs < f.Runs:
		return sorry(f.here(c), "consent-short", say.Span("Least", f.Runs))
	}
	return f.open(c, w)
}

// flag is the slot of a flag.
func flag(slot, name string) say.Slot { return say.Code(slot, protocol.Code("--"+name)) }

func (f *Feature) openPoll(c *commands.Call) error {
	if err := f.meantOtherwise(c); err != nil {
		return err
	}
	list, err := options(f.here(c), c.Words("option"))
	if err != nil {
		return f.tooFewOptions(c, "poll-options", err)
	}
	return f.open(c, proposal{
		Type: Poll, Text: protocol.OneLine(c.Word("question")), Options: list, Multiple: c.Switch("multiple"),
		Secret: c.Switch("secret"), Hidden: c.Switch("hidden"), Runs: c.Duration("for"), Role: Role{Name: c.Word("role")},
	})
}

func (f *Feature) openRestore(c *commands.Call) error {
	who, in := c.Somebody("person")
	return f.open(c, proposal{Type: Restore, Target: who, In: in, Text: protocol.OneLine(c.Word("reason")),
		Secret: c.Switch("secret"), Hidden: c.Switch("hidden")})
}

func (f *Feature) openAppeal(c *commands.Call) error {
	me, in := rooms.Lookup(c.Tx, c.Room.ID, c.Person)
	if !in {
		me = rooms.Member{User: c.Person, Name: protocol.OneLine(c.Person.Local())}
	}
	return f.open(c, proposal{Type: Restore, Target: me, In: in, Text: protocol.OneLine(c.Word("reason")),
		Secret: c.Switch("secret"), Hidden: c.Switch("hidden")})
}

// reply is the command with which the target answers.
func (f *Feature) reply(c *commands.Call) error {
	v, text, err := f.voteAndWords(c, "reply", "text")
	if err != nil {
		return err
	}
	if err := v.outOfDate(c); err != nil {
		return err
	}
	me := f.bus.Lookup(c.Tx, c.Person)
	switch {
	case me == 0 || v.Target != me:
		return sorry(f.here(c), "not-about-you", v.number())
	case !v.Open():
		return sorry(f.here(c), "has-closed-number", v.number())
	case alike.Blank(text):
		return sorry(f.here(c), "answer-what", say.Code("Command", c.Code("vote reply "+v.Number()+" TEXT")))
	}
	id := f.bus.KeepText(c.Tx, c.Person, text)
	if err := v.publish(whatReplied, map[string]protocol.UserID{roleTarget: c.Person},
		replied{id}); err != nil {
		return err
	}
	v.touch()
	return c.Answer(f.here(c).Say("answer-stands", v.number()))
}

// voteAndWords returns the vote and the words behind it. Where one vote is open its number may be left out; all are
// words then.
func (f *Feature) voteAndWords(c *commands.Call, verb, param string) (*atHand, string, error) {
	words := protocol.OneLine(c.Word(param))
	if _, ok := voteID(c.Word("vote")); !ok && c.Has("vote") {
		if v, _ := f.oneOpen(c); v != nil {
			return v, protocol.OneLine(c.Word("vote") + " " + words), nil
		}
	}
	v, err := f.theVote(c, verb)
	return v, words, err
}
