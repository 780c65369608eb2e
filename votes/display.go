package votes

import (
	"fmt"
	"slices"
	"strings"

	"moot/events"
	"moot/internal/span"
	"moot/protocol"
	"moot/rooms"
	"moot/votes/tally"
)

const (
	// shownWords is how many characters of what somebody wrote the message of a vote shows at most. All of it is shown by the
	// command.
	shownWords = 450
	// shownOption is how many characters of an option are always shown.
	shownOption = 10
)

// message is what the message of a vote says, and what a command shows of it, which takes no reactions. Everything in it is
// words and numbers; nothing depends on colour, on bars or on an emoji alone. What the network does not take as one message
// is taken from what people wrote, never from the count, the deadline and how to vote.
func (h *atHand) message(first, reactions bool) protocol.Text {
	names := rooms.NamesIn(h.tx, h.room)
	if !reactions {
		return h.messageOf(names, first, reactions, MaxReason)
	}
	var fits func(protocol.Text) bool
	if h.Fits != nil {
		fits = func(t protocol.Text) bool { return h.Fits(h.room.Network(), t) }
	}
	return protocol.Fit(fits, shownWords, func(n int) protocol.Text { return h.messageOf(names, first, reactions, n) })
}

// messageOf is the message with so many characters of each thing that somebody wrote.
func (h *atHand) messageOf(names *rooms.Names, first, reactions bool, words int) protocol.Text {
	lines := []protocol.Text{h.headline(names, first, words)}
	if h.Type == Challenge || h.Type == Restore {
		lines = append(lines, protocol.Join("Reason: ", h.words(h.Text, words)))
	}
	for i, o := range h.Options {
		line := protocol.Join(i+1, ": ", protocol.Shorten(o, max(words, shownOption)))
		if h.counts() && h.Type == Poll {
			line = protocol.Join(line, ": ", count(h.Count.For[i], "vote"))
		}
		lines = append(lines, line)
	}
	if h.Reply != "" {
		lines = append(lines, protocol.Join(h.named(names, h.Target), " answers: ",
			h.words(h.Reply, words)))
	}
	if h.Corrected {
		lines = append(lines, protocol.Plain("Its opener has corrected this text before anybody voted."))
	}
	b := h.posting()
	if b.Removed > 0 && h.Open() {
		what := "Reactions"
		if b.Poll != "" {
			what = "Reactions, or responses in the poll,"
		}
		lines = append(lines, protocol.Join(what, " that were removed by somebody else than who gave them: ", b.Removed, ". Their ballots still count."))
	}
	if b.Untold && h.Open() {
		lines = append(lines, protocol.Join("I could not reach ", h.named(names, h.Target),
			" in private; if you can, tell them about this vote."))
	}
	if !reactions { // to who asks for it
		lines = append(lines, h.reasons(listedReasons, maxBecause)...)
	}
	if !h.Open() {
		lines = append(lines, h.outcome(true)...)
		if !reactions {
			lines = append(lines, h.counting()...)
		}
		return protocol.Lines(lines...)
	}
	lines = append(lines, h.standing()...)
	if h.Status == Closing {
		return protocol.Lines(append(lines, protocol.Plain("The time is over: no more ballots. I am counting."))...)
	}
	lines = append(lines, upperText(h.closes(h.tx.Now())))
	return protocol.Lines(append(lines, h.howTo(reactions)...)...)
}

// words shows what somebody wrote, and where to read the rest.
func (h *atHand) words(id events.TextID, most int) protocol.Text {
	all := h.text(id)
	short := protocol.Shorten(all, most)
	switch short {
	case all:
		return protocol.Plain(all)
	case "":
		short = "…"
	}
	return protocol.Join(short, " (all of it: ", h.code("vote show "+h.Number()), ")")
}

// headline says what the vote is about and who opened it.
func (h *atHand) headline(names *rooms.Names, first bool, words int) protocol.Text {
	opener := h.named(names, h.Opener)
	target := h.named(names, h.Target)
	if user := h.userOf(h.Target); first && user != "" && !h.Appeal {
		target = names.Mention(user)
	}
	head := protocol.Strong(fmt.Sprintf("Vote %d", h.ID))
	if h.Secret {
		head = protocol.Strong(fmt.Sprintf("Secret vote %d", h.ID))
	}
	switch {
	case h.Type == Challenge:
		return protocol.Join(head, ": ", opener, " wants to challenge ", target,
			". If it passes, they are suspended from using me here.")
	case h.Type == Restore && h.Appeal:
		return protocol.Join(head, ": ", target, " appeals and wants to be restored.")
	case h.Type == Restore:
		return protocol.Join(head, ": ", opener, " wants to restore ", target, ".")
	case h.Type == Rule:
		one, _ := h.settings.find(h.Setting)
		return protocol.Join(head, ": ", opener, " moves to change a rule of this room: ",
			protocol.Code(h.text(h.Text)), " (", one.summary, ").")
	case h.Type == Motion:
		return protocol.Join(head, ": ", opener, " moves: ", h.words(h.Text, words))
	}
	if h.Type == Election {
		return protocol.Join(head, ", an election for ", h.seats(), ": ", opener, " asks: ", h.words(h.Text, words))
	}
	return protocol.Join(head, ", a poll: ", opener, " asks: ", h.words(h.Text, words))
}

