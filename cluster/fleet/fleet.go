package fleet

import (
	"fmt"
	"slices"
	"time"
)

// State is where a cluster stands.
type State string

// The states.
const (
	Stopped      State = "stopped"      // there is no process, and none is wanted
	Starting     State = "starting"     // a process is wanted, and waits for its turn
	Launching    State = "launching"    // the process runs, and has not said launch_next
	Up           State = "up"           // it has, and answers
	Unresponsive State = "unresponsive" // it runs, and has not answered a ping
	Stopping     State = "stopping"     // it was told to end
	BackingOff   State = "backing off"  // it has failed, and is started again after a pause
)

// Steady is how long a cluster has to be up before its end is no part of a loop.
const Steady = time.Hour

const (
	day            = 24 * time.Hour
	identifyWindow = 5 * time.Second // of one bucket of identifies
	secondChance   = 10 * time.Second
	firstPause     = 3 * time.Second
	longestPause   = 5 * time.Minute
)

// Config says how a fleet is run.
type Config struct {
	// Names are those of the clusters, in order; further ones are called cluster-N.
	Names []string
	// PerCluster is how many shards a cluster has, and FixedShards how many there are in all; zero leaves that to Discord.
	PerCluster, FixedShards int
	// PingInterval lies between two pings, and PingTimeout is how long an answer may take.
	PingInterval, PingTimeout time.Duration
	// NextDelay lies between a cluster's launch and the start of the next.
	NextDelay time.Duration
	// Grace is how long a process has between being told to end and being killed.
	Grace time.Duration
	// LaunchTimeout is how long a launch may take; zero gives it a minute, and half a minute for each shard.
	LaunchTimeout time.Duration
	// LeastRemaining is how many of the day's identifies are left alone.
	LeastRemaining int
	// Reshard is whether a reshard may be asked for, and ReshardAll whether one restarts clusters whose shards stay the same.
	Reshard, ReshardAll bool
	// Seed begins each nonce: answers to another launcher are none to this one.
	Seed string
}

// Gateway is what Discord says of the bot.
type Gateway struct {
	URL            string
	Shards         int // that it recommends
	Total          int // identifies of a day
	Remaining      int // identifies that are left
	ResetAfter     time.Duration
	MaxConcurrency int
}

// Key names a cluster. IDs are those of the wire; they are the same again in the next generation.
type Key struct{ Generation, ID int }

// Health is how one shard is, as its cluster says.
type Health struct {
	Shard   int     `json:"shard_id"`
	Up      bool    `json:"up"`
	Latency float64 `json:"latency"`
	Guilds  uint64  `json:"guilds"`
	Users   uint64  `json:"users"`
}

// Event is what has happened. It is one of the types below.
type Event interface{ event() }

type (
	// Tick is that the time of Wake has come.
	Tick struct{}
	// Started is what came of Start.
	Started struct {
		Run uint64
		PID int
		Err error
	}
	// Exited is the end of a process. Code is -1 where a signal has ended it.
	Exited struct {
		Run  uint64
		Code int
		How  string
	}
	// LaunchNext is that a cluster has all its shards. Known is false where it has not said which one it is.
	LaunchNext struct {
		ID    int
		Known bool
	}
	// Echo is an own ping, heard on the channel.
	Echo struct{ Nonce string }
	// Diag is the answer to a ping.
	Diag struct {
		Nonce  string
		Health []Health
	}
	// Asked is what came of Ask.
	Asked struct {
		Gateway Gateway
		Err     error
	}
	// Command is what somebody wants. ID counts for start, stop and restart; NoID is that none was given.
	Command struct {
		Action    Action
		ID        int
		NoID      bool
		CommandID string
	}
	// Shutdown ends all processes, and then the launcher with an exit code.
	Shutdown struct{ Code int }
	// Hurry kills what has not ended yet.
	Hurry struct{}
)

