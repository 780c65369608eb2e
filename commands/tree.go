package commands

import (
	"cmp"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"moot/protocol"
	"moot/rooms"
	"moot/store"
)

// Limits of a tree. They are those of Discord, whose slash commands are made from it.
const (
	MaxName    = 32  // bytes of a name
	MaxSummary = 100 // characters of a summary or a choice
	MaxDepth   = 3   // words of a command
	MaxEntries = 25  // commands of a group, parameters of a command, choices of a parameter
)

// Defaults of Config.
const (
	DefaultMaxAge    = 15 * time.Minute
	DefaultMaxLength = 4000
	DefaultBurst     = 8
	DefaultEvery     = 3 * time.Second
)

// Errors of New.
var (
	// ErrConfig is the error of a Config that cannot be.
	ErrConfig = errors.New("configuration of commands")
	// ErrCommand is the error of a command that cannot be.
	ErrCommand = errors.New("command")
)

// Config says how commands are given and obeyed.
type Config struct {
	// Prefixes are what a command may begin with in a room, as "!moot"; there is at least one. Help shows the first. One
	// without a letter or a digit, as "!", is shared with other bots: behind it, what is no command is not answered.
	Prefixes []string
	// First are the titles of the commands with which help begins, each by its first example: those that most people want.
	First []string
	// Operators may do everything, in the rooms that they are in.
	Operators []protocol.UserID
	// MaxAge is how old a command may be that was caught up after a pause; zero means DefaultMaxAge.
	MaxAge time.Duration
	// MaxLength is how many characters a command may have; zero means DefaultMaxLength.
	MaxLength int
	// Burst is how many commands somebody may give at once, and Every after what time one more; zero means the defaults.
	// A negative Every means no limit.
	Burst int
	Every time.Duration
	// Reaches returns the rooms that somebody is not in, and about which they can still give commands that are for those
	// outside. Nil means that there are none.
	Reaches func(tx *store.Tx, person protocol.UserID) []rooms.Info
	// Replied returns the command that a message stands for which answers one of the bot's and is no command by itself, and what
	// is given with it, by the names of its parameters. Nil means that there is no such.
	Replied func(tx *store.Tx, ev protocol.Event, to protocol.EventID, text string) (path []string, given map[string][]string)
	// Pressed returns the command that a response stands for to a poll which the bot has put to one person in private, and what is
	// given with it, by the names of its parameters. Nil means that there is no such.
	Pressed func(tx *store.Tx, ev protocol.Event, r protocol.PollResponse) (path []string, given map[string][]string)
	// Challenged tells whether somebody is challenged in a room, and why, in a sentence or two that also say what can be
	// done. Nil means that nobody is.
	Challenged func(tx *store.Tx, room protocol.RoomID, user protocol.UserID) (why protocol.Text, is bool)
}

// Commands is a tree of commands. It never changes, and its methods may be called concurrently, each with a transaction
// of its own.
type Commands struct {
	config    Config
	prefixes  []prefix // the longest first
	operators map[protocol.UserID]bool
	root      Node
}

// Node is a command in its place in the tree.
type Node struct {
	*Command
	// Path are the words that lead to it.
	Path []string

	subs      []*Node // in the order of the Command
	byName    map[string]*Node
	elsewhere func() map[string]*Node // by what they are called in the languages; nil where there are none
}

// Title returns the words that lead to it as one.
func (n *Node) Title() string { return strings.Join(n.Path, " ") }

// Subs returns what the group holds, in its order; nothing for a command.
func (n *Node) Subs() []*Node { return slices.Clone(n.subs) }

// alone returns the command that runs where the group is given without one; nil if there is none.
func (n *Node) alone() *Node { return n.byName[n.Alone] }

// New returns the tree of the given commands, or all that is wrong with them.
func New(config Config, list ...*Command) (*Commands, error) {
	c := &Commands{
		config:    config,
		operators: map[protocol.UserID]bool{},
		root:      Node{Command: &Command{Sub: list}},
	}
	c.config.MaxAge = cmp.Or(config.MaxAge, DefaultMaxAge)
	c.config.MaxLength = cmp.Or(config.MaxLength, DefaultMaxLength)
	c.config.Burst = cmp.Or(config.Burst, DefaultBurst)
	c.config.Every = cmp.Or(config.Every, DefaultEvery)
	for _, id := range config.Operators {
		c.operators[id] = true
	}
	for _, p := range config.Prefixes {
		c.prefixes = append(c.prefixes, prefixOf(p))
	}
	slices.SortStableFunc(c.prefixes, func(a, b prefix) int { return len(b.mark+b.word) - len(a.mark+a.word) })
	errs := c.config.check()
	errs = append(errs, c.root.grow()...)
	for _, title := range config.First {
		if n, ok := c.Find(strings.Fields(title)...); !ok || len(n.subs) > 0 {
			errs = append(errs, fmt.Errorf("%w: help cannot begin with %q, which is no command", ErrConfig, title))
		}
	}
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	return c, nil
}

