package main

import (
	"slices"
	"testing"
	"time"

	"moot/internal/effort"
	"moot/protocol/discord/discordtest"
)

// answered returns how long each of the interactions waited for its first answer, the shortest first.
func answered(t *testing.T, all []*discordtest.Interaction) (took []time.Duration) {
	t.Helper()
	for _, i := range all {
		i.Reply()
		took = append(took, i.AnsweredAfter())
	}
	slices.Sort(took)
	return took
}

// TestDiscordASlowChannelHoldsUpNothingElse: Discord refuses messages in one channel for 40 seconds, where ten votes are to be
// shown. Commands elsewhere are answered as before: within 50 ms more.
func TestDiscordASlowChannelHoldsUpNothingElse(t *testing.T) {
	effort.Slow(t)
	b := newMeasuredBot(t, "[commands]\nrate_burst = 1000")
	town := b.settle("Lab")
	other := town.NewChannel("other")
	people := town.Populate(50)
	b.start()
	town.ready()
	pings := func() time.Duration {
		var all []*discordtest.Interaction
		for _, u := range people {
			i := u.Slash(other, "ping", nil)
			i.Reply() // one after another: how long each takes, not how many go at once
			all = append(all, i)
		}
		return answered(t, all)[len(all)/2]
	}
	before := pings()
	b.srv.Fail(1000, "POST", "/channels/"+town.general.ID+"/messages", discordtest.Fault{Status: 429, After: 40 * time.Second, Scope: "shared"})
	for _, u := range people[:10] {
		u.Slash(town.general, "vote motion", discordtest.Options{"text": "we sing, says " + u.Name})
	}
	b.srv.Until("the channel has refused", func() bool { return len(b.srv.Requests("POST", "/channels/"+town.general.ID+"/messages")) > 0 })
	during := pings()
	t.Logf("an answer takes %s, and %s while another channel is slow", before, during)
	if during > before+50*time.Millisecond {
		t.Errorf("a slow channel holds up others: an answer takes %s, and %s before", during, before)
	}
}

// patience is by how much the figures below may be missed: by nothing with MOOT_LONG, as .ci/run asks for them on a machine that
// does nothing else, and by this factor where all tests run at once.
func patience() time.Duration {
	if effort.Long() {
		return 1
	}
	return 20
}

// TestDiscordPublicAnswersAtALatency: each request takes 120 ms, as it does across an ocean. One server has a hundred public
// answers a second all the same. A quarter of them without MOOT_LONG.
func TestDiscordPublicAnswersAtALatency(t *testing.T) {
	effort.Proof(t)
	b := newMeasuredBot(t, "[commands]\nrate_burst = 1000")
	b.srv.AnswerWithin = time.Minute
	town := b.settle("Lab")
	n := 100
	if effort.Long() {
		n = 400
	}
	people := town.Populate(n)
	b.start()
	town.ready()
	b.srv.Fail(1_000_000, "", "/interactions/", discordtest.Fault{Delay: 120 * time.Millisecond})
	b.srv.Fail(1_000_000, "", "/webhooks/", discordtest.Fault{Delay: 120 * time.Millisecond})
	began := time.Now()
	var all []*discordtest.Interaction
	for _, u := range people {
		all = append(all, u.Slash(town.general, "ping", nil))
	}
	answered(t, all)
	took := time.Since(began)
	t.Logf("%d public answers took %s, %.0f a second", len(all), took, float64(len(all))/took.Seconds())
	if took > time.Duration(len(all))*10*time.Millisecond*patience() {
		t.Errorf("%d public answers took %s", len(all), took)
	}
}

// TestDiscordManyInteractionsAtOnce: two thousand commands within two seconds, of a bot that has one processor. All are
// acknowledged before Discord gives up on them, and answered within ten seconds. A tenth of that without MOOT_LONG.
func TestDiscordManyInteractionsAtOnce(t *testing.T) {
	effort.Proof(t)
	n := 200
	if effort.Long() {
		n = 2000
	}
	b := newMeasuredBot(t, "[commands]\nrate_burst = 1000")
	b.env = []string{"GOMAXPROCS=1"}
	b.srv.AnswerWithin = time.Minute // that each was in time is looked at below
	town := b.settle("Lab")
	people := town.Populate(n)
	b.start()
	town.ready()
	began := time.Now()
	var all []*discordtest.Interaction
	for k, u := range people {
		time.Sleep(time.Until(began.Add(time.Duration(k) * 2 * time.Second / time.Duration(n)))) // its rhythm, not a barrier
		all = append(all, u.Slash(town.general, []string{"ping", "whoami"}[k%2], nil))
	}
	took := answered(t, all)
	done := time.Since(began)
	t.Logf("acknowledged after %s in the middle, %s at most; all answered after %s", took[n/2], took[n-1], done)
	if took[n-1] > 3*time.Second*patience() || done > 12*time.Second*patience() {
		t.Errorf("the last was acknowledged after %s, and all answered after %s", took[n-1], done)
	}
}
