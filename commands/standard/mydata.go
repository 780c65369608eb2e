package standard

import (
	"iter"

	"moot/commands"
	"moot/internal/say"
	"moot/protocol"
	"moot/store"
)

func (conf Config) mydata() *commands.Command {
	return &commands.Command{
		Name:       "mydata",
		Where:      commands.Personal,
		Visibility: commands.Private,
		Challenged: true,
		Params: []commands.Param{
			{Name: "raw", Kind: commands.Switch}, pages(),
		},
		Run: func(c *commands.Call) error {
			flags := ""
			if c.Switch("raw") {
				flags = "--raw "
			}
			head := answers(c).Say("mydata", id(c.Person), say.Moment("At", c.Tx.Now()))
			return answerPage(c, head, conf.export(c.Tx, c.Person, c.Switch("raw")), flags)
		},
	}
}

// export goes through everything that is stored about a person, a line each.
func (conf Config) export(tx *store.Tx, user protocol.UserID, raw bool) iter.Seq[protocol.Text] {
	return func(yield func(protocol.Text) bool) {
		s := to(tx, user)
		for _, p := range conf.personal(raw) {
			first := true
			for line := range p.Export(tx, user) {
				if first && !yield(protocol.Strong(headOf(s, p.Name))) || !yield(bullet(line)) {
					return
				}
				first = false
			}
		}
		_ = yield(protocol.Strong(s.Plain("beside"))) && yield(bullet(conf.handledIDs(s))) && yield(bullet(s.Say("beside-rate")))
	}
}

// handledIDs says what is remembered of events, which is not by person.
func (conf Config) handledIDs(s say.Speaker) protocol.Text {
	return s.Say("beside-ids", say.Span("Retention", conf.Retention))
}

// headOf is the head line over what is of one kind.
func headOf(s say.Speaker, name string) string {
	if s.Has("head-" + name) {
		return s.Plain("head-" + name)
	}
	return name
}

func (conf Config) forget() *commands.Command {
	return &commands.Command{
		Name: "forget",
		Sub: []*commands.Command{{
			Name:       "me",
			Params:     []commands.Param{{Name: "sure", Kind: commands.Choice, Choices: []string{"yes"}, Optional: true}},
			Where:      commands.Personal,
			Visibility: commands.Private,
			Challenged: true,
			Run: func(c *commands.Call) error {
				if !c.Has("sure") {
					return c.Answer(conf.beforeForgetting(c))
				}
				s := answers(c) // before it is forgotten in which language
				gone, stays := conf.forgetAll(c.Tx, c.Person)
				lines := append([]protocol.Text{s.Say("forgotten-gone")}, gone...)
				lines = append(lines, s.Say("forgotten-stays"))
				lines = append(lines, stays...)
				lines = append(lines, bullet(conf.handledIDs(s)))
				return c.Answer(protocol.Lines(lines...))
			},
		}},
	}
}

// forgetAll removes all that can be removed, and returns what of it is gone and what stays. What somebody has chosen is removed last: all
// else is said in the language that they have chosen.
func (conf Config) forgetAll(tx *store.Tx, user protocol.UserID) (gone, stays []protocol.Text) {
	kinds := conf.personal(false)
	removed, kept := make([]protocol.Text, len(kinds)), make([]protocol.Text, len(kinds))
	for _, last := range []bool{false, true} {
		for i, p := range kinds {
			if p.Forget != nil && (p.Name == asked) == last {
				removed[i], kept[i] = p.Forget(tx, user)
			}
		}
	}
	for i := range kinds {
		if removed[i] != nil {
			gone = append(gone, bullet(removed[i]))
		}
		if kept[i] != nil {
			stays = append(stays, bullet(kept[i]))
		}
	}
	return gone, stays
}

// beforeForgetting says what it means to be forgotten, before anything is done.
func (conf Config) beforeForgetting(c *commands.Call) protocol.Text {
	s := answers(c)
	lines := []protocol.Text{
		s.Say("before-sure", say.Code("Command", c.Code("forget me yes"))), bullet(s.Say("before-new")), bullet(s.Say("before-stands")),
	}
	if n := conf.Bus.Lookup(c.Tx, c.Person); n != 0 && conf.Bus.Held(c.Tx, n) {
		lines = append(lines, bullet(s.Say("before-runs")))
	}
	return protocol.Lines(append(lines, s.Say("before-mydata", say.Code("Command", c.Code("mydata"))))...)
}
