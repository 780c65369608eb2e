//go:build goolm

package crypto

import (
	"context"
	"errors"
	"fmt"

	mcrypto "maunium.net/go/mautrix/crypto"
	"maunium.net/go/mautrix/crypto/olm"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"
)

// Decrypt opens an event. The error wraps ErrNoKey where the key may still come, and ErrBroken where nothing can go on;
// any other is final for this event.
func (m *Machine) Decrypt(ctx context.Context, ev *event.Event) (opened *event.Event, err error) {
	if err := m.store.watch.check(nil); err != nil {
		return nil, err
	}
	if ev.Content.Parsed == nil {
		if err := ev.Content.ParseRaw(ev.Type); err != nil {
			return nil, fmt.Errorf("it is not written as encrypted messages are: %w", err)
		}
	}
	err = protect(func() error {
		opened, err = m.olm.DecryptMegolmEvent(ctx, ev)
		return err
	})
	switch {
	case errors.Is(m.store.watch.check(err), ErrBroken): // the file is at fault
		return nil, m.store.watch.check(err)
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case errors.Is(err, mcrypto.ErrNoSessionFound):
		return nil, ErrNoKey
	case errors.Is(err, olm.ErrUnknownMessageIndex):
		return nil, fmt.Errorf("%w: only that of later messages has", ErrNoKey)
	case errors.Is(err, mcrypto.ErrGroupSessionWithheld):
		return nil, m.withheld(ctx, ev)
	case err != nil:
		return nil, err
	}
	if err := m.sender(ctx, ev, opened); err != nil {
		return nil, err
	}
	return opened, m.store.watch.check(nil)
}

// withheld says why a device did not give its key. It may do so later: the reason may pass.
func (m *Machine) withheld(ctx context.Context, ev *event.Event) error {
	why, err := m.store.keys.GetWithheldGroupSession(ctx, ev.RoomID, ev.Content.AsEncrypted().SessionID)
	switch {
	case errors.Is(m.store.watch.check(err), ErrBroken):
		return m.store.watch.check(err)
	case err != nil || why == nil:
		return ErrNoKey
	case why.Code == event.RoomKeyWithheldUnverified:
		return fmt.Errorf("%w: the sender's program gives keys to verified devices only", ErrNoKey)
	}
	return fmt.Errorf("%w: the sender's program withholds it (%s)", ErrNoKey, why.Code)
}

// sender makes sure that whoever sent the event also made it: that the key came from them, from a device of theirs. A
// server could otherwise put words in people's mouths. Keys that other devices of the bot have passed on are theirs to
// answer for.
func (m *Machine) sender(ctx context.Context, ev, opened *event.Event) error {
	session, err := m.store.keys.GetGroupSession(ctx, ev.RoomID, ev.Content.AsEncrypted().SessionID)
	if err != nil || session == nil {
		return m.store.watch.check(fmt.Errorf("find the session of a message: %w", err))
	}
	if session.KeySource != id.KeySourceDirect || len(session.ForwardingChains) > 0 {
		return nil
	}
	if session.SourceUser != "" && session.SourceUser != ev.Sender {
		return fmt.Errorf("it is sealed with a key of %s", session.SourceUser)
	}
	switch opened.Mautrix.TrustState {
	case id.TrustStateDeviceKeyMismatch:
		return errors.New("the device that sealed it has other keys than its owner made known")
	case id.TrustStateUnknownDevice:
	default:
		return nil
	}
	return m.madeKnown(ctx, ev.Sender, session)
}

// madeKnown asks the server for the device of a session that is not known yet.
func (m *Machine) madeKnown(ctx context.Context, sender id.UserID, session *mcrypto.InboundGroupSession) error {
	lists, err := m.olm.FetchKeys(ctx, []id.UserID{sender}, true)
	devices, told := lists[sender]
	switch {
	case errors.Is(m.store.watch.check(err), ErrBroken):
		return m.store.watch.check(err)
	case ctx.Err() != nil:
		return ctx.Err()
	case err != nil:
		return fmt.Errorf("%w: the devices of its sender could not be asked for: %w", ErrNoKey, err)
	case !told:
		return fmt.Errorf("%w: the server of its sender does not tell their devices", ErrNoKey)
	}
	for _, d := range devices {
		switch {
		case d.IdentityKey != session.SenderKey:
		case d.SigningKey != session.SigningKey:
			return errors.New("the device that sealed it has other keys than its owner made known")
		default:
			return nil
		}
	}
	return errors.New("its sender has no such device")
}
