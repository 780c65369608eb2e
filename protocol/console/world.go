package console

import (
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"time"

	"moot/internal/say"
	"moot/protocol"
)

// Config says how a World is opened. The zero value is a world in memory on the real clock.
type Config struct {
	// Dir is the folder of the log; it must exist. Zero keeps the world in memory only. Whoever opens the world
	// sees to it that no other process has it open, as the bot does by the lock on its own file.
	Dir string
	// Frozen makes the clock stand still but for Tick and Wait.
	Frozen bool
	// Start is where a frozen clock begins; zero means the real time. An older log moves it on.
	Start time.Time
	// Tick is how far a frozen clock goes on with each thing that a person does; zero means one second, a negative
	// one not at all.
	Tick time.Duration
	// Language is what the people at the terminal speak; zero means English. What is said in a new world before anybody comes is in it,
	// too.
	Language say.Language
	// Real keeps the world on the real clock, as it must be beside other networks: Open refuses a world whose clock was
	// moved, and Wait moves nothing.
	Real bool
}

// World is the server: the rooms, the people, what they are to one another and what was said. It is safe for
// concurrent use. Methods that people cause return a sentence for them as the error, which wraps one of the errors
// of this package; nothing has then happened. Methods never return before what they did is written.
type World struct {
	dir    string // zero for a world in memory
	speak  say.Speaker
	clock  *Clock
	real   bool
	header header
	fresh  bool

	mu      sync.Mutex
	later   bool // see tickLater
	acted   bool // whether somebody has done something since the clock went on last; only with later
	state   *state
	journal journal
	broken  error         // why nothing is accepted any more
	grown   chan struct{} // closed when the log grows
}

// Open opens the world in the folder, or makes a new one: three rooms, six people who have been in them for 30 days and
// have said something lately, and the bot, which has been there for 20.
//
// The errors wrap ErrCorrupt, ErrNewer, ErrForeign, ErrMoved or what the file system said, and name the file.
func Open(cfg Config) (*World, error) {
	speak := catalogue.In(cfg.Language)
	w := &World{dir: cfg.Dir, speak: speak, real: cfg.Real, state: newState(), grown: make(chan struct{})}
	w.state.speak = speak
	var seeded []record
	fresh := func() (header, []record) {
		w.clock = newClock(cfg, 0, time.Time{})
		now := w.clock.Now()
		seeded = seed(speak, now)
		return newHeader(now, cfg.Frozen), seeded
	}
	if cfg.Dir == "" {
		w.header, _ = fresh()
		w.fresh = true
		return w, w.fold(seeded)
	}
	var err error
	w.journal, w.header, w.fresh, err = openJournal(cfg.Dir, w.state.apply, fresh)
	if err != nil {
		return nil, err
	}
	if w.fresh {
		return w, w.fold(seeded)
	}
	if cfg.Real && w.state.aheadOf(w.header, time.Now()) {
		return nil, errors.Join(fmt.Errorf("%s: %w", filepath.Join(cfg.Dir, FileName), ErrMoved), w.journal.close())
	}
	w.clock = newClock(cfg, w.state.moved, w.state.latest(w.header))
	return w, nil
}

func (w *World) fold(recs []record) error {
	for _, r := range recs {
		if err := w.state.apply(r); err != nil {
			return fmt.Errorf("make a new world: %w", err)
		}
	}
	return nil
}

// Clock returns the time of the world.
func (w *World) Clock() *Clock { return w.clock }

// New tells whether Open has made the world, rather than found it.
func (w *World) New() bool { return w.fresh }

// Close syncs and closes the log. Whatever is done afterwards fails with ErrClosed.
func (w *World) Close() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if errors.Is(w.broken, ErrClosed) {
		return nil
	}
	w.broken = fmt.Errorf("the world is %w", ErrClosed)
	close(w.grown)
	w.grown = make(chan struct{})
	return w.journal.close()
}

// change is what one act adds to the log. The records take effect at once and are written in one piece at its end.
type change struct {
	*state
	w    *World
	by   protocol.UserID
	recs []record
}

// act lets somebody do something: check everything, then add. It is refused as long as nothing was added.
func (w *World) act(by protocol.UserID, do func(c *change) error) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.broken != nil {
		return w.broken
	}
	c := &change{state: w.state, w: w, by: by}
	err := do(c)
	if len(c.recs) == 0 {
		return err
	}
	if err == nil {
		err = w.journal.write(c.recs)
	}
	if err != nil {
		// What is in memory is no longer what is on disk. Only a restart knows what is true.
		w.broken = fmt.Errorf("write %s: %w", FileName, err)
		err = w.broken
	}
	close(w.grown)
	w.grown = make(chan struct{})
	return err
}

// add adds a record, by the one who acts.
func (c *change) add(in protocol.RoomID, d deed) (protocol.EventID, error) {
	if len(c.recs) == 0 && c.by != Bot {
		if c.w.later {
			c.w.acted = true
		} else {
			c.w.clock.step()
		}
	}
	r := record{Pos: c.last() + 1, At: c.w.clock.Now(), Room: in, By: c.by, Deed: d}
	if err := c.apply(r); err != nil {
		return "", err
	}
	c.recs = append(c.recs, r)
	return r.id(), nil
}

// tickLater has a frozen clock stand while people do something, and go on by tick afterwards. A bot that hears of something
// and at the same moment of the time at which something else is due does the one or the other first, and a script is to come
// out the same each time.
func (w *World) tickLater() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.later = true
}

// tick lets a frozen clock go on if somebody has done something, and reports whether it did.
func (w *World) tick() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.acted || !w.clock.frozen {
		return false
	}
	w.acted = false
	w.clock.step()
	return true
}

// look hands the state to a function that keeps and changes nothing of it.
func (w *World) look(f func(s *state)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	f(w.state)
}

// follow returns the records after a position and a channel that is closed when there are more.
func (w *World) follow(after uint64) (recs []record, grown <-chan struct{}, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if after > w.state.last() {
		return nil, nil, fmt.Errorf("position %d is beyond the end at %d", after, w.state.last())
	}
	return w.state.log[after:], w.grown, w.broken
}

func (w *World) last() uint64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.state.last()
}

// sync puts on disk what the bot is about to see or rely on.
func (w *World) sync() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.broken != nil {
		return w.broken
	}
	if err := w.journal.sync(); err != nil {
		// After a failed fsync nobody knows what is on disk.
		w.broken = fmt.Errorf("sync %s: %w", FileName, err)
		return w.broken
	}
	return nil
}
