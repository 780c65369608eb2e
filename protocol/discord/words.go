package discord

import (
	"embed"

	"moot/internal/say"
	"moot/protocol"
)

//go:embed *.toml
var files embed.FS

var catalogue = say.New(files)

// Locale is how a command or a parameter is called, and what is said of it, where somebody uses Discord in another language than
// English. Zero leaves the English there.
type Locale struct{ Name, Summary string }

// locales are those of Discord's languages that the bot speaks (developer documentation, "Locales").
var locales = map[say.Language][]string{say.German: {"de"}}

// speaker is who speaks to somebody who uses Discord in a language, as an interaction tells it.
func speaker(locale string) say.Speaker {
	l, _ := say.Parse(locale)
	return catalogue.In(l)
}

// told says something to the person of an interaction.
func (h handle) told(id string, slots ...say.Slot) protocol.Text {
	return speaker(h.Locale).Say(id, slots...)
}

// localized returns what is given by language as Discord wants it, by locale; nil where there is nothing.
func localized(by map[say.Language]Locale, of func(Locale) string) map[string]string {
	var out map[string]string
	for l, names := range locales {
		text := of(by[l])
		if text == "" {
			continue
		}
		for _, name := range names {
			if out == nil {
				out = map[string]string{}
			}
			out[name] = text
		}
	}
	return out
}

// InServer is what the parameter is called, in a language, by which a command in private names its server.
func InServer(l say.Language) Locale {
	s := catalogue.In(l)
	return Locale{Name: s.Plain("label-in"), Summary: s.Plain("param-in")}
}

func nameIn(l Locale) string    { return l.Name }
func summaryOf(l Locale) string { return describe(l.Summary) }
