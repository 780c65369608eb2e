package fleet

import (
	"fmt"
	"slices"
	"strconv"
	"time"
)

// operation is what takes more than one cluster: a rolling restart, or a reshard.
type operation struct {
	kind  Action
	began time.Time

	todo []*cluster // still to be restarted
	at   *cluster   // the one that is being restarted; nil for none
	run  uint64     // its process before
	all  int
	done int

	next *generation // of a reshard, once it is known
}

// Status is what statuses says of a cluster.
type Status struct {
	Active    bool   `json:"active"`
	Status    string `json:"status"`
	Name      string `json:"name"`
	StartedAt int64  `json:"started_at"`
	Shards    []int  `json:"shard_list"`
}

const ok = "ok"

// command does what somebody wants, and says what came of it.
func (f *Fleet) command(e Command) {
	var out any = ok
	switch e.Action {
	case Statuses:
		all := map[string]Status{}
		for _, c := range f.current.clusters {
			at := int64(0)
			if !c.startedAt.IsZero() {
				at = c.startedAt.Unix()
			}
			all[strconv.Itoa(c.key.ID)] = Status{c.alive, string(c.state), c.name, at, c.shards}
		}
		out = all
	case NumProcesses:
		out = map[string]int{"clusters": len(f.current.clusters), "shards": f.current.total}
	case Start, Stop, Restart:
		out = f.one(e)
	case RollingRestart:
		out = f.roll()
	case Reshard:
		out = f.reshard()
	case ShutdownAll:
		f.end(0)
	case RestartProc:
		f.end(1)
	default:
		out = fmt.Sprintf("there is no action %q", e.Action)
	}
	f.emit(Reply{e.CommandID, out})
}

// one does what is wanted of one cluster.
func (f *Fleet) one(e Command) string {
	if e.NoID {
		return "args.id says which cluster"
	}
	if e.ID < 0 || e.ID >= len(f.current.clusters) {
		return fmt.Sprintf("there is no cluster %d", e.ID)
	}
	if f.ending {
		return "the launcher ends"
	}
	c := f.current.clusters[e.ID]
	switch e.Action {
	case Stop:
		switch {
		case c.state == Stopped:
			return fmt.Sprintf("cluster %d does not run", e.ID)
		case c.alive:
			c.wanted = false
			f.stop(c, stay, "somebody has stopped it")
		default:
			f.queue = slices.DeleteFunc(f.queue, func(q *cluster) bool { return q == c })
			c.wanted = false
			f.become(c, Stopped, "somebody has stopped it")
		}
		return ok
	case Start:
		if c.state == Launching || c.state == Up || c.state == Unresponsive {
			return fmt.Sprintf("cluster %d runs already", e.ID)
		}
	}
	// What a person starts is no part of a loop.
	c.loop, c.failures, c.wanted = false, 0, true
	switch c.state {
	case Stopped, BackingOff:
		f.enqueue(c)
	case Stopping:
		c.then = again
	case Launching:
		f.stop(c, again, "somebody has restarted it")
	case Up, Unresponsive:
		c.restart = true
	}
	return ok
}

// roll begins a rolling restart.
func (f *Fleet) roll() string {
	if why := f.busy(); why != "" {
		return why
	}
	op := &operation{kind: RollingRestart, began: f.now}
	for _, c := range f.current.clusters {
		if c.alive {
			op.todo = append(op.todo, c)
		}
	}
	op.all = len(op.todo)
	f.op = op
	f.record("rolling_restart", nil)
	return ok
}

// busy says why no operation can begin; "" where one can.
func (f *Fleet) busy() string {
	switch {
	case f.ending:
		return "the launcher ends"
	case f.op != nil:
		return fmt.Sprintf("a %s is under way", f.op.kind)
	case len(f.gens) > 1:
		return "clusters of before the last reshard are still ending"
	case !f.isFullyUp():
		return "not all clusters are up"
	}
	return ""
}

