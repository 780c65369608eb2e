package commands

import (
	"cmp"
	"slices"

	"moot/internal/say"
	"moot/protocol"
	"moot/rooms"
	"moot/store"
)

// chosen holds which room a person's commands in private are about.
var chosen = store.ScopedBucket("chosen-rooms")

// Chosen returns the room that a person has chosen for their commands in private, zero if none. They may have left it
// since: whoever shows it, or runs something in it, looks whether they share it.
func Chosen(tx *store.Tx, person protocol.UserID) protocol.RoomID {
	return protocol.RoomID(tx.Get(chosen, string(person)))
}

// Choose keeps the room that the person of the transaction's scope has chosen; zero takes the choice back.
func Choose(tx *store.Tx, room protocol.RoomID) {
	if room == "" {
		tx.Delete(chosen, string(tx.Scope()))
		return
	}
	tx.Put(chosen, string(tx.Scope()), []byte(room))
}

// OwnRooms returns the rooms that the bot shares with a person, without private conversations, by their titles.
func OwnRooms(tx *store.Tx, person protocol.UserID) []rooms.Info {
	var own []rooms.Info
	for info := range rooms.Of(tx, person) {
		if !info.Private {
			own = append(own, info)
		}
	}
	slices.SortFunc(own, func(a, b rooms.Info) int {
		return cmp.Or(cmp.Compare(fold(a.Title()), fold(b.Title())), cmp.Compare(a.ID, b.ID))
	})
	return own
}

// title shows the name of a room within a sentence.
func title(info rooms.Info) string { return protocol.Quoted(info.Title(), 0) }

// titles shows rooms so that each can be told from the others, at most so many.
func titles(list []rooms.Info, most int) []protocol.Text {
	var out []protocol.Text
	for i, info := range list {
		if i == most {
			break
		}
		t := protocol.Plain(title(info))
		same := func(o rooms.Info) bool { return o.ID != info.ID && fold(o.Title()) == fold(info.Title()) }
		if slices.ContainsFunc(list, same) {
			t = protocol.Join(t, " (", protocol.Code(string(info.ID)), ")")
		}
		out = append(out, t)
	}
	return out
}

// findRoom finds the room that a word names among those given. With loose, some letters of its name in their order are
// enough if they are in one name only. A mistake names rooms that others need not know the person is in.
func (s *manner) findRoom(own []rooms.Info, w string, loose bool) (rooms.Info, *Mistake) {
	w = protocol.OneLine(w)
	f := fold(w)
	var fit []rooms.Info
	var names []string
	for _, info := range own {
		if string(info.ID) == w {
			return info, nil
		}
		if info.ID.Local() == w || f != "" && (f == fold(info.Alias) || f == fold(info.Title())) {
			fit = append(fit, info)
		}
		names = append(names, info.Title())
	}
	switch {
	case len(fit) == 1:
		return fit[0], nil
	case len(fit) > 1:
		return rooms.Info{}, s.mistake("several rooms of that name", "several-rooms", typed("Word", w),
			say.Part("Rooms", s.speaker().Or(titles(fit, 5)))).aside()
	}
	if loose {
		if i, n := spelled(w, names); n == 1 {
			return own[i], nil
		}
	}
	const why = "no such room"
	var near []rooms.Info
	for _, i := range nearest(w, names, 3) {
		near = append(near, own[i])
	}
	if len(near) > 0 {
		return rooms.Info{}, s.mistake(why, "no-room-meant", typed("Word", w), say.Part("Meant", s.speaker().Or(titles(near, 3)))).aside()
	}
	return rooms.Info{}, s.mistake(why, "no-room", typed("Word", w), s.commandSlot("rooms")).aside()
}

// StillReading says why a room that two share may not be known yet. Which one that is, it must not tell.
func StillReading(l say.Language) protocol.Text { return catalogue.In(l).Say("still-reading") }

// about finds the room that a command in private is about.
func (s *manner) about(tx *store.Tx, person protocol.UserID, g given, outside ...rooms.Info) (rooms.Info, *Mistake) {
	own := OwnRooms(tx, person)
	if g.has(inFlag) || len(own) == 0 {
		own = append(own, outside...)
	}
	if g.has(inFlag) {
		return s.findRoom(own, g[inFlag][0], false)
	}
	if id := Chosen(tx, person); id != "" {
		return s.chosenRoom(own, id)
	}
	switch len(own) {
	case 0:
		return rooms.Info{}, s.mistake("no room", "no-room-shared", say.Part("Why", s.speaker().Say("still-reading")))
	case 1:
		return own[0], nil
	}
	const most = 6
	list := s.speaker().And(titles(own, most))
	if more := len(own) - most; more > 0 {
		list = s.speaker().Say("rooms-more", say.Part("Rooms", list), say.Number("More", more))
	}
	return rooms.Info{}, s.mistake("no room named", s.way("which-room"), say.Part("Rooms", list), s.inSlot(), s.useSlot())
}

// chosenRoom is the room that a person has chosen, if they still share it. It is not fallen back from in silence: what is
// meant for one room must not happen in another.
func (s *manner) chosenRoom(own []rooms.Info, id protocol.RoomID) (rooms.Info, *Mistake) {
	if i := slices.IndexFunc(own, func(o rooms.Info) bool { return o.ID == id }); i >= 0 {
		return own[i], nil
	}
	// It has no name here: the person knew one when they chose it, and must not learn of another.
	return rooms.Info{}, s.mistake("no such room", "room-gone", s.useSlot(), say.Code("Back", s.code("use -")))
}
