// Package say makes the sentences that people read, in every language that the bot speaks.
//
// A package that speaks has a [Catalogue]: a file en.toml and a file of the same keys for each other language, in the form of
// go-i18n, with the plural forms of CLDR. A message is a whole sentence, or a part that stands in a place of its own, as the name
// of an option; it is never half of a sentence that the code ends. What changes stands in slots, and a slot says what it
// takes, in the file as in the code:
//
//	opened = "Vote {{number .Vote}} is open; it closes {{moment .At}}."
//
// The kinds are person, place, moment, span (a length of time), count (which chooses the plural), number, words (of people), code
// (what can be typed as it stands) and part (another message). Between ** a text is strong, between ` it is code.
//
// What is said is made where it is said, and stands finished in the outbox: nothing that is replayed depends on a language.
package say
