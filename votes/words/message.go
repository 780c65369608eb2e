package words

import (
	"strings"

	"moot/internal/say"
	"moot/protocol"
	"moot/votes/tally"
)

// Message is what the message of a vote says, or, where it is not live, what a command shows of it: that takes no
// reactions, and is asked for. Everything in it is words and numbers; nothing depends on colour, on bars or on an emoji alone. Of
// each thing that somebody wrote it shows so many characters.
func (v Vote) Message(live bool, characters int) protocol.Text {
	lines := []protocol.Text{v.headline(characters)}
	add := func(id string, slots ...say.Slot) { lines = append(lines, v.Say(id, slots...)) }
	if v.Type.about() {
		add("reason", v.wrote("Text", v.Text, characters))
	}
	for i, o := range v.Options {
		option := say.Words("Option", protocol.Plain(protocol.Shorten(o, max(characters, shownOption))))
		if v.Told && v.Type == Poll {
			add("option-votes", say.Number("Place", i+1), option, say.Count("Votes", v.Count.For[i]))
			continue
		}
		add("option", say.Number("Place", i+1), option)
	}
	if v.Role != "" {
		add("for-role", v.role())
	}
	if v.Reply != "" {
		add("answers", say.Person("Target", v.Target), v.wrote("Reply", v.Reply, characters))
	}
	if v.Corrected {
		add("corrected")
	}
	if v.Removed > 0 && v.open() {
		id := "removed"
		if v.Poll {
			id = "removed-poll"
		}
		add(id, say.Number("Removed", v.Removed))
	}
	if v.Untold && v.open() {
		add("untold", say.Person("Target", v.Target))
	}
	if !live {
		lines = append(lines, v.reasons()...)
	}
	if !v.open() {
		lines = append(lines, v.outcome(true)...)
		if !live {
			lines = append(lines, v.counting()...)
		}
		return protocol.Lines(lines...)
	}
	lines = append(lines, v.standing()...)
	if v.Status == Closing {
		add("counting")
		return protocol.Lines(lines...)
	}
	add("closes", say.Part("When", v.Ends()))
	return protocol.Lines(append(lines, v.howTo(live)...)...)
}

// wrote shows what somebody wrote, and where to read the rest.
func (v Vote) wrote(slot, all string, most int) say.Slot {
	short := protocol.Shorten(all, most)
	switch short {
	case all:
		return say.Words(slot, protocol.Plain(all))
	case "":
		short = "…"
	}
	return say.Words(slot, v.Say("cut", say.Words("Text", protocol.Plain(short)), say.Code("Command", v.command("vote show"))))
}

// command shows a command on the vote as it is given in the room.
func (v Vote) command(verb string, rest ...string) protocol.Text {
	return v.Command(strings.Join(append([]string{verb, protocol.Join(v.ID).Plain()}, rest...), " "))
}

// headline says what the vote is about and who opened it.
func (v Vote) headline(characters int) protocol.Text {
	head := v.Say("head", v.vote())
	if v.Secret {
		head = v.Say("head-secret", v.vote())
	}
	slots := []say.Slot{say.Part("Head", head), say.Person("Opener", v.Opener), say.Person("Target", v.Target)}
	switch v.Type {
	case Rule:
		slots = append(slots, say.Code("Rule", protocol.Code(v.Text)), say.Part("What", v.RuleSummary))
	case Motion, Poll, Election:
		slots = append(slots, v.wrote("Text", v.Text, characters))
	}
	if v.Type == Election {
		slots = append(slots, say.Count("Seats", max(1, v.Tally.Seats)))
	}
	return v.Say("headline-"+string(v.Type), slots...)
}

// standing says how the vote stands, in numbers.
func (v Vote) standing() []protocol.Text {
	voted, size, quorum := say.Number("Voted", v.Turnout), say.Number("Size", v.Size), say.Number("Quorum", v.Tally.Quorum)
	var lines []protocol.Text
	add := func(id string, slots ...say.Slot) { lines = append(lines, v.Say(id, slots...)) }
	switch {
	case v.Type == Poll:
		add("turnout-poll", voted, size)
		return lines
	case v.Tally.Method == tally.Consent:
		add("turnout", voted, size)
	case v.Turnout >= v.Tally.Quorum:
		add("turnout-reached", voted, size, quorum)
	default:
		add("turnout-quorum", voted, size, quorum)
	}
	if v.Told {
		add("so-far", say.Number("Yes", v.Count.For[tally.Yes]), say.Number("No", v.Count.For[tally.No]),
			say.Count("Abstained", v.Count.For[tally.Abstain]))
	}
	of := []say.Slot{say.Number("Part", v.Tally.Part), say.Number("Of", v.Tally.Of), say.Number("Least", v.Tally.LeastYes)}
	switch {
	case v.Tally.Method == tally.Consent:
		add("passes-consent", say.Count("Objections", v.Tally.Objections))
		return lines
	case v.Tally.Method == tally.STV:
		add("ranking-stv", say.Number("Seats", v.Tally.Seats))
	case v.Type == Election:
		add("ranking")
	case v.Tally.Method != tally.Supermajority:
		add("passes-majority")
	case v.Tally.Part == v.Tally.Of:
		add("passes-unanimous")
	case v.Tally.LeastYes <= 1:
		add("passes-share", of...)
	default:
		add("passes-share-yes", of...)
	}
	if v.Waived {
		add("waived", say.Number("Days", v.Days), say.Span("Member", v.Member))
	}
	return lines
}

