package console

import "moot/protocol"

// Message is a message that stands in a room.
type Message struct {
	ID        protocol.EventID
	By        protocol.UserID
	Text      string // mentions stand in it as tokens
	Reactions []protocol.Reaction
}

// Messages returns the messages that stand in a room, in order; none where there is no such room.
func (w *World) Messages(in protocol.RoomID) []Message {
	var all []Message
	w.look(func(s *state) {
		rm := s.rooms[in]
		if rm == nil {
			return
		}
		for _, pos := range rm.timeline {
			if m := rm.messages[eventID(pos)]; m != nil && m.deletion == "" {
				all = append(all, Message{m.id, m.by, m.text, s.reactionSet(rm, m).Reactions})
			}
		}
	})
	return all
}

// Members returns the memberships of everybody who is or was something to a room.
func (w *World) Members(in protocol.RoomID) map[protocol.UserID]protocol.Membership {
	all := map[protocol.UserID]protocol.Membership{}
	w.look(func(s *state) {
		if rm := s.rooms[in]; rm != nil {
			for user, m := range rm.members {
				all[user] = m.membership
			}
		}
	})
	return all
}
