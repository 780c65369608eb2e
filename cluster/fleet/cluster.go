package fleet

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// after is what follows the end of a process that was told to end.
type after int

const (
	stay  after = iota // it stays down
	again              // it is started again
	fault              // it is started again after a pause, as it has failed
)

// cluster is one process with its shards, or the wish for one.
type cluster struct {
	key    Key
	name   string
	shards []int

	state  State
	since  time.Time // when it came to its state
	until  time.Time // when the state ends by itself; zero where it does not
	why    string    // what brought it there
	wanted bool      // whether it is to run

	alive  bool // whether there is a process
	run    uint64
	pid    int
	killed bool  // whether the process was killed
	then   after // what follows, in the state Stopping

	startedAt  time.Time
	launchedAt time.Time // zero until the process has launched
	failures   int       // in a row
	loop       bool      // whether the next start is one of a loop

	restart bool // whether it is to be restarted once that can be
	granted bool // whether there is budget for the start after its stop

	nonce   string    // of the ping that is not answered; "" for none
	sent    time.Time // when that was sent
	heard   time.Time // when it was heard on the channel; zero until then
	pingAt  time.Time // when the next is due
	checked time.Time // when it has last answered
	health  []Health  // what it has answered
	mute    bool      // whether it has not answered the second ping either
}

// isComing reports whether a cluster has still to launch, without having failed.
func (c *cluster) isComing() bool {
	return c.state == Starting || c.state == Launching || c.state == Stopping && c.then == again
}

// become brings a cluster to another state.
func (f *Fleet) become(c *cluster, s State, why string) {
	f.emit(Changed{c.key, c.name, c.state, s, why})
	c.state, c.since, c.until, c.why = s, f.now, time.Time{}, why
}

// enqueue lets a cluster wait for its turn.
func (f *Fleet) enqueue(c *cluster) {
	c.wanted, c.mute, c.restart, c.granted = true, false, false, false
	f.become(c, Starting, "it waits for its turn")
	f.queue = append(f.queue, c)
}

// start starts the process of a cluster, for which there is budget.
func (f *Fleet) start(c *cluster) {
	f.queue = slices.DeleteFunc(f.queue, func(q *cluster) bool { return q == c })
	f.runs++
	f.slot, f.lastStart = c, f.now
	c.run, c.alive, c.killed, c.pid = f.runs, true, false, 0
	c.startedAt, c.launchedAt = f.now, time.Time{}
	c.nonce, c.health, c.mute, c.restart, c.granted = "", nil, false, false, false
	c.pingAt = f.now.Add(f.cfg.PingInterval)
	f.become(c, Launching, "its process was started")
	c.until = f.now.Add(f.launchTimeout(c))
	g := f.generation(c)
	f.emit(Spawn{c.key, c.run, c.name, slices.Clone(c.shards), g.total, len(g.clusters)})
}

func (f *Fleet) generation(c *cluster) *generation {
	for _, g := range f.gens {
		if g.number == c.key.Generation {
			return g
		}
	}
	panic("fleet: a cluster without a generation")
}

func (f *Fleet) launchTimeout(c *cluster) time.Duration {
	if f.cfg.LaunchTimeout > 0 {
		return f.cfg.LaunchTimeout
	}
	return time.Minute + time.Duration(len(c.shards))*30*time.Second
}

func (f *Fleet) byRun(run uint64) *cluster {
	for c := range f.each {
		if c.alive && c.run == run {
			return c
		}
	}
	return nil
}

func (f *Fleet) started(e Started) {
	c := f.byRun(e.Run)
	switch {
	case c == nil:
	case e.Err == nil:
		c.pid = e.PID
	default:
		c.alive = false
		f.record("cluster_start_failed", map[string]any{"id": c.key.ID, "via": "start", "error": e.Err.Error()})
		f.over(c, "it could not be started: "+e.Err.Error(), fault)
	}
}

// stop tells the process of a cluster to end.
func (f *Fleet) stop(c *cluster, then after, why string) {
	if c.state == Stopping {
		c.then = then
		return
	}
	f.become(c, Stopping, why)
	c.then, c.nonce, c.restart, c.mute = then, "", false, false
	c.until = f.now.Add(f.cfg.Grace)
	f.emit(Signal{Run: c.run})
}

func (f *Fleet) kill(c *cluster) {
	c.killed = true
	if c.state == Stopping {
		c.until = time.Time{}
	}
	f.emit(Signal{Run: c.run, Kill: true})
}

func (f *Fleet) exited(e Exited) {
	c := f.byRun(e.Run)
	if c == nil {
		return
	}
	c.alive = false
	switch {
	case c.state == Stopping:
		f.over(c, c.why, c.then)
	case e.Code == 0:
		f.record("cluster_exited", map[string]any{"id": c.key.ID, "code": 0})
		f.over(c, "it ended with the exit code 0, which says that it stays down", stay)
	default:
		f.record("cluster_exited", map[string]any{"id": c.key.ID, "code": e.Code})
		f.over(c, "its process ended: "+e.How, fault)
	}
}

// over sees to a cluster whose process is gone.
func (f *Fleet) over(c *cluster, why string, then after) {
	if f.slot == c {
		f.vacate(c)
	}
	granted := c.granted
	c.health = nil
	c.nonce, c.mute, c.restart, c.granted = "", false, false, false
	switch {
	case then == stay || !c.wanted || f.ending:
		c.wanted = false
		f.become(c, Stopped, why)
	case then == again && granted:
		f.start(c)
	case then == again:
		f.enqueue(c)
	default:
		f.fail(c, why)
	}
}

