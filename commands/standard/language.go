package standard

import (
	"strings"

	"moot/commands"
	"moot/internal/languages"
	"moot/internal/say"
	"moot/protocol"
	"moot/store"
)

// language is the command with which somebody chooses the language of what they alone read.
func language() *commands.Command {
	return &commands.Command{
		Name: "language", Where: commands.Personal, Visibility: commands.Private, Challenged: true,
		Examples: []string{"language de", "language -"},
		Params: []commands.Param{{
			Name: "name", Kind: commands.Word, Optional: true, Max: 40, Complete: completeLanguage,
		}},
		Run: func(c *commands.Call) error {
			chosen := strings.TrimSpace(c.Word("name"))
			l, ok := say.Parse(chosen)
			switch {
			case chosen == "":
				return c.Answer(spoken(c))
			case chosen == "-":
				l = ""
			case !ok:
				s := catalogue.In(c.Language())
				return commands.Sorry(s.Say("language-unknown", say.Quoted("Word", chosen, 40), say.Code("Languages", s.Or(codes()))))
			}
			languages.Choose(c.Tx, l)
			return c.Answer(spoken(c))
		},
	}
}

// spoken says which language somebody alone is spoken to in, in that language.
func spoken(c *commands.Call) protocol.Text {
	own, s := languages.Of(c.Tx, c.Person), catalogue.In(c.Language())
	named := say.Part("Language", s.Say("language-"+string(s.Language())))
	switch {
	case own.Chosen != "":
		return s.Say("language-chosen", named, say.Code("Back", c.Code("language -")))
	case own.Network != "":
		return s.Say("language-network", named, say.Code("Choices", s.Or(ways(c))))
	}
	return s.Say("language-none", say.Code("Choices", s.Or(ways(c))))
}

// ways are the commands that choose a language.
func ways(c *commands.Call) (all []protocol.Text) {
	for _, l := range say.Languages() {
		all = append(all, c.Code("language "+string(l)))
	}
	return all
}

func codes() (all []protocol.Text) {
	for _, l := range say.Languages() {
		all = append(all, protocol.Code(string(l)))
	}
	return all
}

func completeLanguage(_ *store.Tx, _ commands.CompletionContext, typed string) (all []string) {
	for _, l := range say.Languages() {
		if strings.HasPrefix(string(l), strings.ToLower(typed)) {
			all = append(all, string(l))
		}
	}
	return all
}
