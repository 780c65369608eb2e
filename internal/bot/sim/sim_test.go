package sim

import (
	"flag"
	"fmt"
	"os"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"moot/internal/bot/bottest"
)

var (
	seed      = flag.Uint64("seed", 1, "of the first history; each next one has the next seed")
	histories = flag.Int("histories", 16, "how many histories are played; .ci/prove plays more")
	lateness  = flag.Float64("late", 0.3, "how often what scopes tell each other comes in a later commit, in each third history")
	allLate   = flag.Bool("alllate", false, "in all histories")
	length    = flag.Int("steps", 250, "how much happens in a history before it comes to rest")
)

// scratch is where stores are made.
func scratch(t testing.TB) string {
	dir, err := bottest.Scratch()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// TestSimulation plays histories.
func TestSimulation(t *testing.T) {
	began := time.Now()
	var failed atomic.Bool
	var mu sync.Mutex
	var total tally
	next := make(chan uint64)
	var wg sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			dir := scratch(t)
			for s := range next {
				h := play(t, dir, s, *length)
				mu.Lock()
				total.add(h.tally)
				mu.Unlock()
				if h.broken != nil {
					failed.Store(true)
					t.Errorf("history %d: %v\n%s\nplay it again: go test ./internal/bot/sim -run TestSimulation -seed %d -histories 1 -steps %d -v", s, h.broken, h.tail(30), s, *length)
				} else if *histories == 1 && testing.Verbose() {
					fmt.Println(strings.Join(h.trace, "\n"))
				}
			}
		})
	}
	for i := range *histories {
		if failed.Load() {
			break
		}
		next <- *seed + uint64(i)
	}
	close(next)
	wg.Wait()
	t.Logf("%d histories from seed %d in %s: %s", *histories, *seed, time.Since(began).Round(time.Millisecond), total)
	if !failed.Load() && *histories >= 50 {
		total.requireAll(t)
	}
}

// TestSameSeedSameHistory: a seed replays its history to the last word.
func TestSameSeedSameHistory(t *testing.T) {
	for s := uint64(1001); s < 1006; s++ {
		a, b := play(t, scratch(t), s, *length), play(t, scratch(t), s, *length)
		for i := range a.trace {
			if i >= len(b.trace) || a.trace[i] != b.trace[i] {
				t.Fatalf("seed %d, line %d of %d:\n%s\nand the second time:\n%s", s, i, len(a.trace), a.trace[i], b.trace[min(i, len(b.trace)-1)])
			}
		}
		if len(a.trace) != len(b.trace) {
			t.Errorf("seed %d: %d lines, and the second time %d", s, len(a.trace), len(b.trace))
		}
	}
}
