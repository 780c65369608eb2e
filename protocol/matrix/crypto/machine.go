//go:build goolm

package crypto

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"go.mau.fi/util/exsync"
	"maunium.net/go/mautrix"
	mcrypto "maunium.net/go/mautrix/crypto"
	"maunium.net/go/mautrix/id"

	"moot/protocol/matrix/keys"
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
	ownMu     sync.Mutex                    // guards what the library keeps of the own identity, after olmMu
	rooms     *exsync.KeyedMutex[id.RoomID] // one session is made and shared at a time in a room
	keys      atomic.Int64                  // new ones of this Receive, and of what is sealed meanwhile
	counted   time.Time                     // when the one-time keys on the server were last asked for; owned as keys is
	fallAfter time.Time                     // when a fallback key may be made again; owned as keys is
	fallPause time.Duration                 // after the next
	known     bool                          // whether the olm message at hand could be read, now or before; guarded by olmMu
	mending   mending
	lists     lists
	keyless   keyless
	requests  requests
	// changedIdentities are those of whom it was noted that their identity changed.
	changedIdentities sync.Map
	restored          bool // whether it was noted that the keys are from a backup; owned as keys is

	jobs       chan func(context.Context) error // for the worker
	news       chan struct{}
	background context.Context // until Close
	stop       context.CancelFunc
	work       sync.WaitGroup
}

// Connect makes the keys ready for use by the client: it uploads what the server lacks, and lets the account vouch for the
// device. An error that does not pass by itself is an *account.Fault.
func (s *Store) Connect(ctx context.Context, client *mautrix.Client, c ConnectConfig) (_ *Machine, err error) {
	if err := s.own(ctx, Owner{User: client.UserID, Device: client.DeviceID}); err != nil {
		return nil, err
	}
	m := &Machine{store: s, client: client, c: c, rooms: exsync.NewKeyedMutex[id.RoomID](), jobs: make(chan func(context.Context) error, maxJobs),
		lists: newLists(), news: make(chan struct{}, 1)}
	s.through(client.Client)
	m.olm = mcrypto.NewOlmMachine(client, newLog(s.c.Log), guarded{s.keys, m}, state{m})
	m.olm.DisableRatchetTracking = true                        // nothing here deletes keys once they are used
	m.olm.IgnorePostDecryptionParseErrors = true               // the adapter reads what was sealed as it reads what was not
	m.olm.DisableDecryptKeyFetching = true                     // it would ask the server within a transaction; see sender
	m.olm.SendKeysMinTrust = id.TrustStateCrossSignedUntrusted // see guarded.GetDevices
	m.olm.SessionReceived = func(context.Context, id.RoomID, id.SessionID, uint32) { m.keys.Add(1) }
	background, stop := context.WithCancel(context.WithoutCancel(ctx))
	m.background, m.stop = background, stop
	m.olm.SetBackgroundCtx(background)
	defer func() {
		if err != nil {
			err = errors.Join(err, m.Close())
		}
	}()
	if err := m.olm.Load(ctx); err != nil {
		err = s.check(fmt.Errorf("load the keys of the device: %w", err))
		if ctx.Err() == nil && !errors.Is(err, ErrBroken) { // the database can be read, and what stands in it cannot
			err = unusable(s.c.Store.Path(), marked{err, ErrDamaged})
		}
		return nil, err
	}
	for _, step := range []func(context.Context) error{m.enrol, m.vouch} {
		if err := s.check(protect(func() error { return step(ctx) })); err != nil {
			return nil, err
		}
	}
	// The library keeps the own identity without a lock, and looks it up when it is first needed: now, while nobody else is
	// about, and again when it was fetched. See ownMu.
	if _, err := m.olm.GetOwnCrossSigningPublicKeys(ctx); err != nil {
		return nil, s.check(fmt.Errorf("look up the own identity: %w", err))
	}
	m.work.Go(func() { m.worker(background) })
	return m, nil
}

// Close ends what the machine does by itself, and waits for it. The Store stays open.
func (m *Machine) Close() error {
	m.lists.mu.Lock()
	m.lists.ended = true
	m.lists.mu.Unlock()
	m.stop()
	m.olm.Destroy()
	m.work.Wait()
	return nil
}

// guarded is the store as the library sees it.
type guarded struct {
	*keys.Store
	m *Machine
}

// GetNewestSessionCreationTS is asked in a goroutine of its own, before the library sends a device something to begin a new
// olm session with. It would do so outside of olmMu; so the answer is that there is no need. See mend.
func (g guarded) GetNewestSessionCreationTS(context.Context, id.SenderKey) (time.Time, error) {
	return time.Now(), nil
}

// GetOlmHash notes that an olm message was read before.
func (g guarded) GetOlmHash(ctx context.Context, hash [32]byte) (time.Time, error) {
	at, err := g.Store.GetOlmHash(ctx, hash)
	g.m.known = g.m.known || !at.IsZero()
	return at, err
}

// PutOlmHash notes that an olm message was read.
func (g guarded) PutOlmHash(ctx context.Context, hash [32]byte, at time.Time) error {
	g.m.known = true
	return g.Store.PutOlmHash(ctx, hash, at)
}

// HasSession returns true, so that the library never claims a one-time key: it would do so while it holds its locks. See
// Machine.begin.
func (g guarded) HasSession(context.Context, id.SenderKey) bool { return true }

// PutGroupSession keeps a key to messages. One that somebody has passed on is only kept if they were asked for it: it comes
// with nothing that proves who has made it.
func (g guarded) PutGroupSession(ctx context.Context, session *mcrypto.InboundGroupSession) error {
	if session.KeySource == id.KeySourceForward && !g.m.requests.of(session.SourceUser, session.ID()) {
		return nil
	}
	return g.Store.PutGroupSession(ctx, session)
}

// GetDevices returns the devices of somebody. While a session is shared, the devices of people without an identity count as
// signed: nothing could sign them. Other devices that are not signed are given no key (Client-Server API, "Recommended
// client behaviour"). Nobody is unknown then, or the library would ask their server while it holds its locks.
func (g guarded) GetDevices(ctx context.Context, user id.UserID) (map[id.DeviceID]*id.Device, error) {
	devices, err := g.Store.GetDevices(ctx, user)
	if err != nil || !isSharing(ctx) {
		return devices, err
	}
	if devices == nil {
		return map[id.DeviceID]*id.Device{}, nil
	}
	keys, err := g.GetCrossSigningKeys(ctx, user)
	if _, is := keys[id.XSUsageMaster]; err != nil || is {
		return devices, err
	}
	for _, d := range devices {
		if d.Trust == id.TrustStateUnset {
			d.Trust = id.TrustStateVerified
		}
	}
	return devices, nil
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
			if err := protect(func() error { return job(ctx) }); err != nil {
				m.store.c.Log.Debug("a wish of another device could not be met", "network", "matrix", "err", err)
			}
		}
	}
}

// locked calls f while nothing else uses olm sessions.
func (m *Machine) locked(f func() error) error {
	m.olmMu.Lock()
	defer m.olmMu.Unlock()
	return f()
}

// wake notes that something may be opened now that could not be before.
func (m *Machine) wake() {
	select {
	case m.news <- struct{}{}:
	default:
	}
}

// News returns what receives when events that could not be opened are worth another try, beside new keys.
func (m *Machine) News() <-chan struct{} { return m.news }

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
