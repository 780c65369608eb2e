package standard

import (
	"iter"

	"moot/commands"
	"moot/internal/span"
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
			head := protocol.Join("What I hold about ", protocol.Code(string(c.Person)), ", on ", protocol.Moment(c.Tx.Now()), ":")
			return answerPage(c, head, conf.export(c.Tx, c.Person, c.Switch("raw")), flags)
		},
	}
}

// export goes through everything that is stored about a person, a line each.
func (conf Config) export(tx *store.Tx, user protocol.UserID, raw bool) iter.Seq[protocol.Text] {
	return func(yield func(protocol.Text) bool) {
		for _, p := range conf.personal(raw) {
			first := true
			for line := range p.Export(tx, user) {
				if first && !yield(protocol.Strong(p.Name)) || !yield(bullet(line)) {
					return
				}
				first = false
			}
		}
		_ = yield(protocol.Strong("Beside that")) &&
			yield(bullet(conf.handledIDs())) &&
			yield(bullet("For a minute or so, how many commands you have given. ",
				"What the logs of those who operate me hold is not in my reach."))
	}
}

// handledIDs says what is remembered of events, which is not by person.
func (conf Config) handledIDs() string {
	return "For " + span.Words(conf.Retention) + ", the ids of the events that I have handled and of the messages that I have sent, " +
		"without what they said: so that nothing is done twice."
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
				var gone, stays []protocol.Text
				for _, p := range conf.personal(false) {
					if p.Forget == nil {
						continue
					}
					g, s := p.Forget(c.Tx, c.Person)
					if g != nil {
						gone = append(gone, bullet(g))
					}
					if s != nil {
						stays = append(stays, bullet(s))
					}
				}
				lines := append([]protocol.Text{protocol.Plain("This is forgotten:")}, gone...)
				lines = append(lines, protocol.Plain("This stays:"))
				lines = append(lines, stays...)
				lines = append(lines, bullet(conf.handledIDs()))
				return c.Answer(protocol.Lines(lines...))
			},
		}},
	}
}

// beforeForgetting says what it means to be forgotten, before anything is done.
func (conf Config) beforeForgetting(c *commands.Call) protocol.Text {
	lines := []protocol.Text{
		protocol.Join("This cannot be undone. If you want it, say ", c.Code("forget me yes"), "."),
		bullet("You become somebody new to me: I no longer know when you were active, and for some days you cannot vote."),
		bullet("Ballots, votes and motions stand, without your name. Your reasons and answers are removed."),
	}
	if n := conf.Bus.Lookup(c.Tx, c.Person); n != 0 && conf.Bus.Held(c.Tx, n) {
		lines = append(lines, bullet("Something still runs: a vote that you have opened or that is about you, a challenge, or what "+
			"may not be asked again yet. Being forgotten ends none of it. Until it has ended I keep a hash of your id, by which I recognise you."))
	}
	return protocol.Lines(append(lines, protocol.Join("What I hold about you: ", c.Code("mydata"), "."))...)
}
