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

// shownVotes is how many votes that have closed are listed.
const shownVotes = 10

// list is the command that shows the votes of a room.
func (f *Feature) list(c *commands.Call) error {
	var lines, old []protocol.Text
	for v := range OpenIn(c.Tx, c.Room.ID) {
		line := protocol.Join(f.titleOf(c.Tx, c.Room.ID, v), ", open until ", protocol.Moment(v.Deadline), "; ",
			count(v.Count.Cast, "ballot"), " of ", v.Size, " so far")
		if me := f.bus.Lookup(c.Tx, c.Person); !v.Secret && MayVote(c.Tx, c.Room.ID, v.ID, me) && ballotOf(c.Tx, c.Room.ID, v.ID, voter(me)) == nil {
			line = protocol.Join(line, "; you have not voted yet")
		}
		lines = append(lines, protocol.Join(line, "."))
	}
	slices.Reverse(lines) // the last one first, as with those that have ended
	for v := range All(c.Tx, c.Room.ID) {
		if !v.Open() {
			old = append(old, protocol.Join(f.titleOf(c.Tx, c.Room.ID, v), ": ", ended(v), "; ended ", protocol.Moment(v.Ended), "."))
		}
		if len(old) == shownVotes {
			break // there may be thousands
		}
	}
	if len(lines) == 0 {
		lines = []protocol.Text{protocol.Plain("No vote is open in this room.")}
	}
	if len(old) > 0 {
		lines = append(append(lines, protocol.Plain("The last that have closed:")), old...)
	}
	return c.Answer(protocol.Lines(lines...))
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
	return c.Answer(f.messageOf(c.Tx, c.Room.ID, v, false, MaxReason))
}

// shownFacts is how many facts the history of a person shows.
const shownFacts = 20

// Kinds of facts that belong to the history of a person beside those about votes.
var historyKinds = []string{KindVote, "challenge", "restore"}

// history is the command that shows what was decided about somebody.
func (f *Feature) history(c *commands.Call) error {
	who, in := c.Somebody("person")
	n := f.bus.Lookup(c.Tx, who.User)
	name := protocol.Person(who.User, who.Name)
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
	if len(lines) == 0 {
		return c.Answer(protocol.Join("No vote was ever about ", name, " here, and they were never challenged."))
	}
	head := protocol.Join("About ", name, ", the last first:")
	if len(lines) > shownFacts {
		lines = append(lines[:shownFacts], protocol.Plainf("… and %d more before.", len(lines)-shownFacts))
	}
	return c.Answer(protocol.Lines(append([]protocol.Text{head}, lines...)...))
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
			Kind: kind, Backward: true, Limit: 2 * shownFacts,
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
			"vote": "by vote " + fact.Keys[keyVote], "override": "by an operator", "expiry": "because its time was over",
			"upgrade": "as in the room that this one follows",
		}[fact.Keys[roleBy]]
		return protocol.Join(fact.Kind, "d ", because, ".")
	}
	id, err := strconv.ParseUint(fact.Keys[keyVote], 10, 64)
	if err != nil {
		return nil
	}
	v, ok := Get(c.Tx, room, id)
	switch {
	case !ok:
		return nil
	case fact.Keys[keyWhat] == whatOpened && v.Appeal:
		return protocol.Join("vote ", id, " was opened: an appeal, ", protocol.Quoted(f.text(c.Tx, v.Text), 120))
	case fact.Keys[keyWhat] == whatOpened:
		return protocol.Join("vote ", id, " was opened by ", f.name(c.Tx, room, v.Opener), ": ", string(v.Type), ", ",
			protocol.Quoted(f.text(c.Tx, v.Text), 120))
	case fact.Keys[keyWhat] == whatClosed:
		return protocol.Join("vote ", id, " closed: ", ended(v), ".")
	}
	return nil
}

// set is the command with which moderators set things for the room.
func (f *Feature) set(c *commands.Call) error {
	s, tx, room := f.settings, c.Tx, c.Room.ID
	if !c.Has("setting") {
		lines := []protocol.Text{protocol.Join("This can be set, for example with ", c.Code("room set votes.duration 48h"), ":")}
		for _, one := range s.table {
			value, set := s.shown(tx, room, one)
			mark := " (default)"
			if set {
				mark = ""
			}
			lines = append(lines, protocol.Join(protocol.Code(one.name), ": ", value, mark, ": ", one.summary))
		}
		return c.Answer(protocol.Lines(lines...))
	}
	one, ok := s.find(c.Word("setting"))
	if !ok {
		return commands.Sorryf("There is no such setting.")
	}
	before, was := s.shown(tx, room, one)
	if !c.Has("value") {
		return c.Answer(protocol.Join(protocol.Code(one.name), " is ", before, ": ", one.summary, ". It can be ", one.bounds, "."))
	}
	if err := f.noneAboutMe(c, "change the rules of this room"); err != nil {
		return err
	}
	value := ""
	switch w := c.Word("value"); {
	case w == "-" && !was:
		return c.Answer(protocol.Join(protocol.Code(one.name), " is not set here. It is ", before, "."))
	case w == "-":
	case one.name == channel && w == "here" && (c.Event.Private || c.Event.Place == ""):
		return commands.Sorryf("«here» is for a channel or thread. Say it there, or name it by its id.")
	case one.name == channel && w == "here":
		value = string(c.Event.Place)
	default:
		if value, ok = one.read(w); !ok {
			return commands.Sorry(protocol.Join(protocol.Quoted(w, 40), " cannot be set for ", protocol.Code(one.name), ". It can be ", one.bounds, "."))
		}
	}
	if one.name == channel && value != "" {
		notePlace(tx, c.Event)
		switch hidden, known := placeOf(tx, room, protocol.PlaceID(value)); {
		case hidden:
			return commands.Sorryf("Not everybody in this room can see that channel, so no votes are held in it.")
		case !known:
			return commands.Sorry(protocol.Join("I do not know yet who can see that channel. Say it there: ", f.code(room, "room set "+channel+" here"), "."))
		}
	}
	if err := s.publish(tx, one.name, value, c.Person, ""); err != nil {
		return err
	}
	after, _ := s.shown(tx, room, one)
	if m, ok := rooms.Lookup(tx, room, c.Person); ok {
		text := protocol.Join(protocol.Person(m.User, m.Name), " has set ", protocol.Code(one.name), " from ", before, " to ", after,
			": ", one.summary, ". Votes that are open keep their rules.")
		if !c.Event.Private {
			return c.Answer(text)
		}
		if err := f.announce(tx, room, s.Channel(tx, room), text); err != nil {
			return err
		}
	}
	return c.Answer(protocol.Join(protocol.Code(one.name), " is now ", after, "; it was ", before, "."))
}
