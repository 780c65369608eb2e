package votes

import (
	"fmt"
	"strings"

	"moot/events"
	"moot/protocol"
	"moot/rooms"
	"moot/store"
	"moot/votes/tally"
)

// shownWords is how many characters of what somebody wrote the message of a vote shows, so that it is never longer than
// every network takes (Discord: 2,000 characters). All of it is shown by the command.
const shownWords = 450

// message is what the message of a vote says. Everything in it is words and numbers; nothing depends on colour, on bars or
// on an emoji alone.
func (f *Feature) message(tx *store.Tx, room protocol.RoomID, v Vote, first bool) protocol.Text {
	return f.messageOf(tx, room, v, first, shownWords)
}

// messageOf is message with at most so many characters of what somebody wrote.
func (f *Feature) messageOf(tx *store.Tx, room protocol.RoomID, v Vote, first bool, words int) protocol.Text {
	lines := []protocol.Text{f.headline(tx, room, v, first, words)}
	if v.Type == Challenge || v.Type == Restore {
		lines = append(lines, protocol.Join("Reason: ", f.words(tx, room, v, v.Text, words)))
	}
	for i, o := range v.Options {
		line := protocol.Join(i+1, ": ", o)
		if !v.Secret || v.decided() {
			line = protocol.Join(line, ": ", count(v.Count.For[i], "vote"))
		}
		lines = append(lines, line)
	}
	if v.Reply != "" {
		lines = append(lines, protocol.Join(f.name(tx, room, v.Target), " answers: ", f.words(tx, room, v, v.Reply, words)))
	}
	if b := boardOf(tx, room, v.ID); b.Untold && v.Open() {
		lines = append(lines, protocol.Join("I could not reach ", f.name(tx, room, v.Target), " in private; if you can, tell them about this vote."))
	}
	if !v.Open() {
		return protocol.Lines(append(lines, f.outcome(tx, room, v, true)...)...)
	}
	lines = append(lines, f.standing(v)...)
	if v.Status == Closing {
		return protocol.Lines(append(lines, protocol.Plain("The time is over: no more ballots. I am counting."))...)
	}
	lines = append(lines, protocol.Join("Open until ", protocol.Moment(v.Deadline), "."))
	return protocol.Lines(append(lines, f.howTo(tx, room, v)...)...)
}

// words shows what somebody wrote, and where to read the rest.
func (f *Feature) words(tx *store.Tx, room protocol.RoomID, v Vote, id events.TextID, most int) protocol.Text {
	all := f.text(tx, id)
	short := protocol.Shorten(all, most)
	if short == all {
		return protocol.Plain(all)
	}
	return protocol.Join(short, " (all of it: ", f.code(room, "vote show "+v.Number()), ")")
}

// headline says what the vote is about and who opened it.
func (f *Feature) headline(tx *store.Tx, room protocol.RoomID, v Vote, first bool, words int) protocol.Text {
	opener := f.name(tx, room, v.Opener)
	target := f.name(tx, room, v.Target)
	if user := f.userOf(tx, v.Target); first && user != "" && !v.Appeal {
		target = protocol.Mention(user, f.called(tx, room, user))
	}
	head := protocol.Strong(fmt.Sprintf("Vote %d", v.ID))
	if v.Secret {
		head = protocol.Strong(fmt.Sprintf("Secret vote %d", v.ID))
	}
	switch {
	case v.Type == Challenge:
		return protocol.Join(head, ": ", opener, " wants to challenge ", target, ". Who is challenged cannot use my features here.")
	case v.Type == Restore && v.Appeal:
		return protocol.Join(head, ": ", target, " appeals and wants to be restored.")
	case v.Type == Restore:
		return protocol.Join(head, ": ", opener, " wants to restore ", target, ".")
	case v.Type == Motion:
		return protocol.Join(head, ": ", opener, " moves: ", f.words(tx, room, v, v.Text, words))
	}
	return protocol.Join(head, ", a poll: ", opener, " asks: ", f.words(tx, room, v, v.Text, words))
}

// standing says how the vote stands, in numbers.
func (f *Feature) standing(v Vote) []protocol.Text {
	turnout := fmt.Sprintf("Turnout: %d of %d who can vote.", v.Count.Cast, v.Size)
	if v.Type == Poll {
		return []protocol.Text{protocol.Plain(turnout + " A poll binds nobody.")}
	}
	quorum := fmt.Sprintf(" Quorum: %d of %d needed.", v.Count.Cast, v.Tally.Quorum)
	if v.Count.Cast >= v.Tally.Quorum {
		quorum = fmt.Sprintf(" Quorum: %d needed, reached.", v.Tally.Quorum)
	}
	lines := []protocol.Text{protocol.Plain(turnout + quorum)}
	if !v.Secret {
		lines = append(lines, protocol.Plainf("So far: %d yes, %d no, %d abstained.", v.Count.For[tally.Yes], v.Count.For[tally.No], v.Count.For[tally.Abstain]))
	}
	needs := "It passes with more yes than no."
	if v.Tally.Method == tally.Supermajority {
		needs = fmt.Sprintf("It passes with at least %d of %d among yes and no, and at least %d yes.", v.Tally.Part, v.Tally.Of, v.Tally.LeastYes)
	}
	lines = append(lines, protocol.Plain(needs))
	if v.Waived {
		lines = append(lines, protocol.Plainf("Too few members were active on %d of the last days, so every member of at least %s can vote.",
			v.Rules.ActiveDays, days(v.Rules.Member)))
	}
	return lines
}

