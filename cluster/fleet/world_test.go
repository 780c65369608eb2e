package fleet

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"pgregory.net/rapid"
)

// world is what is around a fleet: processes, Discord's count of identifies, the channel, and a clock.
type world struct {
	rapid.TB
	f   *Fleet
	cfg Config
	now time.Time

	procs     map[uint64]*proc
	remaining int
	total     int
	shards    int
	resetAt   time.Time
	parallel  int // max_concurrency
	away      bool
	asked     bool // whether an Ask waits for its answer

	effects   []Effect // all of the last step
	pings     []Ping   // not answered yet
	ended     bool
	code      int
	commands  int
	replies   map[string]int
	granted   *Gateway             // by the last answer to an Ask, until a start uses it
	launching map[Key]bool         // without launch_next
	freed     map[Key]freed        // when those have launched or ended
	loops     []charge             // what restarts of loops have taken
	failed    map[Key]bool         // whether the last end of a cluster was one of a loop
	up        map[Key]time.Time    // since when
	answers   map[Key]bool         // those that have answered each ping so far
	records   []Record             // in order
	terms     map[uint64]time.Time // when each process was told to end
	wanted    map[Key]bool         // those that somebody has touched
}

type freed struct {
	at     time.Time
	shards []int
}

type proc struct {
	Spawn
	at time.Time
}

func newWorld(t rapid.TB, cfg Config, shards, total, parallel int) *world {
	w := &world{
		TB: t, cfg: cfg, now: time.Date(2026, 11, 29, 10, 0, 0, 0, time.UTC), procs: map[uint64]*proc{}, remaining: total, total: total, shards: shards,
		parallel: parallel, replies: map[string]int{}, launching: map[Key]bool{}, freed: map[Key]freed{}, failed: map[Key]bool{}, up: map[Key]time.Time{},
		answers: map[Key]bool{}, terms: map[uint64]time.Time{}, wanted: map[Key]bool{},
	}
	w.resetAt = w.now.Add(24 * time.Hour)
	w.f = New(cfg, w.gateway(), w.now)
	w.step(Tick{})
	return w
}

func usual() Config {
	return Config{
		PerCluster: 2, PingInterval: 30 * time.Second, PingTimeout: 20 * time.Second, NextDelay: time.Second, Grace: 10 * time.Second, LeastRemaining: 5,
		Reshard: true, Seed: "seed",
	}
}

func (w *world) gateway() Gateway {
	return Gateway{Shards: w.shards, Total: w.total, Remaining: w.remaining, ResetAfter: w.resetAt.Sub(w.now), MaxConcurrency: w.parallel}
}

// step lets an event happen and holds what follows against the promises.
func (w *world) step(e Event) {
	w.Helper()
	for !w.resetAt.After(w.now) {
		w.resetAt, w.remaining = w.resetAt.Add(24*time.Hour), w.total
	}
	w.effects = w.f.Step(w.now, e)
	for _, eff := range w.effects {
		switch eff := eff.(type) {
		case Spawn:
			w.spawned(eff)
		case Signal:
			p := w.procs[eff.Run]
			if p == nil {
				w.Fatalf("a signal for run %d, which is no process", eff.Run)
			}
			at, told := w.terms[eff.Run]
			switch {
			case !eff.Kill && told:
				w.Fatalf("run %d is told to end twice", eff.Run)
			case !eff.Kill:
				w.terms[eff.Run] = w.now
			case !told || w.now.Sub(at) < w.cfg.Grace:
				if _, hurry := e.(Hurry); !hurry {
					w.Fatalf("run %d is killed before its grace is over", eff.Run)
				}
			}
			_, launched := w.up[p.Key]
			if launched && w.answers[p.Key] && !w.wanted[p.Key] && len(w.f.gens) == 1 && w.f.op == nil && !w.f.ending {
				w.Fatalf("cluster %v answers, and is stopped", p.Key)
			}
		case Ping:
			w.pings = append(w.pings, eff)
		case Reply:
			w.replies[eff.CommandID]++
		case Record:
			w.records = append(w.records, eff)
		case Ask:
			if w.asked {
				w.Fatal("it asks twice")
			}
			w.asked = true
		case Exit:
			if len(w.procs) > 0 || w.ended {
				w.Fatalf("it ends (already %v) with %d processes", w.ended, len(w.procs))
			}
			w.ended, w.code = true, eff.Code
		case Changed:
			if eff.From == Launching {
				delete(w.launching, eff.Key)
				w.freed[eff.Key] = freed{w.now, w.shardsOf(eff.Key)}
			}
			if eff.To == Up && eff.From == Launching {
				w.up[eff.Key] = w.now
			}
		}
	}
	if wake := w.f.Wake(); !wake.IsZero() && !wake.After(w.now) {
		w.Fatalf("at %v it wants to be woken at %v", w.now, wake)
	}
	for id, n := range w.replies {
		if n != 1 {
			w.Fatalf("command %s was answered %d times", id, n)
		}
	}
	if len(w.replies) != w.commands {
		w.Fatalf("%d commands have %d answers", w.commands, len(w.replies))
	}
}

func (w *world) shardsOf(k Key) []int {
	for c := range w.f.each {
		if c.key == k {
			return c.shards
		}
	}
	return nil
}

