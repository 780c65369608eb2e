package standard

import (
	"strings"

	"moot/commands"
	"moot/internal/alike"
	"moot/internal/say"
	"moot/protocol"
	"moot/rooms"
	"moot/store"
)

func help() *commands.Command {
	return &commands.Command{
		Name: "help",
		Params: []commands.Param{{
			Name: "command", Kind: commands.Word, Optional: true, Repeat: commands.MaxDepth, Joined: true,
			Complete: completeCommand,
		}},
		Visibility: commands.Discreet,
		Examples:   []string{"help", "help members"},
		Challenged: true,
		Run: func(c *commands.Call) error {
			text, err := c.Help(strings.Fields(strings.Join(c.Words("command"), " "))...)
			if err != nil {
				return err
			}
			return c.Answer(text)
		},
	}
}

func completeCommand(_ *store.Tx, where commands.CompletionContext, typed string) []string {
	before := where.Given("command")
	var names []string
	if where.Native() { // where there is one field for all of its words
		for n := range where.Tree().Walk() {
			if !n.Hidden && strings.HasPrefix(n.Title(), alike.Fold(typed)) {
				names = append(names, n.Title())
			}
		}
		return names
	}
	for n := range where.Tree().Walk() {
		parent, name := n.Path[:len(n.Path)-1], n.Path[len(n.Path)-1]
		if !n.Hidden && alike.Fold(strings.Join(before, " ")) == strings.Join(parent, " ") && strings.HasPrefix(name, alike.Fold(typed)) {
			names = append(names, name)
		}
	}
	return names
}

func ping() *commands.Command {
	return &commands.Command{
		Name: "ping",
		Run:  func(c *commands.Call) error { return c.Answer(answers(c).Say("pong")) },
	}
}

func (conf Config) version() *commands.Command {
	return &commands.Command{
		Name: "version",
		Run:  func(c *commands.Call) error { return c.Answer(protocol.Plain(conf.Version)) },
	}
}

func whoami() *commands.Command {
	return &commands.Command{
		Name:       "whoami",
		Visibility: commands.Private,
		Challenged: true,
		Run: func(c *commands.Call) error {
			s := answers(c)
			lines := []protocol.Text{s.Say("you-are", id(c.Person))}
			if c.Role == commands.Operator {
				lines = append(lines, s.Say("you-operate"))
			}
			if c.Room.ID != "" {
				lines = append(lines, hereYouAre(c)...)
			}
			own := commands.OwnRooms(c.Tx, c.Person)
			lines = append(lines, s.Say("share", say.Count("N", len(own)), say.Code("Command", c.Code("rooms"))))
			if info, ok := chosen(c, own); ok {
				lines = append(lines, s.Say("private-about", titled(info)))
			}
			return c.Answer(protocol.Lines(lines...))
		},
	}
}

// hereYouAre says what the person is in the room in which they ask.
func hereYouAre(c *commands.Call) []protocol.Text {
	message, slots := "here-member", []say.Slot{titled(c.Room)}
	if m, known := rooms.Lookup(c.Tx, c.Room.ID, c.Person); known {
		if m.Moderator {
			message = "here-moderator"
		}
		if m.Since.IsZero() {
			message += "-before"
		} else {
			message += "-called"
		}
		slots = append(slots, say.Moment("Since", rooms.Since(c.Room, m)), say.Quoted("Name", m.Name, 0))
	}
	lines := []protocol.Text{answers(c).Say(message, slots...)}
	if why, is := c.Challenged(); is {
		lines = append(lines, why)
	}
	return lines
}

// chosen returns the room that the person has chosen, if they still share it.
func chosen(c *commands.Call, own []rooms.Info) (rooms.Info, bool) {
	id := commands.Chosen(c.Tx, c.Person)
	for _, info := range own {
		if info.ID == id {
			return info, true
		}
	}
	return rooms.Info{}, false
}
