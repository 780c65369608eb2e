package votes

import (
	"cmp"
	"slices"
	"strconv"

	"moot/commands"
	"moot/events"
	"moot/internal/say"
	"moot/protocol"
	"moot/rooms"
)

// shownVotes is how many votes that have closed one page lists.
const shownVotes = 10

// list is the command that shows the votes of a room: those that are open, and the last that have closed; on further pages those
// before them.
func (f *Feature) list(c *commands.Call) error {
	page := int(max(1, c.Integer("page")))
	s := f.here(c)
	var lines, old []protocol.Text
	for v := range f.openIn(c.Tx, c.Room.ID) {
		if page > 1 {
			break
		}
		v, id := v.as(s), "list-open"
		if me := f.bus.Lookup(c.Tx, c.Person); c.Event.Private && !v.Secret && v.mayVote(me) && v.ballotOf(me) == nil {
			id = "list-open-yours"
		}
		lines = append(lines, s.Say(id, say.Part("Title", v.titleOf()), v.when(), say.Count("Ballots", v.Turnout), say.Number("Size", v.Size)))
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
		v := f.at(c.Tx, c.Room.ID, one).as(s)
		old = append(old, s.Say("list-closed", say.Part("Title", v.titleOf()), v.cameToSlot(), say.Moment("At", v.Ended)))
	}
	switch {
	case page > 1 && len(old) == 0:
		return sorry(s, "no-page", say.Number("Page", page))
	case page > 1:
		lines = []protocol.Text{s.Say("list-before")}
	case len(lines) == 0:
		lines = []protocol.Text{s.Say("list-none")}
	}
	if len(old) > 0 && page == 1 {
		lines = append(lines, s.Say("list-last"))
	}
	return c.Answer(protocol.Lines(append(append(lines, old...), further(s, c, "", page, more)...)...))
}

// further says how the next page of a list is asked for, if there is one. Words are those behind the command.
func further(s say.Speaker, c *commands.Call, words string, page int, more bool) []protocol.Text {
	if !more {
		return nil
	}
	return []protocol.Text{s.Say("more", say.Code("Command", c.Again(words+"--page "+strconv.Itoa(page+1))))}
}

// ended says in a word or two what came of a vote.
func ended(s say.Speaker, v Vote) protocol.Text {
	if v.Status == Moved {
		return s.Say("ended-moved")
	}
	return s.Say("ended-" + string(v.Outcome))
}

// cameToSlot is the slot of what came of the vote.
func (h *atHand) cameToSlot() say.Slot { return say.Part("Ended", ended(h.in(), h.Vote)) }

// show is the command that shows one vote.
func (f *Feature) show(c *commands.Call) error {
	v, err := f.theVote(c, "show")
	if err != nil {
		return err
	}
	if err := c.Answer(v.as(f.here(c)).message(false, false)); err != nil {
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
	s, name := f.here(c), say.Person("Target", rooms.Person(c.Tx, c.Room.ID, who.User))
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
		lines = append(lines, f.factsAbout(s, c, room, n)...)
	}
	if len(lines) == 0 && !in { // which is no clean record: the id may have a slip in it
		return c.Answer(s.Say("history-unknown", name, say.Code("ID", protocol.Code(string(who.User)))))
	}
	if len(lines) == 0 {
		return c.Answer(s.Say("history-none", name))
	}
	page := int(max(1, c.Integer("page")))
	if (page-1)*shownFacts >= len(lines) {
		return sorry(s, "no-page", say.Number("Page", page))
	}
	head := s.Say("history", name)
	rest := lines[(page-1)*shownFacts:]
	foot := further(s, c, commands.PersonWord(c.Tx, c.Room, who.User)+" ", page, len(rest) > shownFacts)
	return c.Answer(protocol.Lines(slices.Concat([]protocol.Text{head}, rest[:min(len(rest), shownFacts)], foot)...))
}

// factsAbout returns a line for each fact about a person in a room, the last first.
func (f *Feature) factsAbout(s say.Speaker, c *commands.Call, room protocol.RoomID, n events.Number) []protocol.Text {
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
			if text := f.factLine(s, c, room, fact); text != nil {
				all = append(all, line{fact.Seq, s.Say("history-line", say.Moment("At", fact.Time), say.Part("What", text))})
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

func (f *Feature) factLine(s say.Speaker, c *commands.Call, room protocol.RoomID, fact events.Fact) protocol.Text {
	switch fact.Kind {
	case "challenge", "restore":
		id := "restored-by-" + fact.Keys[roleBy]
		if fact.Kind == "challenge" {
			id = "suspended-by-" + fact.Keys[roleBy]
		}
		if !s.Has(id) {
			return nil // by what no version so far has known
		}
		return s.Say(id, say.Number("Vote", fact.Keys[keyVote]))
	}
	id, err := strconv.ParseUint(fact.Keys[keyVote], 10, 64)
	if err != nil {
		return nil
	}
	v := f.find(c.Tx, room, id)
	if v == nil {
		return nil
	}
	v = v.as(s)
	switch text := say.Quoted("Text", v.text(v.Text), 120); {
	case fact.Keys[keyWhat] == whatOpened && v.Appeal:
		return v.say("history-appeal", v.number(), text)
	case fact.Keys[keyWhat] == whatOpened:
		return v.say("history-opened", v.number(), say.Person("Opener", v.name(v.Opener)), typeSlot(s, v.Type), text)
	case fact.Keys[keyWhat] == whatClosed:
		return v.say("history-closed", v.number(), v.cameToSlot())
	}
	return nil
}

// typeSlot is the slot of what a vote is about.
func typeSlot(s say.Speaker, t Type) say.Slot { return say.Part("Type", s.Say("type-"+string(t))) }
