//go:build goolm

package crypto

import (
	"context"
	"sync"
	"time"

	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"
)

// strange remembers who claimed which key lately, and which olm sessions were begun anew.
type strange struct {
	mu     sync.Mutex
	claims map[id.SenderKey]id.UserID
	mended map[id.SenderKey]time.Time
}

const (
	maxStrange = 1000
	mendEvery  = time.Hour
)

// note remembers who claimed a key.
func (s *strange) note(user id.UserID, key id.SenderKey) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.claims == nil || len(s.claims) >= maxStrange {
		s.claims = map[id.SenderKey]id.UserID{}
	}
	s.claims[key] = user
}

// turn tells whether the session with a device may be begun anew, and by whom the device is.
func (s *strange) turn(key id.SenderKey, now time.Time) (id.UserID, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	user, ok := s.claims[key]
	if !ok || now.Sub(s.mended[key]) < mendEvery {
		return "", false
	}
	if s.mended == nil || len(s.mended) >= maxStrange {
		s.mended = map[id.SenderKey]time.Time{}
	}
	s.mended[key] = now
	return user, true
}

// mend begins a new olm session with a device whose messages cannot be read, at most once an hour: the old one has come
// apart, as after a backup was put back (spec, Client-Server API, "Recovering from undecryptable messages").
func (m *Machine) mend(ctx context.Context, key id.SenderKey) {
	user, ok := m.strange.turn(key, time.Now())
	if !ok {
		return
	}
	m.olmMu.Lock()
	defer m.olmMu.Unlock()
	_ = protect(func() error {
		device, err := m.olm.GetOrFetchDeviceByKey(ctx, user, key)
		if err != nil || device == nil {
			return err // whoever sent it has no such device: nothing of theirs is to be touched
		}
		sessions, err := m.store.keys.GetSessions(ctx, key)
		if err != nil {
			return err
		}
		for _, s := range sessions {
			if time.Since(s.CreationTime) < mendEvery {
				return nil
			}
		}
		for _, s := range sessions {
			if err := m.store.keys.DeleteSession(ctx, key, s); err != nil {
				return err
			}
		}
		m.store.c.Log.Info("the bot begins anew with a device whose messages it cannot read", "network", "matrix", "user", user, "device", device.DeviceID)
		return m.olm.SendEncryptedToDevice(ctx, device, event.ToDeviceDummy, event.Content{})
	})
}
