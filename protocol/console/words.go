package console

import (
	"embed"
	"strconv"
	"time"

	"moot/internal/say"
	"moot/protocol"
)

//go:embed en.toml de.toml
var sentences embed.FS

var catalogue = say.New(sentences)

// Language returns the language of the people at the terminal.
func (t *Terminal) Language() say.Language { return t.speak.Language() }

// Day writes a day in full.
func (t *Terminal) Day(at time.Time) string { return dayOf(t.speak, at) }

// Moment writes a time in few letters, without its year.
func (t *Terminal) Moment(at time.Time) string {
	return t.speak.Plain("moment-short", append(parts(t.speak, "-short", at), say.Number("Clock", at.Format("15:04")))...)
}

func dayOf(s say.Speaker, at time.Time) string { return s.Plain("day", parts(s, "", at)...) }

func momentOf(s say.Speaker, at time.Time) protocol.Text {
	return s.Say("moment", append(parts(s, "-short", at), say.Number("Clock", at.Format("15:04")))...)
}

// parts are the slots that a date has, its words in full or short.
func parts(s say.Speaker, short string, at time.Time) []say.Slot {
	return []say.Slot{
		say.Part("Weekday", s.Say("weekday"+short+"-"+strconv.Itoa(int(at.Weekday())))), say.Number("Day", at.Day()),
		say.Part("Month", s.Say("month"+short+"-"+strconv.Itoa(int(at.Month())))), say.Number("Year", at.Year()),
	}
}

// Slots of what the console has as strings.

func whom(slot, name string) say.Slot    { return say.Person(slot, protocol.Plain(name)) }
func inRoom(slot, title string) say.Slot { return say.Place(slot, protocol.Plain(title)) }
func code(slot, line string) say.Slot    { return say.Code(slot, protocol.Plain(line)) }
func wrote(slot, text string) say.Slot   { return say.Words(slot, protocol.Plain(text)) }

// texts are names as a list takes them.
func texts(s say.Speaker, names []string) []protocol.Text {
	all := make([]protocol.Text, len(names))
	for i, n := range names {
		all[i] = s.Say("name", whom("Who", n))
	}
	return all
}

// list writes names as a sentence does.
func list(s say.Speaker, names []string) protocol.Text {
	if len(names) == 0 {
		return s.Say("nobody")
	}
	return s.And(texts(s, names))
}

// refusal is an error that a person reads.
type refusal struct {
	kind     error
	sentence string
}

func (r *refusal) Error() string { return r.sentence }
func (r *refusal) Unwrap() error { return r.kind }

// sorry says to a person why something is not done.
func sorry(s say.Speaker, kind error, id string, slots ...say.Slot) error {
	return &refusal{kind, s.Plain(id, slots...)}
}

func (s *state) refuse(kind error, id string, slots ...say.Slot) error {
	return sorry(s.speak, kind, id, slots...)
}
