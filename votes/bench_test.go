package votes_test

import (
	"flag"
	"fmt"
	"runtime"
	"slices"
	"testing"
	"time"

	"moot/activity"
	"moot/events"
	"moot/internal/bot"
	"moot/protocol"
	"moot/store"
	"moot/votes"
	"moot/votes/tally"
)

// crowd is a town with a vote in which ten thousand may vote.
func crowd(b *testing.B, n int, with ...func(*town)) *town {
	w := newTown(b, with...)
	people := make([]string, n)
	for i := range people {
		people[i] = fmt.Sprintf("p%05d", i)
	}
	w.settle(lobby, people...)
	if w.real {
		w.takePart(people)
	}
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

// takePart lets people be active on two days.
func (w *town) takePart(people []string) {
	for range 2 {
		w.now = w.now.Add(24 * time.Hour)
		for part := range slices.Chunk(people, 1000) {
			w.now = w.now.Add(time.Millisecond)
			err := w.store.Commit(w.now, func(c *store.Commit) error {
				return c.Run(protocol.Scope(lobby), protocol.Ref{Room: lobby, Event: "$active"}, func(tx *store.Tx) error {
					for _, p := range part {
						err := w.bus.Publish(tx, events.Draft{
							Kind: activity.KindName, People: map[string]protocol.UserID{activity.RoleWho: person(p)},
							Payload: map[string]any{"by": "message"},
						})
						if err != nil {
							return err
						}
					}
					return nil
				})
			})
			if err != nil {
				w.t.Fatal(err)
			}
		}
	}
}

var electors = flag.Int("electors", 10_000, "how many may vote in BenchmarkOpen")

// BenchmarkOpen opens and withdraws a vote in a large room where all were active on two days. Beside the whole of it, it
// reports the longest step: for so long nobody else has their turn.
func BenchmarkOpen(b *testing.B) {
	w := crowd(b, *electors, func(w *town) { w.real = true })
	b.ResetTimer()
	w.longest = 0
	for i := range b.N {
		w.now = w.now.Add(time.Second)
		w.say(lobby, "p00001", "!moot vote motion we dance")
		if v := w.vote(lobby, uint64(i)+2); v.Size != *electors {
			b.Fatalf("%d can vote: %s", v.Size, w.heard())
		}
		w.say(lobby, "p00001", fmt.Sprintf("!moot vote cancel %d", i+2))
	}
	b.ReportMetric(float64(w.longest)/float64(time.Millisecond), "ms-longest")
}

var replayFacts = flag.Int("facts", 20_000, "how many ballots BenchmarkReplay replays")

// BenchmarkReplay replays a log of ballots by 1,000 people in ten votes, and compares what it gives. With -archived the
// log has left the window first. It reports how much the heap grows beyond what there was.
func BenchmarkReplay(b *testing.B) {
	for _, where := range []string{"window", "archive"} {
		b.Run(fmt.Sprintf("facts=%d/%s", *replayFacts, where), func(b *testing.B) { replay(b, where == "archive") })
	}
}

func replay(b *testing.B, archived bool) {
	const people, polls, batch = 1000, 10, 5000
	w := crowd(b, people)
	for i := range polls - 2 {
		w.say(lobby, fmt.Sprintf("p%05d", i+1), "!moot vote motion --for 14d we dance")
	}
	choices := []tally.Ballot{{tally.Yes}, {tally.No}, {tally.Abstain}}
	for next := 0; next < *replayFacts; {
		w.now = w.now.Add(time.Millisecond)
		err := w.store.Commit(w.now, func(c *store.Commit) error {
			for range min(batch, *replayFacts-next) {
				cause := protocol.Ref{Room: lobby, Event: protocol.EventID(fmt.Sprintf("$ballot%d:example.org", next))}
				err := c.Run(protocol.Scope(lobby), cause, func(tx *store.Tx) error {
					return w.bus.Publish(tx, events.Draft{
						Kind: votes.KindVote, People: map[string]protocol.UserID{"voter": person(fmt.Sprintf("p%05d", next%people))},
						Keys:    map[string]string{"vote": fmt.Sprint(1 + next/people%(polls-1)), "what": "ballot", "type": "motion"},
						Payload: map[string]any{"choices": choices[next/people/polls%3], "via": "reaction"},
					})
				})
				if err != nil {
					return err
				}
				next++
			}
			return nil
		})
		if err != nil {
			b.Fatal(err)
		}
	}
	if archived {
		for more := true; more; {
			var err error
			if _, more, err = w.bus.ArchiveStep(w.now.Add(20*24*time.Hour), 0); err != nil {
				b.Fatal(err)
			}
		}
	}
	runtime.GC()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	most := watchHeap(b)
	b.ReportAllocs()
	b.ResetTimer()
	for range b.N {
		if err := w.bus.Verify(b.Context(), b.TempDir()); err != nil {
			b.Fatal(err)
		}
	}
	b.StopTimer()
	runtime.ReadMemStats(&after)
	b.ReportMetric(float64(*replayFacts)*float64(b.N)/b.Elapsed().Seconds(), "facts/s")
	b.ReportMetric(float64(most()-before.HeapAlloc)/(1<<20), "MiB-more")
}

// watchHeap returns a function that returns the largest heap that there was since.
func watchHeap(b *testing.B) func() uint64 {
	stop, done := make(chan struct{}), make(chan uint64)
	go func() {
		most, tick := uint64(0), time.NewTicker(50*time.Millisecond)
		defer tick.Stop()
		for {
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			most = max(most, m.HeapAlloc)
			select {
			case <-tick.C:
			case <-stop:
				done <- most
				return
			}
		}
	}()
	return func() uint64 { close(stop); return <-done }
}
