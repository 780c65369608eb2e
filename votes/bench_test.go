package votes_test

import (
	"fmt"
	"testing"
	"time"

	"moot/internal/bot"
	"moot/protocol"
	"moot/store"
	"moot/votes"
)

// crowd is a town with a vote in which ten thousand may vote.
func crowd(b *testing.B, n int) *town {
	w := newTown(b)
	people := make([]string, n)
	for i := range people {
		people[i] = fmt.Sprintf("p%05d", i)
	}
	w.settle(lobby, people...)
	w.say(lobby, "p00000", "!moot vote motion we sing")
	if v := w.vote(lobby, 1); v.Size != n {
		b.Fatalf("%d can vote: %s", v.Size, w.heard())
	}
	return w
}

// BenchmarkBallot casts ballots by reaction in a vote with an electorate of 10,000, 64 to a commit.
func BenchmarkBallot(b *testing.B) {
	const n, batch = 10_000, 64
	w := crowd(b, n)
	board := w.board(lobby)
	next := 0
	b.ResetTimer()
	for next < b.N {
		var evs []protocol.Event
		for range min(batch, b.N-next) {
			next++
			evs = append(evs, protocol.Event{
				Room: lobby, ID: protocol.EventID(fmt.Sprintf("$b%d", next)), Sender: person(fmt.Sprintf("p%05d", next%n)), Time: w.now,
				Body: protocol.ReactionAdded{Target: board, Reaction: []string{"👍", "👎", "🤷"}[next/n%3]},
			})
		}
		w.step(bot.Admitted{Batch: &bot.Batch{Network: protocol.Console, Events: evs}})
	}
	b.StopTimer()
	if got := w.vote(lobby, 1).Count.Cast; got != min(n, b.N) {
		b.Fatalf("%d ballots of %d", got, b.N)
	}
}

// BenchmarkOpen opens and withdraws a vote with an electorate of 10,000.
func BenchmarkOpen(b *testing.B) {
	w := crowd(b, 10_000)
	b.ResetTimer()
	for range b.N {
		w.now = w.now.Add(time.Second)
		w.say(lobby, "p00001", "!moot vote motion we dance")
		w.say(lobby, "p00001", "!moot vote withdraw 2")
		w.say(lobby, "p00001", "!moot vote cancel")
		var id uint64
		w.view(func(tx *store.Tx) {
			for v := range votes.OpenIn(tx, lobby) {
				id = v.ID
			}
		})
		w.say(lobby, "p00001", fmt.Sprintf("!moot vote cancel %d", id))
	}
}

// BenchmarkReplay replays a log of ballots, and compares what it gives.
func BenchmarkReplay(b *testing.B) {
	const n, facts = 1000, 20_000
	w := crowd(b, n)
	board := w.board(lobby)
	for next := 0; next < facts; {
		var evs []protocol.Event
		for range 1000 {
			next++
			evs = append(evs, protocol.Event{
				Room: lobby, ID: protocol.EventID(fmt.Sprintf("$b%d", next)), Sender: person(fmt.Sprintf("p%05d", next%n)), Time: w.now,
				Body: protocol.ReactionAdded{Target: board, Reaction: []string{"👍", "👎", "🤷"}[next/n%3]},
			})
		}
		w.step(bot.Admitted{Batch: &bot.Batch{Network: protocol.Console, Events: evs}})
	}
	b.ResetTimer()
	for range b.N {
		if err := w.bus.Verify(b.Context(), ""); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(facts)*float64(b.N)/b.Elapsed().Seconds(), "facts/s")
}
