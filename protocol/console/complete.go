package console

import (
	"slices"
	"strconv"
	"strings"

	"moot/protocol"
)

// complete returns what the last word of a line may become, without repeats, and that word as it stands.
func (t *Terminal) complete(line string) (candidates []string, word string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	word = line[strings.LastIndexByte(line, ' ')+1:]
	var known []string
	switch {
	case strings.HasPrefix(line, "/") && !strings.HasPrefix(line, "//"):
		known = t.completeSlash(line)
	case strings.HasPrefix(word, "@"):
		for _, name := range t.people() {
			known = append(known, "@"+name)
		}
	case t.cfg.Complete != nil:
		known = t.cfg.Complete(Typing{
			Person: t.view.me, Room: t.view.place, Private: strings.HasPrefix(t.view.place.Local(), directPrefix), Line: line,
		})
	}
	for _, k := range known {
		if len(k) > len(word) && strings.EqualFold(k[:len(word)], word) {
			candidates = append(candidates, k)
		}
	}
	slices.Sort(candidates)
	return slices.Compact(candidates), word
}

// completeSlash returns what the last word of a command line can be.
func (t *Terminal) completeSlash(line string) []string {
	given := strings.Split(line[1:], " ")
	if len(given) == 1 {
		return commandNames("/")
	}
	s, err := findSlash(given[0])
	if err != nil {
		return nil
	}
	if len(given)-2 >= len(s.params) {
		return nil
	}
	switch p := s.params[len(given)-2]; p.kind {
	case aPerson:
		return t.people()
	case aRoom:
		return t.rooms()
	case aCommand:
		return commandNames("")
	case aMessage:
		// The newest are the likely ones.
		var numbers []string
		for n := len(t.view.numbers); n > 0 && len(numbers) < 9; n-- {
			numbers = append(numbers, strconv.Itoa(n))
		}
		return numbers
	default:
		return words[p.kind]
	}
}

func commandNames(prefix string) (names []string) {
	for _, s := range slashes() {
		names = append(names, prefix+s.name)
	}
	return names
}

func (t *Terminal) people() (names []string) {
	t.w.look(func(s *state) {
		for _, id := range s.everybody {
			names = append(names, id.Local())
		}
	})
	return names
}

func (t *Terminal) rooms() (names []string) {
	t.w.look(func(s *state) {
		for _, id := range s.everywhere {
			if rm := s.rooms[id]; rm.direct == "" && rm.successor == "" {
				names = append(names, protocol.RoomID(id).Local())
			}
		}
	})
	return names
}
