//go:build goolm

package crypto

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"go.mau.fi/util/exsync"
	"maunium.net/go/mautrix"
	mcrypto "maunium.net/go/mautrix/crypto"
	"maunium.net/go/mautrix/event"
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
	olmMu   sync.Mutex
	rooms   *exsync.KeyedMutex[id.RoomID] // one session is made and shared at a time in a room
	keys    int                           // new ones of this Receive; owned by its goroutine
	refresh refresh
	strange strange

	requests chan keyRequest // from other devices, for keys
	stop     context.CancelFunc
	work     sync.WaitGroup
}

// Connect makes the keys ready for use by the client: it uploads what the server lacks, and lets the account vouch for the
// device. An error that does not pass by itself is an *account.Fault.
func (s *Store) Connect(ctx context.Context, client *mautrix.Client, c ConnectConfig) (_ *Machine, err error) {
	if err := s.own(ctx, Owner{client.UserID, client.DeviceID}); err != nil {
		return nil, err
	}
	m := &Machine{store: s, client: client, c: c, rooms: exsync.NewKeyedMutex[id.RoomID](), requests: make(chan keyRequest, maxRequests)}
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
		return nil, s.watch.check(fmt.Errorf("load the keys of the device: %w", err))
	}
	for _, step := range []func(context.Context) error{m.enrol, m.vouch} {
		if err := s.watch.check(step(ctx)); err != nil {
			return nil, err
		}
	}
	m.work.Go(func() { m.answer(background) })
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
// olm session with, where the old one has failed. It would do so outside of olmMu; so it is done here, and the answer
// is that there is nothing to do any more.
func (g guarded) GetNewestSessionCreationTS(ctx context.Context, key id.SenderKey) (time.Time, error) {
	g.m.mend(ctx, key)
	return time.Now(), nil
}

// HasSession tells whether there is an olm session with a device. That of the library goes on to say so after the last one
// was deleted.
func (g guarded) HasSession(ctx context.Context, key id.SenderKey) bool {
	s, err := g.GetLatestSession(ctx, key)
	return err == nil && s != nil
}

var _ mcrypto.Store = guarded{}

// keyRequest is the wish of a device for a key.
type keyRequest struct {
	sender  id.UserID
	content *event.RoomKeyRequestEventContent
}

// maxRequests is how many of them wait; further ones are not answered.
const maxRequests = 64

// answer gives keys to devices that ask for them and should have them already.
func (m *Machine) answer(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case r := <-m.requests:
			m.olmMu.Lock()
			_ = protect(func() error { m.olm.HandleRoomKeyRequest(ctx, r.sender, r.content); return nil })
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