// standing says how the vote stands, in numbers.
func (h *atHand) standing() []protocol.Text {
	turnout := fmt.Sprintf("Turnout: %d of %d who can vote.", h.Turnout, h.Size)
	if h.Type == Poll {
		return []protocol.Text{protocol.Plain(turnout + " A poll binds nobody.")}
	}
	if h.Tally.Method == tally.Consent {
		return h.consenting(turnout)
	}
	quorum := fmt.Sprintf(" Quorum: %d of %d needed.", h.Turnout, h.Tally.Quorum)
	if h.Turnout >= h.Tally.Quorum {
		quorum = fmt.Sprintf(" Quorum: %d needed, reached.", h.Tally.Quorum)
	}
	lines := []protocol.Text{protocol.Plain(turnout + quorum)}
	if h.counts() {
		lines = append(lines, protocol.Plainf("So far: %d yes, %d no, %d abstained.", h.Count.For[tally.Yes],
			h.Count.For[tally.No], h.Count.For[tally.Abstain]))
	}
	needs := "It passes with more yes than no."
	switch {
	case h.Type == Election:
		needs = h.ranking()
	case h.Tally.Method != tally.Supermajority:
	case h.Tally.Part == h.Tally.Of:
		needs = "It passes if nobody says no and somebody says yes."
	case h.Tally.LeastYes <= 1:
		needs = fmt.Sprintf("It passes with at least %d of %d among yes and no.", h.Tally.Part, h.Tally.Of)
	default:
		needs = fmt.Sprintf("It passes with at least %d of %d among yes and no, and at least %d yes.", h.Tally.Part,
			h.Tally.Of, h.Tally.LeastYes)
	}
	lines = append(lines, protocol.Plain(needs))
	if h.Waived {
		lines = append(lines, protocol.Plainf("Too few members were active on %d of the last days, so every "+
			"member of at least %s can vote.",
			h.Rules.ActiveDays, span.Words(h.Rules.Member)))
	}
	return lines
}

// consenting is standing for a vote by consent.
func (h *atHand) consenting(turnout string) []protocol.Text {
	needs := "It passes unless somebody says no. A no needs a reason; who says nothing consents."
	if n := h.Tally.Objections; n > 1 {
		needs = fmt.Sprintf("It passes unless %d say no. A no needs a reason; who says nothing consents.", n)
	}
	lines := []protocol.Text{protocol.Plain(turnout)}
	if h.counts() {
		lines = append(lines, protocol.Plainf("So far: %d yes, %d no, %d abstained.", h.Count.For[tally.Yes],
			h.Count.For[tally.No], h.Count.For[tally.Abstain]))
	}
	return append(lines, protocol.Plain(needs))
}

