package standard

import (
	"strings"

	"moot/commands"
	"moot/internal/alike"
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
		Run:  func(c *commands.Call) error { return c.Answerf("pong") },
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
			lines := []protocol.Text{protocol.Join("You are ", protocol.Code(string(c.Person)), ".")}
			if c.Role == commands.Operator {
				lines = append(lines, protocol.Plain("You are one of those who operate me."))
			}
			if c.Room.ID != "" {
				lines = append(lines, hereYouAre(c)...)
			}
			own := commands.OwnRooms(c.Tx, c.Person)
			lines = append(lines, protocol.Join("We share ", plural(len(own), "room", "rooms"), "; ", c.Code("rooms"), " lists them."))
			if info, ok := chosen(c, own); ok {
				lines = append(lines, protocol.Join("What you ask in private is about ", title(info.Title()), "."))
			}
			return c.Answer(protocol.Lines(lines...))
		},
	}
}

// hereYouAre says what the person is in the room in which they ask.
func hereYouAre(c *commands.Call) []protocol.Text {
	here := protocol.Join("In ", title(c.Room.Title()), " you are a member")
	m, known := rooms.Lookup(c.Tx, c.Room.ID, c.Person)
	if known {
		if m.Moderator {
			here = protocol.Join("In ", title(c.Room.Title()), " you are a moderator")
		}
		if since := rooms.Since(c.Room, m); m.Since.IsZero() {
			here = protocol.Join(here, " since before I first looked, on ", protocol.Moment(since))
		} else {
			here = protocol.Join(here, " since ", protocol.Moment(since))
		}
		here = protocol.Join(here, ", called ", title(m.Name))
	}
	lines := []protocol.Text{protocol.Join(here, ".")}
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
