package bot

import (
	"fmt"
	"log/slog"
	"slices"
	"time"

	"moot/events"
	"moot/outbox"
	"moot/protocol"
	"moot/rooms"
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

// sweep is how far the bot is with forgetting what is old, which it does once an hour, a slice in each commit.
type sweep struct {
	next   time.Time // when to begin again; zero means at the first step
	stage  int       // 0: not running, 1: seen, 2: sent, 3: dead letters, 4: what waits for networks out of reach
	from   string    // of SweepSent
	letter uint64    // of SweepLetters
	lanes  []string  // that are to be looked at
}

func (s *sweep) running() bool { return s.stage != 0 }

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
		m.core = core(rooms.Feature{Bus: c.Bus, Log: c.Log}, barrier{retention: c.Retention, since: actsSince(tx)}, c.Trust, sealed.Feature{Log: c.Log})
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

// Backlog returns how many events wait in the lanes.
func (m *Machine) Backlog() int { return m.lanes.size }
