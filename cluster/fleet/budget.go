package fleet

import (
	"fmt"
	"slices"
	"time"
)

// charge is what one restart of a loop has taken of the day's identifies.
type charge struct {
	at     time.Time
	key    Key
	run    uint64
	n      int
	before Gateway // what was left when it was started
	open   bool    // whether n may still turn out to be less
}

// vacate lets the next cluster launch, once the buckets of this one are free again.
func (f *Fleet) vacate(c *cluster) {
	if f.slot != c {
		return
	}
	f.slot = nil
	f.nextAt = f.now.Add(f.cfg.NextDelay)
	f.recent = append(f.recent, identified{f.now, c.shards})
}

// identified are shards that may have identified until just now.
type identified struct {
	at     time.Time
	shards []int
}

// sharesBucket reports whether some of these shards share a bucket of identifies with some of those.
func (f *Fleet) sharesBucket(these, those []int) bool {
	n := max(1, f.gateway.MaxConcurrency)
	taken := map[int]bool{}
	for _, s := range those {
		taken[s%n] = true
	}
	return slices.ContainsFunc(these, func(s int) bool { return taken[s%n] })
}

// next is the cluster that is to be started or restarted next; nil for none.
func (f *Fleet) next() *cluster {
	if f.slot != nil {
		return nil
	}
	for c := range f.each {
		if c.restart || c.mute {
			return c
		}
	}
	if len(f.queue) > 0 {
		return f.queue[0]
	}
	return nil
}

// turn is when the turn of a cluster comes: not before the pause between clusters and its buckets allow it.
func (f *Fleet) turn(c *cluster) time.Time {
	at := later(f.nextAt, f.askAt)
	f.recent = slices.DeleteFunc(f.recent, func(r identified) bool { return !r.at.Add(identifyWindow).After(f.now) })
	for _, r := range f.recent {
		if f.sharesBucket(c.shards, r.shards) {
			at = later(at, r.at.Add(identifyWindow))
		}
	}
	return at
}

// ask asks for the budget where somebody needs it now.
func (f *Fleet) ask() {
	if f.asking || f.ending {
		return
	}
	c := f.next()
	wants := c != nil && !f.turn(c).After(f.now)
	if !wants && c == nil {
		wants = f.op != nil && f.op.kind == Reshard && f.op.next == nil && !f.askAt.After(f.now)
	}
	if wants {
		f.asking = true
		f.emit(Ask{})
	}
}

// asked decides with the budget about the one that needs it.
func (f *Fleet) asked(e Asked) {
	f.asking = false
	if e.Err != nil {
		f.askAt = f.now.Add(min(time.Minute, firstPause<<min(f.askFail, 5)))
		f.askFail++
		return
	}
	f.askFail, f.askAt = 0, f.now
	f.gateway = e.Gateway
	f.settle()
	if f.ending {
		return
	}
	c := f.next()
	if c == nil {
		f.resharding()
		return
	}
	if f.turn(c).After(f.now) {
		return // it asks again when its turn comes
	}
	loop := c.loop
	if c.state == Unresponsive && !c.restart {
		loop = !c.steady(f.now)
	}
	why, until := f.lacks(c, loop)
	switch {
	case c.restart && why != "":
		c.restart = false
		f.record("cluster_restart_failed", map[string]any{"id": c.key.ID, "via": "restart", "error": why})
		if f.op != nil && f.op.at == c {
			f.abort("there is no budget for cluster %d: %s", c.key.ID, why)
		}
	case c.restart:
		c.loop, c.failures = false, 0
		f.renew(c, "it is restarted")
	case c.mute && why != "":
		c.mute = false // it is asked again how it is, and stays as it is meanwhile
		c.why = "it does not answer, and cannot be restarted: " + why
		c.pingAt = later(f.now.Add(f.cfg.PingInterval), f.now.Add(secondChance))
	case c.mute:
		f.charge(c, loop)
		f.renew(c, "it has not answered two pings")
	case why != "":
		f.queue = slices.DeleteFunc(f.queue, func(q *cluster) bool { return q == c })
		f.become(c, BackingOff, why)
		c.until = until
	default:
		f.charge(c, loop)
		f.start(c)
	}
}

// renew stops a cluster that runs, and starts it again, for which there is budget.
func (f *Fleet) renew(c *cluster, why string) {
	f.slot = c
	f.stop(c, again, why)
	c.granted = true
}

// lacks says what speaks against starting a cluster now, and until when; "" where nothing does.
func (f *Fleet) lacks(c *cluster, loop bool) (why string, until time.Time) {
	g := f.gateway
	if g.Remaining-len(c.shards) < f.cfg.LeastRemaining {
		return fmt.Sprintf("only %d identifies are left of the day's %d", g.Remaining, g.Total), f.now.Add(max(time.Second, g.ResetAfter))
	}
	if !loop {
		return "", time.Time{}
	}
	all, own := 0, 0
	var first, firstOwn time.Time
	for _, l := range f.loops {
		if l.n == 0 {
			continue
		}
		if all += l.n; first.IsZero() {
			first = l.at
		}
		if l.key == c.key {
			if own += l.n; firstOwn.IsZero() {
				firstOwn = l.at
			}
		}
	}
	n, most := len(c.shards), g.Total/10
	switch {
	case all+n > most && first.IsZero():
		return fmt.Sprintf("a start takes %d identifies, more than a tenth of the day's %d; start it by hand", n, g.Total), f.now.Add(day)
	case all+n > most:
		return fmt.Sprintf("clusters that end again and again have taken their tenth of the day's %d identifies", g.Total), later(first.Add(day), f.now.Add(time.Second))
	case own > 0 && own+n > most/2:
		return fmt.Sprintf("it ends again and again, and has taken its part of the day's %d identifies", g.Total), later(firstOwn.Add(day), f.now.Add(time.Second))
	}
	return "", time.Time{}
}

// charge writes down what the start of a cluster in a loop takes: all its shards, until Discord's count says otherwise.
func (f *Fleet) charge(c *cluster, loop bool) {
	if loop {
		f.loops = append(f.loops, charge{f.now, c.key, f.runs + 1, len(c.shards), f.gateway, true})
	}
}

// settle looks at Discord's count: a process that has ended without an identify has taken none. Where others have identified
// meanwhile, or the day's count has begun anew, more is charged than was taken, never less.
func (f *Fleet) settle() {
	f.loops = slices.DeleteFunc(f.loops, func(l charge) bool { return !l.at.Add(day).After(f.now) })
	for i := range f.loops {
		l := &f.loops[i]
		if !l.open || f.isLaunching(l.run) {
			continue
		}
		l.open = false
		began, now := l.at.Add(l.before.ResetAfter), f.now.Add(f.gateway.ResetAfter)
		if apart := now.Sub(began); apart > -time.Minute && apart < time.Minute && f.gateway.Remaining <= l.before.Remaining {
			l.n = min(l.n, l.before.Remaining-f.gateway.Remaining)
		}
	}
}

// isLaunching reports whether a start is under way, or about to be.
func (f *Fleet) isLaunching(run uint64) bool {
	return run > f.runs || f.slot != nil && f.slot.run == run
}
