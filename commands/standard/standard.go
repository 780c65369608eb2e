// Package standard has the commands that every moot ships with: what the bot is and can do, which rooms one shares with it
// and who is there, what has happened and why, and what it holds about a person.
//
// # Promises
//
//   - What one person may see is not shown to another: own facts, own events and own rooms are answered privately, and of
//     a room only those who are in it hear anything.
//   - mydata shows everything that is stored about a person, feature by feature, and forget me says of each piece whether
//     it is gone, or why it stays. A feature that stores something brings its [Personal].
//   - No answer mentions anybody.
package standard

import (
	"cmp"
	"time"

	"moot/commands"
	"moot/events"
)

// Config is what the commands need to know.
type Config struct {
	// Bus has the facts.
	Bus *events.Bus
	// Version is what the command version answers: name, number and what else tells one build from another.
	Version string
	// Outcomes are the facts that everybody in a room may see, by kind and keys; the scope is added. All others are seen by
	// moderators and by those whom they name.
	Outcomes []events.Query
	// Filters are the keys of facts by which the events of a room can be filtered, beside kind and person. Each is a flag.
	Filters []Filter
	// Personal is what features store about people, beside what this package knows of. It is shown in this order.
	Personal []Personal
	// RoomCommands are what else there is under room, beside what is known of it.
	RoomCommands []*commands.Command
	// Retention is for how long the bot remembers what it has handled, as it is told to people; zero means 60 days.
	Retention time.Duration
}

// Filter is a key of facts as a flag.
type Filter struct {
	Key    string   // its name is that of the flag too, and its summary is param-events-KEY of the catalogue
	Values []string // those that there are; nil means any word
}

// Commands returns the commands, in the order in which help shows them.
func Commands(c Config) []*commands.Command {
	c.Retention = cmp.Or(c.Retention, 60*24*time.Hour)
	list := []*commands.Command{
		help(), ping(), c.version(),
		c.room(), members(), c.events(), c.why(),
		whoami(), roomList(), use(), language(), c.mydata(), c.forget(),
	}
	for _, one := range list {
		one.Words = catalogue
	}
	return list
}

// pages is the parameter of what is listed page by page.
func pages() commands.Param {
	return commands.Param{
		Name: "page", Kind: commands.Integer, Flag: true, Min: 1, Max: maxPage,
	}
}
