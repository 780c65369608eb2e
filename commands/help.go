package commands

import (
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"moot/protocol"
)

// usage shows how a command is typed, without what stands before it.
func (s *manner) usage(n *Node) string {
	parts := []string{n.Title()}
	if len(n.subs) > 0 {
		var names []string
		for _, sub := range s.shownSubs(n) {
			names = append(names, sub.Name)
		}
		return n.Title() + " " + strings.Join(names, "|")
	}
	for i := range n.Params {
		if !n.Params[i].Hidden {
			parts = append(parts, s.usageParam(&n.Params[i]))
		}
	}
	switch {
	case n.Where != NeedsRoom || !s.private:
	case s.native():
		parts = append(parts, "["+inFlag+":…]")
	default:
		parts = append(parts, "[--"+inFlag+" ROOM]")
	}
	return strings.Join(parts, " ")
}

// shownSubs returns the commands of a group that are shown: where it is known to whom, those that they may use.
func (s *manner) shownSubs(n *Node) []*Node {
	return slices.DeleteFunc(slices.Clone(n.subs), func(sub *Node) bool { return sub.Hidden || s.offered != nil && !s.offered(sub) })
}

func (s *manner) usageParam(p *Param) string {
	if s.native() {
		return p.field()
	}
	return p.usage()
}

// shown shows the usage of a command.
func (s *manner) shown(usage string) protocol.Text { return protocol.Code(s.lead + usage) }

// brief is usage without what is given by name, and where there are fields to fill in, without any of it.
func (s *manner) brief(n *Node) string {
	parts := []string{n.Title()}
	switch {
	case len(n.subs) > 0:
		return s.usage(n)
	case s.native():
		return n.Title()
	}
	for i := range n.Params {
		if p := &n.Params[i]; !p.ByName() {
			parts = append(parts, p.usage())
		}
	}
	return strings.Join(parts, " ")
}

func (p *Param) usage() string {
	what := strings.ToUpper(p.Name)
	switch {
	case p.Kind == Switch:
		return "[--" + p.Name + "]"
	case p.Kind == Choice && !p.Flag:
		if all := strings.Join(p.Choices, "|"); len(all) <= 40 {
			what = all
		}
	case p.Flag && p.Kind == Integer:
		what = "NUMBER"
	case p.Flag && p.Kind == Duration:
		what = "TIME"
	case p.Flag && p.Kind == Choice:
		what = strings.Join(p.Choices, "|")
	case p.Kind == Text:
		what += " …"
	}
	if p.Repeat > 1 {
		what += " …"
	}
	if p.Flag {
		what = "--" + p.Name + " " + what
	}
	if !p.Required() {
		what = "[" + what + "]"
	}
	return what
}

// hint says what is expected of the value of a parameter; zero where that needs no saying.
func (s *manner) hint(p *Param) string {
	switch {
	case p.Repeat > 1 && p.Joined:
		return "" // so many words, not so many things
	case !s.native():
	case p.Kind == Text, p.Kind == Person, p.Kind == Room, p.Kind == NamedRole:
		return "" // the interface shows it
	}
	switch p.Kind {
	case Word:
		if !s.native() && p.Max > longWord {
			return "between quotes if it has several words" + times(p.Repeat, ", and up to %d of them")
		}
	case Text:
		return "all the rest of the message"
	case Integer:
		return "a number" + numbers(p)
	case Duration:
		return "a length of time" + spans(p) + ", such as 90m, 2h30m, 3d or 1w"
	case NamedRole:
		return "a role of the server: a mention, an id, or its name, between quotes if it has several words"
	case Person:
		return "a mention, an id or an exact name"
	case Room:
		hint := "the name or the id of a room that we share"
		if p.Fuzzy {
			hint = "the name, a part of it, or the id of a room that we share"
		}
		if len(p.Choices) > 0 {
			hint += ", or " + strings.Join(p.Choices, ", ")
		}
		return hint
	case Choice:
		return "one of " + strings.Join(p.Choices, ", ")
	}
	return times(p.Repeat, "up to %d of them")
}

// longWord is from how many characters on a word is likely to be several.
const longWord = 40

// times says how often something can be given, in a format; nothing where that is once.
func times(n int, format string) string {
	if n <= 1 {
		return ""
	}
	return fmt.Sprintf(format, n)
}

// sentence makes a sentence of a summary.
func sentence(s string) string {
	r, size := utf8.DecodeRuneInString(s)
	return string(unicode.ToUpper(r)) + s[size:] + "."
}

