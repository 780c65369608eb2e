//go:build goolm

package crypto

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"maunium.net/go/mautrix"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"
)

// Receive takes what a sync response brings for the device: changed device lists, events from other devices, and how many
// one-time keys are left. It returns how many keys to messages came. An error is ErrBroken, or that of the context; the
// response then has to come again.
func (m *Machine) Receive(ctx context.Context, resp *mautrix.RespSync, _ string) (keys int, err error) {
	if err := m.store.watch.check(nil); err != nil {
		return 0, err
	}
	if err := m.store.room(); err != nil {
		return 0, err
	}
	m.keys = 0
	if err := m.changed(ctx, resp.DeviceLists.Changed); err != nil {
		return 0, err
	}
	for _, ev := range resp.ToDevice.Events {
		if err := m.toDevice(ctx, ev); err != nil {
			return m.keys, err
		}
	}
	m.oneTime(ctx, &resp.DeviceOTKCount)
	if err := m.fallback(ctx, resp.FallbackKeys); err != nil {
		m.store.c.Log.Debug("a fallback key could not be made", "network", "matrix", "err", err)
	}
	m.olm.MarkOlmHashSavePoint(ctx)
	if ctx.Err() != nil {
		return m.keys, ctx.Err()
	}
	return m.keys, m.store.watch.check(nil)
}

// oneTime uploads one-time keys where the server runs out of them. A count of none may mean that the server did not
// count (Client-Server API, section "End-to-end encryption", sync extensions); it is then asked, once a minute.
func (m *Machine) oneTime(ctx context.Context, count *mautrix.OTKCount) {
	if count.SignedCurve25519 > 0 {
		m.olm.HandleOTKCounts(ctx, count)
		return
	}
	if time.Since(m.counted) < time.Minute {
		return
	}
	m.counted = time.Now()
	if err := m.olm.ShareKeys(ctx, -1); err != nil {
		m.store.c.Log.Debug("one-time keys could not be uploaded", "network", "matrix", "err", err)
	}
}

// toDevice takes one event. One that cannot be read is let go of: nobody could read it later either.
func (m *Machine) toDevice(ctx context.Context, ev *event.Event) error {
	if ev == nil {
		return nil
	}
	ev.Type.Class = event.ToDeviceEventType
	if err := ev.Content.ParseRaw(ev.Type); err != nil {
		m.store.c.Log.Debug("an event from another device could not be read", "network", "matrix", "user", ev.Sender, "err", err)
		return nil
	}
	switch content := ev.Content.Parsed.(type) {
	case *event.EncryptedEventContent:
		return m.encrypted(ctx, ev, content)
	case *event.RoomKeyWithheldEventContent:
		m.olm.HandleRoomKeyWithheld(ctx, content)
	case *event.RoomKeyRequestEventContent:
		m.later(func(ctx context.Context) error {
			// A device that is not known has never been given a key; to ask for it would be work that anybody could make.
			device, err := m.store.keys.GetDevice(ctx, ev.Sender, content.RequestingDeviceID)
			if err == nil && device != nil {
				m.olm.HandleRoomKeyRequest(ctx, ev.Sender, content)
			}
			return err
		})
	}
	return m.store.watch.check(ctx.Err())
}

// encrypted takes an encrypted event in one transaction.
func (m *Machine) encrypted(ctx context.Context, ev *event.Event, content *event.EncryptedEventContent) error {
	m.olmMu.Lock()
	defer m.olmMu.Unlock()
	m.known = false
	err := m.store.keys.DB.DoTxn(ctx, nil, func(ctx context.Context) error {
		err := protect(func() error { m.olm.HandleEncryptedEvent(ctx, ev); return nil })
		// The library goes on where a write has failed. What was written before it must not stay: the event would be
		// known when it comes again, and what it brings lost.
		if err == nil {
			err = ctx.Err()
		}
		return m.store.watch.check(err)
	})
	if err := m.store.watch.check(nil); err != nil {
		return err
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil {
		m.store.c.Log.Warn("an event from another device could not be taken", "network", "matrix", "user", ev.Sender, "err", err)
	}
	if _, ours := content.OlmCiphertext[m.olm.OwnIdentity().IdentityKey]; ours && !m.known {
		m.later(func(ctx context.Context) error { return m.mend(ctx, claim{ev.Sender, content.SenderKey}) })
	}
	return nil
}

// refresh says when device lists that could not be fetched are asked for again.
type refresh struct {
	mu    sync.Mutex
	after time.Time
	pause time.Duration
}

const (
	firstPause = 10 * time.Second
	lastPause  = time.Hour
)

// changed notes that people have other devices than before, durably, and then asks for them.
func (m *Machine) changed(ctx context.Context, users []id.UserID) error {
	var tracked []id.UserID
	if len(users) > 0 {
		var err error
		if tracked, err = m.store.keys.FilterTrackedUsers(ctx, users); err != nil {
			return m.store.watch.check(fmt.Errorf("note changed devices: %w", err))
		}
	}
	if len(tracked) > 0 {
		if err := m.store.keys.MarkTrackedUsersOutdated(ctx, tracked); err != nil {
			return m.store.watch.check(fmt.Errorf("note changed devices: %w", err))
		}
	}
	return m.outdated(ctx, len(tracked) > 0, true)
}

// outdated asks for the device lists that are known to be old. Those of a server that does not answer are asked for again
// later, ever less often, unless there is news. The own devices are left to Receive: the library keeps what it knows of them
// without a lock.
func (m *Machine) outdated(ctx context.Context, news, own bool) error {
	r := &m.refresh
	r.mu.Lock()
	defer r.mu.Unlock()
	if !news && time.Now().Before(r.after) {
		return nil
	}
	users, err := m.store.keys.GetOutdatedTrackedUsers(ctx)
	if err != nil {
		return m.store.watch.check(fmt.Errorf("look for changed devices: %w", err))
	}
	if !own {
		users = slices.DeleteFunc(users, func(u id.UserID) bool { return u == m.client.UserID })
	}
	if len(users) > 0 {
		if err := m.fetch(ctx, users); err != nil {
			m.store.c.Log.Debug("device lists could not be fetched", "network", "matrix", "err", err)
		}
		if users, err = m.store.keys.GetOutdatedTrackedUsers(ctx); err != nil {
			return m.store.watch.check(fmt.Errorf("look for changed devices: %w", err))
		}
	}
	if len(users) == 0 {
		// Nothing is outdated before the next news.
		r.after, r.pause = time.Now().Add(lastPause), 0
		return m.store.watch.check(ctx.Err())
	}
	r.pause = min(max(2*r.pause, firstPause), lastPause)
	r.after = time.Now().Add(r.pause)
	return m.store.watch.check(ctx.Err())
}

// fetch fetches device lists; with the own among them while nothing is shared.
func (m *Machine) fetch(ctx context.Context, users []id.UserID) error {
	if slices.Contains(users, m.client.UserID) {
		m.olmMu.Lock()
		defer m.olmMu.Unlock()
	}
	_, err := m.olm.FetchKeys(ctx, users, true)
	return err
}