// howTo says how to vote.
func (h *atHand) howTo(reactions bool) []protocol.Text {
	example := "yes"
	switch {
	case h.Type == Poll && h.Tally.Multiple:
		example = "#1" // "cast 1 2" might mean two options
	case h.Type == Poll:
		example = "1"
	case h.Type == Election:
		example = h.example()
	}
	if h.covered() {
		info := h.info()
		hides := "Who voted how is hidden from the room and the moderators, not from who operates me; with few voters it may " +
			"be guessed."
		if !h.Secret {
			hides = "Who voted is no secret."
		}
		press := "Vote in our private conversation only: "
		switch {
		case h.buttons():
			press = "Press below, which nobody else sees. Or vote in our private conversation: "
		case h.pollStands():
			press = "Vote in the poll below, of which programs show no count before its end. Or vote in our private conversation: "
		}
		var poll protocol.Text
		if reactions && h.Secret && h.Type != Election && !h.buttons() && slices.Contains(h.Polls, h.room.Network()) {
			poll = protocol.Join(" Or say there ", protocol.Code("vote show "+h.Number()+" --in "+info.Word()), " for a poll to press.")
		}
		return []protocol.Text{
			protocol.Join(press, protocol.Code("vote "+h.Number()+" "+example+" --in "+info.Word()), ".", poll),
			protocol.Plain("Until it closes only the turnout is shown. " + hides),
		}
	}
	choose := strings.Join(h.choices(), ", ")
	var react protocol.Text
	press := ""
	polled := reactions && h.pollStands()
	switch {
	case reactions && h.buttons():
		press = "press below, or "
	case polled:
		press = "press in the poll below, or "
	}
	switch {
	case h.Type == Poll && h.Tally.Multiple:
		choose = "the numbers of one or more options, as #1 #2"
		react = protocol.Plain(" Or react to this message with the emojis of the numbers.")
	case h.Type == Poll:
		choose = fmt.Sprintf("the number of an option, from 1 to %d", len(h.Options))
		react = protocol.Plain(" Or react to this message with the emoji of the number.")
	case h.Type == Election:
		choose = "as many options as you like, in your order"
		if h.Tally.Method == tally.Schulze {
			choose += "; = stands between two that you want equally"
		}
		if reactions && h.buttons() {
			press = "choose one after another below, or "
		}
	case h.objects(tally.Ballot{tally.No}):
		example = "no because REASON"
		react = protocol.Plain(" Or react to this message: 👍 (thumbs up) is yes, 🤷 (shrug) is abstain.")
	default:
		react = protocol.Plain(" Or react to this message: 👍 (thumbs up) is yes, 👎 (thumbs down) is no, 🤷 (shrug) " +
			"is abstain.")
	}
	if !reactions || h.buttons() {
		react = nil
	}
	lines := []protocol.Text{protocol.Join("To vote: ", press, h.code("vote "+h.Number()+" "+example), " (",
		choose, ").", react,
		" You can change it until the end.")}
	if polled {
		lines = append(lines, protocol.Plain("The poll shows what was pressed in it; this message counts all ballots."))
	}
	return lines
}

// code shows a command as it is given in a room.
func (f *Feature) code(room protocol.RoomID, line string) protocol.Text {
	return protocol.Code(f.Line(room.Network(), line))
}

// closing is what is said when a vote has ended.
func (h *atHand) closing() protocol.Text {
	lines := append([]protocol.Text{protocol.Join(h.titleOf(), " has closed.")}, h.outcome(false)...)
	return protocol.Lines(append(lines, h.reasons(shownReasons, 150)...)...)
}

// outcome says what came of a vote, with its arithmetic; in brief where the options of a poll stand beside it.
func (h *atHand) outcome(brief bool) []protocol.Text {
	var lines []protocol.Text
	switch h.Outcome {
	case Withdrawn:
		lines = append(lines, protocol.Join("Withdrawn by ", h.name(h.By), "."))
	case Cancelled:
		lines = append(lines, protocol.Join("Cancelled by ", h.name(h.By), "."))
	case Replaced:
		lines = append(lines, protocol.Join("Replaced by the appeal of ", h.name(h.Target), "."))
	case Void:
		lines = append(lines, protocol.Plainf("Void: for more than %s I was away and nobody could vote.", span.Words(h.Void)))
	case tally.Open:
		if h.Status == Moved {
			lines = append(lines, protocol.Plain("It goes on in the room that follows this one."))
		}
	case tally.Chosen, tally.Tied, tally.Unvoted:
		if h.Type == Election {
			lines = append(lines, h.electionOutcome(brief)...)
			break
		}
		lines = append(lines, pollOutcome(h.Vote, brief))
	default:
		if h.Type == Election {
			lines = append(lines, protocol.Plain(h.Elects()))
			break
		}
		lines = append(lines, protocol.Plain(upper(tally.Final(h.Tally, h.Size, h.Count).Explain())+"."))
	}
	if h.Why != "" {
		lines = append(lines, protocol.Join("Reason: ", h.text(h.Why)))
	}
	if h.Unread {
		lines = append(lines, protocol.Plain("I could not read the reactions once more, so it closed on the "+
			"ballots that I had recorded."))
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
		return protocol.Plainf("A tie between %s, with %s each. %s%s", strings.Join(names, " and "),
			count(v.Count.For[res.Winners[0]], "vote"), turnout, counts)
	}
	return protocol.Plainf("Most votes: %s, with %d. %s%s", names[0], v.Count.For[res.Winners[0]], turnout, counts)
}

func upper(s string) string { return strings.ToUpper(s[:1]) + s[1:] }

// upperText makes a sentence of words that begin with a small letter.
func upperText(t protocol.Text) protocol.Text {
	t = slices.Clone(t)
	t[0].Text = upper(t[0].Text)
	return protocol.Join(t, ".")
}
