package console

import (
	"strconv"
	"strings"

	"moot/protocol"
)

// findPerson finds the person that a name means: an id, or a display name that one person has.
func (s *state) findPerson(typed string) (protocol.UserID, error) {
	name := strings.TrimPrefix(protocol.OneLine(typed), "@")
	local := strings.TrimPrefix(strings.ToLower(name), string(protocol.Console)+":")
	if s.people[userID(local)] != nil {
		return userID(local), nil
	}
	var found []protocol.UserID
	var known []string
	for _, id := range s.everybody {
		if strings.EqualFold(protocol.OneLine(s.people[id].name), name) {
			found = append(found, id)
		}
		known = append(known, id.Local(), protocol.OneLine(s.people[id].name))
	}
	switch len(found) {
	case 1:
		return found[0], nil
	case 0:
		return "", refuse(ErrNoPerson, "there is nobody called %s%s", protocol.Quoted(name, 40), meant(name, known, "/people lists everybody"))
	}
	var ids []string
	for _, id := range found {
		ids = append(ids, id.Local())
	}
	return "", refuse(ErrNoPerson, "%s are all called %s; use one of these names", list(ids, "and"), protocol.Quoted(name, 40))
}

// findRoom finds the room that a name means: an id, or the name of one room. A room that goes on elsewhere means the
// one where it does, unless its id is written in full.
func (s *state) findRoom(typed string) (protocol.RoomID, error) {
	name := strings.TrimPrefix(protocol.OneLine(typed), "#")
	local, full := strings.CutPrefix(strings.ToLower(name), string(protocol.Console)+":")
	id := roomID(local)
	if rm := s.rooms[id]; rm != nil && rm.direct == "" {
		for !full && s.rooms[id].successor != "" && s.rooms[s.rooms[id].successor] != nil {
			id = s.rooms[id].successor
		}
		return id, nil
	}
	var found []protocol.RoomID
	var known []string
	for _, id := range s.everywhere {
		rm := s.rooms[id]
		if rm.direct != "" || rm.successor != "" {
			continue
		}
		if strings.EqualFold(protocol.OneLine(rm.name), name) {
			found = append(found, id)
		}
		known = append(known, id.Local(), protocol.OneLine(rm.name))
	}
	switch len(found) {
	case 1:
		return found[0], nil
	case 0:
		return "", refuse(ErrNoRoom, "there is no room %s%s", protocol.Quoted(name, 40), meant(name, known, "/rooms lists them"))
	}
	var ids []string
	for _, id := range found {
		ids = append(ids, id.Local())
	}
	return "", refuse(ErrNoRoom, "%s are all called %s; use one of these names", list(ids, "and"), protocol.Quoted(name, 40))
}

// findMessage finds the message with a number.
func (v *view) findMessage(typed string) (protocol.Ref, error) {
	n, err := strconv.Atoi(strings.TrimPrefix(typed, "#"))
	switch {
	case err != nil:
		return protocol.Ref{}, refuse(ErrNoMessage, "%s is not the number of a message; it stands at the left of it", protocol.Quoted(typed, 20))
	case n < 1 || n > len(v.numbers):
		if len(v.numbers) == 0 {
			return protocol.Ref{}, refuse(ErrNoMessage, "no message has a number yet")
		}
		return protocol.Ref{}, refuse(ErrNoMessage, "there is no message %d; the last one is %d", n, len(v.numbers))
	}
	return v.numbers[n-1], nil
}

// meant is the end of a sentence about an unknown word: which one it may have been, or else where they are listed.
func meant(word string, known []string, otherwise string) string {
	if best := nearest(word, known); best != "" {
		return "; did you mean " + best + "?"
	}
	return "; " + otherwise
}

// nearest returns the known word that is most like the given one, zero if none is much like it.
func nearest(word string, known []string) string {
	word = strings.ToLower(word)
	best, least := "", 1+len([]rune(word))/3
	for _, k := range known {
		d := distance(word, strings.ToLower(k))
		if len(word) >= 2 && strings.HasPrefix(strings.ToLower(k), word) {
			d = min(d, 1)
		}
		if d <= least && (best == "" || d < least) {
			best, least = k, d
		}
	}
	return best
}

// distance is how many letters one must change, add, leave out or swap with their neighbour.
func distance(a, b string) int {
	x, y := []rune(a), []rune(b)
	if len(x) > maxName || len(y) > maxName {
		return max(len(x), len(y))
	}
	before, above, row := make([]int, len(y)+1), make([]int, len(y)+1), make([]int, len(y)+1)
	for j := range row {
		row[j] = j
	}
	for i := 1; i <= len(x); i++ {
		before, above, row = above, row, before
		row[0] = i
		for j := 1; j <= len(y); j++ {
			cost := 1
			if x[i-1] == y[j-1] {
				cost = 0
			}
			row[j] = min(above[j]+1, row[j-1]+1, above[j-1]+cost)
			if i > 1 && j > 1 && x[i-1] == y[j-2] && x[i-2] == y[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
	}
	return row[len(y)]
}
