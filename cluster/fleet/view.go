package fleet

import (
	"slices"
	"time"
)

// View is a copy of what a fleet is like.
type View struct {
	Gateway    Gateway
	Generation int
	Shards     int
	Clusters   []ClusterView // of the current generation
	Others     []ClusterView // of one that comes or goes
	LastStart  time.Time
	FullyUp    bool
	Operation  *Progress // nil where none is under way
}

// ClusterView is a copy of what a cluster is like.
type ClusterView struct {
	Key
	Name               string
	Shards             []int
	State              State
	Why                string
	Since, Until       time.Time
	Alive, Launched    bool
	Run                uint64
	PID                int
	StartedAt, Checked time.Time
	Health             []Health
}

// Progress is how far an operation has come.
type Progress struct {
	Kind      Action
	Began     time.Time
	Done, All int
}

// View returns what the fleet is like.
func (f *Fleet) View() View {
	v := View{Gateway: f.gateway, Generation: f.current.number, Shards: f.current.total, LastStart: f.lastStart, FullyUp: f.isFullyUp() && f.op == nil}
	for c := range f.each {
		one := ClusterView{
			Key: c.key, Name: c.name, Shards: c.shards, State: c.state, Why: c.why, Since: c.since, Until: c.until, Alive: c.alive,
			Launched: !c.launchedAt.IsZero(), Run: c.run, PID: c.pid, StartedAt: c.startedAt, Checked: c.checked, Health: slices.Clone(c.health),
		}
		if c.key.Generation == f.current.number {
			v.Clusters = append(v.Clusters, one)
		} else {
			v.Others = append(v.Others, one)
		}
	}
	if f.op != nil {
		v.Operation = &Progress{f.op.kind, f.op.began, f.op.done, f.op.all}
	}
	return v
}
