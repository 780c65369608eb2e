package main

import (
	"testing"
	"time"

	"moot/protocol/discord/discordtest"
)

// TestDiscordUnderAWrongClock: a bot that starts while the clock of its machine is wrong takes nothing in. It is there all the
// same, whether its session is new or goes on, and tells who gives it a command why that is not done. Once the clock is right
// it is. The clock of a process cannot be set, so that of Discord is.
func TestDiscordUnderAWrongClock(t *testing.T) {
	const off = 25 * time.Hour
	b := newDiscordBot(t)
	town := b.settle("Lab")
	for _, start := range []string{"a new session", "a session that goes on"} {
		b.srv.Advance(off)
		b.start()
		b.srv.Until("the commands are registered", func() bool { return len(b.srv.Commands()) > 0 })
		public, private := town.ben.Slash(town.general, "ping", nil), town.ben.Slash(town.general, "whoami", nil)
		b.expect(start, public.Reply().Content, "the clock of the machine that I run on is wrong")
		b.expect(start, private.Reply().Content, "the clock of the machine that I run on is wrong")
		if public.Reply().Ephemeral || !private.Reply().Ephemeral {
			t.Errorf("%s: who sees it is not who would see the answer", start)
		}
		b.srv.Advance(-off)
		town.cem.Slash(town.general, "ping", nil).Ack() // by whose answer Discord tells the time
		b.expect(start, public.Followups(1)[0].Content, "pong")
		b.expect(start, private.Followups(1)[0].Content, town.ben.ID)
		town.ready()
		b.kill()
	}
	if n := b.srv.Identified(); n != 1 {
		t.Errorf("it identified %d times", n)
	}
}

// TestDiscordIdentifiesKeepTheirDistance: Discord refuses an identify within five seconds of the last, also where another
// process sent that one.
func TestDiscordIdentifiesKeepTheirDistance(t *testing.T) {
	b := newDiscordBot(t)
	b.srv.Set(func(s *discordtest.Server) { s.IdentifyGap = 5 * time.Second })
	town := b.settle("Lab")
	b.start()
	town.ready()
	b.kill()
	b.srv.Forget()
	b.start()
	b.expect("an answer", town.ben.Slash(town.general, "ping", nil).Reply().Content, "pong")
	if n := b.srv.Identified(); n != 2 {
		t.Errorf("it identified %d times", n)
	}
	b.stop()
}
