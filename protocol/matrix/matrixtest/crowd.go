package matrixtest

import "fmt"

// Crowd makes rooms with members of their own in each, the given account among them, and returns the rooms. It says nothing
// in them.
func (s *Server) Crowd(rooms, members int, who string) (ids []string) {
	for i := range rooms {
		by := s.Account(fmt.Sprintf("c%d", i), fmt.Sprintf("Creator %d", i))
		room := s.Create(by, fmt.Sprintf("Room %d", i), nil)
		s.Member(room, by, who, "join", nil)
		for j := range members - 2 {
			s.Member(room, ID(fmt.Sprintf("m%d-%d", i, j)), ID(fmt.Sprintf("m%d-%d", i, j)), "join", map[string]any{"displayname": fmt.Sprintf("Member %d of %d", j, i)})
		}
		ids = append(ids, room)
	}
	return ids
}
