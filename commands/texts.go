package commands

import (
	"strings"

	"moot/internal/say"
	"moot/protocol"
)

// What a command and its parameters say of themselves is in the catalogue of the package that they come from, under ids that follow
// from their names:
//
//	command-vote-show         the summary of "vote show", and detail-vote-show the detail, if there is one
//	name-vote-show            what it is called in another language than English, by which it can be given, too
//	menu-vote-show            what it is called in the menu of a person
//	param-vote-show-page      the summary of its parameter
//	label-vote-show-page      what that is called in another language than English
//	value-vote-show-page-all  what a choice is called there
//
// param-page and label-page are for all parameters of that name that have none of their own. A command without a catalogue says what
// stands in its fields, in every language: it is the operator's own.

// texts fills in, in English, what a command and its parameters say of themselves. The fields of the command that was given
// stay as they are.
func (n *Node) texts(inherited *say.Catalogue) {
	c := *n.Command
	if c.Words == nil {
		c.Words = inherited
	}
	c.Params = append([]Param(nil), c.Params...)
	n.Command = &c
	c.Summary = n.SummaryIn(say.English)
	c.Detail = n.DetailIn(say.English)
	c.OnPerson = n.OnPersonIn(say.English)
	for i := range c.Params {
		c.Params[i].Summary = n.ParamSummaryIn(say.English, &c.Params[i])
	}
}

// SummaryIn returns the summary of the command in a language.
func (n *Node) SummaryIn(l say.Language) string { return n.text(l, n.Summary, "command-"+n.id()) }

// DetailIn returns the detail of the command in a language.
func (n *Node) DetailIn(l say.Language) string { return n.text(l, n.Detail, "detail-"+n.id()) }

// NameIn returns what the command is called in a language, within its group.
func (n *Node) NameIn(l say.Language) string { return n.text(l, n.Name, "name-"+n.id()) }

// OnPersonIn returns what the command is called in the menu of a person in a language, zero if it is not there.
func (n *Node) OnPersonIn(l say.Language) string { return n.text(l, n.OnPerson, "menu-"+n.id()) }

// ParamSummaryIn returns the summary of one of its parameters in a language.
func (n *Node) ParamSummaryIn(l say.Language, p *Param) string {
	if p == roomFlag || p == aboutFlag {
		return catalogue.In(l).Plain("param-" + p.Name)
	}
	return n.text(l, p.Summary, "param-"+n.id()+"-"+p.Name, "param-"+p.Name)
}

// ParamNameIn returns what one of its parameters is called in a language.
func (n *Node) ParamNameIn(l say.Language, p *Param) string {
	return n.text(l, p.Name, "label-"+n.id()+"-"+p.Name, "label-"+p.Name)
}

// ChoiceIn returns what one of the choices of a parameter is called in a language.
func (n *Node) ChoiceIn(l say.Language, p *Param, choice string) string {
	return n.text(l, choice, "value-"+n.id()+"-"+p.Name+"-"+choice)
}

// id is what ids of messages about the command end with.
func (n *Node) id() string { return strings.Join(n.Path, "-") }

// text says the first of the messages that there is, or what stands in a field for lack of one.
func (n *Node) text(l say.Language, field string, ids ...string) string {
	if n.Words == nil {
		return field
	}
	s := n.Words.In(l)
	for _, id := range ids {
		if s.Has(id) {
			return s.Plain(id)
		}
	}
	return field
}

// named returns what is called so in the group, by its own name or by what it is called in another language where that means no other
// one; nil if nothing is. The other names are read from the catalogues when somebody uses the first of them.
func (n *Node) named(word string) *Node {
	name := fold(word)
	if s := n.byName[name]; s != nil {
		return s
	}
	if n.elsewhere == nil {
		return nil
	}
	return n.elsewhere()[name]
}

// names returns the commands of a group by what they are called in the languages.
func (n *Node) names() map[string]*Node {
	all := map[string]*Node{}
	for _, l := range say.Languages() {
		for _, s := range n.subs {
			if name := fold(s.NameIn(l)); all[name] == nil {
				all[name] = s
			}
		}
	}
	return all
}

// summarySlot is the slot of what a parameter is for.
func (s *manner) summarySlot(n *Node, p *Param) say.Slot {
	return say.Part("Summary", protocol.Plain(n.ParamSummaryIn(s.speaker().Language(), p)))
}
