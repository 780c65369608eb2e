package main

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"moot/internal/effort"
	"moot/internal/failpoint"
	"moot/protocol"
)

// The crash matrix once more, at a Discord and at a homeserver that tests play. Whatever place it dies at, in the life in
// which it comes to its rooms, in the one that catches up and is put out and comes back, or in a compaction between them:
// what people have read, and what the bot then knows, are what they are when it never dies.

// netWorld is a network, and a data folder to begin with.
type netWorld struct {
	name string
	town func(*testing.T) *netTown
	aged string // the folder; zero means none
	want string
	hits map[int]map[failpoint.Point]int // by life
}

func netWorlds(t *testing.T) []*netWorld {
	var worlds []*netWorld
	for _, net := range []struct {
		name string
		town func(*testing.T) *netTown
	}{{"matrix", matrixTown}, {"discord", discordTown}} {
		worlds = append(worlds, &netWorld{name: net.name + ", new", town: net.town},
			&netWorld{name: net.name + ", aged", town: net.town, aged: agedFolder(t, protocol.Network(net.name))})
	}
	return worlds
}

// begin prepares a run over a copy of the world's data.
func (w *netWorld) begin(t *testing.T, bin string) *netRun {
	t.Helper()
	r := &netRun{netTown: w.town(t), t: t, bin: bin}
	if w.aged != "" {
		if err := os.CopyFS(r.data, os.DirFS(w.aged)); err != nil {
			t.Fatal(err)
		}
	}
	return r
}

// dry plays without a crash, and learns which places there are.
func (w *netWorld) dry(t *testing.T, bin string) {
	t.Helper()
	r := w.begin(t, bin)
	dir := t.TempDir()
	log := func(life int) string { return filepath.Join(dir, fmt.Sprint(life)) }
	r.log = log
	w.want = r.play()
	w.hits = map[int]map[failpoint.Point]int{}
	for _, life := range []int{1, netCompact, 2} {
		w.hits[life] = hits(t, log(life))
	}
}

// strikes are where the bot is killed at a place.
func (w *netWorld) strikes(p failpoint.Point) (out []strike) {
	for life, come := range w.hits {
		for _, n := range spread(come[p], effort.InProof(2, 12)) {
			out = append(out, strike{life, fmt.Sprintf("MOOT_FAILPOINT=%s:%d", p, n)})
		}
	}
	return out
}

func TestCrashOnNetworks(t *testing.T) {
	effort.Proof(t)
	t.Parallel()
	bin := failpointBot(t)
	tell(os.Stdout, "\n%-16s %-14s %8s %8s   %s", "killed at", "network, data", "come by", "kills", "what people have read, and what the bot knows afterwards")
	for _, w := range netWorlds(t) {
		t.Run(w.name, func(t *testing.T) {
			w.dry(t, bin)
			slots := make(chan struct{}, 4) // they wait more than they work
			var mu sync.Mutex
			kills, bad := map[failpoint.Point]int{}, map[failpoint.Point]bool{}
			var wg sync.WaitGroup
			for _, p := range failpoint.All() {
				for i, s := range w.strikes(p) {
					slots <- struct{}{}
					wg.Go(func() {
						defer func() { <-slots }()
						fine := t.Run(fmt.Sprintf("%s-%d", p, i), func(t *testing.T) {
							r := w.begin(t, bin)
							r.strike = s
							if got := r.play(); got != w.want {
								t.Errorf("killed by %s in life %d it came out otherwise:\n%s", s.env, s.life, firstDifference(got, w.want))
							}
							mu.Lock()
							defer mu.Unlock()
							kills[p] += r.deaths
						})
						mu.Lock()
						defer mu.Unlock()
						bad[p] = bad[p] || !fine
					})
				}
			}
			wg.Wait()
			for _, p := range failpoint.All() {
				come := 0
				for _, life := range w.hits {
					come += life[p]
				}
				if come == 0 {
					continue
				}
				if kills[p] == 0 {
					t.Errorf("nobody died at %s", p)
				}
				struck(t, p)
				verdict := "the same as without"
				if bad[p] {
					verdict = "NOT the same"
				}
				tell(os.Stdout, "%-16s %-14s %8d %8d   %s", p, w.name, come, kills[p], verdict)
			}
		})
	}
}

// TestCrashInAStorm: at random times, while people say more than it answers.
func TestCrashInAStorm(t *testing.T) {
	effort.Proof(t)
	t.Parallel()
	kills := effort.InProof(8, 60)
	bin := failpointBot(t)
	for i, w := range netWorlds(t) {
		if w.aged != "" {
			continue
		}
		t.Run(w.name, func(t *testing.T) {
			r := w.begin(t, bin)
			r.storm(rand.New(rand.NewPCG(6, uint64(i))), kills)
			tell(os.Stdout, "%-16s %-14s %8s %8d   each of %d commands has one answer: %v", "at any time", w.name, "", r.deaths, len(r.asked), !t.Failed())
		})
	}
}
