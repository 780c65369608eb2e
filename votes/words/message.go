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
	switch {
	case !v.open():
		if v.Corrected {
			add("corrected")
		}
		if !live {
			lines = append(append(append(lines, v.reasons()...), v.outcome(true)...), v.counting()...)
		} else {
			lines = append(lines, v.outcome(true)...)
		}
		return protocol.Lines(lines...)
	case v.Status == Closing:
		lines = append(lines, v.standing()...)
		add("counting")
	default:
		lines = append(append(lines, v.howTo(live)...), v.standing()...)
		add("closes", say.Span("Runs", v.Runs), say.Part("When", v.Ends()))
	}
	if v.Corrected {
		add("corrected")
	}
	if v.Removed > 0 {
		id := "removed"
		if v.Poll {
			id = "removed-poll"
		}
		add(id, say.Number("Removed", v.Removed))
	}
	if v.Untold {
		add("untold", say.Person("Target", v.Target))
	}
	if !live {
		lines = append(lines, v.reasons()...)
	}
	return protocol.Lines(lines...)
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

// standing says how the vote stands, and what it takes to pass.
func (v Vote) standing() []protocol.Text {
	voted, size := say.Number("Voted", v.Turnout), say.Number("Size", v.Size)
	var lines []protocol.Text
	add := func(id string, slots ...say.Slot) { lines = append(lines, v.Say(id, slots...)) }
	if v.Told && v.Type != Poll {
		add("so-far", voted, size, say.Number("Yes", v.Count.For[tally.Yes]), say.Number("No", v.Count.For[tally.No]),
			say.Count("Abstained", v.Count.For[tally.Abstain]))
	} else {
		add("turnout", voted, size)
	}
	quorum := say.Number("Quorum", v.Tally.Quorum)
	of := []say.Slot{say.Number("Part", v.Tally.Part), say.Number("Of", v.Tally.Of), say.Number("Least", v.Tally.LeastYes), quorum}
	switch {
	case v.Type == Poll:
		return lines
	case v.Tally.Method == tally.Consent:
		add("passes-consent", say.Count("Objections", v.Tally.Objections))
		return lines
	case v.Tally.Method == tally.STV:
		add("ranking-stv", say.Number("Seats", v.Tally.Seats))
		add("counts-from", quorum)
	case v.Type == Election:
		add("ranking")
		add("counts-from", quorum)
	case v.Tally.Method != tally.Supermajority:
		add("passes-majority", quorum)
	case v.Tally.Part == v.Tally.Of:
		add("passes-unanimous", quorum)
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
	var ways []protocol.Text
	add := func(id string, slots ...say.Slot) { ways = append(ways, v.Say(id, slots...)) }
	switch {
	case live && v.Presses && v.Type == Election:
		add("way-rank")
	case live && v.Presses:
		add("way-press")
	case live && v.Polled:
		add("way-poll")
	}
	if live && !v.Presses {
		switch {
		case v.Type == Election: // no reaction ranks anything
		case v.Type == Poll && v.Tally.Multiple:
			add("way-react-many")
		case v.Type == Poll:
			add("way-react-one")
		case v.objects():
			add("way-react-consent")
		default:
			add("way-react")
		}
	}
	command := say.Code("Command", v.command("vote", v.example()))
	switch {
	case len(ways) == 0 || v.Type == Election:
		add("way-say-choices", command, say.Part("Choices", v.choices()))
	case v.objects():
		add("way-object", command)
	default:
		add("way-say", command)
	}
	lines := []protocol.Text{v.Say("how-to", say.Part("Ways", v.orElse(ways)))}
	if live && v.Polled {
		lines = append(lines, v.Say("polled"))
	}
	return lines
}

// choices says what can be chosen, beside a ballot as it can be typed.
func (v Vote) choices() protocol.Text {
	switch {
	case v.Type == Poll && v.Tally.Multiple:
		return v.Say("choose-many")
	case v.Type == Poll:
		return v.Say("choose-one")
	case v.Type == Election && v.Tally.Method == tally.Schulze:
		return v.Say("choose-rank-equal")
	case v.Type == Election:
		return v.Say("choose-rank")
	}
	return protocol.Plain(strings.Join(v.Choices(), ", "))
}

// orElse lists ways to do the same, each of which may have commas.
func (v Vote) orElse(ways []protocol.Text) protocol.Text {
	last := len(ways) - 1
	if last == 0 {
		return ways[0]
	}
	return v.Say("or-else", say.Part("Before", say.Semicolons(ways[:last])), say.Part("Last", ways[last]))
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
	switch {
	case v.Secret && v.Shared:
		hides = v.Say("hides-secret-shared")
	case v.Secret:
		hides = v.Say("hides-secret")
	}
	return []protocol.Text{press, say.Sentences(v.Say("only-turnout"), hides)}
}

// example is a ballot as it can be typed.
func (v Vote) example() string {
	switch {
	case v.Type == Poll && v.Tally.Multiple:
		return "#1 #2" // "vote 3 1 2" might mean two options
	case v.Type == Poll:
		return "1"
	case v.Type == Election:
		return v.Example
	}
	if v.objects() {
		return v.Plain("objection")
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
