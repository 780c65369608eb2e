package events

import (
	"fmt"
	"log/slog"
	"path/filepath"
	"time"

	"moot/events/people"
	"moot/store"
)

// DefaultWindow is how long facts stay in the store before they are archived.
const DefaultWindow = 10 * 24 * time.Hour

// Config says what a log is made of.
type Config struct {
	// Store holds the log and everything else but the archive. Its owner closes it, after the log.
	Store *store.Store
	// Archive is the path of the archive file; zero means facts.archive beside the file of the
	// store.
	Archive string
	// Window is how long facts stay in the store before they are archived or dropped; zero means
	// DefaultWindow.
	Window time.Duration
	// Kinds are the kinds that can be published. Others that the log holds are kept.
	Kinds []Kind
	// Secret is the key of the hashes that stand for forgotten people; zero means the secret of the
	// store. With another one than before, those people are no longer recognised.
	Secret []byte
	// ReadOnly says that the store was opened so. Nothing can then be published or archived.
	ReadOnly bool
	Log      *slog.Logger // nil means none
}

// Bus is the way to the log of facts of one store. Its methods may be called concurrently, each
// with a transaction of its own.
type Bus struct {
	*people.Registry // of those whom the facts name

	*publisher
	*history
	*followers
	*retirer
	*verifier
}

// Open returns the bus over the log of a store. An archive that does not hold what the store has
// committed to it is refused with ErrArchive, and one that holds something beside a store that
// never had an archive with ErrStray: see [Examine]. What is refused is not changed.
func Open(c Config) (*Bus, error) {
	b, err := open(c)
	if err != nil {
		return nil, fmt.Errorf("open the log: %w", err)
	}
	return b, nil
}

func open(c Config) (*Bus, error) {
	if c.Window < 0 {
		return nil, fmt.Errorf("the window is negative: %s", c.Window)
	}
	if c.Window == 0 {
		c.Window = DefaultWindow
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	kinds, err := checkKinds(c.Kinds)
	if err != nil {
		return nil, err
	}
	if c.Secret == nil {
		if _, c.Secret, err = c.Store.Instance(); err != nil {
			return nil, err
		}
	}
	registry, err := people.New(c.Secret)
	if err != nil {
		return nil, err
	}
	if c.Archive == "" {
		c.Archive = filepath.Join(filepath.Dir(c.Store.Path()), "facts.archive")
	}
	var committed Commitment
	if err := c.Store.View(func(tx *store.Tx) error { committed = Committed(tx); return nil }); err != nil {
		return nil, err
	}
	archive, err := openArchive(c.Archive, committed, c.ReadOnly)
	if err != nil {
		return nil, err
	}
	h := &history{store: c.Store, archive: archive}
	return &Bus{
		Registry:  registry,
		publisher: &publisher{people: registry, kinds: kinds},
		history:   h,
		followers: &followers{history: h, all: map[*Subscription]struct{}{}},
		retirer: &retirer{
			store: c.Store, archive: archive, kinds: kinds, window: c.Window, readOnly: c.ReadOnly, log: c.Log,
		},
		verifier: &verifier{history: h, kinds: kinds},
	}, nil
}

// Close ends all subscriptions and closes the archive. It waits for an ArchiveStep. No transaction
// may use the bus any more.
func (b *Bus) Close() error {
	b.followers.close()
	b.stepping.Lock()
	defer b.stepping.Unlock()
	return b.history.archive.close()
}
