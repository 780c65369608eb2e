package commands

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"moot/protocol"
	"moot/rooms"
	"moot/store"
)

// MaxCompletions is how many completions there are at most.
const MaxCompletions = 25

// CompletionContext says who is about to give a command, and where.
type CompletionContext struct {
	Person  protocol.UserID
	Room    protocol.RoomID // where they type; of no use in private
	Private bool

	commands *Commands
	given    given
	native   bool
}

// Tree returns the commands that are being completed.
func (w CompletionContext) Tree() *Commands { return w.commands }

// Native tells whether a field of a network's own interface is being filled in, rather than a line typed word by word.
func (w CompletionContext) Native() bool { return w.native }

// About returns the room that the command is about, if there is one that the person is in.
func (w CompletionContext) About(tx *store.Tx) (rooms.Info, bool) {
	info, _ := rooms.Get(tx, w.Room)
	if w.Private {
		var m *Mistake
		if info, m = (&manner{}).about(tx, w.Person, w.given); m != nil {
			return rooms.Info{}, false
		}
	}
	_, in := rooms.Lookup(tx, info.ID, w.Person)
	return info, in
}

// Given returns the values that the person has already given for a parameter.
func (w CompletionContext) Given(param string) []string { return slices.Clone(w.given[param]) }

// Complete returns what may stand in the place of the last word of a line, which is empty where the line ends with a
// space. It reads only, and what it returns is what the person may know.
func (c *Commands) Complete(tx *store.Tx, where CompletionContext, line string) []string {
	where.commands = c
	if len(line) > c.config.MaxLength {
		return nil
	}
	line = strings.TrimLeftFunc(protocol.Clean(line), unicode.IsSpace)
	rest, how := c.cutPrefix(line)
	glued := "" // a prefix that is one word with what follows
	switch {
	case how == notAddressed && !where.Private:
		return c.completePrefix(line)
	case how != notAddressed:
		p := line[:len(line)-len(rest)]
		if glued = strings.TrimRightFunc(p, unicode.IsSpace); glued != p {
			glued = ""
		} else if !shared(p) {
			return c.completePrefix(line) // it may be the beginning of a longer one
		}
	}
	w := lastWord(rest)
	n, stray, before := c.find(rest[:w.at])
	switch {
	case stray != "":
		return nil
	case len(n.subs) > 0:
		return c.completeName(tx, where, n, glued, w.typed)
	}
	return c.completeParam(tx, where, n, before, w)
}

// CompleteValue returns what the value of a parameter may be of which so much was typed, for a native command interface.
// Args are the other values that are already there.
func (c *Commands) CompleteValue(tx *store.Tx, where CompletionContext, path []string, param, typed string, args map[string]string) []string {
	n, ok := c.Find(path...)
	if !ok || len(n.subs) > 0 || len(typed) > c.config.MaxLength {
		return nil
	}
	where.commands, where.native = c, true
	where.given = given{}
	for name, value := range args {
		where.given[name] = []string{protocol.OneLine(value)}
	}
	p := n.flag(param)
	for i := range n.Params {
		if slices.Contains(n.Params[i].Slots(), param) {
			p = &n.Params[i]
		}
	}
	if p == nil {
		return nil
	}
	return c.values(tx, where, n, p, protocol.OneLine(typed))
}

// partial is the word at the end of a line that is being typed.
type partial struct {
	at    int    // where it begins
	typed string // what it says so far, without the quotation mark at its beginning
}

func lastWord(line string) partial {
	s := scanner{s: line}
	for s.space() {
		at := s.at
		word, err := s.word()
		switch {
		case err != nil:
			_, size := utf8.DecodeRuneInString(line[at:])
			return partial{at, line[at+size:]}
		case s.at == len(line):
			return partial{at, word}
		}
	}
	return partial{at: len(line)}
}

func (c *Commands) completePrefix(line string) []string {
	if line == "" {
		return nil
	}
	return slices.DeleteFunc(matching(line, c.config.Prefixes), func(p string) bool { return p == line })
}

func (c *Commands) completeName(tx *store.Tx, where CompletionContext, n *Node, glued, typed string) []string {
	seat := c.seatOf(tx, where.Person, where.Room, where.Private)
	var names []string
	for _, s := range n.subs {
		if seat.offered(s) {
			names = append(names, s.Name)
		}
	}
	if len(n.Path) == 0 {
		typed = strings.TrimPrefix(typed, glued)
	} else {
		glued = ""
	}
	names = matching(typed, names)
	for i := range names {
		names[i] = glued + names[i]
	}
	return names
}

