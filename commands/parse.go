package commands

import (
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"moot/internal/say"
	"moot/protocol"
)

// given is what somebody gave a command: words by the name of the parameter, taken apart but not yet understood. It also
// holds what every command understands, under inFlag and helpFlag, and under loosely the names of the parameters whose
// value stood without quotes among other words, so that it may not be whole.
type given map[string][]string

const loosely = ""

func (g given) has(name string) bool { return len(g[name]) > 0 }

// find follows the words of a line into the tree as far as they lead. It returns where that is, the word that leads no
// further (zero if the line is at its end, or a command was reached), and what follows the words that lead there.
func (c *Commands) find(line string) (n *Node, stray, rest string) {
	n = &c.root
	s := scanner{s: line}
	for s.space() && len(n.subs) > 0 {
		before := s.at
		word, err := s.word()
		next := n.named(word)
		switch {
		case err != nil:
			word, _, _ = strings.Cut(line[before:], " ")
			return n, word, line[before:]
		case next == nil && fold(word) == "--"+helpFlag:
			return n, "", "" // a group says by itself how it works
		case next == nil && n.Else != "" && n.Takes(word):
			return n.byName[n.Else], "", line[before:]
		case next == nil && n.alone() != nil && begins(line[before:]):
			return n.alone(), "", line[before:] // a flag of the command that runs alone
		case next == nil:
			return n, word, line[before:]
		}
		n = next
	}
	if alone := n.alone(); alone != nil {
		n = alone
	}
	return n, "", s.rest()
}

// begins reports whether a line begins with a flag, with whatever is written for its hyphens.
func begins(line string) bool {
	w, ok := flagAt(line)
	return ok && !w.weak && w.name != ""
}

// parseLine takes apart what was typed behind the words of a command.
func (s *manner) parseLine(n *Node, rest string) (given, *Mistake) {
	p := s.pass(n, s.unlisted(n, rest))
	for p.space() {
		done, m := p.next()
		if m != nil {
			return nil, m
		}
		if done {
			break
		}
	}
	return p.given, s.missing(n, p.given)
}

// linePass is one pass over a line.
type linePass struct {
	*manner
	scanner
	node   *Node
	places []*Param // that are still to be filled, in order
	open   *Param   // a name that further words may belong to; nil if there is none
	words  bool     // whether nothing is a flag any more
	given  given
}

func (s *manner) pass(n *Node, rest string) *linePass {
	p := &linePass{manner: s, node: n, scanner: scanner{s: rest}, given: given{}}
	for i := range n.Params {
		if !n.Params[i].ByName() {
			p.places = append(p.places, &n.Params[i])
		}
	}
	return p
}

// next takes the next word or flag, or all the rest. It tells whether it has taken all the rest.
func (p *linePass) next() (done bool, m *Mistake) {
	if !p.words {
		if taken, m := p.flagged(); taken || m != nil {
			return false, m
		}
	}
	if len(p.places) > 0 && p.places[0].Kind == Text {
		text := p.rest()
		if !p.words {
			if text, m = p.tail(text); m != nil {
				return false, m
			}
		}
		p.given[p.places[0].Name] = []string{unquoted(text)}
		return true, nil
	}
	bare := closing(firstRune(p.rest())) == "" && !strings.HasPrefix(p.rest(), "<@")
	word, err := p.word()
	switch {
	case err != nil:
		return false, p.unclosed(p.node)
	case len(p.places) == 0 && p.open != nil && bare:
		p.given[p.open.Name][0] += " " + word
		return false, nil
	case len(p.places) == 0:
		return false, p.tooMuch(p.node, word)
	}
	at := p.places[0]
	p.given[at.Name] = append(p.given[at.Name], word)
	if len(p.given[at.Name]) >= at.Repeat {
		p.places = p.places[1:]
	}
	p.open = nil
	if !bare || at.Repeat > 1 {
		return false, nil
	}
	switch at.Kind {
	case Person, Room:
		p.open = at
		fallthrough
	case Word:
		p.given[loosely] = append(p.given[loosely], at.Name)
	}
	return false, nil
}

