//go:build unix

package main

import (
	"strings"
	"testing"
	"time"

	"moot/internal/effort"
	"moot/protocol/discord/discordtest"
)

// TestASecretVoteFailsOver: the machine that leads is killed while a secret vote is open. The other one has all ballots: people see
// and change theirs, the vote closes when it would have, and its result counts each person once. What each said stays hidden.
func TestASecretVoteFailsOver(t *testing.T) {
	for name, start := range engines {
		t.Run(name, func(t *testing.T) { testASecretVoteFailsOver(t, start(t)) })
	}
}

func testASecretVoteFailsOver(t *testing.T, e engine) {
	effort.Slow(t)
	p := newPair(t, e)
	began := time.Now()
	p.ann.Slash(p.general, "vote poll", discordtest.Options{
		"question": "Who leads?", "option": "Monika", "option-2": "Tadeusz", "for": "1m", "secret": true,
	}).Reply()
	p.shows(p.ben, p.general, "Secret vote", "Who leads?", "where one fails, another goes on with the vote")
	cast := func(u *discordtest.User, ballot string) string {
		return u.Slash(p.general, "vote cast", discordtest.Options{"ballot": "3 #" + ballot}).Reply().Content
	}
	for u, option := range map[*discordtest.User]string{p.ann: "1", p.ben: "1", p.cem: "2"} {
		p.expect("a ballot", cast(u, option), "Your ballot in vote 3 is")
	}
	old, killed := p.discordBot, time.Now()
	old.kill()
	took := p.takesOver(killed)
	p.expect("what Ben sees of his own", p.ben.Slash(p.ben.DM(), "vote show", discordtest.Options{"vote": "3"}).Reply().Content, "Monika")
	p.expect("the ballot that Ben changes", cast(p.ben, "2"), "Your ballot in vote 3 is")
	p.expect("a new one", cast(p.dan, "2"), "Your ballot in vote 3 is")
	p.shows(p.ben, p.general, "Who leads?", "\n4 of ")
	for _, m := range p.ann.Sees(p.general) {
		if !m.Ephemeral && (strings.Contains(m.Content, "Monika – ") || strings.Contains(m.Content, "Your ballot")) {
			t.Errorf("before it closes the room can read: %s", m.Content)
		}
	}
	closed := p.shows(p.ben, p.general, "«Who leads?» has closed", "«Tadeusz», with 3", "4 of ")
	t.Logf("another machine led after %v; it closed after %v: %s", took.Round(time.Millisecond), time.Since(began).Round(time.Millisecond), closed.Content)
	old.launch()
	p.standsBy()
	p.same()
}