func (Tick) event()       {}
func (Started) event()    {}
func (Exited) event()     {}
func (LaunchNext) event() {}
func (Echo) event()       {}
func (Diag) event()       {}
func (Asked) event()      {}
func (Command) event()    {}
func (Shutdown) event()   {}
func (Hurry) event()      {}

// Action is what a Command wants.
type Action string

// The actions.
const (
	Start          Action = "start"
	Stop           Action = "stop"
	Restart        Action = "restart"
	RollingRestart Action = "rollingrestart"
	Statuses       Action = "statuses"
	NumProcesses   Action = "num_processes"
	Reshard        Action = "reshard"
	ShutdownAll    Action = "shutdown"
	RestartProc    Action = "restartproc"
)

// Effect is what is to be done. It is one of the types below.
type Effect interface{ effect() }

type (
	// Spawn starts a process.
	Spawn struct {
		Key      Key
		Run      uint64
		Name     string
		Shards   []int
		Total    int // shards in all
		Clusters int // clusters in all
	}
	// Signal tells a process to end, or kills it.
	Signal struct {
		Run  uint64
		Kill bool
	}
	// Ping asks a cluster how it is.
	Ping struct {
		ID    int
		Nonce string
	}
	// Reply answers a command.
	Reply struct {
		CommandID string
		Output    any
	}
	// AllLaunched tells the clusters that all have been launched.
	AllLaunched struct{}
	// Record goes into the action log.
	Record struct {
		Event string
		Args  map[string]any
	}
	// Ask asks Discord for the Gateway.
	Ask struct{}
	// Changed is that a cluster has come to another state.
	Changed struct {
		Key      Key
		Name     string
		From, To State
		Why      string
	}
	// Exit ends the launcher: no process is left.
	Exit struct{ Code int }
)

func (Spawn) effect()       {}
func (Signal) effect()      {}
func (Ping) effect()        {}
func (Reply) effect()       {}
func (AllLaunched) effect() {}
func (Record) effect()      {}
func (Ask) effect()         {}
func (Changed) effect()     {}
func (Exit) effect()        {}

// generation is all clusters of one number of shards.
type generation struct {
	number, total int
	clusters      []*cluster
}

// Fleet is the machine. It belongs to one goroutine.
type Fleet struct {
	cfg     Config
	gateway Gateway

	gens    []*generation // those that have processes, and the current one
	current *generation
	op      *operation // nil while nothing takes more than a cluster

	queue   []*cluster   // those in the state Starting
	slot    *cluster     // the one that launches, or is stopped for a restart; nil for none
	nextAt  time.Time    // before it nothing is started
	recent  []identified // those that have launched, or ended, just now
	asking  bool         // whether an Ask is under way
	askAt   time.Time    // before it Discord is not asked again
	askFail int          // how often that has failed in a row
	loops   []charge     // what the restarts of loops have taken

	runs, nonces uint64
	lastStart    time.Time
	announce     bool // whether the clusters are still to be told that all have launched
	ending       bool
	ended        bool
	code         int

	now time.Time
	out []Effect
}

// New returns a fleet of which every cluster is to be started.
func New(cfg Config, g Gateway, now time.Time) *Fleet {
	f := &Fleet{cfg: cfg, gateway: g, announce: true, now: now}
	f.current = f.plan(1, f.shards(g))
	f.gens = []*generation{f.current}
	for _, c := range f.current.clusters {
		f.enqueue(c)
	}
	f.out = nil
	return f
}

// shards is how many there are to be.
func (f *Fleet) shards(g Gateway) int {
	if f.cfg.FixedShards > 0 {
		return f.cfg.FixedShards
	}
	return max(1, g.Shards)
}

