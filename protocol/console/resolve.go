package console

import (
	"slices"
	"strconv"
	"strings"

	"moot/internal/alike"
	"moot/internal/near"
	"moot/internal/say"
	"moot/protocol"
)

// findPerson finds the person that a name means: an id, or a display name that one person has. Where it means nobody, those in but
// are not proposed.
func (s *state) findPerson(typed string, but ...protocol.UserID) (protocol.UserID, error) {
	name := strings.TrimPrefix(protocol.OneLine(typed), "@")
	local := strings.TrimPrefix(alike.Fold(name), string(protocol.Console)+":")
	if s.people[userID(local)] != nil {
		return userID(local), nil
	}
	var found []protocol.UserID
	var known []string
	for _, id := range s.everybody {
		if alike.Fold(s.people[id].name) == alike.Fold(name) {
			found = append(found, id)
		}
		if !slices.Contains(but, id) {
			known = append(known, id.Local(), protocol.OneLine(s.people[id].name))
		}
	}
	switch len(found) {
	case 1:
		return found[0], nil
	case 0:
		return "", s.unknown(ErrNoPerson, "no-person", name, known)
	}
	var ids []string
	for _, id := range found {
		ids = append(ids, id.Local())
	}
	return "", s.refuse(ErrNoPerson, "same-name", say.Part("IDs", list(s.speak, ids)), say.Quoted("Typed", name, 40))
}

// findRoom finds the room that a name means: an id, or the name of one room. A room that goes on elsewhere means the
// one where it does, unless its id is written in full.
func (s *state) findRoom(typed string) (protocol.RoomID, error) {
	name := strings.TrimPrefix(protocol.OneLine(typed), "#")
	local, full := strings.CutPrefix(alike.Fold(name), string(protocol.Console)+":")
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
		if alike.Fold(rm.name) == alike.Fold(name) {
			found = append(found, id)
		}
		known = append(known, id.Local(), protocol.OneLine(rm.name))
	}
	switch len(found) {
	case 1:
		return found[0], nil
	case 0:
		return "", s.unknown(ErrNoRoom, "no-room", name, known)
	}
	var ids []string
	for _, id := range found {
		ids = append(ids, id.Local())
	}
	return "", s.refuse(ErrNoRoom, "same-name", say.Part("IDs", list(s.speak, ids)), say.Quoted("Typed", name, 40))
}

// findMessage finds the message with a number: in the room where the person is, or, as "garden:3", in another.
func (s *state) findMessage(in protocol.RoomID, typed string) (protocol.Ref, error) {
	digits := strings.TrimPrefix(typed, "#")
	if i := strings.LastIndexByte(typed, ':'); i > 0 {
		var err error
		if in, err = s.findRoom(typed[:i]); err != nil {
			return protocol.Ref{}, err
		}
		digits = typed[i+1:]
	}
	rm := s.rooms[in]
	n, err := strconv.Atoi(digits)
	switch {
	case err != nil:
		return protocol.Ref{}, s.refuse(ErrNoMessage, "no-number", say.Quoted("Typed", typed, 20))
	case len(rm.numbered) == 0:
		return protocol.Ref{}, s.refuse(ErrNoMessage, "no-message-yet", inRoom("Room", s.title(rm)))
	case n < 1 || n > len(rm.numbered):
		last := say.Number("Last", len(rm.numbered))
		return protocol.Ref{}, s.refuse(ErrNoMessage, "no-message", say.Number("N", n), inRoom("Room", s.title(rm)), last)
	}
	return protocol.Ref{Room: in, Event: rm.numbered[n-1]}, nil
}

// unknown refuses an unknown word, and says which one it may have been, or else where they are listed.
func (s *state) unknown(kind error, id, word string, known []string) error {
	typed := say.Quoted("Typed", word, 40)
	if best := nearest(word, known); best != "" {
		return s.refuse(kind, id+"-meant", typed, code("Best", best))
	}
	return s.refuse(kind, id+"-list", typed)
}

// nearest returns the known word that is most like the given one, zero if none is much like it.
func nearest(word string, known []string) string {
	word = alike.Fold(word)
	best, least := "", 1+len([]rune(word))/3
	for _, k := range known {
		folded := alike.Fold(k)
		d := near.Distance(word, folded, least)
		if len(word) >= 2 && strings.HasPrefix(folded, word) {
			d = min(d, 1)
		}
		if d <= least && (best == "" || d < least) {
			best, least = k, d
		}
	}
	return best
}
