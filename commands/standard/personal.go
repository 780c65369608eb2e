package standard

import (
	"iter"
	"maps"
	"slices"
	"strings"

	"moot/commands"
	"moot/events"
	"moot/internal/languages"
	"moot/internal/say"
	"moot/protocol"
	"moot/rooms"
	"moot/store"
)

// Personal is one kind of what is stored about people.
type Personal struct {
	// Name is the message of its head line, behind "head-", in the catalogue of this package; what is in none stands as it is.
	Name string
	// Export goes through all of it, a line each. It reads only.
	Export func(tx *store.Tx, user protocol.UserID) iter.Seq[protocol.Text]
	// Forget removes it in the scope of the person, and tells others by tx.Tell. It says in a sentence each what is gone
	// and what stays and why; nil where there is nothing to say.
	Forget func(tx *store.Tx, user protocol.UserID) (gone, stays protocol.Text)
}

// asked is the name of what also holds what somebody has chosen.
const asked = "asked"

// personal is all that is stored about people: what the core stores, and what features do. Raw is whether facts are shown
// as they are stored.
func (conf Config) personal(raw bool) []Personal {
	facts := func(tx *store.Tx, user protocol.UserID) iter.Seq[protocol.Text] {
		return conf.exportFacts(tx, user, raw)
	}
	core := []Personal{
		{"membership", exportMembership, stayMembership},
		{"chosen", exportChosen, nil},
		{asked, exportAsked, forgetAsked},
		{"letters", exportLetters, forgetLetters},
		{"waiting", exportWaiting, nil},
		{"words", conf.exportTexts, conf.forgetTexts},
		{"facts", facts, conf.forgetFacts},
	}
	return append(core, conf.Personal...)
}

// placeName names a room to somebody. One that they are not in any more has its id only: that is all they may know.
func placeName(tx *store.Tx, room protocol.RoomID, user protocol.UserID) protocol.Text {
	info, _ := rooms.Get(tx, room)
	s := to(tx, user)
	if _, in := rooms.Lookup(tx, room, user); in && !info.Private {
		return s.Say("place-named", titled(info), code("ID", string(room)))
	}
	return s.Say("place-id", code("ID", string(room)))
}

// at is a room as it is named to somebody, in a sentence.
func at(tx *store.Tx, room protocol.RoomID, user protocol.UserID) say.Slot {
	return say.Part("Place", placeName(tx, room, user))
}

func exportMembership(tx *store.Tx, user protocol.UserID) iter.Seq[protocol.Text] {
	return func(yield func(protocol.Text) bool) {
		s := to(tx, user)
		for info := range rooms.Of(tx, user) {
			m, _ := rooms.Lookup(tx, info.ID, user)
			name := say.Quoted("Name", m.Name, 0)
			line := s.Say("in-room", at(tx, info.ID, user), name)
			if info.Private {
				line = s.Say("in-private", code("ID", string(info.ID)), name)
			}
			if !m.Since.IsZero() {
				line = s.Say("in-since", say.Part("Line", line), say.Moment("At", m.Since))
			}
			if m.Moderator {
				line = s.Say("in-moderator", say.Part("Line", line))
			}
			if m.Bot {
				line = s.Say("in-bot", say.Part("Line", line))
			}
			if !yield(line) {
				return
			}
		}
		for room, when := range rooms.PutOut(tx, user) {
			if !yield(s.Say("put-out", at(tx, room, user), say.Moment("At", when))) {
				return
			}
		}
	}
}

func stayMembership(tx *store.Tx, user protocol.UserID) (gone, stays protocol.Text) {
	if rooms.ForgetPutOut(tx, user) {
		gone = to(tx, user).Say("gone-put-out")
	}
	for range rooms.Of(tx, user) {
		return gone, to(tx, user).Say("stays-membership")
	}
	return gone, nil
}

