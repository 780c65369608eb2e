package commands

import (
	"slices"
	"strings"
	"unicode"

	"moot/internal/say"
	"moot/protocol"
	"moot/rooms"
	"moot/store"
)

// maxNames is how many members a room may have in which people are found by their names: all of them have to be read.
// In larger ones there are mentions and ids.
const maxNames = 5000

// somebody finds the person whom a word names, and tells whether they are in the room.
func (r *run) somebody(p *Param, w string) (who rooms.Member, in bool, m *Mistake) {
	id, mention := protocol.ParseMention(w)
	if !mention {
		id = protocol.UserID(w)
	}
	if m, ok := rooms.Lookup(r.tx, r.room.ID, id); ok {
		return m, true, nil
	}
	if isID(id) && (mention || id.Network() == r.room.ID.Network()) {
		return r.outsider(p, id)
	}
	return r.named(p, protocol.OneLine(w))
}

// isID reports whether somebody may be called so: whether it begins with a network, and whether it is clean, as it will be
// shown.
func isID(id protocol.UserID) bool {
	return protocol.CheckID(string(id)) == nil && id.Network() != "" && id.Local() != "" && id.Local() != string(id) &&
		protocol.OneLine(string(id)) == string(id)
}

// outsider is somebody who is not in the room, as far as that is known.
func (r *run) outsider(p *Param, id protocol.UserID) (rooms.Member, bool, *Mistake) {
	if p.Outside && id.Network() == r.room.ID.Network() {
		return rooms.Member{User: id, Name: protocol.OneLine(id.Local())}, false, nil
	}
	if r.room.Members != rooms.Known {
		return rooms.Member{}, false, r.mistake("the members are not known yet", "members-unknown", typed("Word", id.Local()))
	}
	return rooms.Member{}, false, r.mistake("not in the room", "not-here", typed("Word", id.Local()))
}

// named finds the person with a local id or a display name. An id is not worth more than a name here: whoever takes the
// id of somebody else for a name makes it ambiguous, and nothing else.
func (r *run) named(p *Param, name string) (who rooms.Member, in bool, m *Mistake) {
	local := protocol.UserID(string(r.room.ID.Network()) + ":" + name)
	isLocal := isID(local) && strings.HasPrefix(name, "@") && strings.Contains(name, ":")
	if r.room.Count > maxNames {
		if who, in = rooms.Lookup(r.tx, r.room.ID, local); !in && isLocal {
			who, in = rooms.Lookup(r.tx, r.room.ID, protocol.UserID(fold(string(local))))
		}
		switch {
		case in:
			return who, true, nil
		case isLocal:
			return r.outsider(p, local)
		}
		return who, false, r.mistake("a name in a large room", "large-room")
	}
	var fit, all []rooms.Member
	var names []string
	folded, bare, id := fold(name), fold(strings.TrimPrefix(name, "@")), fold(string(local))
	for m := range rooms.Members(r.tx, r.room.ID) {
		f := fold(m.Name)
		if u := fold(string(m.User)); u == id || u == folded || f != "" && (f == folded || f == bare || bare != "" && unmarked(f) == unmarked(bare)) {
			fit = append(fit, m)
		}
		all = append(all, m)
		names = append(names, m.Name)
	}
	longer := r.goesOn(p, bare, all)
	switch {
	case len(fit) == 1 && len(longer) > 0:
		return who, false, r.ambiguous(name, append(fit, longer...)).also(r.speaker().Say("or-quote"))
	case len(fit) == 1:
		return fit[0], true, nil
	case len(fit) > 1:
		return who, false, r.ambiguous(name, fit)
	case isLocal:
		return r.outsider(p, local)
	case r.room.Members != rooms.Known:
		return who, false, r.mistake("the members are not known yet", "members-unknown", typed("Word", name))
	}
	const why = "nobody of that name"
	var near []protocol.Text
	for _, i := range nearest(bare, names, 3) {
		near = append(near, protocol.Person(all[i].User, "«"+all[i].Name+"»"))
	}
	if len(near) > 0 {
		return who, false, r.mistake(why, "nobody-meant", typed("Word", name), say.Part("Meant", r.speaker().Or(near)))
	}
	return who, false, r.mistake(why, "nobody", typed("Word", name))
}

// unmarked returns a name without the quotation marks around it, which are read as those of a quotation.
func unmarked(name string) string {
	if s := strings.Trim(name, quotationMarks+" "); s != "" {
		return s
	}
	return name
}

// goesOn returns the members whose names begin with a name that stood without quotes, and go on with the words that
// followed it: of "challenge Ann Lee" it is not known whether it is about Ann, for the reason Lee.
func (r *run) goesOn(p *Param, name string, members []rooms.Member) (longer []rooms.Member) {
	if !slices.Contains(r.given[loosely], p.Name) {
		return nil
	}
	line := name
	for i := range r.node.Params {
		if q := &r.node.Params[i]; q.Name != p.Name && !q.ByName() {
			line += " " + fold(strings.Join(r.given[q.Name], " "))
		}
	}
	for _, m := range members {
		f := fold(m.Name)
		after, goesOn := strings.CutPrefix(line, f)
		if next := firstRune(after); goesOn && strings.HasPrefix(f, name+" ") && !unicode.IsLetter(next) && !unicode.IsDigit(next) {
			longer = append(longer, m)
		}
	}
	return longer
}

// ambiguous lists the people who fit a name, for one of them to be named by id.
func (r *run) ambiguous(name string, fit []rooms.Member) *Mistake {
	const most = 5
	const why = "several of that name"
	var ids []protocol.Text
	for _, f := range fit[:min(most, len(fit))] {
		ids = append(ids, protocol.Code(string(f.User)))
	}
	slots := []say.Slot{typed("Word", name), say.Code("IDs", r.speaker().Or(ids))}
	if more := len(fit) - most; more > 0 {
		return r.mistake(why, "several-more", append(slots, say.Number("More", more))...)
	}
	return r.mistake(why, "several", slots...)
}

// isBot reports whether somebody is known to be a bot in the room, or to be this bot.
func isBot(tx *store.Tx, room protocol.RoomID, user protocol.UserID) bool {
	m, ok := rooms.Lookup(tx, room, user)
	return ok && (m.Bot || m.Self)
}

// maxWord is how many members a room may have in which a suggested command names somebody by their name.
const maxWord = 500

// PersonWord returns how somebody is named in a command about a room, so that nobody else is meant whatever people are
// called: by their name where that is one plain word which could not be anybody else, else by their id.
func PersonWord(tx *store.Tx, info rooms.Info, user protocol.UserID) string {
	id := quoted(string(user))
	who, in := rooms.Lookup(tx, info.ID, user)
	if !in || info.Count > maxWord || strings.ContainsFunc(who.Name, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) }) {
		return id
	}
	name := fold(who.Name)
	for m := range rooms.Members(tx, info.ID) {
		if m.User != user && (strings.HasPrefix(fold(m.Name), name) || strings.HasPrefix(unmarked(fold(m.Name)), name) ||
			fold(m.User.Local()) == name) {
			return id
		}
	}
	return who.Name
}

// InQuotes returns words between quotes, so that they are read as one word where they are typed.
func InQuotes(words string) string { return escapedWord(protocol.OneLine(words)) }

// Quoted returns words so that they are read as one word where they are typed: as they are, or between quotes.
func Quoted(words string) string { return quoted(protocol.OneLine(words)) }