// howTo says how to vote.
func (f *Feature) howTo(tx *store.Tx, room protocol.RoomID, v Vote) []protocol.Text {
	example := "yes"
	if v.Type == Poll {
		example = "1"
	}
	if v.Secret {
		info, _ := rooms.Get(tx, room)
		press := "Vote in our private conversation only: "
		if f.buttons(room) {
			press = "Press below, which nobody else sees. Or vote in our private conversation: "
		}
		return []protocol.Text{
			protocol.Join(press, protocol.Code("vote cast "+v.Number()+" "+example+" --in "+info.Word()), "."),
			protocol.Plain("Until it closes only the turnout is shown. Who voted how is hidden from the room and the moderators, not from who operates me; with few voters it may be guessed."),
		}
	}
	choose := strings.Join(v.choices(), ", ")
	var react protocol.Text
	press := ""
	if f.buttons(room) {
		press = "press below, or "
	}
	switch {
	case v.Type == Poll && v.Tally.Multiple:
		choose = fmt.Sprintf("the numbers of one or more options, as %s", "1 2")
	case v.Type == Poll:
		choose = fmt.Sprintf("the number of an option, from 1 to %d", len(v.Options))
		react = protocol.Join(" Or react to this message with the emoji of the number.")
	default:
		react = protocol.Join(" Or react to this message: 👍 (thumbs up) is yes, 👎 (thumbs down) is no, 🤷 (shrug) is abstain.")
	}
	return []protocol.Text{protocol.Join("To vote: ", press, f.code(room, "vote cast "+v.Number()+" "+example), " (", choose, ").", react,
		" You can change it until the end.")}
}

// code shows a command as it is given in a room.
func (f *Feature) code(room protocol.RoomID, line string) protocol.Text {
	return protocol.Code(f.Line(room.Network(), line))
}

// closing is what is said when a vote has ended.
func (f *Feature) closing(tx *store.Tx, room protocol.RoomID, v Vote) protocol.Text {
	return protocol.Lines(append([]protocol.Text{protocol.Join(f.titleOf(tx, room, v), " has closed.")}, f.outcome(tx, room, v, false)...)...)
}

// outcome says what came of a vote, with its arithmetic; in brief where the options of a poll stand beside it.
func (f *Feature) outcome(tx *store.Tx, room protocol.RoomID, v Vote, brief bool) []protocol.Text {
	var lines []protocol.Text
	switch v.Outcome {
	case Withdrawn:
		lines = append(lines, protocol.Join("Withdrawn by ", f.name(tx, room, v.By), "."))
	case Cancelled:
		lines = append(lines, protocol.Join("Cancelled by ", f.name(tx, room, v.By), "."))
	case Void:
		lines = append(lines, protocol.Plainf("Void: for more than %s I was away and nobody could vote.", days(f.Void)))
	case tally.Open:
		if v.Status == Moved {
			lines = append(lines, protocol.Plain("It goes on in the room that follows this one."))
		}
	case tally.Chosen, tally.Tied, tally.Unvoted:
		lines = append(lines, pollOutcome(v, brief))
	default:
		lines = append(lines, protocol.Plain(upper(tally.Final(v.Tally, v.Size, v.Count).Explain())+"."))
	}
	if v.Why != "" {
		lines = append(lines, protocol.Join("Reason: ", f.text(tx, v.Why)))
	}
	if v.Unread {
		lines = append(lines, protocol.Plain("I could not read the reactions once more, so it closed on the ballots that I had recorded."))
	}
	return lines
}

func pollOutcome(v Vote, brief bool) protocol.Text {
	res := tally.Final(v.Tally, v.Size, v.Count)
	turnout := fmt.Sprintf("%d of %d who could vote did.", v.Count.Cast, v.Size)
	var parts []string
	for i, o := range v.Options {
		parts = append(parts, fmt.Sprintf("%s %d", protocol.Quoted(o, MaxOption), v.Count.For[i]))
	}
	counts := " " + strings.Join(parts, ", ") + "."
	names := make([]string, len(res.Winners))
	for i, w := range res.Winners {
		names[i] = protocol.Quoted(v.Options[w], MaxOption)
		if brief {
			names[i] = fmt.Sprintf("option %d", w+1)
		}
	}
	if brief {
		counts = ""
	}
	switch res.Outcome {
	case tally.Unvoted:
		return protocol.Plain("Nobody voted; " + fmt.Sprintf("%d could.", v.Size))
	case tally.Tied:
		return protocol.Plainf("A tie between %s, with %s each. %s%s", strings.Join(names, " and "), count(v.Count.For[res.Winners[0]], "vote"), turnout, counts)
	}
	return protocol.Plainf("Most votes: %s, with %d. %s%s", names[0], v.Count.For[res.Winners[0]], turnout, counts)
}

func upper(s string) string { return strings.ToUpper(s[:1]) + s[1:] }