// fail lets a cluster wait before it is started again.
func (f *Fleet) fail(c *cluster, why string) {
	if c.loop = !c.steady(f.now); !c.loop {
		c.failures = 0
	}
	pause := longestPause
	if c.failures < 10 {
		pause = min(longestPause, firstPause<<c.failures)
	}
	c.failures++
	f.become(c, BackingOff, why)
	c.until = f.now.Add(pause)
}

// steady reports whether a cluster was up long enough for its end to be no part of a loop.
func (c *cluster) steady(now time.Time) bool {
	return !c.launchedAt.IsZero() && now.Sub(c.launchedAt) >= Steady
}

// launchNext is what a cluster says once it has all its shards. Only one launches at a time, so there is no doubt which one it is.
func (f *Fleet) launchNext(e LaunchNext) {
	if c := f.slot; c != nil && c.state == Launching && (!e.Known || e.ID == c.key.ID) {
		f.launched(c, "it has said launch_next")
	}
}

func (f *Fleet) launched(c *cluster, why string) {
	c.launchedAt = f.now
	f.become(c, Up, why)
	f.vacate(c)
	if c.key.Generation == f.current.number {
		f.announce = true
	}
}

// due does what the time asks for.
func (f *Fleet) due(c *cluster) {
	if at := f.unanswered(c); !at.IsZero() && !at.After(f.now) {
		f.late(c)
	}
	if c.isPinged() && c.nonce == "" && !c.pingAt.After(f.now) {
		f.ping(c)
	}
	if c.until.IsZero() || c.until.After(f.now) {
		return
	}
	switch c.state {
	case Launching:
		if c.isHealthy() {
			f.launched(c, "its launch_next was not heard, and all its shards are up")
			return
		}
		f.record("launch_timeout", map[string]any{"id": c.key.ID})
		f.stop(c, fault, fmt.Sprintf("it has not said launch_next within %s", f.launchTimeout(c)))
	case Stopping:
		f.kill(c)
	case BackingOff:
		f.enqueue(c)
	}
}

// deadline is when due has something to do.
func (f *Fleet) deadline(c *cluster) time.Time {
	at := c.until
	sooner := func(t time.Time) {
		if !t.IsZero() && (at.IsZero() || t.Before(at)) {
			at = t
		}
	}
	if c.isPinged() && c.nonce == "" {
		sooner(c.pingAt)
	}
	sooner(f.unanswered(c))
	return at
}

// isPinged reports whether a cluster is asked how it is. While it launches nothing is made of its silence.
func (c *cluster) isPinged() bool {
	return c.state == Launching || c.state == Up || c.state == Unresponsive
}

// ping asks a cluster how it is.
func (f *Fleet) ping(c *cluster) {
	f.nonces++
	c.nonce, c.sent, c.heard = f.cfg.Seed+letters(f.nonces), f.now, time.Time{}
	c.pingAt = f.now.Add(f.cfg.PingInterval)
	f.emit(Ping{c.key.ID, c.nonce})
}

// letters writes a number in letters, of which nonces are made.
func letters(n uint64) string {
	var b strings.Builder
	for ; n > 0; n /= 26 {
		b.WriteByte('a' + byte(n%26))
	}
	return b.String()
}

// unanswered is when a ping has waited long enough for its answer; zero where none waits.
func (f *Fleet) unanswered(c *cluster) time.Time {
	if c.nonce == "" {
		return time.Time{}
	}
	patience := f.cfg.PingTimeout
	if c.state == Unresponsive {
		patience = min(patience, secondChance)
	}
	if c.heard.IsZero() {
		return c.sent.Add(patience)
	}
	return c.heard.Add(patience)
}

// late sees to a ping that was not answered. One that was not even heard says nothing of the cluster; nor does one while two
// generations have a cluster of this number, as both would answer.
func (f *Fleet) late(c *cluster) {
	heard := !c.heard.IsZero()
	c.nonce = ""
	switch {
	case !heard || f.isTwin(c) || c.state == Launching:
		c.pingAt = later(c.pingAt, f.now.Add(time.Second))
	case c.state == Up:
		f.record("ping_failure", map[string]any{"id": c.key.ID})
		f.become(c, Unresponsive, fmt.Sprintf("it has not answered a ping within %s", f.cfg.PingTimeout))
		f.ping(c)
	case c.state == Unresponsive:
		c.mute = true
	}
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// isTwin reports whether another generation has a process of the same number.
func (f *Fleet) isTwin(c *cluster) bool {
	for other := range f.each {
		if other != c && other.alive && other.key.ID == c.key.ID {
			return true
		}
	}
	return false
}

func (f *Fleet) byNonce(nonce string) *cluster {
	for c := range f.each {
		if nonce != "" && c.nonce == nonce {
			return c
		}
	}
	return nil
}

func (f *Fleet) echo(e Echo) {
	if c := f.byNonce(e.Nonce); c != nil && c.heard.IsZero() {
		c.heard = f.now
	}
}

func (f *Fleet) diag(e Diag) {
	c := f.byNonce(e.Nonce)
	if c == nil {
		return // nobody waits for it any more
	}
	c.nonce, c.health, c.checked = "", e.Health, f.now
	if c.state == Unresponsive {
		c.mute = false
		f.become(c, Up, "it answers again")
	}
}

// isHealthy reports whether a cluster has last said of each of its shards that it is up.
func (c *cluster) isHealthy() bool {
	up := 0
	for _, s := range c.shards {
		if slices.ContainsFunc(c.health, func(h Health) bool { return h.Shard == s && h.Up }) {
			up++
		}
	}
	return up == len(c.shards)
}
