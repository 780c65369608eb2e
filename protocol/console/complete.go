package console

import (
	"slices"
	"strconv"
	"strings"

	"moot/internal/alike"
	"moot/protocol"
)

// Suggest returns what the last word of a line may become, in order and without repeats, and that word as it stands.
func (t *Terminal) Suggest(line string) (found []Suggestion, word string) {
	word = line[strings.LastIndexByte(line, ' ')+1:]
	var known []Suggestion
	switch {
	case strings.HasPrefix(line, "/") && !strings.HasPrefix(line, "//"):
		known = t.suggestSlash(line)
	case strings.HasPrefix(word, "@"):
		for _, name := range t.people() {
			known = append(known, Suggestion{Text: "@" + name.Text, Summary: name.Summary})
		}
	case t.cfg.Complete != nil:
		known = t.cfg.Complete(Typing{Person: t.view.me, Room: t.view.place, Private: t.private(), Line: line})
	}
	for _, k := range known {
		if folded := alike.Fold(k.Text); folded != alike.Fold(word) && strings.HasPrefix(folded, alike.Fold(word)) {
			found = append(found, k)
		}
	}
	slices.SortStableFunc(found, func(a, b Suggestion) int { return strings.Compare(a.Text, b.Text) })
	return slices.CompactFunc(found, func(a, b Suggestion) bool { return a.Text == b.Text }), word
}

// private reports whether nobody but the bot reads what is said.
func (t *Terminal) private() bool { return strings.HasPrefix(t.view.place.Local(), directPrefix) }

// suggestSlash returns what the last word of a command line can be.
func (t *Terminal) suggestSlash(line string) []Suggestion {
	given := strings.Split(line[1:], " ")
	if len(given) == 1 {
		return t.commandNames("/")
	}
	s, err := findSlash(t.speak, given[0])
	if err != nil || len(given)-2 >= len(s.params) {
		return nil
	}
	switch p := s.params[len(given)-2]; p.kind {
	case aPerson:
		return t.people()
	case aRoom:
		return t.rooms()
	case aCommand:
		return t.commandNames("")
	case aMessage:
		return t.newest()
	default:
		var list []Suggestion
		for _, w := range words[p.kind] {
			list = append(list, Suggestion{Text: w})
		}
		return list
	}
}

// newest returns the numbers of the last messages here: they are the likely ones.
func (t *Terminal) newest() (list []Suggestion) {
	t.w.look(func(s *state) {
		rm := s.rooms[t.view.place]
		for n := len(rm.numbered); n > 0 && len(list) < 9; n-- {
			m := rm.messages[rm.numbered[n-1]]
			list = append(list, Suggestion{strconv.Itoa(n), protocol.Shorten(s.name(m.by)+": "+protocol.OneLine(m.text), 60)})
		}
	})
	return list
}

func (t *Terminal) commandNames(prefix string) (names []Suggestion) {
	for _, s := range slashes() {
		names = append(names, Suggestion{prefix + s.name, s.summary(t.speak)})
	}
	return names
}

func (t *Terminal) people() (names []Suggestion) {
	t.w.look(func(s *state) {
		for _, id := range s.everybody {
			if id != Bot { // nobody can speak as the bot, or put it into a message
				names = append(names, Suggestion{Text: id.Local()})
			}
		}
	})
	return names
}

func (t *Terminal) rooms() (names []Suggestion) {
	t.w.look(func(s *state) {
		for _, id := range s.everywhere {
			if rm := s.rooms[id]; rm.direct == "" && rm.successor == "" {
				names = append(names, Suggestion{id.Local(), protocol.OneLine(rm.topic)})
			}
		}
	})
	return names
}