// isFullyUp reports whether each cluster is up that is to run, and there is one.
func (f *Fleet) isFullyUp() bool {
	up := 0
	for _, c := range f.current.clusters {
		switch {
		case c.state == Up:
			up++
		case c.wanted || c.alive:
			return false
		}
	}
	return up > 0
}

// operate goes on with the operation.
func (f *Fleet) operate() {
	switch op := f.op; {
	case op == nil:
	case op.kind == RollingRestart:
		f.rolling()
	case op.next != nil:
		f.switching()
	}
}

func (f *Fleet) rolling() {
	op := f.op
	if c := op.at; c != nil {
		switch {
		case c.run > op.run && c.state == Up:
			op.done++
			op.at = nil
		case c.state == Stopped || c.state == BackingOff:
			f.abort("cluster %d did not come up again: %s", c.key.ID, c.why)
			return
		default:
			return
		}
	}
	for len(op.todo) > 0 {
		c := op.todo[0]
		op.todo = op.todo[1:]
		if c.state == Up || c.state == Unresponsive {
			op.at, op.run = c, c.run
			c.restart = true
			return
		}
		op.all-- // somebody has stopped it, or it has ended and is started anew by itself
	}
	f.op = nil
	f.record("rolling_restart_success", map[string]any{"clusters": op.done})
}

// abort gives an operation up. What runs goes on.
func (f *Fleet) abort(format string, args ...any) {
	op, why := f.op, fmt.Sprintf(format, args...)
	f.op = nil
	switch op.kind {
	case RollingRestart:
		f.record("rolling_restart_failed", map[string]any{"error": why, "clusters": op.done})
	case Reshard:
		f.record("reshard_failed", map[string]any{"error": why})
		if op.next != nil {
			f.dissolve(op.next, "its reshard was given up")
		}
	}
}

// dissolve ends all clusters of a generation.
func (f *Fleet) dissolve(g *generation, why string) {
	for _, c := range g.clusters {
		f.queue = slices.DeleteFunc(f.queue, func(q *cluster) bool { return q == c })
		c.wanted = false
		if c.alive {
			f.stop(c, stay, why)
		} else if c.state != Stopped {
			f.become(c, Stopped, why)
		}
	}
}

// reshard begins a reshard, which first asks Discord how many shards it recommends.
func (f *Fleet) reshard() string {
	if !f.cfg.Reshard {
		return "to reshard, write reshard below experimental_features"
	}
	if why := f.busy(); why != "" {
		return why
	}
	f.op = &operation{kind: Reshard, began: f.now}
	f.record("reshard_begin", nil)
	return ok
}

// resharding plans the generation of a reshard once Discord has answered.
func (f *Fleet) resharding() {
	op := f.op
	if op == nil || op.kind != Reshard || op.next != nil {
		return
	}
	total := f.shards(f.gateway)
	if total == f.current.total && !f.cfg.ReshardAll {
		f.op = nil
		f.record("reshard_success", map[string]any{"shards": total, "unchanged": true})
		return
	}
	if left := f.gateway.Remaining - total; left < f.cfg.LeastRemaining {
		f.abort("%d shards take more identifies than the %d that are left", total, f.gateway.Remaining)
		return
	}
	op.next = f.plan(f.current.number+1, total)
	op.all = len(op.next.clusters)
	f.gens = append(f.gens, op.next)
	for _, c := range op.next.clusters {
		f.enqueue(c)
	}
}

// switching ends the former generation once the next one is up, and the next one where it does not come up.
func (f *Fleet) switching() {
	op := f.op
	op.done = 0
	for _, c := range op.next.clusters {
		switch c.state {
		case Up, Unresponsive:
			op.done++
		case Stopped, BackingOff:
			f.abort("cluster %d did not come up: %s", c.key.ID, c.why)
			return
		}
	}
	if op.done < op.all {
		return
	}
	former := f.current
	f.current, f.op, f.announce = op.next, nil, true
	f.record("reshard_success", map[string]any{"shards": f.current.total})
	f.dissolve(former, "its shards are in the next generation")
}
