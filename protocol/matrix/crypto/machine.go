//go:build goolm

package crypto

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"time"

	"go.mau.fi/util/exsync"
	"maunium.net/go/mautrix"
	mcrypto "maunium.net/go/mautrix/crypto"
	"maunium.net/go/mautrix/id"
)

// Machine encrypts and decrypts for one device. Receive, Decrypt and Member belong to one goroutine; Encrypt may be called
// concurrently.
type Machine struct {
	store  *Store
	client *mautrix.Client
	c      ConnectConfig
	olm    *mcrypto.OlmMachine

	// olmMu is held by whoever may need both a transaction and the lock that the library has on olm sessions, in
	// either order: the two would wait for each other.
	olmMu     sync.Mutex
	rooms     *exsync.KeyedMutex[id.RoomID] // one session is made and shared at a time in a room
	keys      int                           // new ones of this Receive; owned by its goroutine
	counted   time.Time                     // when the one-time keys on the server were last asked for; owned as keys is
	fallAfter time.Time                     // when a fallback key may be made again; owned as keys is
	fallPause time.Duration                 // after the next
	refresh   refresh
	known     bool // whether the olm message at hand could be read, now or before; guarded by olmMu
	mending   mending

	jobs chan func(context.Context) error // for the worker
	stop context.CancelFunc
	work sync.WaitGroup
}

// Connect makes the keys ready for use by the client: it uploads what the server lacks, and lets the account vouch for the
// device. An error that does not pass by itself is an *account.Fault.
func (s *Store) Connect(ctx context.Context, client *mautrix.Client, c ConnectConfig) (_ *Machine, err error) {
	if err := s.own(ctx, Owner{client.UserID, client.DeviceID}); err != nil {
		return nil, err
	}
	m := &Machine{store: s, client: client, c: c, rooms: exsync.NewKeyedMutex[id.RoomID](), jobs: make(chan func(context.Context) error, maxJobs)}
	m.olm = mcrypto.NewOlmMachine(client, newLog(s.c.Log), guarded{s.keys, m}, state{m})
	m.olm.DisableRatchetTracking = true    // nothing here deletes keys once they are used
	m.olm.DisableDecryptKeyFetching = true // it would ask the server within a transaction; see sender
	m.olm.SessionReceived = func(context.Context, id.RoomID, id.SessionID, uint32) { m.keys++ }
	background, stop := context.WithCancel(context.WithoutCancel(ctx))
	m.stop = stop
	m.olm.SetBackgroundCtx(background)
	defer func() {
		if err != nil {
			err = errors.Join(err, m.Close())
		}
	}()
	if err := m.olm.Load(ctx); err != nil {
		err = s.watch.check(fmt.Errorf("load the keys of the device: %w", err))
		if ctx.Err() == nil && !errors.Is(err, ErrBroken) { // the file can be read, and what stands in it cannot
			err = unusable(filepath.Join(s.c.Folder, File), marked{err, ErrDamaged})
		}
		return nil, err
	}
	for _, step := range []func(context.Context) error{m.enrol, m.vouch} {
		if err := s.watch.check(step(ctx)); err != nil {
			return nil, err
		}
	}
	// The library keeps the own identity without a lock, and looks it up when it is first needed: now, while nobody else is
	// about.
	if _, err := m.olm.GetOwnCrossSigningPublicKeys(ctx); err != nil {
		return nil, s.watch.check(fmt.Errorf("look up the own identity: %w", err))
	}
	m.work.Go(func() { m.worker(background) })
	return m, nil
}

// Close ends what the machine does by itself, and waits for it. The Store stays open.
func (m *Machine) Close() error {
	m.stop()
	m.olm.Destroy()
	m.work.Wait()
	return nil
}

// guarded is the store as the library sees it.
type guarded struct {
	*mcrypto.SQLCryptoStore
	m *Machine
}

// GetNewestSessionCreationTS is asked in a goroutine of its own, before the library sends a device something to begin a new
// olm session with. It would do so outside of olmMu; so the answer is that there is no need. See mend.
func (g guarded) GetNewestSessionCreationTS(context.Context, id.SenderKey) (time.Time, error) {
	return time.Now(), nil
}

// GetOlmHash notes that an olm message was read before.
func (g guarded) GetOlmHash(ctx context.Context, hash [32]byte) (time.Time, error) {
	at, err := g.SQLCryptoStore.GetOlmHash(ctx, hash)
	g.m.known = g.m.known || !at.IsZero()
	return at, err
}

// PutOlmHash notes that an olm message was read.
func (g guarded) PutOlmHash(ctx context.Context, hash [32]byte, at time.Time) error {
	g.m.known = true
	return g.SQLCryptoStore.PutOlmHash(ctx, hash, at)
}

// HasSession tells whether there is an olm session with a device. That of the library goes on to say so after the last one
// was deleted.
func (g guarded) HasSession(ctx context.Context, key id.SenderKey) bool {
	s, err := g.GetLatestSession(ctx, key)
	return err == nil && s != nil
}

var _ mcrypto.Store = guarded{}

// maxJobs is how many jobs wait for the worker; further ones are not done.
const maxJobs = 64

// later lets the worker do something, unless it has too much to do.
func (m *Machine) later(job func(context.Context) error) {
	select {
	case m.jobs <- job:
	default:
	}
}

// worker does what other devices want: they wait for it, and nobody else does.
func (m *Machine) worker(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case job := <-m.jobs:
			m.olmMu.Lock()
			if err := protect(func() error { return job(ctx) }); err != nil {
				m.store.c.Log.Debug("a wish of another device could not be met", "network", "matrix", "err", err)
			}
			m.olmMu.Unlock()
		}
	}
}

// protect makes an error of a panic: the library panics on some of what cannot be, and others send it that.
func protect(f func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%w: %v", errPanic, p)
		}
	}()
	return f()
}

var errPanic = errors.New("the library of ciphers has failed")
