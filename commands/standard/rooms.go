package standard

import (
	"iter"
	"slices"
	"strings"

	"moot/commands"
	"moot/internal/alike"
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
			own := commands.OwnRooms(c.Tx, c.Person)
			if len(own) == 0 {
				return c.Answer(protocol.Join("We share no room that I know of. ", commands.StillReading(c.Language())))
			}
			now, _ := chosen(c, own)
			head := protocol.Join("We share ", plural(len(own), "room", "rooms"), ". Choose one with ", c.Code("use ROOM"),
				", and what you ask in private is about it:")
			if len(own) == 1 {
				head = protocol.Join("We share 1 room, and what you ask in private is about it:")
			}
			return answerPage(c, head, func(yield func(protocol.Text) bool) {
				for _, info := range own {
					line := bullet(title(info.Title()))
					if commands.Telling(info.ID.Local()) || namesake(own, info) {
						line = protocol.Join(line, " (", protocol.Code(string(info.ID)), ")")
					}
					if info.ID == now.ID {
						line = protocol.Join(line, " — chosen")
					}
					if !yield(line) {
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
				return c.Answer(protocol.Join("You have no room chosen any more. For one command, name it ", c.NamedIn(), "."))
			default:
				commands.Choose(c.Tx, room.ID)
				return c.Answer(protocol.Join("What you ask in private is now about ", title(room.Title()), ". ", c.Code("use -"), " takes that back."))
			}
		},
	}
}

func nowUsing(c *commands.Call) error {
	if info, ok := chosen(c, commands.OwnRooms(c.Tx, c.Person)); ok {
		return c.Answer(protocol.Join("What you ask in private is about ", title(info.Title()), ". ", c.Code("use -"), " takes that back."))
	}
	if commands.Chosen(c.Tx, c.Person) != "" {
		return c.Answer(protocol.Join("I do not find the room that you chose any more. ", c.Code("rooms"), " lists those that we share."))
	}
	return c.Answer(protocol.Join("You have not chosen a room. ", c.Code("rooms"), " lists those that we share."))
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
			r := c.Room
			lines := []protocol.Text{protocol.Join("This is ", title(r.Title()), " (", protocol.Code(string(r.ID)), "):")}
			add := func(parts ...any) { lines = append(lines, bullet(parts...)) }
			if topic := protocol.OneLine(r.Topic); topic != "" {
				add("Its topic is ", protocol.Quoted(topic, 300))
			}
			add(membership(r))
			if names := moderators(c); len(names) > 0 {
				add("Its moderators are ", strings.Join(names, ", "))
			}
			add("I have been here since ", protocol.Moment(r.JoinedAt))
			if !r.FirstJoined.Equal(r.JoinedAt) {
				add("I first came on ", protocol.Moment(r.FirstJoined))
			}
			if r.Encrypted {
				add("It is encrypted")
			}
			if r.Outage {
				add("The network cannot reach it at present")
			}
			if r.Successor != "" {
				add("It has been given up for another room")
			}
			return c.Answer(protocol.Lines(lines...))
		},
	}
}

// membership says how many members a room has, as far as that is known.
func membership(r rooms.Info) string {
	switch {
	case r.Members == rooms.Known:
		return "It has " + plural(r.Count, "member", "members") + ", me included"
	case r.Fault != "":
		return "I could not read the list of its members, and try again by myself"
	}
	return "I am still reading the list of its members"
}

// maxListed is how many members are listed; more cannot be sorted, or read by people, in good time.
const maxListed = 5000

// moderators returns the names of the moderators, if they are not many.
func moderators(c *commands.Call) []string {
	const most = 10
	var names []string
	for m := range rooms.Moderators(c.Tx, c.Room.ID) {
		if names = append(names, protocol.Quoted(m.Name, 40)); len(names) > most {
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
			head := membership(c.Room)
			if c.Room.Members == rooms.Known && c.Room.Count > maxListed {
				head += "; these are " + plural(maxListed, "of them", "of them")
			}
			if c.Room.Members != rooms.Known {
				head += "; I know of these"
			}
			return answerPage(c, protocol.Plain(head+":"), memberLines(c), "")
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
			if !yield(memberLine(m, c.Person)) {
				return
			}
		}
	}
}

func memberLine(m rooms.Member, asker protocol.UserID) protocol.Text {
	line := bullet(protocol.Person(m.User, protocol.Shorten(m.Name, rooms.MaxName)))
	if id := m.User.Local(); m.Name != id && commands.Telling(id) { // one that does not tell is shown by the mention
		line = protocol.Join(line, " (", protocol.Code(m.User.Local()), ")")
	}
	var notes []string
	switch {
	case m.Self:
		notes = append(notes, "me")
	case m.Bot:
		notes = append(notes, "a bot")
	}
	if m.User == asker {
		notes = append(notes, "you")
	}
	if m.Moderator {
		notes = append(notes, "moderator")
	}
	if len(notes) > 0 {
		line = protocol.Join(line, " — "+strings.Join(notes, ", "))
	}
	return line
}
