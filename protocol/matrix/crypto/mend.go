//go:build goolm

package crypto

import (
	"context"
	"time"

	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"
)

// claim is that somebody sent something with the key of a device, which need not be theirs.
type claim struct {
	user id.UserID
	key  id.SenderKey
}

// mending remembers with whom olm sessions were begun anew. It belongs to the worker of the Machine.
type mending struct {
	tried  map[claim]time.Time
	asked  map[id.UserID]time.Time // whose devices
	mended map[id.SenderKey]time.Time
}

const (
	maxMending = 1000
	mendEvery  = time.Hour
	tryEvery   = 10 * time.Minute
)

// set notes the time of a key, in a map that does not grow for ever.
func set[K comparable](m *map[K]time.Time, k K, at time.Time) {
	if *m == nil || len(*m) >= maxMending {
		*m = map[K]time.Time{}
	}
	(*m)[k] = at
}

// mend begins a new olm session with a device whose messages cannot be read, at most once an hour: the old one has come
// apart, as after a backup was put back (spec, Client-Server API, "Recovering from undecryptable messages").
func (m *Machine) mend(ctx context.Context, c claim) error {
	now := time.Now()
	if now.Sub(m.mending.tried[c]) < tryEvery || now.Sub(m.mending.mended[c.key]) < mendEvery {
		return nil
	}
	set(&m.mending.tried, c, now)
	device, err := m.store.keys.FindDeviceByKey(ctx, c.user, c.key)
	if err == nil && device == nil && now.Sub(m.mending.asked[c.user]) >= tryEvery {
		set(&m.mending.asked, c.user, now)
		if err := wait(ctx, m.fetch([]id.UserID{c.user})); err != nil {
			return err
		}
		device, err = m.store.keys.FindDeviceByKey(ctx, c.user, c.key)
	}
	if err != nil || device == nil {
		return err // whoever sent it has no such device: nothing of its owner's is to be touched
	}
	sessions, err := m.store.keys.GetSessions(ctx, c.key)
	if err != nil {
		return err
	}
	for _, s := range sessions {
		if now.Sub(s.CreationTime) < mendEvery {
			return nil
		}
	}
	set(&m.mending.mended, c.key, now)
	if err := m.locked(func() error {
		for _, s := range sessions {
			if err := m.store.keys.DeleteSession(ctx, c.key, s); err != nil {
				return err
			}
		}
		return nil
	}); err != nil {
		return err
	}
	if err := m.begin(ctx, []*id.Device{device}); err != nil {
		return err
	}
	m.store.c.Log.Info("the bot begins anew with a device whose messages it cannot read", "network", "matrix", "user", c.user, "device", device.DeviceID)
	return m.locked(func() error { return m.olm.SendEncryptedToDevice(ctx, device, event.ToDeviceDummy, event.Content{}) })
}
