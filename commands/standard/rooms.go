package standard

import (
	"iter"
	"slices"
	"strings"

	"moot/commands"
	"moot/internal/alike"
	"moot/internal/say"
	"moot/protocol"
	"moot/rooms"
)

func roomList() *commands.Command {
	return &commands.Command{
		Name:       "rooms",
		Where:      commands.Personal,
		Visibility: commands.Private,
		Params:     []commands.Param{pages()},
		Run: func(c *commands.Call) error {
			own, s := commands.OwnRooms(c.Tx, c.Person), answers(c)
			if len(own) == 0 {
				return c.Answer(s.Say("share-none", say.Part("StillReading", commands.StillReading(c.Language()))))
			}
			now, _ := chosen(c, own)
			head := s.Say("share-choose", say.Number("N", len(own)), say.Code("Command", c.Code("use ROOM")))
			if len(own) == 1 {
				head = s.Say("share-one")
			}
			return answerPage(c, head, func(yield func(protocol.Text) bool) {
				for _, info := range own {
					line := s.Say("room-name", titled(info))
					if commands.Telling(info.ID.Local()) || namesake(own, info) {
						line = s.Say("room-id", titled(info), code("ID", string(info.ID)))
					}
					if info.ID == now.ID {
						line = s.Say("room-chosen", say.Part("Line", line))
					}
					if !yield(bullet(line)) {
						return
					}
				}
			}, "")
		},
	}
}

// namesake tells whether another room of the list has the same title.
func namesake(list []rooms.Info, info rooms.Info) bool {
	return slices.ContainsFunc(list, func(o rooms.Info) bool { return o.ID != info.ID && alike.Fold(o.Title()) == alike.Fold(info.Title()) })
}

func use() *commands.Command {
	return &commands.Command{
		Name:       "use",
		Where:      commands.Personal,
		Visibility: commands.Private,
		Params: []commands.Param{{
			Name: "room", Kind: commands.Room, Optional: true, Fuzzy: true, Choices: []string{"-"},
		}},
		Examples: []string{"use lobby", "use -"},
		Run: func(c *commands.Call) error {
			switch room := c.Place("room"); {
			case !c.Has("room"):
				return nowUsing(c)
			case room.ID == "":
				commands.Choose(c.Tx, "")
				return c.Answer(answers(c).Say("unchosen", say.Part("NamedIn", c.NamedIn())))
			default:
				commands.Choose(c.Tx, room.ID)
				return c.Answer(answers(c).Say("chosen-now", titled(room), say.Code("Back", c.Code("use -"))))
			}
		},
	}
}

func nowUsing(c *commands.Call) error {
	if info, ok := chosen(c, commands.OwnRooms(c.Tx, c.Person)); ok {
		return c.Answer(answers(c).Say("chosen-is", titled(info), say.Code("Back", c.Code("use -"))))
	}
	if commands.Chosen(c.Tx, c.Person) != "" {
		return c.Answer(answers(c).Say("chosen-lost", say.Code("Command", c.Code("rooms"))))
	}
	return c.Answer(answers(c).Say("chosen-none", say.Code("Command", c.Code("rooms"))))
}

// room is the group of what concerns a room; alone it shows the room.
func (conf Config) room() *commands.Command {
	show := showRoom()
	return &commands.Command{Name: "room", Where: show.Where, Alone: show.Name, Sub: append([]*commands.Command{show}, conf.RoomCommands...)}
}

func showRoom() *commands.Command {
	return &commands.Command{
		Name:  "show",
		Where: commands.NeedsRoom,
		Run: func(c *commands.Call) error {
			r, s := c.Room, answers(c)
			lines := []protocol.Text{s.Say("this-is", titled(r), code("ID", string(r.ID)))}
			add := func(id string, slots ...say.Slot) { lines = append(lines, bullet(s.Say(id, slots...))) }
			if topic := protocol.OneLine(r.Topic); topic != "" {
				add("topic", say.Quoted("Topic", topic, 300))
			}
			switch {
			case r.Members == rooms.Known:
				add("has-members", say.Count("N", r.Count))
			case r.Fault != "":
				add("list-fault")
			default:
				add("list-reading")
			}
			if names := moderators(c); len(names) > 0 {
				add("moderators", say.Part("People", say.Commas(names)))
			}
			add("since", say.Moment("At", r.JoinedAt))
			if !r.FirstJoined.Equal(r.JoinedAt) {
				add("first-came", say.Moment("At", r.FirstJoined))
			}
			if r.Encrypted {
				add("encrypted")
			}
			if r.Outage {
				add("unreachable")
			}
			if r.Successor != "" {
				add("given-up")
			}
			return c.Answer(protocol.Lines(lines...))
		},
	}
}

// membership says how many members a room has, as far as that is known, before they are listed.
func membership(s say.Speaker, r rooms.Info) protocol.Text {
	switch {
	case r.Members == rooms.Known && r.Count > maxListed:
		return s.Say("members-some", say.Count("N", r.Count), say.Number("Listed", maxListed))
	case r.Members == rooms.Known:
		return s.Say("members", say.Count("N", r.Count))
	case r.Fault != "":
		return s.Say("members-fault")
	}
	return s.Say("members-reading")
}

// maxListed is how many members are listed; more cannot be sorted, or read by people, in good time.
const maxListed = 5000

// moderators returns the names of the moderators, if they are not many.
func moderators(c *commands.Call) []protocol.Text {
	const most = 10
	var names []protocol.Text
	for m := range rooms.Moderators(c.Tx, c.Room.ID) {
		if names = append(names, answers(c).Say("member", say.Person("Who", protocol.Plain(protocol.Quoted(m.Name, 40))))); len(names) > most {
			return nil
		}
	}
	return names
}

func members() *commands.Command {
	return &commands.Command{
		Name:   "members",
		Where:  commands.NeedsRoom,
		Params: []commands.Param{pages()},
		Run: func(c *commands.Call) error {
			return answerPage(c, membership(answers(c), c.Room), memberLines(c), "")
		},
	}
}

func memberLines(c *commands.Call) iter.Seq[protocol.Text] {
	var list []rooms.Member
	for m := range rooms.Members(c.Tx, c.Room.ID) {
		if list = append(list, m); len(list) == maxListed {
			break
		}
	}
	slices.SortStableFunc(list, func(a, b rooms.Member) int {
		return strings.Compare(strings.ToLower(a.Name), strings.ToLower(b.Name))
	})
	return func(yield func(protocol.Text) bool) {
		for _, m := range list {
			if !yield(memberLine(answers(c), m, c.Person)) {
				return
			}
		}
	}
}

func memberLine(s say.Speaker, m rooms.Member, asker protocol.UserID) protocol.Text {
	who := say.Person("Who", protocol.Person(m.User, protocol.Shorten(m.Name, rooms.MaxName)))
	line := s.Say("member", who)
	if id := m.User.Local(); m.Name != id && commands.Telling(id) { // one that does not tell is shown by the mention
		line = s.Say("member-id", who, code("ID", id))
	}
	var notes []protocol.Text
	switch {
	case m.Self:
		notes = append(notes, s.Say("note-me"))
	case m.Bot:
		notes = append(notes, s.Say("note-bot"))
	}
	if m.User == asker {
		notes = append(notes, s.Say("note-you"))
	}
	if m.Moderator {
		notes = append(notes, s.Say("note-moderator"))
	}
	if len(notes) > 0 {
		line = s.Say("member-notes", say.Part("Line", line), say.Part("Notes", say.Commas(notes)))
	}
	return bullet(line)
}
