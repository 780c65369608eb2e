package votes

import (
	"moot/commands"
	"moot/internal/say"
	"moot/protocol"
	"moot/rooms"
)

// Commands returns the commands about votes: the group "vote", and "history".
func (f *Feature) Commands() []*commands.Command {
	secret := commands.Param{Name: "secret", Kind: commands.Switch,
		Summary: "hides who votes how from the room and its moderators"}
	hidden := commands.Param{Name: "hidden", Kind: commands.Switch,
		Summary: "shows no count until it closes, but hides nobody"}
	runs := commands.Param{
		Name: "for", Kind: commands.Duration, Flag: true, Summary: "how long it runs",
		Min: int64(f.Shortest), Max: int64(f.Longest),
	}
	role := commands.Param{Name: "role", Kind: commands.NamedRole, Flag: true,
		Summary: "on Discord: only who has this role when it opens can vote"}
	of := commands.Param{Name: ofParam, Kind: commands.Word, Flag: true, Hidden: true,
		Summary: "which vote a control was made for"}
	place := commands.Param{
		Name: placeParam, Kind: commands.Word, Flag: true, Hidden: true, Repeat: MaxOptions,
		Summary: "the places of what a control chose",
	}
	vote := commands.Param{Name: "vote", Kind: commands.Word,
		Summary: "the number of the vote; can be left out where one is open", Optional: true}
	page := commands.Param{Name: "page", Kind: commands.Integer, Flag: true, Min: 1, Max: 100_000, Summary: "which page of a long list"}
	return []*commands.Command{
		{
			Name: "vote", Summary: "decides together", Else: "cast", Takes: isChoice,
			Sub: []*commands.Command{
				{
					Name: "challenge", Summary: "opens a vote to challenge somebody: to suspend them from using the bot here",
					OnPerson: "Challenge this person",
					Detail: "Who has been a member long enough and took part lately can vote. It takes a " +
						"quorum, and two thirds of yes and no. The person is told, and can answer.",
					Examples: []string{"vote challenge @bob has posted the same advertisement all week"},
					Where:    commands.NeedsRoom,
					Params: []commands.Param{
						secret, hidden, somebody("whom to challenge"),
						{Name: "reason", Kind: commands.Text, Summary: "why, for all to read", Min: 1, Max: MaxReason},
					},
					Visibility: commands.Discreet, // the message of the vote is for all to see
					Run:        f.openChallenge,
				},
				{
					Name: "restore", Summary: "opens a vote to restore somebody who is suspended",
					OnPerson: "Restore this person",
					Detail:   "It takes a quorum, and more yes than no.",
					Examples: []string{"vote restore @bob has apologised"},
					Where:    commands.NeedsRoom, Challenged: true,
					Params: []commands.Param{
						secret, hidden, somebody("whom to restore"),
						{Name: "reason", Kind: commands.Text, Summary: "why, for all to read", Min: 1, Max: MaxReason},
					},
					Visibility: commands.Discreet,
					Run:        f.openRestore,
				},
				{
					Name: "appeal", Summary: "opens a vote to restore yourself, if you are suspended; once a week",
					Detail: "It takes a quorum, and more yes than no. You do not vote on it yourself, but can " +
						"answer what is said: vote reply.",
					Examples: []string{"vote appeal I have taken it back and will not do it again"},
					Where:    commands.NeedsRoom, Outside: true, Challenged: true,
					Params: []commands.Param{
						secret, hidden, {Name: "reason", Kind: commands.Text, Summary: "why, for all to read", Min: 1,
							Max: MaxReason},
					},
					Visibility: commands.Discreet,
					Run:        f.openAppeal,
				},
				{
					Name: "motion", Summary: "opens a vote on a sentence: yes or no",
					Examples: []string{"vote motion we meet on Tuesdays",
						"vote motion --for 3d --secret we meet on Tuesdays",
						"vote motion --consent we meet on Tuesdays",
						"vote motion --role councillors we meet on Tuesdays"},
					Where: commands.NeedsRoom,
					Params: []commands.Param{
						secret, hidden, runs, role,
						{Name: string(twoThirds), Kind: commands.Switch, Summary: "passes with two thirds of yes and no"},
						{Name: string(unanimous), Kind: commands.Switch, Summary: "passes if nobody says no"},
						{Name: string(consent), Kind: commands.Switch,
							Summary: "passes unless somebody objects, with a reason; it takes no quorum"},
						{Name: "objections", Kind: commands.Integer, Flag: true, Min: 1, Max: 1000,
							Summary: "how many objections defeat what goes by consent; 1 if left out"},
						{Name: "text", Kind: commands.Text, Summary: "what is moved", Min: 1,
							Max: MaxReason},
					},
					Visibility: commands.Discreet,
					Run:        f.openMotion,
				},
				{
					Name: "rule", Summary: "opens a vote to change a rule of the room; it passes with two thirds",
					Detail: "Which rules there are is shown by room set. A dash takes a rule back to what no " +
						"room has set. Votes that are open keep their rules.",
					Examples: []string{"vote rule votes.member 14d", "vote rule votes.yes 3/4"},
					Where:    commands.NeedsRoom,
					Params: []commands.Param{
						secret, hidden, runs, {Name: "setting", Kind: commands.Choice, Summary: "the rule",
							Choices: f.settings.names(true)},
						{Name: "value", Kind: commands.Word, Summary: "what it is to be; - takes it back", Min: 1,
							Max: 200},
					},
					Visibility: commands.Discreet,
					Run:        f.openRule,
				},
				{
					Name: "poll", Summary: "asks everybody a question with 2 to 10 options; it binds nobody",
					Detail:   "The options can also stand one a line below the question, without quotes.",
					Examples: []string{`vote poll "Which day?" Monday Tuesday "any other day"`},
					Where:    commands.NeedsRoom,
					Params: []commands.Param{
						secret, hidden, runs, role, {Name: "multiple", Kind: commands.Switch,
							Summary: "several options can be chosen"},
						{Name: "question", Kind: commands.Word, Summary: "the question", Min: 1, Max: MaxQuery},
						{Name: "option", Kind: commands.Word, Summary: "an option", Repeat: MaxOptions, Min: 1,
							Max: MaxOption, Listed: true},
					},
					Visibility: commands.Discreet,
					Run:        f.openPoll,
				},
				{
					Name: "elect", Summary: "opens an election: 2 to 10 options are ranked, for one seat or several",
					Detail: "One seat is filled by comparing each two options (Schulze's method), several by the single transferable " +
						"vote. It takes a quorum. The options can also stand one a line below the question, without quotes.",
					Examples: []string{`vote elect "Who speaks for us?" Anna Bob Cleo`,
						`vote elect --seats 2 "Who keeps the garden?" Anna Bob Cleo Dan`},
					Where: commands.NeedsRoom,
					Params: []commands.Param{
						secret, hidden, runs, role,
						{Name: "seats", Kind: commands.Integer, Flag: true, Min: 1, Max: MaxOptions - 1,
							Summary: "how many seats are filled; 1 if left out"},
						{Name: "question", Kind: commands.Word, Summary: "the question", Min: 1, Max: MaxQuery},
						{Name: "option", Kind: commands.Word, Summary: "an option", Repeat: MaxOptions, Min: 1,
							Max: MaxOption, Listed: true},
					},
					Visibility: commands.Discreet,
					Run:        f.openElection,
				},
				{
					Name: "list", Summary: "shows the votes of the room", Where: commands.NeedsRoom, Challenged: true,
					Params: []commands.Param{page}, Run: f.list,
				},
				{
					Name: "show", Summary: "shows one vote", Where: commands.NeedsRoom, Challenged: true,
					Params: []commands.Param{vote}, Run: f.show,
				},
				{
					Name: "voters", Summary: "shows you alone who may vote, and who has",
					Detail: "Who may vote is settled when a vote opens, and can be looked up for good. Who has voted is shown " +
						"unless the vote is secret; how they voted is not.",
					Examples: []string{"vote voters 3"},
					Where:    commands.NeedsRoom, Outside: true, Challenged: true, Visibility: commands.Private,
					Params: []commands.Param{vote, page},
					Run:    f.whoVotes,
				},
				{
					Name: "export", Summary: "gives you alone the votes of the room as a file that programs read",
					Detail: "The last vote stands first: CSV, or JSON. What the room does not see of a vote stands in none: " +
						"no count of one that is open and secret or hidden, and never who voted how.",
					Examples: []string{"vote export", "vote export 3 --json", "vote export --since 2026-11-01", "vote export --text"},
					Where:    commands.NeedsRoom, Visibility: commands.Private,
					Params: []commands.Param{
						{Name: "vote", Kind: commands.Word, Summary: "the number of one vote", Optional: true},
						{Name: "since", Kind: commands.Word, Flag: true, Summary: "only votes opened since that day, or so long ago"},
						{Name: "csv", Kind: commands.Switch, Summary: "as CSV, which is so if nothing is said"},
						{Name: "json", Kind: commands.Switch, Summary: "as JSON"},
						{Name: "text", Kind: commands.Switch, Summary: "in the message, and not as a file"},
						page,
					},
					Run: f.export,
				},
				{
					Name: "cast", Summary: "casts your ballot, or changes it",
					Detail: "The number of the vote can be left out where one is open. In a poll an option is " +
						"chosen by its number. In an election options are ranked, the most wanted first, as many as you like.",
					Examples: []string{"vote 3 yes", "vote no because it is too far away", "vote 4 2", "vote 5 Bob > Anna"},
					Where:    commands.NeedsRoom, Outside: true, Challenged: true, Ageless: true,
					Visibility: commands.Discreet,
					Params: []commands.Param{of, place, {
						Name: "ballot", Kind: commands.Word, Summary: "the number of the vote, and what you choose",
						Repeat: maxBallotWords, Joined: true,
						Complete: f.completeBallot,
					}, {Name: "because", Kind: commands.Text, Optional: true, Max: maxBecause,
						Summary: "your reason, for all to read; typed, the word because stands before it"}},
					Run: f.cast,
				},
				{
					Name: "reason", Summary: "says why you have voted so, for all to read",
					Detail:   "It is shown when the vote closes. It belongs to your ballot: with another ballot it goes.",
					Examples: []string{"vote reason 3 it is too far away"},
					Where:    commands.NeedsRoom, Outside: true, Challenged: true, Ageless: true,
					Params: []commands.Param{
						of, {Name: "vote", Kind: commands.Word,
							Summary: "the number of the vote; can be left out where one is open"},
						{Name: "text", Kind: commands.Text, Summary: "your reason", Optional: true, Max: MaxReason},
					},
					Visibility: commands.Discreet,
					Run:        f.because,
				},
				{
					Name: "withdraw", Summary: "withdraws your ballot", Where: commands.NeedsRoom, Outside: true,
					Challenged: true, Ageless: true,
					Visibility: commands.Discreet,
					Params:     []commands.Param{of, vote}, Run: f.withdraw,
				},
				{
					Name: "cancel", Summary: "ends a vote without an outcome",
					Detail: "Who opened a vote can do so before the first ballot, and moderators can with a reason.",
					Where:  commands.NeedsRoom,
					Params: []commands.Param{
						vote, {Name: "reason", Kind: commands.Text, Summary: "why, for all to read", Optional: true,
							Max: MaxReason, Min: 0},
					},
					Visibility: commands.Discreet,
					Run:        f.cancel,
				},
				{
					Name: "edit", Summary: "corrects the text of a vote that you have opened, before the first ballot",
					Detail: "It is for slips: the room is told what it said and what it says now. Once somebody has " +
						"voted the text stays as it is.",
					Examples: []string{"vote edit 3 we meet on Wednesdays"},
					Where:    commands.NeedsRoom,
					Params: []commands.Param{
						{Name: "vote", Kind: commands.Word, Summary: "the number of the vote; can be left out where one is open"},
						{Name: "text", Kind: commands.Text, Summary: "what it is to say", Optional: true, Max: MaxReason},
					},
					Visibility: commands.Discreet,
					Run:        f.correct,
				},
				{
					Name: "reply", Summary: "answers a vote that is about you, in its message",
					Examples: []string{"vote reply 3 I have paid it back"},
					Where:    commands.NeedsRoom, Outside: true, Challenged: true, Ageless: true,
					Params: []commands.Param{
						of, {Name: "vote", Kind: commands.Word,
							Summary: "the number of the vote; can be left out where one is open"},
						{Name: "text", Kind: commands.Text, Summary: "your answer, for all to read", Optional: true,
							Max: MaxReason},
					},
					Visibility: commands.Discreet,
					Run:        f.reply,
				},
			},
		},
		{
			Name: "reminders", Summary: "says whether I remind you of votes, or switches that off or on",
			Detail: "You are reminded in private, at half of the time, of a challenge, a restore or a vote on a rule in which you " +
				"may vote and have not.",
			Examples: []string{"reminders off"},
			Where:    commands.Personal, Visibility: commands.Private, Challenged: true,
			Params: []commands.Param{{Name: "what", Kind: commands.Choice, Choices: []string{"on", "off"}, Optional: true,
				Summary: "whether you want reminders"}},
			Run: f.reminders,
		},
		{
			Name: "history", Summary: "shows the votes about somebody, and when they were suspended and restored",
			OnPerson: "Votes about this person",
			Where:    commands.NeedsRoom, Params: []commands.Param{somebody("whom it is about"), page}, Run: f.history,
		},
	}
}

func somebody(summary string) commands.Param {
	return commands.Param{Name: "person", Kind: commands.Person, Summary: summary, Outside: true}
}

// RoomCommands returns the command "set", which belongs under the group "room".
func (f *Feature) RoomCommands() []*commands.Command {
	return []*commands.Command{{
		Name: "set", Summary: "shows what can be set for the room, or sets it",
		Detail: "Without a name it shows everything that can be set, with a name alone what that is. A dash takes " +
			"a setting back. What is set is announced, and holds for votes that open from then on.",
		Examples: []string{"room set", "room set votes.duration 48h", "room set votes.channel here",
			"room set votes.duration -"},
		Where: commands.NeedsRoom, Who: commands.Moderator,
		Params: []commands.Param{
			{Name: "setting", Kind: commands.Choice, Summary: "what to set", Optional: true,
				Choices: f.settings.names(false)},
			{Name: "value", Kind: commands.Word, Summary: "to what; - takes it back", Optional: true, Min: 1, Max: 200},
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
	case text == "":
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
