package commands

import (
	"strings"

	"moot/protocol"
)

// A network's own interface has a field for each parameter, and does not take a command as a line. What is shown there is
// written the way in which such commands are copied and pasted:
//
//	vote motion --for 3d we meet on Tuesdays        typed
//	/vote motion for:3d text:we meet on Tuesdays    native

// Native writes a line, as it is typed in a private conversation, for a network's own interface. What is no command, or
// cannot be taken apart, is left as it is.
func (c *Commands) Native(line string) string {
	n, stray, rest := c.find(line)
	if stray != "" || len(n.Path) == 0 || len(n.subs) > 0 {
		return "/" + line
	}
	p := (&manner{private: true}).pass(n, rest)
	for p.space() {
		done, m := p.next()
		if m != nil {
			return "/" + line
		}
		if done {
			break
		}
	}
	words := []string{"/" + n.Title()}
	field := func(name, value string) { words = append(words, name+":"+value) }
	for i := range n.Params {
		param := &n.Params[i]
		values := p.given[param.Name]
		switch {
		case len(values) == 0:
		case param.Kind == Switch:
			field(param.Name, "True")
		case param.Joined:
			field(param.Name, strings.Join(values, " "))
		default:
			for n, slot := range param.Slots()[:len(values)] {
				field(slot, values[n])
			}
		}
	}
	if in := p.given[inFlag]; len(in) > 0 {
		field(inFlag, in[0])
	}
	return strings.Join(words, " ")
}

// native tells whether it is through the network's own interface that the bot was spoken to.
func (s *manner) native() bool { return s.tree != nil }

// label is how the help and mistakes call a parameter.
func (s *manner) label(p *Param) protocol.Text {
	switch {
	case s.native():
		return protocol.Code(p.Name)
	case p.ByName():
		return protocol.Code("--" + p.Name)
	}
	return protocol.Code(strings.ToUpper(p.Name))
}

// in is how the parameter is called by which a command in private names its room.
func (s *manner) in() protocol.Text { return s.label(roomFlag) }

// field shows a parameter in the usage of a command, as the network's own interface shows it.
func (s *manner) field(p *Param) string {
	what := "…"
	switch {
	case p.Kind == Switch:
		what = "True"
	case p.Kind == Integer:
		what = s.speaker().Plain("place-number")
	case p.Kind == Duration:
		what = s.speaker().Plain("place-time")
	case p.Kind == Choice && len(strings.Join(p.Choices, "|")) <= 40:
		what = strings.Join(p.Choices, "|")
	}
	what = p.Name + ":" + what
	if !p.Required() {
		what = "[" + what + "]"
	}
	if p.Repeat > 1 && !p.Joined {
		what += " [" + p.Name + "-2:…] …"
	}
	return what
}
