package commands

import (
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"moot/internal/say"
	"moot/internal/span"
	"moot/protocol"
	"moot/rooms"
)

// value is a value of a parameter as it was understood.
type value struct {
	word   string // of a Word, Text, Choice or NamedRole; of a Room if it is one of its choices
	number int64  // of an Integer, or of a Duration in nanoseconds
	on     bool   // of a Switch
	person rooms.Member
	in     bool // whether the person is in the room
	room   rooms.Info
}

// understand makes values of what was given.
func (r *run) understand() *Mistake {
	r.values = map[string][]value{}
	for i := range r.node.Params {
		p := &r.node.Params[i]
		for _, w := range r.given[p.Name] {
			if w == "" {
				continue // the same as nothing
			}
			v, m := r.value(p, w)
			if m != nil {
				return m
			}
			r.values[p.Name] = append(r.values[p.Name], v)
		}
	}
	return nil
}

func (r *run) value(p *Param, w string) (v value, m *Mistake) {
	switch p.Kind {
	case Word:
		v.word = protocol.OneLine(r.readable(w))
		return v, r.length(p, v.word)
	case NamedRole:
		v.word = protocol.OneLine(w)
	case Text:
		v.word = r.readable(w)
		return v, r.length(p, v.word)
	case Integer:
		v.number, m = r.integer(p, w)
	case Duration:
		v.number, m = r.duration(p, w)
	case Choice:
		v.word, m = r.choice(p, w)
	case Switch:
		v.on, m = r.onOff(p, w)
	case Person:
		v.person, v.in, m = r.somebody(p, w)
	case Room:
		if choice, ok := oneOf(p.Choices, w); ok {
			v.word = choice
			return v, nil
		}
		v.room, m = r.findRoom(OwnRooms(r.tx, r.ev.Sender), w, p.Fuzzy)
	}
	return v, m
}

func (r *run) length(p *Param, w string) *Mistake {
	n := utf8.RuneCountInString(w)
	if p.within(int64(n)) {
		return nil
	}
	if int64(n) < p.Min {
		return r.mistake("too short", "too-short", r.labelSlot(p), say.Number("Has", n), say.Number("Least", p.Min))
	}
	return r.mistake("too long", "too-long", r.labelSlot(p), say.Number("Has", n), say.Number("Most", p.Max))
}

func (r *run) integer(p *Param, w string) (int64, *Mistake) {
	n, err := wholeNumber(w)
	if err != nil || !p.within(n) {
		return 0, r.mistake("not a fitting number", p.ranged("number"), append(p.bounds(), r.labelSlot(p), typed("Word", w))...)
	}
	return n, nil
}

// wholeNumber reads a number in the digits of any script.
func wholeNumber(w string) (int64, error) {
	w = fold(w)
	if rest, plus := strings.CutPrefix(w, "+"); plus && !strings.HasPrefix(rest, "-") {
		w = rest
	}
	return strconv.ParseInt(w, 10, 64)
}

// ranged returns the id of the message that says the bounds of a number or a length of time, as far as there are any.
func (p *Param) ranged(id string) string {
	switch {
	case !p.bounded():
		return id
	case p.Max == math.MaxInt64:
		return id + "-from"
	}
	return id + "-between"
}

// bounds are the slots of that message.
func (p *Param) bounds() []say.Slot {
	if p.Kind == Duration {
		return []say.Slot{say.Number("Least", span.Format(time.Duration(p.Min))), say.Number("Most", span.Format(time.Duration(p.Max)))}
	}
	return []say.Slot{say.Number("Least", p.Min), say.Number("Most", p.Max)}
}

func (r *run) duration(p *Param, w string) (int64, *Mistake) {
	d, ok := ParseDuration(w)
	if !ok {
		return 0, r.mistake("not a length of time", "no-time", typed("Word", w))
	}
	if !p.within(int64(d)) {
		return 0, r.mistake("not a fitting length of time", p.ranged("time"), append(p.bounds(), r.labelSlot(p), typed("Word", w))...)
	}
	return int64(d), nil
}

func (r *run) choice(p *Param, w string) (string, *Mistake) {
	if choice, ok := oneOf(p.Choices, w); ok {
		return choice, nil
	}
	for _, l := range say.Languages() {
		for _, choice := range p.Choices {
			if fold(r.node.ChoiceIn(l, p, choice)) == fold(w) {
				return choice, nil
			}
		}
	}
	const why = "not one of the choices"
	slots := []say.Slot{r.labelSlot(p), typed("Word", w), say.Code("Choices", r.speaker().And(codes(p.Choices)))}
	if near := nearest(w, p.Choices, 1); len(near) > 0 {
		return "", r.mistake(why, "no-choice-meant", append(slots, say.Code("Meant", protocol.Code(p.Choices[near[0]])))...)
	}
	return "", r.mistake(why, "no-choice", slots...)
}

func oneOf(choices []string, w string) (string, bool) {
	i := slices.IndexFunc(choices, func(c string) bool { return fold(c) == fold(w) })
	if i < 0 {
		return "", false
	}
	return choices[i], true
}

func (r *run) onOff(p *Param, w string) (bool, *Mistake) {
	switch fold(w) {
	case "yes", "on", "true", "1", "ja", "an":
		return true, nil
	case "no", "off", "false", "0", "nein", "aus":
		return false, nil
	}
	return false, r.mistake("neither yes nor no", "yes-or-no", r.labelSlot(p), typed("Word", w))
}

// units of a length of time, from the longest to the shortest, by all their names.
var units = []struct {
	names []string
	d     time.Duration
}{
	{[]string{"w", "wk", "week", "weeks", "woche", "wochen"}, 7 * 24 * time.Hour},
	{[]string{"d", "day", "days", "tag", "tage", "tagen"}, 24 * time.Hour},
	{[]string{"h", "hr", "hrs", "hour", "hours", "std", "stunde", "stunden"}, time.Hour},
	{[]string{"m", "min", "mins", "minute", "minutes", "minuten"}, time.Minute},
	{[]string{"s", "sec", "secs", "second", "seconds", "sek", "sekunde", "sekunden"}, time.Second},
	{[]string{"ms"}, time.Millisecond},
}

// ParseDuration understands a length of time as people write it: numbers, with a tenth if need be, and units behind them, each
// at most once and the longer before the shorter, as in 90m, 2h30m, 1.5h, 3d, 2 days or 1w.
func ParseDuration(s string) (time.Duration, bool) {
	s = strings.ReplaceAll(fold(s), " ", "")
	var total time.Duration
	from := 0 // the first unit that may still come
	for s != "" {
		digits := len(s) - len(strings.TrimLeft(s, "0123456789"))
		n, err := strconv.ParseInt(s[:digits], 10, 64)
		if err != nil || digits == len(s) {
			return 0, false
		}
		tenths := int64(0)
		if s = s[digits:]; len(s) > 2 && (s[0] == '.' || s[0] == ',') && '0' <= s[1] && s[1] <= '9' {
			tenths, s = int64(s[1]-'0'), s[2:]
		}
		letters := len(s) - len(strings.TrimLeft(s, "abcdefghijklmnopqrstuvwxyz"))
		for from < len(units) && !slices.Contains(units[from].names, s[:letters]) {
			from++
		}
		if from == len(units) {
			return 0, false
		}
		unit := units[from].d
		if most := int64((math.MaxInt64 - total) / unit); n > most || n == most && tenths > 0 {
			return 0, false
		}
		total += time.Duration(n)*unit + time.Duration(tenths)*unit/10
		from++
		s = s[letters:]
	}
	return total, from > 0
}
