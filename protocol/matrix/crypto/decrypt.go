//go:build goolm

package crypto

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	mcrypto "maunium.net/go/mautrix/crypto"
	"maunium.net/go/mautrix/crypto/olm"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"

	"moot/protocol"
	"moot/protocol/matrix"
)

// Decrypt opens an event, and says how far its sender is vouched for. The error wraps ErrNoKey where the
// key may still come, and ErrBroken where nothing can go on; any other is final for this event.
func (m *Machine) Decrypt(ctx context.Context, ev *event.Event) (opened *event.Event, trust protocol.Trust, err error) {
	if err := m.store.check(nil); err != nil {
		return nil, "", err
	}
	if ev.Content.Parsed == nil {
		if err := ev.Content.ParseRaw(ev.Type); err != nil {
			return nil, "", fmt.Errorf("it is not written as encrypted messages are: %w", err)
		}
	}
	err = protect(func() error {
		m.ownMu.Lock()
		defer m.ownMu.Unlock()
		opened, err = m.olm.DecryptMegolmEvent(ctx, ev)
		return err
	})
	switch {
	case errors.Is(m.store.check(err), ErrBroken): // the file is at fault
		return nil, "", m.store.check(err)
	case ctx.Err() != nil:
		return nil, "", ctx.Err()
	case errors.Is(err, mcrypto.ErrNoSessionFound):
		if m.isOwn(ev) {
			m.putBack(ctx)
		}
		m.request(ev)
		return nil, "", ErrNoKey
	case errors.Is(err, olm.ErrUnknownMessageIndex):
		return nil, "", fmt.Errorf("%w: only that of later messages has", ErrNoKey)
	case errors.Is(err, mcrypto.ErrGroupSessionWithheld):
		return nil, "", m.withheld(ctx, ev)
	case err != nil:
		return nil, "", err
	}
	if trust, err = m.sender(ctx, ev, opened); err != nil {
		return nil, "", m.store.check(err)
	}
	return opened, trust, m.store.check(nil)
}

// isOwn reports whether this device has sealed an event. It keeps the key to each message of its own before it sends one: one
// without a key was sent after the backup was made from which the keys are.
func (m *Machine) isOwn(ev *event.Event) bool {
	//lint:ignore SA1019 nothing else names the device
	return ev.Sender == m.client.UserID && ev.Content.AsEncrypted().DeviceID == m.client.DeviceID
}

// putBack notes that the keys were put back from a backup. Other devices know what came after it, and could not read what the
// bot went on to say with the sessions of the backup. So it begins new ones with everybody.
func (m *Machine) putBack(ctx context.Context) {
	if m.restored {
		return
	}
	m.restored = true
	if err := m.anew(ctx); err != nil {
		m.store.c.Log.Error("the data folder was put back from a backup that is older than the last run: some cannot read what the bot says",
			"network", "matrix", "do", "stop the bot, run `moot matrix forget`, and start it", "err", err)
		return
	}
	m.store.c.Log.Warn("the data folder was put back from a backup that is older than the last run: the bot begins new sessions with all devices",
		"network", "matrix", "do", "if somebody cannot read what it says, stop it, run `moot matrix forget`, and start it")
}

// anew drops all sessions by which the bot says something. Those of rooms and of devices are made again when they are needed.
func (m *Machine) anew(ctx context.Context) error {
	m.olmMu.Lock()
	defer m.olmMu.Unlock()
	return m.store.keys.Anew(ctx, time.Now())
}

// withheld says why a device did not give its key. It may do so later: the reason may pass.
func (m *Machine) withheld(ctx context.Context, ev *event.Event) error {
	why, err := m.store.keys.GetWithheldGroupSession(ctx, ev.RoomID, ev.Content.AsEncrypted().SessionID)
	switch {
	case errors.Is(m.store.check(err), ErrBroken):
		return m.store.check(err)
	case err != nil || why == nil:
		return ErrNoKey
	case why.Code == event.RoomKeyWithheldUnverified:
		return fmt.Errorf("%w: it gives keys to verified devices only", matrix.ErrWithheld)
	case why.Code == event.RoomKeyWithheldNoOlmSession:
		m.request(ev)
		return fmt.Errorf("%w: the sender's program had no way to send it", ErrNoKey)
	}
	return fmt.Errorf("%w (%s)", matrix.ErrWithheld, why.Code)
}

