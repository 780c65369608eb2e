package matrixtest

import "slices"

// TellStateAfter has syncs that ask for it tell the state at the end of a timeline instead of that before it, under a name:
// "state_after", or that with which servers began. https://github.com/matrix-org/matrix-spec-proposals/pull/4222
func (s *Server) TellStateAfter(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.after = name
}

func (s *Server) stateAfterName() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.after
}

// InviteAgain has the next syncs show the last invitation to a room once more, also to those who have taken it up: as servers
// may whose invitations are told apart from their rooms.
func (s *Server) InviteAgain(in string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.head++
	s.invite[in] = s.head
	s.tellLocked()
}

// Lose puts a state event into the timeline that is never the state of the room: another server has sent it, and the
// resolution of both states has not chosen it.
func (s *Server) Lose(in, by, kind, key string, content map[string]any) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.losing = true
	e := s.addLocked(s.rooms[in], by, kind, &key, content)
	s.losing = false
	return e.id
}

// Quiet sets a state so that a sync shows it as state alone, and never in the timeline: another server has sent it long ago,
// and the resolution of both states has chosen it now.
func (s *Server) Quiet(in, by, kind, key string, content map[string]any) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.addLocked(s.rooms[in], by, kind, &key, content)
	e.quiet = true
	return e.id
}

// stateAfter returns the states that have changed behind a position, as they are now.
func (r *room) stateAfter(from int, shows func(*entry) bool) (out []*entry) {
	for _, e := range r.state {
		if e.pos > from && shows(e) {
			out = append(out, e)
		}
	}
	slices.SortFunc(out, func(a, b *entry) int { return a.pos - b.pos })
	return out
}