// plan gives each cluster its shards, the last one what is left.
func (f *Fleet) plan(number, total int) *generation {
	g := &generation{number: number, total: total}
	for first := 0; first < total; first += f.cfg.PerCluster {
		c := &cluster{key: Key{number, len(g.clusters)}, name: fmt.Sprintf("cluster-%d", len(g.clusters)), state: Stopped, since: f.now}
		if c.key.ID < len(f.cfg.Names) {
			c.name = f.cfg.Names[c.key.ID]
		}
		for s := first; s < min(total, first+f.cfg.PerCluster); s++ {
			c.shards = append(c.shards, s)
		}
		g.clusters = append(g.clusters, c)
	}
	return g
}

// Step lets an event happen at a time, which never goes back, and returns what is to be done, in order.
func (f *Fleet) Step(now time.Time, e Event) []Effect {
	f.now, f.out = now, nil
	switch e := e.(type) {
	case Tick:
	case Started:
		f.started(e)
	case Exited:
		f.exited(e)
	case LaunchNext:
		f.launchNext(e)
	case Echo:
		f.echo(e)
	case Diag:
		f.diag(e)
	case Asked:
		f.asked(e)
	case Command:
		f.command(e)
	case Shutdown:
		f.end(e.Code)
	case Hurry:
		f.hurry()
	}
	f.advance()
	return f.out
}

// advance does what is due.
func (f *Fleet) advance() {
	for c := range f.each {
		f.due(c)
	}
	f.operate()
	f.gens = slices.DeleteFunc(f.gens, func(g *generation) bool { return f.isGone(g) })
	f.ask()
	if f.announce && !f.ending && f.haveLaunched() {
		f.announce = false
		f.emit(AllLaunched{})
	}
	if f.ending && !f.ended && !f.anyAlive() {
		f.ended = true
		f.emit(Exit{f.code})
	}
}

// isGone reports whether a generation has ended: it is not in use, and has no process.
func (f *Fleet) isGone(g *generation) bool {
	return g != f.current && (f.op == nil || f.op.next != g) && !slices.ContainsFunc(g.clusters, func(c *cluster) bool { return c.alive })
}

// haveLaunched reports whether no cluster is about to launch, and one has. Those that have failed keep nobody waiting.
func (f *Fleet) haveLaunched() bool {
	return !slices.ContainsFunc(f.current.clusters, (*cluster).isComing) && slices.ContainsFunc(f.current.clusters, func(c *cluster) bool { return c.state == Up })
}

func (f *Fleet) anyAlive() bool {
	for c := range f.each {
		if c.alive {
			return true
		}
	}
	return false
}

// Wake returns when the next Tick is due; zero where nothing is waited for.
func (f *Fleet) Wake() (at time.Time) {
	sooner := func(t time.Time) {
		if !t.IsZero() && (at.IsZero() || t.Before(at)) {
			at = t
		}
	}
	for c := range f.each {
		sooner(f.deadline(c))
	}
	if !f.asking && !f.ending {
		if c := f.next(); c != nil {
			sooner(f.turn(c))
		} else if f.op != nil && f.op.next == nil && f.op.kind == Reshard {
			sooner(f.askAt)
		}
	}
	return at
}

// each goes through the clusters of all generations.
func (f *Fleet) each(yield func(*cluster) bool) {
	for _, g := range f.gens {
		for _, c := range g.clusters {
			if !yield(c) {
				return
			}
		}
	}
}

func (f *Fleet) emit(e Effect) { f.out = append(f.out, e) }

func (f *Fleet) record(event string, args map[string]any) { f.emit(Record{event, args}) }

// end has all processes end.
func (f *Fleet) end(code int) {
	if f.ending {
		return
	}
	f.ending, f.code, f.op, f.queue = true, code, nil, nil
	for c := range f.each {
		c.wanted = false
		if c.alive {
			f.stop(c, stay, "the launcher ends")
		} else if c.state != Stopped {
			f.become(c, Stopped, "the launcher ends")
		}
	}
}

func (f *Fleet) hurry() {
	for c := range f.each {
		if c.alive && !c.killed {
			f.kill(c)
		}
	}
}
