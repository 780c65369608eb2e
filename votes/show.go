package votes

import (
	"cmp"
	"slices"
	"strconv"

	"moot/commands"
	"moot/events"
	"moot/protocol"
	"moot/rooms"
)

// shownVotes is how many votes that have closed one page lists.
const shownVotes = 10

// list is the command that shows the votes of a room: those that are open, and the last that have closed; on further pages those
// before them.
func (f *Feature) list(c *commands.Call) error {
	page := int(max(1, c.Integer("page")))
	var lines, old []protocol.Text
	for v := range f.openIn(c.Tx, c.Room.ID) {
		if page > 1 {
			break
		}
		line := protocol.Join(v.titleOf(), ", open; ", v.closes(c.Tx.Now()), "; ",
			count(v.Turnout, "ballot"), " of ", v.Size, " so far")
		if me := f.bus.Lookup(c.Tx, c.Person); c.Event.Private && !v.Secret && v.mayVote(me) && v.ballotOf(me) == nil {
			line = protocol.Join(line, "; you have not voted yet")
		}
		lines = append(lines, protocol.Join(line, "."))
	}
	slices.Reverse(lines) // the last one first, as with those that have ended
	closed, more := 0, false
	for one := range All(c.Tx, c.Room.ID) {
		if one.Open() {
			continue
		}
		if closed++; closed <= (page-1)*shownVotes {
			continue
		}
		if more = len(old) == shownVotes; more {
			break // there may be thousands
		}
		v := f.at(c.Tx, c.Room.ID, one)
		old = append(old, protocol.Join(v.titleOf(), ": ", ended(v.Vote), "; ended ", protocol.Moment(v.Ended), "."))
	}
	switch {
	case page > 1 && len(old) == 0:
		return commands.Sorryf("There is no page %d.", page)
	case page > 1:
		lines = []protocol.Text{protocol.Plain("Those that have closed before:")}
	case len(lines) == 0:
		lines = []protocol.Text{protocol.Plain("No vote is open in this room.")}
	}
	if len(old) > 0 && page == 1 {
		lines = append(lines, protocol.Plain("The last that have closed:"))
	}
	return c.Answer(protocol.Lines(append(append(lines, old...), further(c, "", page, more)...)...))
}

// further says how the next page of a list is asked for, if there is one. Words are those behind the command.
func further(c *commands.Call, words string, page int, more bool) []protocol.Text {
	if !more {
		return nil
	}
	return []protocol.Text{protocol.Join("There is more: ", c.Again(words+"--page "+strconv.Itoa(page+1)), ".")}
}

// ended says in a word or two what came of a vote.
func ended(v Vote) string {
	switch {
	case v.Status == Moved:
		return "moved to the room that follows this one"
	case v.Outcome == "rejected":
		return "failed"
	case v.Outcome == "no-quorum":
		return "failed without a quorum"
	case v.Outcome == "unvoted":
		return "nobody voted"
	case v.Outcome == "chosen":
		return "decided"
	case v.Outcome == "tied":
		return "a tie"
	}
	return string(v.Outcome)
}

// show is the command that shows one vote.
func (f *Feature) show(c *commands.Call) error {
	v, err := f.theVote(c, "show")
	if err != nil {
		return err
	}
	if err := c.Answer(v.message(false, false)); err != nil {
		return err
	}
	if v.Open() && !c.Event.Private {
		b := v.posting()
		b.Answers = append(b.Answers[max(0, len(b.Answers)-keptAnswers+1):], c.Answered())
		v.putPosting(b)
	}
	return v.pollPrivately(c)
}

// keptAnswers is of how many of the last answers that show an open vote it is known that they do.
const keptAnswers = 20

// shownFacts is how many facts one page of the history of a person shows.
const shownFacts = 20

// Kinds of facts that belong to the history of a person beside those about votes.
var historyKinds = []string{KindVote, "challenge", "restore"}

