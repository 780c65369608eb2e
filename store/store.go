package store

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"moot/store/bolt"
	"moot/store/disk"
	"moot/store/seen"
	"moot/store/wal"
)

// Errors of Open and of the open store.
var (
	ErrLocked  = disk.ErrLocked
	ErrForeign = disk.ErrForeign
	ErrDamaged = disk.ErrDamaged
	ErrNewer   = disk.ErrNewer
	ErrOlder   = disk.ErrOlder
	// ErrFull is the error of a commit for which the disk has no space. Its function was not called
	// and nothing has changed, so the same commit may be tried again as soon as there is space.
	ErrFull   = disk.ErrFull
	ErrBroken = errors.New("the store is broken by an earlier failed write")
	ErrWrite  = errors.New("the file could not be written")   // of the commit that breaks the store
	ErrShip   = errors.New("the change could not be shipped") // of the commit that breaks the store: see Store.Ship
)

// IsFull reports whether an error says that a disk, or a user's share of it, is full.
func IsFull(err error) bool { return disk.IsFull(err) }

// Config says how to open a store.
type Config struct {
	// Path of the file. It is made, readable by its owner only, if it does not exist. The log of
	// commits is in a folder beside it, of the same name but for the ending ".wal" in place of
	// ".db".
	Path string
	// LockTimeout is how long to wait for another process to let go of the file; zero means 5
	// seconds.
	LockTimeout time.Duration
	// ReadOnly opens the file for views only. It must exist.
	ReadOnly bool
	// Scratch says that nothing in the file is worth keeping: there is no log of commits, and what
	// is not in the file yet when the store is closed is lost.
	Scratch bool
	// Space sees to it that there is space for a commit, and fails with ErrFull where there is
	// none. Nil asks the disk; others are for tests.
	Space func() error
	// Keep is how many bytes of the log of commits are kept, when nobody follows, for whoever
	// follows later; zero means none that the store does not need itself.
	Keep int64

	limits limits // tests bring their own; zero means those of the build
}

// Store is an open store. Its methods may be called concurrently; commits wait for one another.
type Store struct {
	cfg    Config
	file   *bolt.File
	log    *wal.Log    // nil in a scratch store
	seen   *seen.Index // its writer is who holds mu, its background the checkpointer
	secret []byte

	mu     sync.Mutex // held by the one commit
	closed bool       // guarded by mu
	last   time.Time  // of the last commit, also of one that wrote nothing; guarded by mu
	buffer []byte     // of changes that are written; guarded by mu
	batch  seen.Batch // of the commit that runs; guarded by mu
	lately lately     // guarded by mu

	ship  func(Change) error // see Ship; nil where nobody wants them; guarded by mu
	along func(*Tx) func()   // see Along; nil where nothing is to be written; guarded by mu

	state atomic.Pointer[state]
	// publishing is held, for an instant, by whoever stores a state.
	publishing sync.Mutex
	progress   sync.Cond     // that a state was stored, or broken or full has changed; on publishing
	news       chan struct{} // closed and made anew when a state is stored; guarded by publishing
	broken     error         // guarded by publishing
	unsaid     bool          // whether no commit has met it yet; guarded by publishing
	full       error         // why the checkpointer does not get on; guarded by publishing

	checkpointer

	logger atomic.Pointer[slog.Logger] // nil: none
}

// LogTo has the store log what it can tell nobody else: that a follower was left behind. It is not told
// to Open, as whoever opens a store may not write to a log before it holds the file.
func (s *Store) LogTo(log *slog.Logger) { s.logger.Store(log) }

// Path returns the name of the file.
func (s *Store) Path() string { return s.cfg.Path }

// Size returns the length of the file in bytes. It does not shrink when something is deleted.
func (s *Store) Size() int64 { return s.file.Size() }

// fail breaks the store. Unsaid means that no caller gets the error.
func (s *Store) fail(err error, unsaid bool) {
	s.publishing.Lock()
	defer s.publishing.Unlock()
	if s.broken == nil {
		s.broken, s.unsaid = err, unsaid
	}
	s.progress.Broadcast()
}

