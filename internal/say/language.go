package say

import "strings"

// Language is a language that the bot speaks, as BCP 47 names it.
type Language string

// The languages.
const (
	English Language = "en"
	German  Language = "de"
	// Pseudo is English in which every letter of a catalogue has a mark and every vowel stands twice, which makes it longer by about
	// a third, and in which what stands in a slot, and what can be typed, is between ⟦ and ⟧: what is said in it with plain letters
	// outside of them does not come from a catalogue. It is for tests.
	Pseudo Language = "qps"
)

// Languages returns those that people can choose.
func Languages() []Language { return []Language{English, German} }

// names are what people call a language, in it and in English.
var names = map[string]Language{"english": English, "englisch": English, "german": German, "deutsch": German}

// Environment returns the language of who has started a program, by the variables that POSIX has for messages; English if they name
// none.
func Environment(getenv func(string) string) Language {
	for _, name := range []string{"LC_ALL", "LC_MESSAGES", "LANG"} {
		if v := getenv(name); v != "" { // the first that is set decides
			l, _ := Parse(v)
			return l
		}
	}
	return English
}

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