func exportChosen(tx *store.Tx, user protocol.UserID) iter.Seq[protocol.Text] {
	return func(yield func(protocol.Text) bool) {
		if id := commands.Chosen(tx, user); id != "" {
			if !yield(to(tx, user).Say("chosen-private", at(tx, id, user))) {
				return
			}
		}
		own := languages.Of(tx, user)
		if own.Chosen != "" && !yield(to(tx, user).Say("chosen-language", code("Language", string(own.Chosen)))) {
			return
		}
		if own.Network != "" {
			yield(to(tx, user).Say("network-language", code("Language", string(own.Network))))
		}
	}
}

func exportAsked(tx *store.Tx, user protocol.UserID) iter.Seq[protocol.Text] {
	return func(yield func(protocol.Text) bool) {
		for info := range rooms.All(tx) {
			for id := range commands.AskedIn(tx, info.ID, user) {
				s, event, where := to(tx, user), code("Event", string(id)), at(tx, info.ID, user)
				line := s.Say("asked-now", event, where)
				if seen := tx.Seen(info.ID, id); seen.Disposition != store.Unseen {
					reason := say.Words("Reason", protocol.Plain(seen.Reason))
					line = s.Say("asked", event, where, say.Moment("At", seen.Time), endOf(s, seen.Disposition), reason)
				}
				if !yield(line) {
					return
				}
			}
		}
	}
}

func forgetAsked(tx *store.Tx, user protocol.UserID) (gone, stays protocol.Text) {
	s := to(tx, user) // before that is forgotten
	commands.Forget(tx)
	return s.Say("gone-asked"), nil
}

// theirs tells whether a dead letter is of something that the person did or said.
func theirs(l store.Letter, user protocol.UserID) bool {
	if l.Event.Sender != user {
		return false
	}
	switch l.Event.Body.(type) {
	case protocol.Message, protocol.Edit, protocol.Invocation, protocol.ReactionAdded, protocol.ReactionRemoved,
		protocol.PollResponse, protocol.Deletion, protocol.VoicePresence, nil:
		return true
	}
	return false
}

func exportLetters(tx *store.Tx, user protocol.UserID) iter.Seq[protocol.Text] {
	return func(yield func(protocol.Text) bool) {
		for l := range tx.Letters(0) {
			if l.Event.Sender != user && l.Scope != protocol.Scope(user) {
				continue
			}
			kind := strings.ToLower(protocol.KindOf(l.Event.Body))
			id, slots := "letter", []say.Slot{say.Number("Letter", l.ID), say.Code("Kind", protocol.Plain(kind)),
				code("Event", string(l.Event.ID)), at(tx, l.Event.Room, user), say.Moment("At", l.Time)}
			if said := words(l.Event.Body); said != "" {
				id, slots = "letter-said", append(slots, say.Quoted("Said", said, 4000))
			}
			if !yield(to(tx, user).Say(id, slots...)) {
				return
			}
		}
	}
}

// words returns what somebody said by an event.
func words(b protocol.Body) string {
	switch b := b.(type) {
	case protocol.Message:
		return b.Text
	case protocol.Edit:
		return b.Text
	case protocol.Invocation:
		said := slices.Clone(b.Path)
		for _, name := range slices.Sorted(maps.Keys(b.Args)) {
			said = append(said, "--"+name+"="+b.Args[name])
		}
		return strings.Join(said, " ")
	case protocol.ReactionAdded:
		return b.Reaction
	case protocol.ReactionRemoved:
		return b.Reaction
	case protocol.PollResponse:
		return strings.Join(b.Answers, " ")
	}
	return ""
}

func forgetLetters(tx *store.Tx, user protocol.UserID) (gone, stays protocol.Text) {
	n := 0
	for l := range tx.Letters(0) {
		if theirs(l, user) {
			tx.DropLetter(l.ID)
			n++
		}
	}
	if n == 0 {
		return nil, nil
	}
	return to(tx, user).Say("gone-letters", say.Count("N", n)), nil
}

func exportWaiting(tx *store.Tx, user protocol.UserID) iter.Seq[protocol.Text] {
	return func(yield func(protocol.Text) bool) {
		n := 0
		lanes := []string{string(user)}
		for info := range rooms.Of(tx, user) {
			if info.Private {
				lanes = append(lanes, string(info.ID))
			}
		}
		for _, lane := range lanes {
			for range tx.Queue(lane, 0) {
				n++
			}
		}
		if n > 0 {
			yield(to(tx, user).Say("waits", say.Count("N", n)))
		}
	}
}