// sender makes sure that the sender of an event made it: that the key came from them, from a device of theirs. A server could
// otherwise put words in people's mouths. It also says whether their identity has signed that device.
func (m *Machine) sender(ctx context.Context, ev, opened *event.Event) (protocol.Trust, error) {
	session, err := m.store.keys.GetGroupSession(ctx, ev.RoomID, ev.Content.AsEncrypted().SessionID)
	if err != nil || session == nil {
		return "", m.store.check(fmt.Errorf("find the session of a message: %w", err))
	}
	made := session.KeySource == id.KeySourceDirect && len(session.ForwardingChains) == 0
	if !made { // a key that was asked for comes as one that was passed on, also from the device that made it
		made = session.KeySource == id.KeySourceForward && slices.Equal(session.ForwardingChains, []string{string(session.SenderKey)})
	}
	switch {
	case session.SourceUser != "" && session.SourceUser != ev.Sender && (made || session.SourceUser != m.client.UserID):
		return "", fmt.Errorf("it is sealed with a key of %s", session.SourceUser)
	case !made:
		return protocol.TrustUnsigned, nil // by another device of the bot, or of the sender
	}
	state := opened.Mautrix.TrustState
	switch {
	case state == id.TrustStateDeviceKeyMismatch:
		return "", errors.New("the device that sealed it has other keys than its owner made known")
	case state == id.TrustStateCrossSignedUntrusted:
		m.identityChanged(ev.Sender)
		return protocol.TrustSigned, nil
	case state > id.TrustStateCrossSignedUntrusted:
		return protocol.TrustSigned, nil
	case state == id.TrustStateUnknownDevice:
		return m.madeKnown(ctx, claim{ev.Sender, session.SenderKey}, session)
	}
	// The signature may be what has changed; and a run that was killed may have kept the devices and not the signatures.
	switch old, err := m.isOutdated(ctx, ev.Sender); {
	case err != nil:
		return "", err
	case old:
		return "", matrix.ErrAsking
	case !m.lists.hasTold(ev.Sender):
		if !m.lists.resting(ev.Sender) {
			m.fetch([]id.UserID{ev.Sender})
		}
		return "", matrix.ErrAsking
	}
	device, err := m.store.keys.FindDeviceByKey(ctx, ev.Sender, session.SenderKey)
	if err != nil || device == nil {
		return protocol.TrustUnsigned, m.store.check(err)
	}
	return m.signed(ctx, device)
}

// signed says whether the identity of its owner has signed a device.
func (m *Machine) signed(ctx context.Context, device *id.Device) (protocol.Trust, error) {
	state, err := m.olm.ResolveTrustContext(ctx, device)
	if err == nil && state >= id.TrustStateCrossSignedUntrusted {
		return protocol.TrustSigned, nil
	}
	return protocol.TrustUnsigned, m.store.check(err)
}

// madeKnown has the server asked for the device of a session that is not known yet, and says what came of it. It does not
// wait for that: the event is opened once more when the answer is there.
func (m *Machine) madeKnown(ctx context.Context, c claim, session *mcrypto.InboundGroupSession) (protocol.Trust, error) {
	devices, told := m.lists.devices(c)
	if !told {
		if !m.lists.resting(c.user) {
			m.fetch([]id.UserID{c.user})
		}
		return "", matrix.ErrAsking
	}
	for _, d := range devices {
		switch {
		case d.IdentityKey != session.SenderKey:
		case d.SigningKey != session.SigningKey:
			return "", errors.New("the device that sealed it has other keys than its owner made known")
		default:
			return m.signed(ctx, d)
		}
	}
	return "", errors.New("its sender has no such device")
}

// identityChanged notes that somebody has another identity than when the bot first saw one. Their own programs tell them
// loudly, and people lose their keys: so the new one counts.
func (m *Machine) identityChanged(user id.UserID) {
	if _, told := m.changedIdentities.LoadOrStore(user, true); !told {
		m.store.c.Log.Warn("somebody has another identity than before; it counts from here on", "network", "matrix", "user", user)
	}
}