// completeParam completes a word behind those of a command.
func (c *Commands) completeParam(tx *store.Tx, where CompletionContext, n *Node, before string, w partial) []string {
	pass := (&manner{}).pass(n, before)
	for pass.space() {
		at := pass.at
		done, m := pass.next()
		switch {
		case done:
			return nil
		case m != nil:
			// A flag at the end whose value is what is being typed.
			name, plain := strings.CutPrefix(strings.TrimSpace(before[at:]), "--")
			p := n.flag(fold(name))
			if !plain || p == nil {
				return nil
			}
			where.given = pass.given
			return quotedAll(c.values(tx, where, n, p, w.typed))
		}
	}
	where.given = pass.given
	if !pass.words && strings.HasPrefix(w.typed, "--") {
		return c.completeFlag(tx, where, n, w.typed)
	}
	if len(pass.places) == 0 {
		return nil
	}
	return quotedAll(c.values(tx, where, n, pass.places[0], w.typed))
}

func (c *Commands) completeFlag(tx *store.Tx, where CompletionContext, n *Node, typed string) []string {
	name, value, joined := strings.Cut(strings.TrimPrefix(typed, "--"), "=")
	if joined {
		p := n.flag(fold(name))
		if p == nil {
			return nil
		}
		values := quotedAll(c.values(tx, where, n, p, value))
		for i := range values {
			values[i] = "--" + p.Name + "=" + values[i]
		}
		return values
	}
	var names []string
	for _, p := range n.Params {
		if p.ByName() && !p.Hidden && !where.given.has(p.Name) {
			names = append(names, "--"+p.Name)
		}
	}
	if n.Where == NeedsRoom && where.Private {
		names = append(names, "--"+inFlag)
	}
	return matching(typed, append(names, "--"+helpFlag))
}

// values returns the values of a parameter that begin with what was typed. Who may not give the command completes nothing.
func (c *Commands) values(tx *store.Tx, where CompletionContext, n *Node, p *Param, typed string) []string {
	info, _ := where.About(tx)
	switch {
	case c.roleOf(tx, info.ID, where.Person) < n.Who:
		return nil
	case p.Complete != nil:
		all := p.Complete(tx, where, typed)
		return all[:min(len(all), MaxCompletions)]
	case p.Kind == Choice:
		return matching(typed, p.Choices)
	case p.Kind == Switch:
		return matching(typed, []string{"yes", "no"})
	case p.Kind == Room:
		return matching(typed, append(roomNames(OwnRooms(tx, where.Person)), p.Choices...))
	case p.Kind == Person:
		return c.people(tx, where, typed)
	}
	return nil
}

// people returns the members whose names begin with what was typed, of the room that the command is about.
func (c *Commands) people(tx *store.Tx, where CompletionContext, typed string) []string {
	info, ok := where.About(tx)
	if !ok || info.Count > maxNames {
		return nil
	}
	room := info.ID
	typed = fold(strings.TrimPrefix(typed, "@"))
	names := map[string]int{}
	var found []rooms.Member
	for m := range rooms.Members(tx, room) {
		names[fold(m.Name)]++
		if strings.HasPrefix(fold(m.Name), typed) || strings.HasPrefix(fold(m.User.Local()), typed) {
			found = append(found, m)
		}
	}
	var out []string
	for _, m := range found[:min(len(found), MaxCompletions)] {
		if names[fold(m.Name)] > 1 {
			out = append(out, string(m.User))
			continue
		}
		out = append(out, m.Name)
	}
	return out
}

// roomNames returns a word for each room that names it alone.
func roomNames(list []rooms.Info) []string {
	names := make([]string, len(list))
	for i, info := range list {
		names[i] = info.Title()
		if slices.ContainsFunc(list, func(o rooms.Info) bool { return o.ID != info.ID && fold(o.Title()) == fold(names[i]) }) {
			names[i] = string(info.ID)
		}
	}
	return names
}

// matching returns those of the words that begin with what was typed.
func matching(typed string, list []string) []string {
	var out []string
	for _, w := range list {
		if strings.HasPrefix(fold(w), fold(typed)) && len(out) < MaxCompletions {
			out = append(out, w)
		}
	}
	return out
}

func quotedAll(list []string) []string {
	out := make([]string, len(list))
	for i, w := range list {
		out[i] = quoted(w)
	}
	return out
}