// Walk goes through all commands and groups, each group before what it holds, in the order in which they were given.
func (c *Commands) Walk() iter.Seq[*Node] {
	return func(yield func(*Node) bool) {
		var walk func(*Node) bool
		walk = func(n *Node) bool {
			for _, s := range n.subs {
				if !yield(s) || !walk(s) {
					return false
				}
			}
			return true
		}
		walk(&c.root)
	}
}

// Find returns the command or group to which the words lead, and whether there is one.
func (c *Commands) Find(path ...string) (*Node, bool) {
	n := &c.root
	for _, name := range path {
		if n = n.named(name); n == nil {
			return nil, false
		}
	}
	return n, n != &c.root
}

// Prefix returns what help shows before a command that is typed in a room.
func (c *Commands) Prefix() string { return c.config.Prefixes[0] }

func (c Config) check() (errs []error) {
	fail := func(format string, args ...any) {
		errs = append(errs, fmt.Errorf("%w: %w", ErrConfig, fmt.Errorf(format, args...)))
	}
	if len(c.Prefixes) == 0 {
		fail("there is no prefix")
	}
	for _, p := range c.Prefixes {
		if p == "" || p != protocol.OneLine(p) || strings.Contains(p, " ") || len(p) > MaxName {
			fail("prefix %q: it is 1 to %d bytes without white space", p, MaxName)
		}
	}
	if c.MaxAge < 0 || c.MaxLength < 1 || c.Burst < 1 {
		fail("an age, a length and a burst are positive")
	}
	for _, id := range c.Operators {
		if id.Network() == "" || id.Local() == string(id) || protocol.CheckID(string(id)) != nil {
			fail("operator %q: it is no id of a person, such as matrix:@ann:example.org", id)
		}
	}
	return errs
}

// grow makes the nodes below this one, and returns what is wrong with their commands.
func (n *Node) grow() (errs []error) {
	fail := func(err error) { errs = append(errs, fmt.Errorf("%w %q: %w", ErrCommand, n.Title(), err)) }
	n.byName = map[string]*Node{}
	if len(n.Sub) > MaxEntries && len(n.Path) > 0 {
		fail(fmt.Errorf("it holds more than %d commands", MaxEntries))
	}
	for _, sub := range n.Sub {
		if sub == nil {
			fail(errors.New("one of its commands is nil"))
			continue
		}
		s := &Node{Command: sub, Path: append(slices.Clone(n.Path), sub.Name)}
		s.texts(n.Words)
		if n.byName[sub.Name] != nil {
			fail(fmt.Errorf("two of its commands are called %q", sub.Name))
			continue
		}
		n.byName[sub.Name] = s
		n.subs = append(n.subs, s)
		if err := s.check(); err != nil {
			errs = append(errs, fmt.Errorf("%w %q: %w", ErrCommand, s.Title(), err))
			continue
		}
		errs = append(errs, s.grow()...)
	}
	n.elsewhere = sync.OnceValue(n.names)
	return errs
}

// check tells what is wrong with the command by itself.
func (n *Node) check() error {
	if err := checkName(n.Name); err != nil {
		return err
	}
	if err := checkSummary(n.Summary); err != nil {
		return err
	}
	group := len(n.Sub) > 0
	switch {
	case len(n.Path) > MaxDepth:
		return fmt.Errorf("it has more than %d words", MaxDepth)
	case group && (n.Run != nil || len(n.Params) > 0):
		return errors.New("it is a group, which neither runs nor takes anything")
	case !group && n.Run == nil:
		return errors.New("it has neither Run nor commands of its own")
	case n.Alone != "" && !slices.ContainsFunc(n.Sub, func(c *Command) bool { return c.Name == n.Alone && c.Run != nil && !c.requires() }):
		return fmt.Errorf("%q cannot run where the group is given alone", n.Alone)
	case n.Else != "" && (n.Takes == nil || !slices.ContainsFunc(n.Sub, func(c *Command) bool { return c.Name == n.Else && c.Run != nil })):
		return fmt.Errorf("%q cannot take what is no command of the group", n.Else)
	case n.Where < Anywhere || n.Where > PrivateOnly:
		return errors.New("its place is unknown")
	case n.Who < Member || n.Who > Operator:
		return errors.New("its role is unknown")
	case n.Who == Moderator && n.Where != NeedsRoom:
		return errors.New("it is for moderators, who are so in a room, and so it needs one")
	case n.OnPerson != "" && (n.OnPerson != protocol.OneLine(n.OnPerson) || utf8.RuneCountInString(n.OnPerson) > MaxName || !n.takesPerson()):
		return errors.New("it cannot stand in the menu of a person: it takes none, or its name there is too long")
	case n.Visibility < Public || n.Visibility > Discreet:
		return errors.New("its visibility is unknown")
	}
	return n.checkParams()
}

