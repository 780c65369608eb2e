package events

import (
	"flag"
	"fmt"
	"slices"
	"strconv"
	"testing"
	"time"

	"moot/protocol"
	"moot/store"
)

var benchFacts = flag.Int("facts", 10_000, "how many facts there are before a benchmark begins")

// history publishes n ballots of 1,000 people in 100 votes and 10 rooms, in commits of 1,000.
func (w *world) history(n int) {
	w.Helper()
	for i := 0; i < n; {
		w.commit(func(c *store.Commit) {
			for range min(1000, n-i) {
				err := c.Run(protocol.Scope(fmt.Sprint("console:room", i%10)), w.cause(), func(tx *store.Tx) error {
					return w.bus.Publish(tx, ballot(voter(i), strconv.Itoa(i/7%100), "yes"))
				})
				if err != nil {
					w.Fatal(err)
				}
				i++
			}
		})
	}
}

// voter returns somebody of 1,000 people, in no order.
func voter(i int) protocol.UserID { return protocol.UserID(fmt.Sprint("console:voter", i*7919%1000)) }

// BenchmarkPublish publishes ballots, with people, one key and a projection; one operation is one
// fact.
func BenchmarkPublish(b *testing.B) {
	w := newWorld(b)
	w.history(*benchFacts)
	for _, batch := range []int{1, 50, 500} {
		b.Run(fmt.Sprintf("facts=%d/batch=%d", *benchFacts, batch), func(b *testing.B) {
			b.ReportAllocs()
			for i := 0; i < b.N; {
				w.commit(func(c *store.Commit) {
					for range min(batch, b.N-i) {
						err := c.Run(lobby, w.cause(), func(tx *store.Tx) error {
							return w.bus.Publish(tx, ballot(voter(i), strconv.Itoa(i/7%100), "yes"))
						})
						if err != nil {
							b.Fatal(err)
						}
						i++
					}
				})
			}
		})
	}
}

// BenchmarkMatching asks for 20 facts; one operation is one query in a view of its own.
func BenchmarkMatching(b *testing.B) {
	w := newWorld(b)
	w.history(*benchFacts)
	person := w.number(voter(3)).String()
	queries := []struct {
		name string
		q    Query
	}{
		{"last of a kind", Query{Kind: "ballot", Backward: true, Limit: 20}},
		{"person", Query{Filters: map[string]string{KeyPerson: person}, Limit: 20}},
		{"person backward", Query{Filters: map[string]string{KeyPerson: person}, Backward: true, Limit: 20}},
		{"person and scope", Query{
			Kind: "ballot", Filters: map[string]string{"voter": person, KeyScope: "console:room3"}, Limit: 20,
		}},
		{"vote and scope", Query{
			Kind: "ballot", Filters: map[string]string{"vote": "50", KeyScope: "console:room3"}, Limit: 20,
		}},
	}
	ask := func(b *testing.B, where string) {
		for _, q := range queries {
			b.Run(fmt.Sprintf("facts=%d/%s/%s", *benchFacts, where, q.name), func(b *testing.B) {
				found := 0
				b.ReportAllocs()
				for b.Loop() {
					found += len(w.matching(q.q))
				}
				b.ReportMetric(float64(found)/float64(b.N), "facts/op")
			})
		}
	}
	ask(b, "window")
	w.age()
	w.archive()
	ask(b, "archive")
}

// BenchmarkArchiveStep moves facts to the archive; one operation is one fact.
func BenchmarkArchiveStep(b *testing.B) {
	w := newWorld(b)
	b.StopTimer()
	for left := b.N; left > 0; {
		n := min(left, 100*MaxArchiveStep)
		w.history(n)
		w.age()
		b.StartTimer()
		w.archive()
		b.StopTimer()
		left -= n
	}
}

// BenchmarkVerify replays and compares; one operation is the whole log.
func BenchmarkVerify(b *testing.B) {
	w := newWorld(b)
	w.history(*benchFacts)
	dir := b.TempDir()
	b.ResetTimer()
	for range b.N {
		if err := w.bus.Verify(b.Context(), dir); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(*benchFacts)*float64(b.N)/b.Elapsed().Seconds(), "facts/s")
}

// BenchmarkCommitBesideVerify measures commits of one fact, each a millisecond after the one before, alone and beside a
// Verify of the log, in turns. One operation is a pair of turns: a whole Verify, and as many commits without.
func BenchmarkCommitBesideVerify(b *testing.B) {
	w := newWorld(b)
	w.history(*benchFacts)
	if err := w.store.Checkpoint(b.Context()); err != nil {
		b.Fatal(err)
	}
	for _, gently := range []bool{true, false} {
		b.Run(fmt.Sprintf("facts=%d/gently=%v", *benchFacts, gently), func(b *testing.B) { commitBesideVerify(b, w, gently) })
	}
}

func commitBesideVerify(b *testing.B, w *world, gently bool) {
	dir, n := b.TempDir(), 0
	commit := func(into *[]time.Duration) {
		time.Sleep(time.Millisecond)
		n++
		began := time.Now()
		w.publish(lobby, ballot(voter(n), strconv.Itoa(n/7%100), "yes"))
		*into = append(*into, time.Since(began))
	}
	var alone, beside []time.Duration
	var took time.Duration
	b.ResetTimer()
	for range b.N {
		began, verified := time.Now(), make(chan error, 1)
		go func() {
			_, err := w.bus.Replay(b.Context(), dir, gently)
			verified <- err
		}()
		for done := false; !done; {
			commit(&beside)
			select {
			case err := <-verified:
				if done = true; err != nil {
					b.Fatal(err)
				}
			default:
			}
		}
		took += time.Since(began)
		for len(alone) < len(beside) {
			commit(&alone)
		}
	}
	slices.Sort(alone)
	slices.Sort(beside)
	at := func(d []time.Duration, share int) float64 {
		return float64(d[len(d)*share/1000].Microseconds()) / 1000
	}
	b.ReportMetric(at(alone, 500), "ms-p50-alone")
	b.ReportMetric(at(beside, 500), "ms-p50-beside")
	b.ReportMetric(at(alone, 990), "ms-p99-alone")
	b.ReportMetric(at(beside, 990), "ms-p99-beside")
	b.ReportMetric(at(beside, 990)/at(alone, 990), "p99-ratio")
	b.ReportMetric(took.Seconds()/float64(b.N), "s-verify")
}

// BenchmarkFollow reads the log as a follower does; one operation is one fact.
func BenchmarkFollow(b *testing.B) {
	w := newWorld(b)
	w.history(*benchFacts)
	b.ReportAllocs()
	b.ResetTimer()
	for left := b.N; left > 0; {
		sub := w.bus.SubscribeWithHistory(-1)
		for range min(left, *benchFacts) {
			if _, err := sub.Next(b.Context()); err != nil {
				b.Fatal(err)
			}
			left--
		}
		sub.Close()
	}
}
