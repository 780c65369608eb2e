package main

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"moot/internal/effort"
	"moot/protocol/discord/discordtest"
)

// taking is a way in which Discord takes the session away: from a bot that runs, or from one that starts again.
type taking struct {
	name              string
	running, starting func(*discordtest.Server)
	anew              bool // whether the bot has to begin another one
}

var takings = []taking{
	{name: "op 9, true", running: func(s *discordtest.Server) { s.Invalidate(true) }},
	{name: "op 9, false", running: func(s *discordtest.Server) { s.Invalidate(false) }, anew: true},
	{name: "closed with 4009", running: func(s *discordtest.Server) { s.CloseGateway(4009, "Session timed out.") }, anew: true},
	{name: "op 9, true, at the start", starting: func(s *discordtest.Server) {
		s.NextConnections(discordtest.Script{FirstAfterResume: []int{9}})
	}},
	{name: "op 9, false, at the start", starting: func(s *discordtest.Server) {
		s.NextConnections(discordtest.Script{Invalid: true})
	}, anew: true},
	{name: "closed with 4009 at the start", starting: func(s *discordtest.Server) {
		s.NextConnections(discordtest.Script{Close: 4009, Text: "Session timed out."})
	}, anew: true},
}

// TestDiscordKillsWithoutASession kills the bot as TestDiscordKills does, and in each of its lives Discord takes the session away.
// Where the session stands (op 9, true), nothing is lost, as there. Where it does not (op 9, false, and 4009), all that can
// be read afterwards is answered once: messages in channels and in private conversations that the bot knows. Lost is what
// Discord tells nobody afterwards, and nothing else: presses that had no answer when it forgot the session, or came before
// there was another, and so the first private messages of somebody new. Such a press casts no ballot.
func TestDiscordKillsWithoutASession(t *testing.T) {
	if !effort.Long() {
		t.Skip("takes some minutes; MOOT_LONG runs it")
	}
	effort.Proof(t)
	w := newKilledTown(t)
	b := w.discordBot
	some := func() {
		for range w.r.IntN(12) {
			w.something()
			time.Sleep(time.Duration(w.r.IntN(30)) * time.Millisecond)
		}
	}
	lost, killed := 0, 0 // sessions, and lives that ended before there was another
	take := func(how taking, now func(*discordtest.Server)) {
		w.away = true
		if how.anew {
			lost++
			w.loses()
		}
		now(b.srv)
		some()
	}
	for range 6 {
		for _, how := range takings {
			some()
			if how.running != nil {
				take(how, how.running)
				if w.r.IntN(2) == 0 {
					w.back()
					some()
				} else { // the wait that Discord asks for, and the next identify, take up to ten seconds
					time.Sleep(time.Duration(w.r.IntN(10_000)) * time.Millisecond)
				}
			}
			b.kill()
			w.away = true
			if w.deaf {
				killed++
			}
			some()
			if how.starting != nil {
				take(how, how.starting)
			}
			b.start()
			w.back()
		}
	}
	w.allAnswered()
	w.noneTwice()
	w.counted()
	if n := b.srv.Identified(); n < 1+lost || n > 1+lost+killed {
		t.Errorf("it identified %d times: once, after each of %d sessions that were lost, and perhaps in %d lives before that was kept", n, lost, killed)
	}
	looked := 0
	for _, r := range b.srv.Requests(http.MethodGet, "") {
		if strings.HasSuffix(r.Path, "/messages") {
			looked++
		}
	}
	if looked > 1000*lost { // the budget of a session
		t.Errorf("it read messages %d times", looked)
	}
	presses, risky, first := 0, 0, 0
	for _, i := range w.pressed {
		if w.risky[i.Interaction] {
			risky++
		}
		if i.Replied() == nil {
			presses++
		}
	}
	told := w.told()
	for id, c := range w.private {
		first += c.said - told[id]
	}
	b.stop()
	b.expect("moot check", b.run("check"), "missed")
	b.run("verify")
	t.Logf("%d sessions lost, %d lives ended before there was another, %d identifies, messages read %d times", lost, killed, b.srv.Identified(), looked)
	t.Logf("%d messages, all answered once; lost: %d of %d presses, all of them of %d when there was no session, and %d first messages in private of %d people",
		len(w.asked), presses, len(w.pressed), risky, first, len(w.private))
}

// loses notes that Discord forgets the session now. What has no answer yet it may have told nobody who lives to take it in.
func (w *killedTown) loses() {
	w.deaf = true
	for _, i := range w.pressed {
		if i.Replied() == nil {
			w.risky[i.Interaction] = true
		}
	}
	told := w.told()
	for id, c := range w.private {
		if told[id] == 0 {
			c.risky = c.said
		}
	}
}

// back waits until the bot answers what is said now. What it answers it has admitted, and before that it has kept its session.
func (w *killedTown) back() {
	w.Helper()
	last := w.asks()
	w.srv.Until("what was said last is answered", func() bool { return w.answers()[last] > 0 })
	w.deaf, w.away = false, false
}
