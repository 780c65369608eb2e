package standard

import (
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"

	"moot/commands"
	"moot/events"
	"moot/internal/languages"
	"moot/protocol"
	"moot/rooms"
	"moot/store"
)

// Personal is one kind of what is stored about people.
type Personal struct {
	// Name is what it is, as a head line: "Your ballots".
	Name string
	// Export goes through all of it, a line each. It reads only.
	Export func(tx *store.Tx, user protocol.UserID) iter.Seq[protocol.Text]
	// Forget removes it in the scope of the person, and tells others by tx.Tell. It says in a sentence each what is gone
	// and what stays and why; nil where there is nothing to say.
	Forget func(tx *store.Tx, user protocol.UserID) (gone, stays protocol.Text)
}

// personal is all that is stored about people: what the core stores, and what features do. Raw is whether facts are shown
// as they are stored.
func (conf Config) personal(raw bool) []Personal {
	facts := func(tx *store.Tx, user protocol.UserID) iter.Seq[protocol.Text] {
		return conf.exportFacts(tx, user, raw)
	}
	core := []Personal{
		{"Where you are", exportMembership, stayMembership},
		{"What you have chosen", exportChosen, nil},
		{"What you have asked me", exportAsked, forgetAsked},
		{"What I could not handle", exportLetters, forgetLetters},
		{"What waits to be sent to you", exportWaiting, nil},
		{"Your own words", conf.exportTexts, conf.forgetTexts},
		{"Facts about you", facts, conf.forgetFacts},
	}
	return append(core, conf.Personal...)
}

// placeName names a room to somebody. One that they are not in any more has its id only: that is all they may know.
func placeName(tx *store.Tx, room protocol.RoomID, user protocol.UserID) protocol.Text {
	info, _ := rooms.Get(tx, room)
	if _, in := rooms.Lookup(tx, room, user); in && !info.Private {
		return protocol.Join(title(info.Title()), " (", protocol.Code(string(room)), ")")
	}
	return protocol.Code(string(room))
}

func exportMembership(tx *store.Tx, user protocol.UserID) iter.Seq[protocol.Text] {
	return func(yield func(protocol.Text) bool) {
		for info := range rooms.Of(tx, user) {
			m, _ := rooms.Lookup(tx, info.ID, user)
			line := protocol.Join("in ", placeName(tx, info.ID, user))
			if info.Private {
				line = protocol.Join("in our private conversation ", protocol.Code(string(info.ID)))
			}
			line = protocol.Join(line, ", called ", title(m.Name))
			if !m.Since.IsZero() {
				line = protocol.Join(line, ", since ", protocol.Moment(m.Since))
			}
			if m.Moderator {
				line = protocol.Join(line, ", as a moderator")
			}
			if m.Bot {
				line = protocol.Join(line, ", as a bot")
			}
			if !yield(line) {
				return
			}
		}
		for room, at := range rooms.PutOut(tx, user) {
			if !yield(protocol.Join("put out of ", placeName(tx, room, user), " on ", protocol.Moment(at), ", and since when you had been there")) {
				return
			}
		}
	}
}

func stayMembership(tx *store.Tx, user protocol.UserID) (gone, stays protocol.Text) {
	if rooms.ForgetPutOut(tx, user) {
		gone = protocol.Plain("Out of which rooms you were put.")
	}
	for range rooms.Of(tx, user) {
		return gone, protocol.Plain("In which rooms you are and what you are called there: the network tells me so, and without it " +
			"I could not tell who may do what. It goes when you leave them.")
	}
	return gone, nil
}

func exportChosen(tx *store.Tx, user protocol.UserID) iter.Seq[protocol.Text] {
	return func(yield func(protocol.Text) bool) {
		if id := commands.Chosen(tx, user); id != "" {
			if !yield(protocol.Join("for what you ask in private: ", placeName(tx, id, user))) {
				return
			}
		}
		own := languages.Of(tx, user)
		if own.Chosen != "" && !yield(protocol.Join("what I say to you alone: in ", protocol.Code(string(own.Chosen)))) {
			return
		}
		if own.Network != "" {
			yield(protocol.Join("the language of your program, as your network tells it: ", protocol.Code(string(own.Network))))
		}
	}
}

