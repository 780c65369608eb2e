package events

import (
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"time"

	"moot/store"
)

// DefaultWindow is how long facts stay in the store before they are archived.
const DefaultWindow = 10 * 24 * time.Hour

// Config says what a log is made of.
type Config struct {
	// Store holds the log and everything else but the archive. It is closed by whoever opened it, after the log.
	Store *store.Store
	// Archive is the path of the archive file; zero means facts.archive beside the file of the store.
	Archive string
	// Window is how long facts stay in the store before they are archived or dropped; zero means DefaultWindow.
	Window time.Duration
	// Kinds are the kinds that can be published. Others that the log holds are kept.
	Kinds []Kind
	// Reactors act on facts, in this order.
	Reactors []Reactor
	// Secret is the key of the hashes that stand for forgotten people; zero means the secret of the store. With
	// another one than before, those people are no longer recognised.
	Secret []byte
	// ReadOnly says that the store was opened so. Nothing can then be published or archived.
	ReadOnly bool
}

// Bus is the way to the log of facts of one store. Its methods may be called concurrently, each with a transaction of its own.
type Bus struct {
	store     *store.Store
	window    time.Duration
	kinds     map[string]Kind
	reactors  []Reactor
	secret    []byte
	readOnly  bool
	archive   *archive
	folding   bool // whether Apply or Drop runs; owned by the one transaction that writes
	followers followers

	stepping sync.Mutex // held by ArchiveStep
	unsynced error      // of an archive that could not be synced; guarded by stepping
	// failpoint is called between the steps of ArchiveStep; tests crash there. Nil means none.
	failpoint func(point string) error
}

// Open returns the bus over the log of a store. An archive that holds less than was committed to it is refused with
// ErrArchive, and not changed. A reactor that the store has never heard of is entered with the present end of the log as
// its start; so Open comes before the first commit of a run.
func Open(c Config) (*Bus, error) {
	b := &Bus{
		store: c.Store, window: c.Window, reactors: c.Reactors, secret: c.Secret, readOnly: c.ReadOnly,
		followers: followers{all: map[*Subscription]struct{}{}},
	}
	if b.window == 0 {
		b.window = DefaultWindow
	}
	if c.Archive == "" {
		c.Archive = filepath.Join(filepath.Dir(c.Store.Path()), "facts.archive")
	}
	if err := b.open(c); err != nil {
		return nil, fmt.Errorf("open the log: %w", err)
	}
	return b, nil
}

func (b *Bus) open(c Config) (err error) {
	if b.window < 0 {
		return fmt.Errorf("the window is negative: %s", b.window)
	}
	if b.kinds, err = checkKinds(c.Kinds); err != nil {
		return err
	}
	if err := checkReactors(c.Reactors); err != nil {
		return err
	}
	if b.secret == nil {
		if _, b.secret, err = c.Store.Instance(); err != nil {
			return err
		}
	}
	if len(b.secret) < 16 {
		return fmt.Errorf("the secret has %d bytes, where at least 16 are needed", len(b.secret))
	}
	var end int64
	if err := b.store.View(func(tx *store.Tx) error { end = archiveEnd(tx); return nil }); err != nil {
		return err
	}
	if b.archive, err = openArchive(c.Archive, end, b.readOnly); err != nil {
		return err
	}
	if err := b.enterReactors(); err != nil {
		return errors.Join(err, b.archive.close())
	}
	return nil
}

// Close ends all subscriptions and lets go of the archive. It waits for an ArchiveStep. No transaction may use the bus
// any more.
func (b *Bus) Close() error {
	b.followers.close()
	b.stepping.Lock()
	defer b.stepping.Unlock()
	return b.archive.close()
}

// state holds the single values of this package.
var state = store.SharedBucket("events")

const (
	nextPerson  = "next-person"
	nextText    = "next-text"
	endOfFile   = "archive-end"
	lastRetired = "archive-last"
)

func getState(tx *store.Tx, name string) uint64 {
	return store.ParseNumber(string(tx.Get(state, name)))
}

func putState(tx *store.Tx, name string, n uint64) { tx.Put(state, name, []byte(store.Number(n))) }

// next gives out the next number of a series, from 1. Those of a discarded transaction are given again.
func next(tx *store.Tx, series string) uint64 {
	n := max(getState(tx, series), 1)
	putState(tx, series, n+1)
	return n
}

// lastTime as the time of a commit makes it follow the last one as closely as can be.
var lastTime time.Time
