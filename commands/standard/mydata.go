package standard

import (
	"iter"

	"moot/commands"
	"moot/protocol"
	"moot/store"
)

func (conf Config) mydata() *commands.Command {
	return &commands.Command{
		Name:       "mydata",
		Summary:    "shows everything that I hold about you",
		Where:      commands.Personal,
		Visibility: commands.Private,
		Challenged: true,
		Params:     []commands.Param{pages()},
		Run: func(c *commands.Call) error {
			head := protocol.Join("What I hold about ", protocol.Code(string(c.Person)), ", on ", protocol.Moment(c.Tx.Now()), ":")
			return answerPage(c, head, conf.export(c.Tx, c.Person), "")
		},
	}
}

// export goes through everything that is stored about a person, a line each.
func (conf Config) export(tx *store.Tx, user protocol.UserID) iter.Seq[protocol.Text] {
	return func(yield func(protocol.Text) bool) {
		for _, p := range conf.personal() {
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
	return "For " + commands.FormatDuration(conf.Retention) + ", the ids of the events that I have handled and of the messages that I have sent, " +
		"without what they said: so that nothing is done twice."
}

func (conf Config) forget() *commands.Command {
	return &commands.Command{
		Name:    "forget",
		Summary: "makes me forget you",
		Sub: []*commands.Command{{
			Name:    "me",
			Summary: "removes what I hold about you, at once, and says what stays and why",
			Detail: "What I hold about you is shown by mydata. There is no way back. " +
				"If you go on taking part, you are somebody new to me.",
			Where:      commands.Personal,
			Visibility: commands.Private,
			Challenged: true,
			Run: func(c *commands.Call) error {
				var gone, stays []protocol.Text
				for _, p := range conf.personal() {
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
