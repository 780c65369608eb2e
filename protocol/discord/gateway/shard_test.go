package gateway

import (
	"encoding/json"
	"testing"
)

// What an earlier connection had read but not handed on when it ended is not received any more: the next one has asked for
// what follows the last event in the queue, and gets it anew, or belongs to another session.
func TestAnEndedConnectionAddsNothing(t *testing.T) {
	g := New(Config{})
	s := newShard(g, 0, 1)
	dead := make(chan struct{})
	close(dead)
	old, now := &conn{s: s, wire: &wire{}, ended: dead}, &conn{s: s, wire: &wire{}, ended: make(chan struct{})}
	s.live = old
	if !s.put(old, Event{Type: "READY", Seq: 1, Raw: json.RawMessage(`{"session_id":"first"}`)}) {
		t.Fatal("the queue does not take an event")
	}
	s.lost(old, errZombie)
	for name, live := range map[string]*conn{"between two": nil, "with another": now} {
		s.live = live
		if s.put(old, Event{Type: "MESSAGE_CREATE", Seq: 2}) {
			t.Errorf("%s: it is received", name)
		}
	}
	if s.put(old, Event{Type: "READY", Seq: 1, Raw: json.RawMessage(`{"session_id":"second"}`)}) || s.session != "first" {
		t.Errorf("the session is %q", s.session)
	}
	var types []string
	for _, e := range s.queue {
		types = append(types, e.Type)
	}
	if s.seq != 1 || len(types) != 2 || types[0] != "READY" || types[1] != Disconnected {
		t.Errorf("up to %d there are %q", s.seq, types)
	}
	s.live = now
	if !s.put(now, Event{Type: "MESSAGE_CREATE", Seq: 2}) || s.seq != 2 {
		t.Errorf("up to %d there is what the next connection brings", s.seq)
	}
}