// helpAbout explains a command or a group.
func (s *manner) helpAbout(n *Node) protocol.Text {
	lines := []protocol.Text{s.shown(s.usage(n)), protocol.Plain(sentence(n.Summary))}
	add := func(parts ...any) { lines = append(lines, protocol.Join(parts...)) }
	if n.Detail != "" {
		add(n.Detail)
	}
	subs := s.shownSubs(n)
	for _, sub := range subs {
		add("• ", s.shown(s.usage(sub)), " — "+sub.Summary)
	}
	for i := range n.Params {
		p := &n.Params[i]
		if p.Hidden {
			continue
		}
		line := protocol.Join("• ", s.label(p), " — "+p.Summary)
		if hint := s.hint(p); hint != "" {
			line = protocol.Join(line, " ("+hint+")")
		}
		lines = append(lines, line)
	}
	if len(n.Examples) > 0 {
		add("For example:")
		for _, e := range n.Examples {
			add("• ", s.code(e))
		}
	}
	if len(n.subs) > 0 {
		if len(subs) > 0 {
			add("More about one of them: ", s.code("help "+n.Title()+" "+subs[0].Name))
		}
		return protocol.Lines(lines...)
	}
	if rules := s.rules(n); rules != nil {
		lines = append(lines, rules)
	}
	return protocol.Lines(lines...)
}

// rules says who may use a command where; nil if there is nothing special about it.
func (s *manner) rules(n *Node) protocol.Text {
	var rules protocol.Text
	add := func(parts ...any) {
		if rules != nil {
			parts = append([]any{" "}, parts...)
		}
		rules = append(rules, protocol.Join(parts...)...)
	}
	switch n.Who {
	case Moderator:
		add("It is for moderators.")
	case Operator:
		add("It is for those who operate me.")
	}
	switch {
	case n.Where == PrivateOnly:
		add("It works in our private conversation only.")
	case n.Where == NeedsRoom && s.private:
		add("It is about the room that you name ", s.naming(), " or have chosen with ", s.code("use ROOM"), ".")
	}
	if n.Visibility == Private && !s.private {
		add("Only you see the answer.")
	}
	if n.Ageless {
		add("It counts however late it reaches me, unless what it is about has ended.")
	}
	return rules
}

// help explains what the path leads to, or lists what the person can use where they are.
func (r *run) help(path []string) (protocol.Text, error) {
	r.offered = r.seatOf(r.tx, r.ev.Sender, r.ev.Room, r.ev.Private).offered
	if len(path) == 0 {
		return r.overview(), nil
	}
	n, stray, _ := r.find(strings.Join(path, " "))
	if stray != "" {
		a := &asked{Commands: r.Commands, manner: r.manner, tx: r.tx, ev: r.ev, node: n}
		return nil, a.unknown(stray)
	}
	return r.helpAbout(n), nil
}

// overview lists the commands that the person can use where they are.
func (r *run) overview() protocol.Text {
	var here, room, own []protocol.Text
	for _, n := range r.root.subs {
		if !r.offered(n) || n.Where == PrivateOnly && !r.ev.Private {
			continue
		}
		line := protocol.Join("• ", r.shown(r.brief(n)), " — "+n.Summary)
		switch where(n) {
		case NeedsRoom:
			room = append(room, line)
		case Personal, PrivateOnly:
			own = append(own, line)
		default:
			here = append(here, line)
		}
	}
	var lines []protocol.Text
	add := func(parts ...any) { lines = append(lines, protocol.Join(parts...)) }
	section := func(title protocol.Text, list []protocol.Text) {
		if len(list) > 0 {
			lines = append(append(lines, title), list...)
		}
	}
	if r.ev.Private {
		section(protocol.Plain("What you can ask of me here:"), here)
		section(protocol.Plain("About yourself:"), own)
		section(protocol.Join("About a room, which you name ", r.naming(), " or choose with ", r.code("use ROOM"), ":"), room)
	} else {
		section(protocol.Plain("What you can ask of me:"), here)
		section(protocol.Plain("About this room:"), room)
		section(protocol.Plain("About yourself, answered in private:"), own)
	}
	add("More about one of them: ", r.code("help COMMAND"))
	if !r.ev.Private {
		add("In a private conversation with me you need no ", protocol.Code(strings.TrimSpace(r.lead)), ".")
	}
	return protocol.Lines(lines...)
}

// where returns where a command may be given; of a group it is that of its first command.
func where(n *Node) Where {
	for len(n.subs) > 0 {
		n = n.subs[0]
	}
	return n.Where
}