func exportAsked(tx *store.Tx, user protocol.UserID) iter.Seq[protocol.Text] {
	return func(yield func(protocol.Text) bool) {
		for info := range rooms.All(tx) {
			for id := range commands.AskedIn(tx, info.ID, user) {
				line := protocol.Join("by ", protocol.Code(string(id)), " in ", placeName(tx, info.ID, user), ", just now")
				if seen := tx.Seen(info.ID, id); seen.Disposition != store.Unseen {
					line = protocol.Join("by ", protocol.Code(string(id)), " in ", placeName(tx, info.ID, user), ", on ",
						protocol.Moment(seen.Time), ": ", seen.Disposition.String(), ", "+seen.Reason)
				}
				if !yield(line) {
					return
				}
			}
		}
	}
}

func forgetAsked(tx *store.Tx, user protocol.UserID) (gone, stays protocol.Text) {
	commands.Forget(tx)
	return protocol.Plain("Which room and which language you had chosen, and by which events you have asked me something in rooms."), nil
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
			line := protocol.Join(fmt.Sprintf("dead letter %d, ", l.ID), strings.ToLower(protocol.KindOf(l.Event.Body)), " ",
				protocol.Code(string(l.Event.ID)), " in ", placeName(tx, l.Event.Room, user), ", on ", protocol.Moment(l.Time))
			if said := words(l.Event.Body); said != "" {
				line = protocol.Join(line, ": ", protocol.Quoted(said, 4000))
			}
			if !yield(line) {
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
	return protocol.Plain("What you said and I could not handle: " + plural(n, "event", "events") + "."), nil
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
			yield(protocol.Plain(plural(n, "message", "messages") + ", which I delete when they are sent or too late"))
		}
	}
}

func (conf Config) exportTexts(tx *store.Tx, user protocol.UserID) iter.Seq[protocol.Text] {
	return func(yield func(protocol.Text) bool) {
		for _, text := range conf.Bus.Texts(tx, user) {
			if !yield(protocol.Plain(protocol.Quoted(text, 2500))) {
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
	return protocol.Plain("Your own words: " + plural(n, "text", "texts") + "."), nil
}

func (conf Config) exportFacts(tx *store.Tx, user protocol.UserID, raw bool) iter.Seq[protocol.Text] {
	return func(yield func(protocol.Text) bool) {
		own := conf.Bus.Lookup(tx, user)
		if own == 0 || !yield(protocol.Plain("Facts name you by a number, under which I keep your id.")) {
			return
		}
		for f, err := range conf.Bus.Matching(tx, events.Query{Filters: map[string]string{events.KeyPerson: own.String()}}) {
			line := protocol.Plain("one that cannot be read")
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
	says := conf.Bus.Own(tx, f, own)
	if says == "" {
		says = conf.Bus.Describe(f)
		for _, role := range slices.Sorted(maps.Keys(f.People)) {
			switch {
			case f.People[role] != own || role == "who":
			case role == "by":
				says += ", by you"
			default:
				says += "; you are its " + role
			}
		}
	}
	return protocol.Join(protocol.Moment(f.Time), ", in ", placeName(tx, protocol.RoomID(f.Scope), user), ": ", says, ".")
}

// rawFact shows a fact to somebody whom it names as it is stored, whole but for who else is in it.
func (conf Config) rawFact(tx *store.Tx, user protocol.UserID, own events.Number, f events.Fact) protocol.Text {
	line := protocol.Join(protocol.Moment(f.Time), " ", f.Kind, " in ", placeName(tx, protocol.RoomID(f.Scope), user))
	for _, key := range slices.Sorted(maps.Keys(f.Keys)) {
		line = protocol.Join(line, " "+key+"="+protocol.OneLine(f.Keys[key]))
	}
	for _, role := range slices.Sorted(maps.Keys(f.People)) {
		who := "somebody else"
		if f.People[role] == own {
			who = "you"
		}
		line = protocol.Join(line, ", "+role+": "+who)
	}
	if payload := conf.Bus.Raw(f); payload != "" {
		line = protocol.Join(line, ", ", protocol.Code(protocol.Shorten(payload, 2000)))
	}
	return line
}

func (conf Config) forgetFacts(tx *store.Tx, user protocol.UserID) (gone, stays protocol.Text) {
	n := conf.Bus.Lookup(tx, user)
	if n == 0 {
		return nil, nil
	}
	keep := conf.Bus.Held(tx, n)
	conf.Bus.Forget(tx, user, keep)
	gone = protocol.Plain("Which number in the facts is yours.")
	stays = protocol.Plain("The facts themselves, under that number: what was decided rests on them. Nothing leads from it to you any more.")
	if keep {
		stays = protocol.Join(stays, " Something still runs: a vote that you have opened or that is about you, a challenge, or what may not be asked "+
			"again yet. Until it ends a hash of your id stays, by which I recognise you, and from which nobody can read who you are.")
	}
	return gone, stays
}