// publish makes a state the one that views see. The caller holds publishing.
func (s *Store) publish(st *state) {
	s.state.Store(st)
	close(s.news)
	s.news = make(chan struct{})
	s.progress.Broadcast()
}

// snapshot returns the state, and a view of the file that goes with it. The view comes first, so
// that the state is the newer one; where it has gone on without the view there is a newer view.
func (s *Store) snapshot() (*state, *bolt.View, error) {
	for {
		v, err := s.file.View()
		if err != nil {
			return nil, nil, err
		}
		if st := s.state.Load(); st.fits(v) {
			return st, v, nil
		}
		if err := v.Close(); err != nil {
			return nil, nil, err
		}
	}
}

// View runs f on the state of the last commit. It waits for nothing, and nothing waits for it; but
// what is deleted meanwhile is not reused until it ends, so that the file may grow.
func (s *Store) View(f func(*Tx) error) error {
	st, v, err := s.snapshot()
	if err != nil {
		return fmt.Errorf("begin a view: %w", err)
	}
	defer v.Close() //nolint:errcheck // a read transaction has nothing to lose
	return disk.Guard(func() error {
		tx := &Tx{now: st.at, shared: &shared{reader: st.reader(v), seer: &viewer{s.seen, st, v}}}
		if err := f(tx); err != nil {
			return err
		}
		return tx.err
	})
}

// Check reads the whole file and the log of commits, and returns what is wrong with them, nil if
// nothing is. It takes a while for a large one. Commits go on; they wait only if they bring more
// meanwhile than is kept in memory.
func (s *Store) Check() error {
	s.writing.Lock()
	defer s.writing.Unlock()
	err := s.file.Check(func(v *bolt.View) []error { return seen.Check(v.Bolt, s.seenConfig(0)) })
	if err == nil && s.log != nil {
		err = s.log.Check()
	}
	return err
}

func (s *Store) seenConfig(horizon uint64) seen.Config {
	return seen.Config{Secret: s.secret, Limits: s.cfg.limits.Seen, Horizon: horizon}
}

// Stats says how much the store holds, and in what.
type Stats struct {
	Change uint64     // the number of the last change
	Seen   seen.Stats // of seen events
	Memory int        // about how many bytes of rows are not in the file yet
	Moving bool       // whether a checkpoint is under way, or runs are merged
	Bytes  int64      // of the file that are in use
	Free   int64      // bytes of the file that wait to be used again; Compact returns them
	Log    int64      // bytes of the log of commits
}

// Stats returns how much the store holds.
func (s *Store) Stats() (st Stats, err error) {
	now := s.state.Load()
	st = Stats{Change: now.change, Seen: now.seen.Stats(), Memory: now.bytes, Moving: now.upTo != 0 || s.tending.Load()}
	if s.log != nil {
		st.Log = s.log.Size()
	}
	st.Bytes, st.Free, err = s.file.Space()
	return st, err
}

// Instance returns the name that the store was given when it was made, and the key with which its
// keyed hashes are made where the operator brings none.
func (s *Store) Instance() (id string, secret []byte, err error) {
	err = s.View(func(tx *Tx) error {
		id = string(tx.Get(meta, metaInstance))
		secret = append(secret, tx.Get(meta, metaSecret)...)
		return nil
	})
	return id, secret, err
}

// Cursor returns the saved cursor of that name, zero if there is none.
func (s *Store) Cursor(name string) (value string, err error) {
	err = s.View(func(tx *Tx) error {
		value = tx.Cursor(name)
		return nil
	})
	return value, err
}

// wait waits until the state is as wanted, or the store is broken or full.
func (s *Store) wait(ctx context.Context, wanted func(*state) bool) error {
	stop := context.AfterFunc(ctx, func() {
		s.publishing.Lock()
		defer s.publishing.Unlock()
		s.progress.Broadcast()
	})
	defer stop()
	s.publishing.Lock()
	defer s.publishing.Unlock()
	for !wanted(s.state.Load()) {
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case s.broken != nil:
			return fmt.Errorf("%w: %w", ErrBroken, s.broken)
		case s.full != nil:
			return s.full
		}
		s.progress.Wait()
	}
	return nil
}
