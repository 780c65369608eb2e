package main

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"moot/internal/effort"
	"moot/protocol/discord/discordtest"
)

// TestDiscordUnderAWrongClock: a bot that starts while the clock of its machine is wrong takes nothing in. It is there all the
// same, whether its session is new or goes on, and tells who gives it a command why that is not done. Once the clock is right
// it is. The clock of a process cannot be set, so that of Discord is.
func TestDiscordUnderAWrongClock(t *testing.T) {
	effort.Slow(t)
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
		answers := len(b.srv.Requests(http.MethodPost, "/webhooks/"))
		for len(b.srv.Requests(http.MethodPost, "/webhooks/")) == answers {
			town.cem.Slash(town.general, "ping", nil).Ack() // to what the bot says here Discord answers with the time
			time.Sleep(300 * time.Millisecond)
		}
		b.expect(start, public.Followups(1)[0].Content, "pong")
		b.expect(start, private.Followups(1)[0].Content, town.ben.ID)
		town.ready()
		b.kill()
	}
	if n := b.srv.Identified(); n != 1 {
		t.Errorf("it identified %d times", n)
	}
}

// TestDiscordALostSession: where Discord has forgotten the session meanwhile, the next process identifies, and not within five
// seconds of the last identify, which Discord would refuse. What was written is fetched with few requests, and answered once.
func TestDiscordALostSession(t *testing.T) {
	effort.Slow(t)
	b := newDiscordBot(t, "message_content = true")
	b.srv.Set(func(s *discordtest.Server) { s.IdentifyGap = 5 * time.Second })
	town := b.settle("Lab")
	b.start()
	town.ready()
	pongs := func(u *discordtest.User, c *discordtest.Channel) (n int) {
		for _, m := range u.Sees(c) {
			if m.AuthorID == b.srv.Bot.ID && strings.Contains(m.Content, "pong") {
				n++
			}
		}
		return n
	}
	town.cem.Says(town.cem.DM(), "ping") // without which Discord would not tell of the conversation
	b.srv.Until("an answer in private", func() bool { return pongs(town.cem, town.cem.DM()) == 1 })
	b.kill()
	b.srv.Forget()
	asked := len(b.srv.Requests(http.MethodGet, ""))
	town.cem.Says(town.cem.DM(), "ping")
	town.dan.Says(town.general, "!moot ping")
	b.start()
	b.srv.Until("the answers to what was written meanwhile", func() bool {
		return pongs(town.cem, town.cem.DM()) == 2 && pongs(town.dan, town.general) == 1
	})
	town.ready()
	b.stop()
	if n := pongs(town.cem, town.cem.DM()) + pongs(town.dan, town.general); n != 3 {
		t.Errorf("there are %d answers", n)
	}
	if n := b.srv.Identified(); n != 2 {
		t.Errorf("it identified %d times", n)
	}
	if n := len(b.srv.Requests(http.MethodGet, "")) - asked; n > 14 { // two starts, each of which claims the folder by two
		t.Errorf("it asked Discord %d times", n)
	}
}