// parseArgs takes apart what a native command interface brings.
func (s *manner) parseArgs(n *Node, args map[string]string) (given, *Mistake) {
	g := given{}
	known := map[string]bool{}
	mistaken := ""
	take := func(p *Param, slots []string) {
		for _, slot := range slots {
			known[slot] = true
			value := protocol.Clean(args[slot])
			if p.Kind != Text {
				value = protocol.OneLine(value)
			}
			if p.Kind != Text { // some write a name between quotes where it needs none
				value = unquoted(value)
			}
			if name := n.fieldFlag(value); name != "" && !p.ByName() && mistaken == "" {
				mistaken = name
			}
			if value = strings.TrimSpace(value); value != "" {
				g[p.Name] = append(g[p.Name], value)
			}
		}
	}
	for i := range n.Params {
		take(&n.Params[i], n.Params[i].Slots())
	}
	take(roomFlag, []string{inFlag})
	take(aboutFlag, []string{helpFlag})
	for _, name := range slices.Sorted(maps.Keys(args)) {
		if !known[name] {
			return nil, s.unknownFlag(n, name)
		}
	}
	if mistaken != "" {
		return nil, s.mistake("a flag within a field", "flag-in-field", typed("Word", "--"+mistaken), say.Code("Field", protocol.Code(mistaken)))
	}
	return g, s.missing(n, g)
}

// missing tells which parameter is required and was not given. Who asks for help needs none.
func (s *manner) missing(n *Node, g given) *Mistake {
	if g.has(helpFlag) {
		return nil
	}
	for i := range n.Params {
		p := &n.Params[i]
		if p.Required() && !slices.ContainsFunc(g[p.Name], func(v string) bool { return v != "" }) {
			return s.mistake("something is missing", "missing", s.labelSlot(p), s.summarySlot(n, p)).line(s.usageOf(n))
		}
	}
	return nil
}

func (s *manner) unclosed(n *Node) *Mistake {
	return s.mistake("a quotation does not end", "unclosed", say.Code("Backslash", protocol.Code(`\`))).also(s.moreAbout(n))
}

func (s *manner) tooMuch(n *Node, word string) *Mistake {
	const why = "too many words"
	m := s.mistake(why, "too-much", typed("Word", word))
	if i := slices.IndexFunc(n.Params, func(p Param) bool { return p.Repeat > 1 && !p.ByName() && !p.Joined }); i >= 0 {
		p := &n.Params[i]
		m = s.mistake(why, "too-many", say.Number("Most", p.Repeat), s.labelSlot(p), typed("Word", word))
	}
	if len(n.Params) == 0 {
		m = s.mistake(why, "by-itself", s.commandSlot(n.Title()), typed("Word", word))
	}
	return m.line(s.usageOf(n))
}

func (s *manner) noValue(n *Node, p *Param) *Mistake {
	return s.mistake("a flag without its value", "flag-alone", flagSlot(p.Name), s.summarySlot(n, p)).line(s.usageOf(n))
}

func (s *manner) unknownFlag(n *Node, name string) *Mistake {
	if s.native() { // an interface that was made for another version
		return s.mistake("an unknown field", "field-unknown", s.commandSlot(n.Title()), typed("Word", name)).also(s.moreAbout(n))
	}
	const why = "an unknown flag"
	if meant := n.nearFlag(name); meant != "" {
		return s.mistake(why, "flag-unknown-meant", s.commandSlot(n.Title()), typed("Word", "--"+name),
			say.Code("Meant", protocol.Code("--"+meant)))
	}
	return s.mistake(why, "flag-unknown", s.commandSlot(n.Title()), typed("Word", "--"+name), say.Code("Dashes", protocol.Code("--"))).
		also(s.moreAbout(n))
}

// nearFlag returns the flag of the command that is called nearly so; zero if none is.
func (n *Node) nearFlag(name string) string {
	var names []string
	for _, p := range n.Params {
		if p.ByName() && !p.Hidden {
			names = append(names, p.Name)
		}
	}
	if near := nearest(name, names, 1); len(near) > 0 {
		return names[near[0]]
	}
	return ""
}

// size returns how many characters, at least, somebody gave; counting stops above the limit.
func size(limit int, parts ...string) int {
	n := 0
	for _, p := range parts {
		if len(p) > limit*utf8.UTFMax {
			return limit + 1
		}
		n += utf8.RuneCountInString(p)
	}
	return n
}
