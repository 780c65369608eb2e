package say

import "strings"

// Language is a language that the bot speaks, as BCP 47 names it.
type Language string

// The languages.
const (
	English Language = "en"
	German  Language = "de"
	// Pseudo is English in which every letter of a catalogue is a wide one, and the words of people stand between ⟦ and ⟧: what is
	// said in it with plain letters outside of them does not come from a catalogue. It is for tests.
	Pseudo Language = "qps"
)

// Languages returns those that people can choose.
func Languages() []Language { return []Language{English, German} }

// names are what people call a language, in it and in English.
var names = map[string]Language{"english": English, "englisch": English, "german": German, "deutsch": German}

// Parse returns the language that a word names: by its name or by its code, to which a network may add a country.
func Parse(word string) (Language, bool) {
	word = strings.ToLower(strings.TrimSpace(word))
	if l, ok := names[word]; ok {
		return l, true
	}
	code, _, _ := strings.Cut(strings.ReplaceAll(word, "_", "-"), "-")
	for _, l := range Languages() {
		if string(l) == code {
			return l, true
		}
	}
	return English, false
}