// howTo says how to vote.
func (v Vote) howTo(live bool) []protocol.Text {
	if v.covered() {
		return v.howToAlone(live)
	}
	polled := live && v.Polled
	command, choices := v.example(), protocol.Text(nil)
	var react protocol.Text
	switch {
	case v.Type == Poll && v.Tally.Multiple:
		choices, react = v.Say("choose-many"), v.Say("react-many")
	case v.Type == Poll:
		choices, react = v.Say("choose-one", say.Number("Last", len(v.Options))), v.Say("react-one")
	case v.Type == Election && v.Tally.Method == tally.Schulze:
		choices = v.Say("choose-rank-equal")
	case v.Type == Election:
		choices = v.Say("choose-rank")
	default:
		choices = protocol.Plain(strings.Join(v.Choices(), ", "))
		react = v.Say("react")
	}
	if v.objects() {
		command, react = v.Plain("objection"), v.Say("react-consent")
	}
	if !live || v.Presses {
		react = nil
	}
	id := "how-to"
	switch {
	case live && v.Presses && v.Type == Election:
		id = "how-to-rank"
	case live && v.Presses:
		id = "how-to-press"
	case polled:
		id = "how-to-poll"
	}
	lines := []protocol.Text{say.Sentences(v.Say(id, say.Code("Command", v.command("vote", command)), say.Part("Choices", choices)),
		react, v.Say("can-change"))}
	if polled {
		lines = append(lines, v.Say("polled"))
	}
	return lines
}

// howToAlone is howTo for a vote in which nobody sees how others vote.
func (v Vote) howToAlone(live bool) []protocol.Text {
	in := " --in " + v.Room
	id := "vote-privately"
	switch {
	case v.Presses:
		id = "vote-privately-press"
	case v.Polled:
		id = "vote-privately-poll"
	}
	number := protocol.Join(v.ID).Plain()
	press := v.Say(id, say.Code("Command", protocol.Code("vote "+number+" "+v.example()+in)))
	if live && v.Asked {
		press = say.Sentences(press, v.Say("ask-for-poll", say.Code("Command", protocol.Code("vote show "+number+in))))
	}
	hides := v.Say("hides-hidden")
	if v.Secret {
		hides = v.Say("hides-secret")
	}
	return []protocol.Text{press, say.Sentences(v.Say("only-turnout"), hides)}
}

// example is a ballot as it can be typed.
func (v Vote) example() string {
	switch {
	case v.Type == Poll && v.Tally.Multiple:
		return "#1" // "vote 3 1 2" might mean two options
	case v.Type == Poll:
		return "1"
	case v.Type == Election:
		return v.Example
	}
	return v.Plain("choice-yes")
}

// reasons says why people voted as they did.
func (v Vote) reasons() (lines []protocol.Text) {
	for _, r := range v.Reasons {
		lines = append(lines, v.Say("reason-of", say.Person("Voter", r.Voter), say.Part("Choice", v.Ballot(r.Choices)), say.Quoted("Reason", r.Text, r.Most)))
	}
	if v.More > 0 {
		lines = append(lines, v.Say("reasons-more", say.Number("More", v.More)))
	}
	if len(lines) > 0 {
		lines = append([]protocol.Text{v.Say("reasons")}, lines...)
	}
	return lines
}

// Question is what a poll of the network's own asks: the vote in a few words, and why it was opened.
func (v Vote) Question() protocol.Text {
	text := say.Words("Text", protocol.Plain(v.Text))
	switch {
	case v.Type.about():
		return v.Say("poll-asks-why", say.Part("Title", v.Title()), text)
	case v.Type == Rule:
		return v.Say("poll-asks-rule", v.vote(), text)
	}
	return v.Say("poll-asks", v.vote(), text)
}
