package bot

import (
	"fmt"
	"log/slog"
	"slices"
	"time"

	"moot/events"
	"moot/outbox"
	"moot/protocol"
	"moot/sealed"
	"moot/store"
)

// DefaultRetention is for how long it is remembered what was seen.
const DefaultRetention = 60 * 24 * time.Hour

// MachineConfig says what a Machine is made of.
type MachineConfig struct {
	Store    *store.Store
	Bus      *events.Bus
	Features []Feature
	// Retention is for how long it is remembered what was seen and sent; zero means DefaultRetention. What is older
	// by its own time is never acted on.
	Retention time.Duration
	// Trust says whose words are acted on in encrypted rooms; zero means sealed by a signed device only.
	Trust sealed.Trust
	Log   *slog.Logger // nil means none
	// Late reports whether what a scope tells another now is handled in a later commit, as an engine with several nodes
	// would do it; nil never does. It is for tests: features must not rest on the same commit.
	Late func() bool
}

// Machine is the state of the loop. It belongs to one goroutine.
type Machine struct {
	MachineConfig
	core    []Feature // see each event first, in a transaction of their own
	all     []Feature // the core, and then the Features
	lanes   *lanes
	outbox  *outbox.Dispatcher
	sweep   sweep
	up      map[protocol.Network]bool // which networks are in reach
	heard   map[protocol.Network]bool // which are, as far as features have been told
	away    time.Time                 // since when the bot was away before it started
	started bool                      // whether it is known who is to hear of that
	absent  []store.Told              // those who have not
	retries []uint64                  // dead letters that are to be tried again
	lost    map[protocol.Scope]int    // events that were to become dead letters, of which the scope has too many
	serves  []protocol.Network        // those that have an adapter; nil means that it is not known
	ending  bool                      // whether no attempt may begin any more
	lostFuture
}

// Input is something that a Step takes: one of the types below.
type Input interface{ input() }

// Admitted is a batch from an adapter.
type Admitted struct{ Batch *Batch }

// Sent is how an attempt to send ended.
type Sent struct {
	Key protocol.Key
	Ref protocol.Ref
	Err error
}

// Answered is how an attempt to ask ended.
type Answered struct {
	Ask     protocol.Ask
	Attempt int
	Result  protocol.Body
	Err     error
}

// Online says whether a network can be reached.
type Online struct {
	Network protocol.Network
	Up      bool
}

// RetryDead wants a dead letter to be tried again.
type RetryDead struct{ ID uint64 }

// Ending says that no attempt is to begin any more: what waits is left to the next run.
type Ending struct{}

// DropDead wants a dead letter to be forgotten.
type DropDead struct{ ID uint64 }

func (DropDead) input()  {}
func (Admitted) input()  {}
func (Sent) input()      {}
func (Answered) input()  {}
func (Online) input()    {}
func (RetryDead) input() {}
func (Ending) input()    {}

// Effects is what is to be done in the world after a Step.
type Effects struct {
	Done     []*Batch                 // their Admit returns
	Attempts []outbox.Attempt         // to be made
	Appended bool                     // the log of facts has grown
	More     bool                     // there is work left for the next Step
	Wake     time.Time                // when the next Step has something to do at the latest; zero means never
	Quiet    bool                     // nothing is waiting, due or being sent
	Backlog  map[protocol.Network]int // answers that wait for others to be sent; nil where none does
	Counts   Counts                   // what it has done
}

// NewMachine returns a machine that goes on where the store stands.
func NewMachine(c MachineConfig) (*Machine, error) {
	if c.Retention == 0 {
		c.Retention = DefaultRetention
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	m := &Machine{
		MachineConfig: c, lanes: newLanes(), outbox: outbox.NewDispatcher(),
		up: map[protocol.Network]bool{}, heard: map[protocol.Network]bool{},
		lost: map[protocol.Scope]int{},
	}
	err := c.Store.View(func(tx *store.Tx) error {
		m.core = core(c, actsSince(tx))
		m.away = tx.Now()
		m.lostFuture = readLostFuture(tx)
		m.outbox.Load(tx)
		for l := range tx.Letters(0) {
			if l.Retry {
				m.retries = append(m.retries, l.ID)
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read the outbox and the dead letters: %w", err)
	}
	m.all = slices.Concat(m.core, m.Features)
	return m, nil
}

// Step takes the inputs and makes one commit. After store.ErrFull nothing has happened, and the same inputs can be given to
// the next Step. After any other error the machine is of no use any more.
func (m *Machine) Step(now time.Time, inputs []Input) (Effects, error) {
	var fx Effects
	err := m.Store.Commit(now, func(c *store.Commit) error {
		s := &step{Machine: m, c: c, fx: &fx}
		c.Deliver(s.deliver)
		for _, in := range inputs {
			s.take(in)
		}
		s.reached()
		if s.start() {
			s.timers()
			m.lanes.take(s.queued)
			s.retry()
			s.forget()
			s.dispatch()
		}
		fx.Appended = c.Appended()
		return nil
	})
	if err != nil {
		return Effects{}, fmt.Errorf("step: %w", err)
	}
	if err := m.plan(&fx, now); err != nil {
		return Effects{}, err
	}
	return fx, nil
}

// plan says when the next Step has something to do.
func (m *Machine) plan(fx *Effects, now time.Time) error {
	var timer time.Time
	err := m.Store.View(func(tx *store.Tx) error {
		timer = tx.NextTimer()
		if n := tx.Now(); n.After(now) {
			now = n // the time of the store, where the clock has gone back
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("read the timers: %w", err)
	}
	busy := len(m.absent) > 0 || m.lanes.size > 0 || len(m.retries) > 0
	send := m.outbox.Wake()
	if m.ending {
		send = time.Time{}
	}
	fx.More = busy || m.sweep.running() || due(timer, now) || due(send, now)
	fx.Quiet = !busy && !due(timer, now) && !m.outbox.Busy(now)
	fx.Wake = earliest(timer, send, m.sweep.next)
	fx.Backlog = m.outbox.Backlog()
	return nil
}

func due(at, now time.Time) bool { return !at.IsZero() && !at.After(now) }

func earliest(times ...time.Time) (first time.Time) {
	for _, t := range times {
		if !t.IsZero() && (first.IsZero() || t.Before(first)) {
			first = t
		}
	}
	return first
}

// Backlog returns how many events wait in the lanes.
func (m *Machine) Backlog() int { return m.lanes.size }