// history is the command that shows what was decided about somebody.
func (f *Feature) history(c *commands.Call) error {
	who, in := c.Somebody("person")
	n := f.bus.Lookup(c.Tx, who.User)
	name := rooms.Person(c.Tx, c.Room.ID, who.User)
	if !in && leftAt(c.Tx, c.Room.ID, who.User).IsZero() {
		n = 0 // whether somebody was ever here is nobody's business
		if f.bus.Lookup(c.Tx, who.User) != 0 {
			if _, is := f.Sanctions.Challenged(c.Tx, c.Room.ID, who.User); is {
				n = f.bus.Lookup(c.Tx, who.User)
			}
		}
	}
	var lines []protocol.Text
	for _, room := range lineage(c.Tx, c.Room.ID) {
		if n == 0 {
			break
		}
		lines = append(lines, f.factsAbout(c, room, n)...)
	}
	if len(lines) == 0 && !in { // which is no clean record: the id may have a slip in it
		return c.Answer(protocol.Join(name, " is not in this room, and I know of no vote here about ", protocol.Code(string(who.User)), "."))
	}
	if len(lines) == 0 {
		return c.Answer(protocol.Join("No vote was ever about ", name, " here, and they were never suspended."))
	}
	page := int(max(1, c.Integer("page")))
	if (page-1)*shownFacts >= len(lines) {
		return commands.Sorryf("There is no page %d.", page)
	}
	head := protocol.Join("About ", name, ", the last first:")
	rest := lines[(page-1)*shownFacts:]
	foot := further(c, commands.PersonWord(c.Tx, c.Room, who.User)+" ", page, len(rest) > shownFacts)
	return c.Answer(protocol.Lines(slices.Concat([]protocol.Text{head}, rest[:min(len(rest), shownFacts)], foot)...))
}

// factsAbout returns a line for each fact about a person in a room, the last first.
func (f *Feature) factsAbout(c *commands.Call, room protocol.RoomID, n events.Number) []protocol.Text {
	type line struct {
		seq  uint64
		text protocol.Text
	}
	var all []line
	for _, kind := range historyKinds {
		q := events.Query{
			Kind: kind, Backward: true,
			Filters: map[string]string{roleTarget: n.String(), events.KeyScope: string(room)},
		}
		for fact, err := range f.bus.Matching(c.Tx, q) {
			if err != nil {
				continue
			}
			if text := f.factLine(c, room, fact); text != nil {
				all = append(all, line{fact.Seq, protocol.Join(protocol.Moment(fact.Time), ": ", text)})
			}
		}
	}
	slices.SortFunc(all, func(a, b line) int { return cmp.Compare(b.seq, a.seq) })
	out := make([]protocol.Text, len(all))
	for i, l := range all {
		out[i] = l.text
	}
	return out
}

func (f *Feature) factLine(c *commands.Call, room protocol.RoomID, fact events.Fact) protocol.Text {
	switch fact.Kind {
	case "challenge", "restore":
		because := map[string]string{
			"vote": "by vote " + fact.Keys[keyVote], "override": "by an operator",
			"expiry":  "because its time was over",
			"upgrade": "as in the room that this one follows",
		}[fact.Keys[roleBy]]
		did := "restored "
		if fact.Kind == "challenge" {
			did = "suspended "
		}
		return protocol.Join(did, because, ".")
	}
	id, err := strconv.ParseUint(fact.Keys[keyVote], 10, 64)
	if err != nil {
		return nil
	}
	v := f.find(c.Tx, room, id)
	switch {
	case v == nil:
		return nil
	case fact.Keys[keyWhat] == whatOpened && v.Appeal:
		return protocol.Join("vote ", id, " was opened: an appeal, ", protocol.Quoted(v.text(v.Text), 120))
	case fact.Keys[keyWhat] == whatOpened:
		return protocol.Join("vote ", id, " was opened by ", v.name(v.Opener), ": ", string(v.Type), ", ",
			protocol.Quoted(v.text(v.Text), 120))
	case fact.Keys[keyWhat] == whatClosed:
		return protocol.Join("vote ", id, " closed: ", ended(v.Vote), ".")
	}
	return nil
}
