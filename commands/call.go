package commands

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"moot/internal/languages"
	"moot/internal/say"
	"moot/protocol"
	"moot/rooms"
	"moot/store"
)

// Call is one run of a command, as its Run sees it. It is valid until Run returns.
//
// The methods that return the value of a parameter return the zero value where it was left out, and panic if the command
// has no such parameter of that kind.
type Call struct {
	// Tx writes under the scope that [Where] says.
	Tx *store.Tx
	// Event is what gave the command. The text of a message is clean and without what addressed the bot.
	Event protocol.Event
	// Person is who gave it, and Role what they are in Room.
	Person protocol.UserID
	Role   Role
	// Room is the room that the command is about. For a command that needs none it is the room in which it was given, and
	// has no id in private.
	Room rooms.Info
	// Command is the command that runs.
	Command *Node

	run *run
}

// Answer says something to the person, as the Visibility of the command says. It becomes one message; what is longer than
// MaxAnswer is cut at the end of a line.
func (c *Call) Answer(text protocol.Text) error { return c.run.answer(c.Command.Visibility, text) }

// Answered returns the key of the last answer; zero before there is one.
func (c *Call) Answered() protocol.Key { return c.run.key }

// Answerf is Answer with formatting. Words of people go through [protocol.Quoted] or [protocol.OneLine] first.
func (c *Call) Answerf(format string, args ...any) error {
	return c.Answer(protocol.Plainf(format, args...))
}

// Later says that the answer comes in a later transaction, and not from here. Until then nothing is said.
func (c *Call) Later() { c.run.said = true }

// Whisper is Answer to the person alone, whatever the Visibility of the command.
func (c *Call) Whisper(text protocol.Text) error { return c.run.answer(Private, text) }

// WhisperFile is Whisper with a file. Where the network does not take it, the person is told otherwise in its place.
func (c *Call) WhisperFile(text protocol.Text, file protocol.File, otherwise protocol.Text) error {
	return c.run.file(text, file, otherwise)
}

// Tick says that a command was obeyed, by ✅ on the message that gave it. The words are said where that cannot be: in a private
// conversation, through the network's own interface, and where the bot may not react.
func (c *Call) Tick(text protocol.Text) error { return c.run.tick(c.Command.Visibility, text) }

// Language returns the language in which the command is answered: that of the room where others read the answer, and else that of
// the person.
func (c *Call) Language() say.Language {
	if c.Event.Private || c.Command.Visibility.In(c.Event) == Private {
		return c.OwnLanguage()
	}
	return languages.Room(c.Tx, c.Room.ID)
}

// OwnLanguage returns the language of what the person alone reads, as by [Call.Whisper].
func (c *Call) OwnLanguage() say.Language {
	return languages.To(c.Tx, c.Person, cmp.Or(c.Room.ID, Chosen(c.Tx, c.Person)))
}

// Code shows a line as it is given where the command was: with a prefix in a room, without one in private, with the fields
// of the network's own interface where it came through that. It is about the same room, if that was named behind --in.
func (c *Call) Code(line string) protocol.Text {
	if in := c.run.given[inFlag]; len(in) > 0 && !strings.Contains(line+" ", " --"+inFlag+" ") {
		if n, _, _ := c.run.find(line); n.Where == NeedsRoom {
			line += " --" + inFlag + " " + quoted(in[0])
		}
	}
	return c.run.code(line)
}

// NamedIn says how a command in private names the room that it is about, behind "name it".
func (c *Call) NamedIn() protocol.Text { return c.run.say(c.run.way("named-in"), c.run.inSlot()) }

// Aside tells whether the command was given where not the whole room reads the answer: in private, in a place that not every member
// sees, or in one in which the bot may not write.
func (c *Call) Aside() bool { return c.Event.Private || c.Event.Hidden || c.Event.Mute }

// Native tells whether the command came through the network's own interface, which nobody else has seen.
func (c *Call) Native() bool { return c.run.native() }

// Again shows how to give the command again, with the given flags.
func (c *Call) Again(flags string) protocol.Text { return c.Code(c.Command.Title() + " " + flags) }

// Tree returns the commands of which this is one.
func (c *Call) Tree() *Commands { return c.run.Commands }

// Help returns the help about the command or group to which the words lead, or about everything that the person can use
// where they are. The error is a Mistake.
func (c *Call) Help(path ...string) (protocol.Text, error) { return c.run.help(path) }

// Challenged tells whether the person is challenged in the room, and why.
func (c *Call) Challenged() (why protocol.Text, is bool) { return c.run.challenged() }

// Loose reports whether the value of a Word was typed without quotes: it may be the first of several that are meant.
func (c *Call) Loose(name string) bool { return slices.Contains(c.run.given[loosely], name) }

// Has tells whether the parameter was given.
func (c *Call) Has(name string) bool { return len(c.run.values[name]) > 0 }

// Word returns the value of a Word, a Text, a Choice or a NamedRole, or the choice that stands in the place of a Room. Whom a person
// mentions in it is written out, and not mentioned when it is shown.
func (c *Call) Word(name string) string { return c.one(name, Word, Text, Choice, Room, NamedRole).word }

// Words returns all values of a Word or a Choice that may be given several times.
func (c *Call) Words(name string) []string {
	c.check(name, Word, Choice)
	var all []string
	for _, v := range c.run.values[name] {
		all = append(all, v.word)
	}
	return all
}

// Integer returns the value of an Integer.
func (c *Call) Integer(name string) int64 { return c.one(name, Integer).number }

// Duration returns the value of a Duration.
func (c *Call) Duration(name string) time.Duration {
	return time.Duration(c.one(name, Duration).number)
}

// Switch returns whether a Switch is on.
func (c *Call) Switch(name string) bool { return c.one(name, Switch).on }

// Somebody returns the value of a Person, and whether they are in the room: if they are not, only the id and a name are
// known.
func (c *Call) Somebody(name string) (who rooms.Member, in bool) {
	v := c.one(name, Person)
	return v.person, v.in
}

// Place returns the value of a Room. It has no id where a choice stands in its place.
func (c *Call) Place(name string) rooms.Info { return c.one(name, Room).room }

func (c *Call) one(name string, kinds ...Kind) value {
	c.check(name, kinds...)
	if all := c.run.values[name]; len(all) > 0 {
		return all[0]
	}
	return value{}
}

func (c *Call) check(name string, kinds ...Kind) {
	for _, p := range c.Command.Params {
		if p.Name != name {
			continue
		}
		for _, k := range kinds {
			if p.Kind == k {
				return
			}
		}
	}
	panic(fmt.Sprintf("commands: %q has no parameter %q of kind %v", c.Command.Title(), name, kinds))
}
