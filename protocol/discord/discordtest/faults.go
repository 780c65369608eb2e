package discordtest

import (
	"encoding/json"
	"fmt"
	"time"
)

// Script is how the gateway behaves on one coming connection. The zero value behaves well.
type Script struct {
	HTTPStatus int    // refuses the connection with this status
	NoHello    bool   // accepts it and says nothing
	Silent     bool   // says hello and then nothing, whatever is sent
	NoAcks     bool   // acknowledges no heartbeat
	Close      int    // closes with this code when the bot identifies or resumes
	Text       string // of the close
	Invalid    bool   // answers IDENTIFY or RESUME with op 9, not resumable
	// FirstAfterResume are opcodes sent instead of an answer to RESUME, such as 7. With 9 the session stands.
	FirstAfterResume []int
	Padding          int // bytes by which these are longer than they need be
	// Replayed, where it is not nil, is what the end of a replay waits for: RESUMED comes when it is closed, and until then
	// what happens comes as part of the replay.
	Replayed <-chan struct{}
}

// NextConnections sets how the next connections behave, one Script each.
func (s *Server) NextConnections(scripts ...Script) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.scripts = append(s.scripts, scripts...)
}

func (s *Server) eachConn(f func(c *gatewayConn)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.conns {
		f(c)
	}
	s.touchLocked()
}

// Cut breaks every gateway connection as a broken network does. Sessions can be resumed.
func (s *Server) Cut() {
	s.eachConn(func(c *gatewayConn) { c.endLocked(); c.cut() })
}

// CloseGateway closes every connection with the code. With 4009 it forgets its session.
func (s *Server) CloseGateway(code int, text string) {
	s.eachConn(func(c *gatewayConn) {
		if c.session != nil {
			s.closesLocked(code, c.session.id)
		}
		c.closeLocked(code, text)
		c.endLocked()
	})
}

// closesLocked forgets a session where the code of a close says that it has timed out.
func (s *Server) closesLocked(code int, session string) {
	if code == 4009 {
		delete(s.sessions, session)
	}
}

// Reconnect asks every connection to reconnect (op 7).
func (s *Server) Reconnect() {
	s.eachConn(func(c *gatewayConn) { c.opLocked(7, nil) })
}

// Invalidate tells every connection that its session is invalid (op 9), and forgets it where it is
// not resumable.
func (s *Server) Invalidate(resumable bool) {
	s.eachConn(func(c *gatewayConn) {
		if !resumable && c.session != nil {
			delete(s.sessions, c.session.id)
		}
		c.opLocked(9, resumable)
	})
}

// Forget forgets every session and cuts the connections, as after a long outage: a RESUME is
// refused with op 9.
func (s *Server) Forget() {
	s.mu.Lock()
	clear(s.sessions)
	s.mu.Unlock()
	s.Cut()
}

// Zombie keeps every connection open and silent: nothing is sent any more, heartbeats are not
// acknowledged.
func (s *Server) Zombie() {
	s.eachConn(func(c *gatewayConn) { c.zombie = true })
}

// StopAcks has every connection go on without acknowledging heartbeats.
func (s *Server) StopAcks() {
	s.eachConn(func(c *gatewayConn) { c.script.NoAcks = true })
}

// AskHeartbeat asks every connection for a heartbeat (op 1).
func (s *Server) AskHeartbeat() {
	s.eachConn(func(c *gatewayConn) { c.opLocked(1, nil) })
}

// Repeat delivers the last n events of every session once more, with the sequence that they had.
func (s *Server) Repeat(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, ss := range s.sessions {
		for _, f := range ss.frames[max(len(ss.frames)-n, 0):] {
			if ss.conn != nil {
				ss.conn.sendLocked(frame{data: f, compress: ss.compress})
			}
		}
	}
}

// Redeliver dispatches the last n events of every session once more, as new ones.
func (s *Server) Redeliver(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, ss := range s.sessions {
		for _, f := range ss.frames[max(len(ss.frames)-n, 0):] {
			var p payload
			if err := json.Unmarshal(f, &p); err != nil {
				panic(err) // the server wrote it
			}
			ss.dispatchLocked(*p.Type, p.Data)
		}
	}
	s.touchLocked()
}