// spawned checks that a process may be started, and starts it.
func (w *world) spawned(s Spawn) {
	for _, p := range w.procs {
		if p.Key == s.Key {
			w.Fatalf("cluster %v is started twice", s.Key)
		}
	}
	if w.granted == nil || w.granted.Remaining-len(s.Shards) < w.cfg.LeastRemaining {
		w.Fatalf("cluster %v is started without budget: %+v", s.Key, w.granted)
	}
	w.granted = nil
	if len(w.launching) > 0 {
		w.Fatalf("cluster %v is started while %v launch", s.Key, w.launching)
	}
	for k, other := range w.freed {
		for _, a := range s.Shards {
			for _, b := range other.shards {
				if a%w.parallel == b%w.parallel && w.now.Sub(other.at) < identifyWindow {
					w.Fatalf("cluster %v is started %v after cluster %v", s.Key, w.now.Sub(other.at), k)
				}
			}
		}
	}
	if w.failed[s.Key] {
		w.failed[s.Key] = false
		w.loops = append(w.loops, charge{at: w.now, key: s.Key, run: s.Run, n: len(s.Shards)})
	}
	w.launching[s.Key] = true
	delete(w.freed, s.Key)
	delete(w.up, s.Key)
	w.answers[s.Key] = true
	w.procs[s.Run] = &proc{Spawn: s, at: w.now}
	w.remaining -= len(s.Shards) // it identifies
	sum := 0
	for _, l := range w.loops {
		if w.now.Sub(l.at) < day {
			sum += l.n
		}
	}
	if sum > w.total/10 {
		w.Fatalf("loops have taken %d of %d identifies within a day", sum, w.total)
	}
}

// exit ends a process.
func (w *world) exit(run uint64, code int) {
	p := w.procs[run]
	delete(w.procs, run)
	at, launched := w.up[p.Key]
	_, told := w.terms[run]
	// The end is one of a loop where nobody has asked for it, and the cluster was not up for long.
	w.failed[p.Key] = !told && code != 0 && (!launched || w.now.Sub(at) < Steady) && !w.f.ending
	w.step(Exited{run, code, "it ended"})
}

// answer answers the waiting Ask.
func (w *world) answer() {
	if !w.asked {
		return
	}
	w.asked = false
	if w.away {
		w.step(Asked{Err: errors.New("Discord is away")})
		return
	}
	g := w.gateway()
	w.granted = &g
	w.step(Asked{Gateway: g})
}

func (w *world) command(a Action, id int) string {
	if a == Start || a == Stop || a == Restart {
		k := Key{w.f.current.number, id}
		w.wanted[k], w.failed[k] = true, w.failed[k] && a == Stop
	}
	w.commands++
	name := fmt.Sprint("c", w.commands)
	w.step(Command{Action: a, ID: id, CommandID: name})
	for _, e := range w.effects {
		if r, is := e.(Reply); is && r.CommandID == name {
			if text, is := r.Output.(string); is {
				return text
			}
		}
	}
	return ""
}

// run returns the process of a cluster of the current generation; 0 where it has none.
func (w *world) run(id int) uint64 {
	for run, p := range w.procs {
		if p.ID() == id && p.Key.Generation == w.f.current.number {
			return run
		}
	}
	return 0
}

func (p *proc) ID() int { return p.Key.ID }

// pong answers all pings but those of the mute.
func (w *world) pong(mute ...int) {
	waiting := w.pings
	w.pings = nil
	for _, p := range waiting {
		w.step(Echo{p.Nonce})
		if slices.Contains(mute, p.ID) {
			for k := range w.answers {
				if k.ID == p.ID {
					w.answers[k] = false
				}
			}
			continue
		}
		w.step(Diag{p.Nonce, nil})
	}
}

// pass lets time pass while Discord answers, launches come after two seconds, processes that are told to end do so, and pings are
// answered but by the mute.
func (w *world) pass(d time.Duration, mute ...int) {
	w.Helper()
	for until := w.now.Add(d); ; {
		w.answer()
		w.pong(mute...)
		for _, run := range slices.Sorted(maps.Keys(w.procs)) {
			p := w.procs[run]
			if _, told := w.terms[run]; p != nil && told {
				w.exit(run, -1)
			}
		}
		for _, run := range slices.Sorted(maps.Keys(w.procs)) {
			if p := w.procs[run]; w.launching[p.Key] && w.now.Sub(p.at) >= 2*time.Second {
				w.step(LaunchNext{ID: p.ID(), Known: true})
			}
		}
		if w.asked || len(w.pings) > 0 {
			continue
		}
		at := until
		if wake := w.f.Wake(); !wake.IsZero() && wake.Before(at) {
			at = wake
		}
		for _, p := range w.procs {
			if ready := p.at.Add(2 * time.Second); w.launching[p.Key] && ready.Before(at) {
				at = ready
			}
		}
		if !w.now.Before(until) {
			return
		}
		w.now = later(at, w.now)
		w.step(Tick{})
	}
}

func (w *world) states() string {
	var all []string
	for _, c := range w.f.current.clusters {
		all = append(all, string(c.state))
	}
	return strings.Join(all, ", ")
}

func (w *world) want(states string) {
	w.Helper()
	if got := w.states(); got != states {
		w.Errorf("the clusters are %s, want %s", got, states)
	}
}

func (w *world) recorded(event string) (n int) {
	for _, r := range w.records {
		if r.Event == event {
			n++
		}
	}
	return n
}
