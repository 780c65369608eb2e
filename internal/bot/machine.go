package bot

import (
	"fmt"
	"log/slog"
	"time"

	"moot/events"
	"moot/outbox"
	"moot/protocol"
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
	Log       *slog.Logger // nil means none
}

// Machine is the state of the loop. It belongs to one goroutine.
type Machine struct {
	MachineConfig
	lanes    *lanes
	outbox   *outbox.Dispatcher
	sweep    sweep
	up       map[protocol.Network]time.Time // since when each network is in reach
	retries  []uint64                       // dead letters that are to be tried again
	reacting bool                           // whether reactors may have facts to read
	ending   bool                           // whether no attempt may begin any more
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
	Done     []*Batch         // their Admit returns
	Attempts []outbox.Attempt // to be made
	Appended bool             // the log of facts has grown
	More     bool             // there is work left for the next Step
	Wake     time.Time        // when the next Step has something to do at the latest; zero means never
	Quiet    bool             // nothing is waiting, due or being sent
}

// NewMachine returns a machine that goes on where the store stands.
func NewMachine(c MachineConfig) (*Machine, error) {
	if c.Retention == 0 {
		c.Retention = DefaultRetention
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	m := &Machine{MachineConfig: c, lanes: newLanes(), up: map[protocol.Network]time.Time{}, outbox: outbox.NewDispatcher(), reacting: true}
	err := c.Store.View(func(tx *store.Tx) error {
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
	return m, nil
}

// Step takes the inputs and makes one commit. After store.ErrFull nothing has happened, and the same inputs can be given to
// the next Step. After any other error the machine is of no use any more.
func (m *Machine) Step(now time.Time, inputs []Input) (Effects, error) {
	var fx Effects
	err := m.Store.Commit(now, func(c *store.Commit) error {
		s := &step{Machine: m, c: c, fx: &fx}
		c.Deliver(s.told)
		for _, in := range inputs {
			s.take(in)
		}
		s.timers()
		m.lanes.take(s.queued)
		s.dead()
		s.react()
		m.sweep.step(c, m.Retention)
		s.dispatch()
		fx.Appended = c.Appended()
		return s.failed
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
	busy := m.lanes.size > 0 || len(m.retries) > 0 || m.reacting
	send := m.outbox.Wake()
	if m.ending {
		send = time.Time{}
	}
	fx.More = busy || m.sweep.running() || due(timer, now) || due(send, now)
	fx.Quiet = !busy && !due(timer, now) && !m.outbox.Busy(now)
	fx.Wake = earliest(timer, send, m.sweep.next)
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
