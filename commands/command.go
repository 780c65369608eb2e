package commands

import (
	"slices"
	"strconv"

	"moot/internal/say"
	"moot/protocol"
	"moot/store"
)

// Command is a command, or a group of commands that is one word for all of them. What is set here is never changed
// after it was given to [New].
type Command struct {
	// Name is one word of a-z, 0-9 and -, at most MaxName bytes long.
	Name string
	// Words is the catalogue that has the summary, the detail and the summaries of the parameters, under the ids command-NAME,
	// detail-NAME and param-NAME-PARAMETER, in which all words of the command stand with a hyphen between. Zero means that of
	// the group, or that what stands below is said, in every language.
	Words *say.Catalogue
	// Summary says what it does, in at most MaxSummary characters, beginning in lower case and without a full stop.
	Summary string
	// Detail says more, for the help about this command alone. Zero means that there is no more to say.
	Detail string
	// Examples are lines as they are typed, without the prefix.
	Examples []string
	// Params are what it takes: those by position in their order, those by name anywhere.
	Params     []Param
	Where      Where
	Who        Role
	Visibility Visibility
	// Challenged is whether it can also be used by who is challenged.
	Challenged bool
	// Ageless is whether it is obeyed however late it arrives.
	Ageless bool
	// Hidden is whether help and suggestions leave it out.
	Hidden bool
	// Outside is whether somebody can give it in private about a room that they are no longer in, where [Config.Reaches] says so.
	Outside bool
	// Sub makes it a group. A group has no Run and takes nothing.
	Sub []*Command
	// Alone is the command of a group that runs where the group is given without one; zero means that the group then
	// says what it holds. It requires no parameters.
	Alone string
	// Else is the command of a group that takes a word which is none of the group's and of which Takes says so, with all that
	// follows: "vote 3 yes" is "vote cast 3 yes". Zero means that there is none.
	Else  string
	Takes func(word string) bool
	// OnPerson is what the command is called in the menu of a person, on networks that have such menus: at most MaxName
	// characters, in upper case at the beginning. The person becomes its first parameter of that kind, and what else it
	// requires is asked for. Zero leaves it out.
	OnPerson string
	// Run does it. It reads and writes through the transaction of the call, under its scope, and answers through the
	// call. What the person has to be told instead it returns as an error of [Sorry], before it has written anything:
	// what it has written by then stays. Any other error is a fault.
	Run func(*Call) error
}

// requires tells whether it cannot run without being given something.
func (c *Command) requires() bool { return slices.ContainsFunc(c.Params, Param.Required) }

// Where says where a command may be given, and in which scope it runs.
type Where int

// The places.
const (
	// Anywhere is wherever it is given; it runs in the scope of the event.
	Anywhere Where = iota
	// NeedsRoom is about a room: the one in which it is given, or in private the one that is named or chosen. It runs in
	// the scope of that room.
	NeedsRoom
	// Personal is about the person who gives it. It may be given anywhere and runs in the scope of the person.
	Personal
	// PrivateOnly is refused everywhere but in private, where it runs in the scope of the person.
	PrivateOnly
)

// Role is what somebody is to the bot in a room, from the least to the most.
type Role int

// The roles. A moderator is one by the network; an operator is one by the configuration, everywhere.
const (
	Member Role = iota
	Moderator
	Operator
)

func (r Role) String() string {
	switch r {
	case Member:
		return "member"
	case Moderator:
		return "moderator"
	case Operator:
		return "operator"
	}
	return "role " + strconv.Itoa(int(r))
}

// Visibility says who sees the answers of a command.
type Visibility int

// The visibilities.
const (
	// Public answers are given where the command was.
	Public Visibility = iota
	// Private answers are seen by the person alone, wherever the command was given.
	Private
	// Discreet answers are Public where the command was typed for all to read, and Private where it came through the
	// network's own interface, which shows it to nobody else.
	Discreet
)

// In returns the visibility of the answers to what came as ev: Public or Private.
func (v Visibility) In(ev protocol.Event) Visibility {
	if _, native := ev.Body.(protocol.Invocation); v == Discreet && native {
		return Private
	}
	if v == Discreet {
		return Public
	}
	return v
}

// Kind is the kind of a parameter.
type Kind int

// The kinds.
const (
	// Word is one word, or several between quotes.
	Word Kind = iota
	// Text is all the rest of the message. It comes last.
	Text
	// Integer is a whole number.
	Integer
	// Duration is a length of time.
	Duration
	// Person is somebody in the room that the command is about, which therefore needs one.
	Person
	// Room is a room that the person shares with the bot. That they are in it is for them to tell: a command that takes
	// one answers privately, or does not name it.
	Room
	// Choice is one of a few words.
	Choice
	// Switch is there or not. It is always given by name.
	Switch
	// NamedRole is a role that the network knows: by its name, its id or a mention. Whether there is one the network tells.
	NamedRole
)

func (k Kind) String() string {
	names := [...]string{"word", "text", "integer", "duration", "person", "room", "choice", "switch", "role"}
	if k >= 0 && int(k) < len(names) {
		return names[k]
	}
	return "kind " + strconv.Itoa(int(k))
}

// Param is something that a command takes.
type Param struct {
	// Name is one word as that of a command.
	Name string
	Kind Kind
	// Summary says what it is for, in at most MaxSummary characters.
	Summary  string
	Optional bool
	// Flag is whether it is given by name, as --name VALUE. Such a one may always be left out.
	Flag bool
	// Repeat is how often it may be given at most, by position and as the last but for a Text; zero means once.
	Repeat int
	// Joined is whether what is repeated may as well stand in one value, with spaces between. A native interface then has
	// one field for it.
	Joined bool
	// Listed is whether what is repeated may as well stand one a line, or between bars. The parameter before it is then all that
	// stands before the first of them, with quotes or without. It is for a Repeat, of what is typed.
	Listed bool
	// Min and Max bound an Integer, a Duration in nanoseconds, and the characters of a Word or a Text. Both zero means no bounds.
	Min, Max int64
	// Choices are the values of a Choice; for a Room, words that may stand in the place of one.
	Choices []string
	// Fuzzy is whether a Room may also be named by some of the letters of its name, if they lead to one room only. It is
	// for what shows whom it understood and is easily taken back.
	Fuzzy bool
	// Outside is whether a Person may be somebody who is not in the room, named by mention or id.
	Outside bool
	// Hidden is whether it is brought by controls alone: help, completion and native interfaces leave it out. Such a one
	// is a Flag.
	Hidden bool
	// Complete returns what the person may mean who has typed the beginning of a value; zero leaves it to the kind.
	Complete func(tx *store.Tx, where CompletionContext, typed string) []string
}

// Required tells whether the command cannot do without it.
func (p Param) Required() bool { return !p.Optional && !p.ByName() }

// ByName tells whether it is given as --name and not by its position.
func (p Param) ByName() bool { return p.Flag || p.Kind == Switch }

// Slots returns the names under which an Invocation brings the values: that of the parameter, and for one that may be
// given several times "name-2", "name-3" and so on beside it. Where all values may stand in one, there is no more than a few
// of them.
func (p Param) Slots() []string {
	const joined = 11
	slots, most := []string{p.Name}, p.Repeat
	if p.Joined {
		most = min(most, joined)
	}
	for i := 2; i <= most; i++ {
		slots = append(slots, p.Name+"-"+strconv.Itoa(i))
	}
	return slots
}

func (p Param) bounded() bool { return p.Min != 0 || p.Max != 0 }

// within tells whether n lies between the bounds.
func (p Param) within(n int64) bool { return !p.bounded() || p.Min <= n && n <= p.Max }
