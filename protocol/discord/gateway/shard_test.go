package gateway

import (
	"bytes"
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/bwmarrin/discordgo"
)

// A permit is one identify at most, and where it becomes none it leaves nothing behind.
func TestPermits(t *testing.T) {
	b := New(Config{}).budget
	permit := func(remaining int) *permit {
		p := &permit{b: b, turn: make(chan struct{}, 1)}
		p.turn <- struct{}{}
		p.info.Limit.Total, p.info.Limit.Remaining = 1000, remaining
		return p
	}
	for range 2000 { // connections that fail before they identify
		p := permit(1)
		if _, wait := b.grant(time.Now(), p); wait > 0 {
			t.Fatalf("the only identify that is left is not granted, but after %s", wait)
		}
		if _, wait := b.grant(time.Now(), permit(1)); wait == 0 {
			t.Fatal("it is granted twice")
		}
		p.release()
	}
	p := permit(1)
	b.grant(time.Now(), p)
	if err := p.spend(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := p.spend(t.Context()); !errors.Is(err, errPermit) {
		t.Errorf("it is spent twice: %v", err)
	}
	p.release()
	if _, wait := b.grant(time.Now(), permit(1)); wait == 0 || b.granted != 0 || len(b.spent) != 1 {
		t.Errorf("another is granted, or in %s; %d permits are open", wait, b.granted)
	}
	// Discord was asked before the last was spent: what it says has one too many.
	p = permit(1)
	p.info.Limit.ResetAfter = 1000
	if _, wait := b.grant(time.Now().Add(time.Hour), p); wait == 0 {
		t.Error("an answer that is out of date is believed")
	}
	if p.seen = 1; b.granted != 0 {
		t.Errorf("%d permits are open", b.granted)
	}
	if _, wait := b.grant(time.Now().Add(time.Hour), p); wait != 0 {
		t.Errorf("what Discord says now is believed in %s", wait)
	}
}

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

// Of a budget of two, one of which is left, one goes; of none, nobody asks again before there are more.
func TestSmallBudgets(t *testing.T) {
	b := New(Config{}).budget
	permit := func(remaining int, reset time.Duration) *permit {
		p := &permit{b: b}
		p.info.Limit.Total, p.info.Limit.Remaining, p.info.Limit.ResetAfter = 2, remaining, reset.Milliseconds()
		return p
	}
	for reset, want := range map[time.Duration]time.Duration{time.Hour: time.Hour, 0: day, -time.Hour: day, 1000 * day: day} {
		if _, wait := b.grant(time.Now(), permit(0, reset)); wait != want {
			t.Errorf("none is left for %s, and it waits for %s", reset, wait)
		}
	}
	if _, wait := b.grant(time.Now(), permit(1, time.Hour)); wait != 0 {
		t.Errorf("the first is granted in %s", wait)
	}
	if _, wait := b.grant(time.Now(), permit(1, time.Hour)); wait == 0 {
		t.Error("the second is granted too")
	}
}

// Fault H8: discordgo holds its lock while it opens a connection and hands on what comes first. Whoever sends something then
// waits for nothing.
func TestSendingTakesNoLockOfDiscordgo(t *testing.T) {
	in := &script{in: bytes.NewReader(nil), piece: 1}
	c := &conn{session: &discordgo.Session{}, wire: newWire(in, time.Hour, nil, nil, nil)}
	c.session.Lock()
	sent := make(chan error, 1)
	go func() { sent <- c.send([]byte(`{"op":3}`)) }()
	select {
	case err := <-sent:
		if err != nil || in.out.Len() == 0 {
			t.Errorf("%d bytes went out: %v", in.out.Len(), err)
		}
	case <-time.After(30 * time.Second):
		t.Error("it waits for discordgo")
	}
}