func (conf Config) exportTexts(tx *store.Tx, user protocol.UserID) iter.Seq[protocol.Text] {
	return func(yield func(protocol.Text) bool) {
		for _, text := range conf.Bus.Texts(tx, user) {
			if !yield(to(tx, user).Say("own-words", say.Quoted("Text", text, 2500))) {
				return
			}
		}
	}
}

func (conf Config) forgetTexts(tx *store.Tx, user protocol.UserID) (gone, stays protocol.Text) {
	n := 0
	for range conf.Bus.Texts(tx, user) {
		n++
	}
	if n == 0 {
		return nil, nil
	}
	// They are removed together with the number, by forgetFacts.
	return to(tx, user).Say("gone-words", say.Count("N", n)), nil
}

func (conf Config) exportFacts(tx *store.Tx, user protocol.UserID, raw bool) iter.Seq[protocol.Text] {
	return func(yield func(protocol.Text) bool) {
		own := conf.Bus.Lookup(tx, user)
		if own == 0 || !yield(to(tx, user).Say("facts-number")) {
			return
		}
		for f, err := range conf.Bus.Matching(tx, events.Query{Filters: map[string]string{events.KeyPerson: own.String()}}) {
			line := to(tx, user).Say("fact-unreadable")
			switch {
			case err != nil:
			case raw:
				line = conf.rawFact(tx, user, own, f)
			default:
				line = conf.ownFact(tx, user, own, f)
			}
			if !yield(line) {
				return
			}
		}
	}
}

// ownFact says to somebody what a fact that names them holds.
func (conf Config) ownFact(tx *store.Tx, user protocol.UserID, own events.Number, f events.Fact) protocol.Text {
	s := to(tx, user)
	says := protocol.Plain(conf.Bus.Own(s.Language(), tx, f, own))
	if says.Plain() == "" {
		says = protocol.Plain(conf.Bus.Describe(s.Language(), f))
		for _, role := range slices.Sorted(maps.Keys(f.People)) {
			switch {
			case f.People[role] != own || role == "who":
			case role == "by":
				says = s.Say("fact-by", say.Part("What", says))
			default:
				says = s.Say("fact-role", say.Part("What", says), roleOf(s, role))
			}
		}
	}
	return s.Say("fact-own", say.Moment("At", f.Time), at(tx, protocol.RoomID(f.Scope), user), say.Part("What", says))
}

// rawFact shows a fact to somebody whom it names as it is stored, whole but for who else is in it.
func (conf Config) rawFact(tx *store.Tx, user protocol.UserID, own events.Number, f events.Fact) protocol.Text {
	s := to(tx, user)
	var line protocol.Text
	for _, key := range slices.Sorted(maps.Keys(f.Keys)) {
		line = protocol.Join(line, " "+key+"="+protocol.OneLine(f.Keys[key]))
	}
	for _, role := range slices.Sorted(maps.Keys(f.People)) {
		who := s.Plain("raw-other")
		if f.People[role] == own {
			who = s.Plain("raw-you")
		}
		line = protocol.Join(line, ", "+role+": "+who)
	}
	if payload := conf.Bus.Raw(f); payload != "" {
		line = protocol.Join(line, ", ", protocol.Code(protocol.Shorten(payload, 2000)))
	}
	return s.Say("raw", say.Moment("At", f.Time), say.Code("Kind", protocol.Plain(f.Kind)), at(tx, protocol.RoomID(f.Scope), user), say.Code("Rest", line))
}

func (conf Config) forgetFacts(tx *store.Tx, user protocol.UserID) (gone, stays protocol.Text) {
	n := conf.Bus.Lookup(tx, user)
	if n == 0 {
		return nil, nil
	}
	keep := conf.Bus.Held(tx, n)
	conf.Bus.Forget(tx, user, keep)
	s := to(tx, user)
	gone, stays = s.Say("gone-number"), s.Say("stays-facts")
	if keep {
		stays = s.Say("stays-facts-held")
	}
	return gone, stays
}
