//go:build goolm

package crypto

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"maunium.net/go/mautrix"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"
)

// Receive takes what a sync response brings for the device: changed device lists, events from other devices, and how many
// one-time keys are left. It returns how many keys to messages came. An error is ErrBroken, or that of the context; the
// response then has to come again.
func (m *Machine) Receive(ctx context.Context, resp *mautrix.RespSync, _ string) (keys int, err error) {
	if err := m.store.check(nil); err != nil {
		return 0, err
	}
	if err := m.store.space(); err != nil {
		return 0, err
	}
	m.keys.Store(0)
	if err := m.changed(ctx, resp.DeviceLists.Changed); err != nil {
		return 0, err
	}
	for _, ev := range resp.ToDevice.Events {
		if err := m.toDevice(ctx, ev); err != nil {
			return int(m.keys.Load()), err
		}
	}
	m.oneTime(ctx, &resp.DeviceOTKCount)
	if err := m.fallback(ctx, resp.FallbackKeys); err != nil {
		m.store.c.Log.Debug("a fallback key could not be made", "network", "matrix", "err", err)
	}
	m.olm.MarkOlmHashSavePoint(ctx)
	if ctx.Err() != nil {
		return int(m.keys.Load()), ctx.Err()
	}
	return int(m.keys.Load()), m.store.check(nil)
}

// oneTime uploads one-time keys where the server runs out of them. A count of none may mean that the server did not
// count (Client-Server API, section "End-to-end encryption", sync extensions); it is then asked, once a minute.
func (m *Machine) oneTime(ctx context.Context, count *mautrix.OTKCount) {
	left := count.SignedCurve25519
	switch {
	case left >= int(m.olm.GetAccount().Internal.MaxNumberOfOneTimeKeys()/2):
		return
	case left <= 0 && time.Since(m.counted) < time.Minute:
		return
	case left <= 0:
		left, m.counted = -1, time.Now()
	}
	if err := m.uploadKeys(ctx, left); err != nil {
		m.store.c.Log.Debug("one-time keys could not be uploaded", "network", "matrix", "err", err)
	}
}

// maxTaken is how many rows of names of one-time keys are passed over at once that the server knows already.
const maxTaken = 20

// uploadKeys gives the server the keys of the device that it lacks, when it has so many one-time keys left; fewer than none means
// that it is asked. Names of one-time keys are counted, and some servers refuse another key under a name that they know: then the
// keys here were put back from a backup, and those that were made after it are there. Their names are passed over.
func (m *Machine) uploadKeys(ctx context.Context, left int) error {
	for try := 0; ; try++ {
		err := protect(func() error { return m.olm.ShareKeys(ctx, left) })
		if try == maxTaken || !isTaken(err) {
			return err
		}
		m.putBack(ctx)
		m.olmMu.Lock()
		m.olm.GetAccount().Internal.MarkKeysAsPublished() // they never will be
		m.olmMu.Unlock()
	}
}

// isTaken reports whether a server refuses one-time keys since it has others of the same names (Synapse: "One time key … already
// exists").
func isTaken(err error) bool {
	var answer mautrix.HTTPError
	return errors.As(err, &answer) && answer.IsStatus(http.StatusBadRequest) && answer.RespError != nil &&
		strings.Contains(answer.RespError.Err, "already exists")
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
		if content.Code == event.RoomKeyWithheldNoOlmSession {
			// With a session that the bot has begun, the sender's program can send it (Client-Server API, "Reporting that
			// decryption keys are withheld").
			m.later(func(ctx context.Context) error { return m.mend(ctx, claim{ev.Sender, content.SenderKey}) })
		}
		m.wake() // what waits for that key is told why
	case *event.VerificationRequestEventContent:
		m.decline(ev.Sender, content.FromDevice, content.TransactionID)
	case *event.VerificationStartEventContent:
		m.decline(ev.Sender, content.FromDevice, content.TransactionID)
	case *event.RoomKeyRequestEventContent:
		m.later(func(ctx context.Context) error {
			// A device that is not known has never been given a key; to ask for it would be work that anybody could make.
			device, err := m.store.keys.GetDevice(ctx, ev.Sender, content.RequestingDeviceID)
			if err != nil || device == nil {
				return err
			}
			if err := m.begin(ctx, []*id.Device{device}); err != nil {
				return err
			}
			return m.locked(func() error {
				m.olm.HandleRoomKeyRequest(ctx, ev.Sender, content)
				return nil
			})
		})
	}
	return m.store.check(ctx.Err())
}

// encrypted takes an encrypted event in one transaction.
func (m *Machine) encrypted(ctx context.Context, ev *event.Event, content *event.EncryptedEventContent) error {
	m.olmMu.Lock()
	defer m.olmMu.Unlock()
	m.known = false
	err := m.store.keys.Do(ctx, func(ctx context.Context) error {
		err := protect(func() error { m.olm.HandleEncryptedEvent(ctx, ev); return nil })
		// The library goes on where a write has failed. What was written before it must not stay: the event would be
		// known when it comes again, and what it brings lost.
		if err == nil {
			err = ctx.Err()
		}
		return m.store.check(err)
	})
	if err := m.store.check(nil); err != nil {
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