// Dispatch sends any event to every session: what the model does not know.
func (s *Server) Dispatch(kind string, data any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, ss := range s.sessions {
		ss.dispatchLocked(kind, data)
	}
	s.touchLocked()
}

// DispatchRaw sends an event that is JSON already, n times, without keeping it for replay: for
// benchmarks.
func (s *Server) DispatchRaw(kind string, data []byte, n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, ss := range s.sessions {
		if ss.conn == nil {
			continue
		}
		for range n {
			ss.seq++
			ss.conn.sendLocked(frame{data: fmt.Appendf(nil, `{"t":%q,"s":%d,"op":0,"d":%s}`, kind, ss.seq, data),
				compress: ss.compress})
		}
	}
}

// DispatchRaw sends an event of the guild to the shards that hear of it, as [Server.DispatchRaw] does to all.
func (g *Guild) DispatchRaw(kind string, data []byte) {
	g.srv.mu.Lock()
	defer g.srv.mu.Unlock()
	for _, ss := range g.srv.sessions {
		if ss.conn != nil && ss.hears(g.ID) {
			ss.seq++
			ss.conn.sendLocked(frame{data: fmt.Appendf(nil, `{"t":%q,"s":%d,"op":0,"d":%s}`, kind, ss.seq, data), compress: ss.compress})
		}
	}
}

// Unsent returns how much waits on the server's side, in events: the bot does not read fast enough,
// or not at all.
func (s *Server) Unsent() (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.conns {
		n += len(c.out)
	}
	return n
}

// Online returns how many shards are connected with a session.
func (s *Server) Online() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for c := range s.conns {
		if c.session != nil && !c.zombie {
			n++
		}
	}
	return n
}

// Sessions returns how many sessions there are that can be resumed, or are in use.
func (s *Server) Sessions() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.sessions)
}

// Identified returns how many identifies were sent.
func (s *Server) Identified() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.identified
}

// LastReady returns when the last shard was told that it is ready (READY).
func (s *Server) LastReady() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.lastReady
}

// MembersAsked returns how often members were asked for over the gateway (op 8).
func (s *Server) MembersAsked() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.memberAsks
}

// Connections returns how often the gateway was connected to, whatever came of it.
func (s *Server) Connections() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.connected
}

// Heartbeats returns how many the connections of now have sent.
func (s *Server) Heartbeats() (n int) {
	s.eachConn(func(c *gatewayConn) { n += c.beats })
	return n
}

// Fault is how the REST API fails.
type Fault struct {
	Status int
	// Body is what it answers; zero means something fitting, for a 429 with the numbers of After.
	Body string
	// After, Global and Scope ("user", "shared", "global") are those of a 429.
	After  time.Duration
	Global bool
	Scope  string
	// HTML has a 429 come from Cloudflare.
	HTML bool
	// Done is whether the request takes effect all the same: only its answer is lost.
	Done bool
	// Drop closes the connection without an answer.
	Drop bool
	// Delay holds the answer back by real time, while the request's context lasts.
	Delay time.Duration
}

type fault struct {
	method, part string
	left         int
	Fault
}

// Fail has the next n requests of the method, with the part in their path, fail. An empty method or
// part fits all.
func (s *Server) Fail(n int, method, part string, f Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = append(s.faults, &fault{method: method, part: part, left: n, Fault: f})
}

// Heal ends all faults of the REST API.
func (s *Server) Heal() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = nil
}

// Set changes exported fields of the server after something has connected to it.
func (s *Server) Set(f func(*Server)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f(s)
}

// ResetToken makes the token invalid, as the button in the portal does, and closes the gateway with
// 4004.
func (s *Server) ResetToken() {
	s.mu.Lock()
	s.Token = "another-token"
	clear(s.sessions)
	s.mu.Unlock()
	s.CloseGateway(4004, "Authentication failed.")
}

// Asked returns how many REST requests have arrived, those that were not answered included.
func (s *Server) Asked() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.asked
}