func (n *Node) takesPerson() bool {
	return slices.ContainsFunc(n.Params, func(p Param) bool { return p.Kind == Person })
}

func (n *Node) checkParams() error {
	names, slots, optional := map[string]bool{}, 0, false
	var last *Param // by position
	for i := range n.Params {
		p := &n.Params[i]
		err := p.check(n.Where)
		switch {
		case err != nil:
		case slices.ContainsFunc(p.Slots(), func(slot string) bool { return names[slot] }):
			err = errors.New("there are two of that name")
		case p.ByName():
		case last != nil && last.Kind == Text:
			err = fmt.Errorf("%q before it takes all the rest", last.Name)
		case last != nil && last.Repeat > 1 && p.Kind != Text:
			err = fmt.Errorf("%q before it may be repeated and therefore comes last", last.Name)
		case optional && p.Required():
			err = errors.New("it is required and comes after one that may be left out")
		}
		if err != nil {
			return fmt.Errorf("parameter %q: %w", p.Name, err)
		}
		if !p.ByName() {
			last, optional = p, optional || p.Optional
		}
		for _, s := range p.Slots() {
			names[s] = true
			slots++
		}
	}
	if slots > MaxEntries {
		return fmt.Errorf("it takes more than %d parameters", MaxEntries)
	}
	return nil
}

// Names that mean the same to every command.
const (
	inFlag   = "in"
	helpFlag = "help"
)

func (p *Param) check(where Where) error {
	if err := checkName(p.Name); err != nil {
		return err
	}
	if err := checkSummary(p.Summary); err != nil {
		return err
	}
	switch {
	case p.Name == inFlag || p.Name == helpFlag:
		return errors.New("that name means the same to every command")
	case p.Kind < Word || p.Kind > NamedRole:
		return errors.New("its kind is unknown")
	case p.Listed && p.Repeat < 2:
		return errors.New("it is no list")
	case p.Repeat < 0 || p.Repeat > 1 && (p.ByName() && !p.Hidden || p.Kind == Text):
		return errors.New("it cannot be repeated")
	case p.Hidden && !p.ByName():
		return errors.New("what is hidden is given by name")
	case p.Kind == Text && p.Flag:
		return errors.New("what takes all the rest is not given by name")
	case p.Kind == Person && where != NeedsRoom:
		return errors.New("people are looked for in a room, and so the command needs one")
	case p.Kind == Choice && len(p.Choices) == 0:
		return errors.New("it has no choices")
	case p.Kind != Choice && p.Kind != Room && len(p.Choices) > 0, p.Kind != Room && p.Fuzzy, p.Kind != Person && p.Outside:
		return fmt.Errorf("a %s cannot have that", p.Kind)
	case p.bounded() && p.Kind != Integer && p.Kind != Duration && p.Kind != Word && p.Kind != Text:
		return fmt.Errorf("a %s has no bounds", p.Kind)
	case p.Max < p.Min:
		return errors.New("its upper bound is below the lower one")
	case len(p.Choices) > MaxEntries:
		return fmt.Errorf("it has more than %d choices", MaxEntries)
	}
	seen := map[string]bool{}
	for _, choice := range p.Choices {
		if choice == "" || choice != protocol.OneLine(choice) || utf8.RuneCountInString(choice) > MaxSummary || seen[fold(choice)] {
			return fmt.Errorf("choice %q is empty, too long, not clean, or there twice", choice)
		}
		seen[fold(choice)] = true
	}
	return nil
}

func checkName(name string) error {
	if name == "" || len(name) > MaxName {
		return fmt.Errorf("a name has 1 to %d characters", MaxName)
	}
	for i, r := range name {
		if (r < 'a' || r > 'z') && (r < '0' || r > '9') && (r != '-' || i == 0) {
			return errors.New("a name is made of a-z, 0-9 and -, and does not begin with -")
		}
	}
	return nil
}

func checkSummary(s string) error {
	n := utf8.RuneCountInString(s)
	switch {
	case n == 0 || n > MaxSummary:
		return fmt.Errorf("the summary has %d characters, where 1 to %d are allowed", n, MaxSummary)
	case s != protocol.OneLine(s):
		return errors.New("the summary is not one clean line")
	}
	return nil
}

// shared reports whether a prefix is one that other bots use too.
func shared(prefix string) bool { return !strings.ContainsFunc(prefix, isWordRune) }
