package fleet

import (
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// TestLaunch: clusters launch one after another, each once Discord was asked, and all are told when all have.
func TestLaunch(t *testing.T) {
	w := newWorld(t, usual(), 7, 1000, 1)
	w.answer()
	w.want("launching, starting, starting, starting")
	told := 0
	for range 60 {
		w.pass(time.Second)
		for _, e := range w.effects {
			if _, is := e.(AllLaunched); is {
				told++
			}
		}
	}
	w.want("up, up, up, up")
	if v := w.f.View(); !v.FullyUp || v.Clusters[3].Shards[0] != 6 || len(v.Clusters[3].Shards) != 1 {
		t.Errorf("the view is %+v", v)
	}
	if w.remaining != 1000-7 {
		t.Errorf("%d identifies are left", w.remaining)
	}
}

// TestMute: a cluster that does not answer is restarted, and no other is.
func TestMute(t *testing.T) {
	w := newWorld(t, usual(), 8, 1000, 16)
	w.pass(30 * time.Second)
	w.want("up, up, up, up")
	runs := []uint64{w.run(0), w.run(1), w.run(2), w.run(3)}
	w.pass(2*time.Minute, 1)
	if w.run(1) == runs[1] || w.run(0) != runs[0] || w.run(2) != runs[2] || w.run(3) != runs[3] {
		t.Errorf("the processes were %v, and are %d %d %d %d", runs, w.run(0), w.run(1), w.run(2), w.run(3))
	}
	if w.recorded("ping_failure") == 0 {
		t.Error("the action log does not tell of it")
	}
	w.pass(time.Minute)
	w.want("up, up, up, up")
}

// TestSecondChance: a cluster that answers the second ping stays, as does each where pings are not heard on the channel.
func TestSecondChance(t *testing.T) {
	w := newWorld(t, usual(), 2, 1000, 1)
	w.pass(20 * time.Second)
	run := w.run(0)
	lost := func() Ping {
		t.Helper()
		for len(w.pings) == 0 {
			w.now = w.f.Wake()
			w.step(Tick{})
		}
		p := w.pings[0]
		w.pings = nil
		return p
	}
	first := lost()
	w.step(Echo{first.Nonce})
	second := lost()
	w.want("unresponsive")
	w.step(Echo{second.Nonce})
	w.step(Diag{first.Nonce, nil}) // too late
	w.want("unresponsive")
	w.step(Diag{second.Nonce, []Health{{Shard: 0, Up: true}}})
	w.want("up")
	for range 5 {
		lost() // the channel is down
		w.want("up")
	}
	w.step(Diag{"nobody", nil})
	if w.run(0) != run {
		t.Error("it was restarted")
	}
}

// TestNeverLaunches: a cluster that never says launch_next lets the next one launch after its time, and is itself ended; one of which
// only the word was lost stays.
func TestNeverLaunches(t *testing.T) {
	cfg := usual()
	cfg.LaunchTimeout = time.Minute
	w := newWorld(t, cfg, 4, 1000, 16)
	w.answer()
	first := w.run(0)
	for w.states() != "stopping, starting" {
		if w.now = w.f.Wake(); w.now.Sub(w.procs[first].at) > 2*time.Minute {
			t.Fatalf("the clusters are %s", w.states())
		}
		w.step(Tick{})
		w.pong(0)
	}
	w.now = w.f.Wake()
	w.step(Tick{})
	if !slices.Contains(w.effects, Effect(Signal{first, true})) {
		t.Errorf("it is not killed: %v", w.effects)
	}
	w.exit(first, -1)
	for w.run(1) == 0 {
		w.now = w.f.Wake()
		w.step(Tick{})
		w.answer()
	}
	w.want("backing off, launching")
	// Of the other one only the word is lost.
	w.now = w.now.Add(30 * time.Second)
	w.step(Tick{})
	for _, p := range w.pings {
		w.step(Echo{p.Nonce})
		w.step(Diag{p.Nonce, []Health{{Shard: 2, Up: true}, {Shard: 3, Up: true}}})
	}
	w.now = w.now.Add(31 * time.Second)
	w.step(Tick{})
	if c := w.f.current.clusters[1]; c.state != Up {
		t.Errorf("cluster 1 is %s: %s", c.state, c.why)
	}
}

// TestLoop: a cluster that ends again and again takes half of a tenth of the day's identifies, and another one that ends then is
// started again. What has not identified takes nothing.
func TestLoop(t *testing.T) {
	w := newWorld(t, usual(), 4, 1000, 16)
	w.pass(20 * time.Second)
	began, starts := w.now, 0
	for w.now.Sub(began) < 23*time.Hour {
		if run := w.run(0); run != 0 {
			starts++
			w.exit(run, 1)
		}
		w.pass(5 * time.Minute)
	}
	if starts != 26 { // the first end is that of one that was up, and then 50 identifies are 25 starts
		t.Errorf("it was started %d times within 23 hours", starts)
	}
	w.exit(w.run(1), 1)
	w.pass(time.Minute)
	if w.run(1) == 0 {
		t.Errorf("the other one is not started: %s", w.states())
	}
	if text := w.command(Start, 0); text != "ok" {
		t.Errorf("start says %q", text)
	}
	w.pass(time.Minute)
	if w.run(0) == 0 {
		t.Errorf("it is not started by hand: %s", w.states())
	}

	w = newWorld(t, usual(), 2, 1000, 16)
	began, starts = w.now, 0
	for w.now.Sub(began) < 12*time.Hour {
		if run := w.run(0); run != 0 {
			starts++
			w.remaining += 2 // it never comes to an identify
			w.exit(run, 1)
		}
		w.loops = nil
		w.answer()
		if wake := w.f.Wake(); !wake.IsZero() {
			w.now = wake
		}
		w.step(Tick{})
	}
	if starts < 100 || starts > 250 {
		t.Errorf("one that does not identify was started %d times within 12 hours", starts)
	}
}

// TestBudget: nothing is started where too little is left, and what runs is not stopped then.
func TestBudget(t *testing.T) {
	w := newWorld(t, usual(), 4, 1000, 16)
	w.pass(20 * time.Second)
	run := w.run(0)
	w.remaining = 6
	if text := w.command(Restart, 0); text != "ok" {
		t.Errorf("restart says %q", text)
	}
	w.pass(10 * time.Second)
	if w.run(0) != run || w.recorded("cluster_restart_failed") != 1 {
		t.Errorf("without budget it is restarted; the log has %v", w.records)
	}
	w.pass(5*time.Minute, 0)
	if w.run(0) != run {
		t.Error("a mute cluster is restarted without budget")
	}
	w.pass(time.Minute)
	w.want("up, up")
	w.exit(w.run(1), 1)
	w.pass(time.Hour)
	w.want("up, backing off")
	w.pass(24 * time.Hour)
	w.want("up, up")
}

// TestCommands: what somebody wants is done, and what cannot be is said.
func TestCommands(t *testing.T) {
	w := newWorld(t, usual(), 4, 1000, 16)
	w.pass(20 * time.Second)
	for _, c := range []struct {
		action Action
		id     int
		says   string
	}{
		{Start, 0, "cluster 0 runs already"}, {Stop, 7, "there is no cluster 7"}, {Stop, -1, "there is no cluster -1"}, {"dance", 0, `there is no action "dance"`}, {Stop, 1, "ok"},
	} {
		if text := w.command(c.action, c.id); text != c.says {
			t.Errorf("%s %d says %q, want %q", c.action, c.id, text, c.says)
		}
	}
	w.want("up, stopping")
	w.pass(time.Hour)
	w.want("up, stopped")
	if text := w.command(Stop, 1); text != "cluster 1 does not run" {
		t.Errorf("a second stop says %q", text)
	}
	w.command(Start, 1)
	w.pass(time.Minute)
	w.want("up, up")
	run := w.run(0)
	w.command(Restart, 0)
	w.pass(time.Minute)
	if w.want("up, up"); w.run(0) == run {
		t.Error("it is not restarted")
	}
	w.exit(w.run(1), 0)
	w.pass(time.Hour)
	w.want("up, stopped")
	w.command(RestartProc, 0)
	w.pass(time.Minute)
	if !w.ended || w.code != 1 {
		t.Errorf("it ends %v with %d", w.ended, w.code)
	}
}

// TestRolling: a rolling restart takes one cluster after another, and stops at the first that does not come up.
func TestRolling(t *testing.T) {
	w := newWorld(t, usual(), 8, 1000, 16)
	if text := w.command(RollingRestart, 0); text != "not all clusters are up" {
		t.Errorf("while they launch it says %q", text)
	}
	w.pass(30 * time.Second)
	before := w.run(3)
	if text := w.command(RollingRestart, 0); text != "ok" {
		t.Fatalf("it says %q", text)
	}
	if text := w.command(RollingRestart, 0); text != "a rollingrestart is under way" {
		t.Errorf("a second one says %q", text)
	}
	least := 4
	for range 60 {
		w.pass(500 * time.Millisecond)
		up := strings.Count(w.states(), "up")
		least = min(least, up)
	}
	w.want("up, up, up, up")
	if least < 3 || w.run(3) == before || w.recorded("rolling_restart_success") != 1 {
		t.Errorf("at the least %d were up; the log has %v", least, w.records)
	}
	// The first does not come up: the others stay as they are.
	others := []uint64{w.run(1), w.run(2), w.run(3)}
	first := w.run(0)
	w.command(RollingRestart, 0)
	for w.run(0) == first || w.run(0) == 0 {
		w.answer()
		if _, told := w.terms[first]; told && w.procs[first] != nil {
			w.exit(first, -1)
		}
		if wake := w.f.Wake(); !w.asked && wake.After(w.now) && w.run(0) == first {
			w.now = wake
		}
		w.step(Tick{})
		w.pong()
	}
	w.exit(w.run(0), 3)
	if w.f.op != nil || w.recorded("rolling_restart_failed") != 1 || w.run(1) != others[0] || w.run(2) != others[1] || w.run(3) != others[2] {
		t.Errorf("it goes on: %v", w.records)
	}
	w.pass(time.Minute)
	w.want("up, up, up, up")
}

// TestReshard: the next generation launches beside the former one, which ends once the next is up; where it does not come up, the
// former one stays.
func TestReshard(t *testing.T) {
	w := newWorld(t, usual(), 4, 1000, 16)
	w.pass(20 * time.Second)
	old := []uint64{w.run(0), w.run(1)}
	w.shards = 6
	if text := w.command(Reshard, 0); text != "ok" {
		t.Fatalf("it says %q", text)
	}
	w.answer()
	w.pass(3 * time.Second)
	if w.procs[old[0]] == nil || w.procs[old[1]] == nil {
		t.Fatal("the former generation has ended before the next is up")
	}
	w.pass(time.Minute, 0) // answers to both generations' pings cannot be told apart: nobody is found mute
	w.want("up, up, up")
	if v := w.f.View(); v.Shards != 6 || v.Generation != 2 || len(v.Others) > 0 || w.procs[old[0]] != nil || w.recorded("reshard_success") != 1 {
		t.Errorf("afterwards it is %+v, and the log has %v", v, w.records)
	}
	w.pass(5 * time.Minute)

	w.shards = 8
	w.command(Reshard, 0)
	runs := []uint64{w.run(0), w.run(1), w.run(2)}
	for w.f.op != nil {
		w.answer()
		for run, p := range w.procs {
			if p.Key.Generation == 3 {
				w.exit(run, 1)
			}
		}
		if wake := w.f.Wake(); wake.After(w.now) && !w.asked {
			w.now = wake
		}
		w.step(Tick{})
		w.pong()
	}
	w.pass(time.Minute)
	w.want("up, up, up")
	if w.recorded("reshard_failed") != 1 || w.run(0) != runs[0] || w.run(1) != runs[1] || w.run(2) != runs[2] || w.f.View().Shards != 6 {
		t.Errorf("after a reshard that failed the log has %v", w.records)
	}
	w.remaining = 10
	w.command(Reshard, 0)
	w.pass(time.Minute)
	if w.recorded("reshard_failed") != 2 {
		t.Error("it reshards without the budget for all")
	}
}

// TestAnything: whatever happens in whatever order, the promises hold, which step looks at; and afterwards all clusters come up.
func TestAnything(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		cfg := usual()
		cfg.PerCluster = rapid.IntRange(1, 4).Draw(t, "per cluster")
		cfg.NextDelay = time.Duration(rapid.IntRange(0, 6).Draw(t, "delay")) * time.Second
		cfg.ReshardAll = rapid.Bool().Draw(t, "all")
		w := newWorld(t, cfg, rapid.IntRange(1, 9).Draw(t, "shards"), rapid.SampledFrom([]int{60, 1000}).Draw(t, "total"), rapid.SampledFrom([]int{1, 2, 16}).Draw(t, "parallel"))
		anyRun := func(t *rapid.T) uint64 {
			runs := slices.Sorted(maps.Keys(w.procs))
			if len(runs) == 0 {
				t.Skip("nothing runs")
			}
			return rapid.SampledFrom(runs).Draw(t, "run")
		}
		t.Repeat(map[string]func(*rapid.T){
			"time": func(t *rapid.T) {
				w.now = w.now.Add(time.Duration(rapid.SampledFrom([]int{0, 1, 999, 5_000, 31_000, 400_000, 4_000_000}).Draw(t, "ms")) * time.Millisecond)
				w.step(Tick{})
			},
			"wake": func(t *rapid.T) {
				if wake := w.f.Wake(); wake.After(w.now) {
					w.now = wake
				}
				w.step(Tick{})
			},
			"answer": func(*rapid.T) { w.answer() },
			"away":   func(*rapid.T) { w.away = !w.away },
			"taken":  func(t *rapid.T) { w.remaining -= rapid.IntRange(0, min(20, w.remaining)).Draw(t, "n") },
			"exit":   func(t *rapid.T) { w.exit(anyRun(t), rapid.SampledFrom([]int{0, 1, -1, 1, 1}).Draw(t, "code")) },
			"none":   func(t *rapid.T) { w.step(Exited{uint64(rapid.IntRange(0, 3).Draw(t, "run")) + 1<<40, 1, ""}) },
			"launch": func(t *rapid.T) {
				w.step(LaunchNext{ID: rapid.IntRange(-1, 9).Draw(t, "id"), Known: rapid.Bool().Draw(t, "known")})
			},
			"unstartable": func(t *rapid.T) {
				run := anyRun(t)
				if p := w.procs[run]; p.at.Equal(w.now) && w.launching[p.Key] && w.terms[run].IsZero() {
					w.failed[p.Key] = true
					delete(w.procs, run)
					w.step(Started{Run: run, Err: errors.New("no such file")})
				}
			},
			"echo": func(t *rapid.T) {
				if len(w.pings) > 0 {
					w.step(Echo{rapid.SampledFrom(w.pings).Draw(t, "ping").Nonce})
				}
			},
			"pong": func(t *rapid.T) { w.pong() },
			"mute": func(t *rapid.T) { w.pong(rapid.IntRange(0, 5).Draw(t, "id")) },
			"lost": func(*rapid.T) {
				w.pings = nil // by the channel, or by a cluster that is slow
				clear(w.answers)
			},
			"command": func(t *rapid.T) {
				a := rapid.SampledFrom([]Action{Start, Stop, Restart, Statuses, NumProcesses, RollingRestart, Reshard, "dance"}).Draw(t, "action")
				w.command(a, rapid.IntRange(-1, 5).Draw(t, "id"))
			},
			"more": func(t *rapid.T) { w.shards = rapid.IntRange(1, 9).Draw(t, "shards") },
		})
		// From here on all is well, and each cluster is wanted.
		w.away, w.remaining = false, w.total
		for range 3 {
			for id := range w.f.current.clusters {
				w.command(Start, id)
			}
			w.pass(20 * time.Minute)
		}
		for _, c := range w.f.current.clusters {
			if c.state != Up {
				t.Fatalf("in the end cluster %d is %s: %s", c.key.ID, c.state, c.why)
			}
		}
		if len(w.f.gens) != 1 || w.f.op != nil {
			t.Fatalf("in the end there are %d generations, and %v", len(w.f.gens), w.f.op)
		}
		w.step(Shutdown{0})
		w.step(Hurry{})
		w.pass(time.Minute)
		if !w.ended {
			t.Fatal("it does not end")
		}
	})
}
