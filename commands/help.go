package commands

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"moot/internal/say"
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
		parts = append(parts, "[--"+inFlag+" "+s.speaker().Plain("place-room")+"]")
	}
	return strings.Join(parts, " ")
}

// shownSubs returns the commands of a group that are shown: where it is known to whom, those that they may use.
func (s *manner) shownSubs(n *Node) []*Node {
	return slices.DeleteFunc(slices.Clone(n.subs), func(sub *Node) bool { return sub.Hidden || s.offered != nil && !s.offered(sub) })
}

func (s *manner) usageParam(p *Param) string {
	if s.native() {
		return s.field(p)
	}
	return s.typedAs(p)
}

// shown shows the usage of a command.
func (s *manner) shown(usage string) protocol.Text { return protocol.Code(s.lead + usage) }

// brief is usage without what is given by name, and where there are fields to fill in, without any of it.
func (s *manner) brief(n *Node) string {
	parts := []string{n.Title()}
	switch {
	case len(s.shownSubs(n)) > manySubs:
		return n.Title() + " …"
	case len(n.subs) > 0:
		return s.usage(n)
	case s.native():
		return n.Title()
	}
	for i := range n.Params {
		if p := &n.Params[i]; !p.ByName() {
			parts = append(parts, s.typedAs(p))
		}
	}
	return strings.Join(parts, " ")
}

// manySubs is how many commands of a group its brief form still names.
const manySubs = 4

// typedAs shows how a parameter is typed.
func (s *manner) typedAs(p *Param) string {
	what := strings.ToUpper(p.Name)
	switch {
	case p.Kind == Switch:
		return "[--" + p.Name + "]"
	case p.Kind == Choice && !p.Flag:
		if all := strings.Join(p.Choices, "|"); len(all) <= 40 {
			what = all
		}
	case p.Flag && p.Kind == Integer:
		what = s.speaker().Plain("place-number")
	case p.Flag && p.Kind == Duration:
		what = s.speaker().Plain("place-time")
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
func (s *manner) hint(p *Param) protocol.Text {
	switch {
	case p.Repeat > 1 && p.Joined:
		return nil // so many words, not so many things
	case !s.native():
	case p.Kind == Text, p.Kind == Person, p.Kind == Room, p.Kind == NamedRole:
		return nil // the interface shows it
	}
	most := say.Number("Most", p.Repeat)
	switch p.Kind {
	case Word:
		switch long := !s.native() && p.Max > longWord; {
		case long && p.Repeat > 1:
			return s.say("hint-words-many", most)
		case long:
			return s.say("hint-words")
		}
	case Text:
		return s.say("hint-text")
	case Integer:
		return s.say(p.ranged("hint-number"), p.bounds()...)
	case Duration:
		return s.say(p.ranged("hint-time"), p.bounds()...)
	case NamedRole:
		return s.say("hint-role")
	case Person:
		return s.say("hint-person")
	case Room:
		hint := s.say("hint-room")
		if p.Fuzzy {
			hint = s.say("hint-room-fuzzy")
		}
		if len(p.Choices) > 0 {
			hint = s.say("hint-or", say.Part("Hint", hint), say.Code("Choices", say.Commas(codes(p.Choices))))
		}
		return hint
	case Choice:
		return s.say("hint-one-of", say.Code("Choices", say.Commas(codes(p.Choices))))
	}
	if p.Repeat > 1 {
		return s.say("hint-many", most)
	}
	return nil
}

// longWord is from how many characters on a word is likely to be several.
const longWord = 40

// sentence makes a sentence of a summary.
func sentence(s string) string {
	r, size := utf8.DecodeRuneInString(s)
	return string(unicode.ToUpper(r)) + s[size:] + "."
}

// helpAbout explains a command or a group.
func (s *manner) helpAbout(n *Node) protocol.Text {
	lines := []protocol.Text{s.shown(s.usage(n)), protocol.Plain(sentence(n.SummaryIn(s.language)))}
	add := func(parts ...any) { lines = append(lines, protocol.Join(parts...)) }
	if detail := n.DetailIn(s.language); detail != "" {
		add(detail)
	}
	subs := s.shownSubs(n)
	for _, sub := range subs {
		add("• ", s.shown(s.usage(sub)), " — "+sub.SummaryIn(s.language))
	}
	for i := range n.Params {
		p := &n.Params[i]
		if p.Hidden {
			continue
		}
		line := protocol.Join("• ", s.label(p), " — "+n.ParamSummaryIn(s.language, p))
		if hint := s.hint(p); hint != nil {
			line = protocol.Join(line, " (", hint, ")")
		}
		lines = append(lines, line)
	}
	if len(n.Examples) > 0 {
		lines = append(lines, s.say("help-examples"))
		for _, e := range n.Examples {
			add("• ", s.code(e))
		}
	}
	if len(n.subs) > 0 {
		if len(subs) > 0 {
			lines = append(lines, s.say("help-more", s.commandSlot("help "+n.Title()+" "+subs[0].Name)))
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
	var rules []protocol.Text
	add := func(id string, slots ...say.Slot) { rules = append(rules, s.say(id, slots...)) }
	switch n.Who {
	case Moderator:
		add("help-moderators")
	case Operator:
		add("help-operators")
	}
	switch {
	case n.Where == PrivateOnly:
		add("help-private")
	case n.Where == NeedsRoom && s.private:
		add(s.way("help-which-room"), s.inSlot(), s.useSlot())
	}
	if n.Visibility == Private && !s.private {
		add("help-only-you")
	}
	if n.Ageless {
		add("help-ageless")
	}
	return say.Sentences(rules...)
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

// first shows the commands with which help begins, as they can be typed.
func (r *run) first() (lines []protocol.Text) {
	for _, title := range r.config.First {
		n, _ := r.Find(strings.Fields(title)...)
		if !r.offered(n) {
			continue
		}
		line := r.shown(r.brief(n))
		if len(n.Examples) > 0 {
			line = r.code(n.Examples[0])
		}
		lines = append(lines, protocol.Join("• ", line, " — "+n.SummaryIn(r.language)))
	}
	return lines
}

// overview lists the commands that the person can use where they are.
func (r *run) overview() protocol.Text {
	var here, room, own []protocol.Text
	for _, n := range r.root.subs {
		if !r.offered(n) || n.Where == PrivateOnly && !r.ev.Private {
			continue
		}
		line := protocol.Join("• ", r.shown(r.brief(n)), " — "+n.SummaryIn(r.language))
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
	add := func(id string, slots ...say.Slot) { lines = append(lines, r.say(id, slots...)) }
	section := func(id string, list []protocol.Text, slots ...say.Slot) {
		if len(list) > 0 {
			add(id, slots...)
			lines = append(lines, list...)
		}
	}
	section("help-examples", r.first())
	if r.ev.Private {
		section("help-here-private", here)
		section("help-own-private", own)
		section(r.way("help-rooms"), room, r.inSlot(), r.useSlot())
	} else {
		section("help-here", here)
		section("help-room", room)
		section("help-own", own)
	}
	add("help-more", r.commandSlot("help "+r.speaker().Plain("place-command")))
	if !r.ev.Private {
		add("help-no-prefix", say.Code("Prefix", protocol.Code(strings.TrimSpace(r.lead))))
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
