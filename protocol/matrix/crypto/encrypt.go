//go:build goolm

package crypto

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"maunium.net/go/mautrix"
	mcrypto "maunium.net/go/mautrix/crypto"
	"maunium.net/go/mautrix/crypto/signatures"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"
)

// shareTries is how often a session is made that something else takes away before it is used.
const shareTries = 3

// Encrypt seals content for the members of a room, all who have joined or are invited, and gives their devices the key
// first. It may be called concurrently. The error may pass, unless it is ErrBroken.
func (m *Machine) Encrypt(ctx context.Context, room id.RoomID, members []id.UserID, kind event.Type, content any) (*event.EncryptedEventContent, error) {
	if err := m.store.check(nil); err != nil {
		return nil, err
	}
	if err := m.store.space(); err != nil {
		return nil, err
	}
	if len(members) == 0 {
		return nil, fmt.Errorf("encrypt for %s: nobody is known to be there", room)
	}
	defer m.rooms.WithLock(room)()
	for try := 1; ; try++ {
		if err := m.share(ctx, room, members); err != nil {
			return nil, m.store.check(fmt.Errorf("share the key for %s: %w", room, err))
		}
		sealed, err := m.olm.EncryptMegolmEvent(ctx, room, kind, content)
		switch {
		case err == nil:
			return sealed, m.store.flush()
		case !mcrypto.IsShareError(err) || try == shareTries:
			return nil, m.store.check(fmt.Errorf("encrypt for %s: %w", room, err))
		}
	}
}

// share sees to it that the session of a room is one that its members, and nobody else, have the key of.
func (m *Machine) share(ctx context.Context, room id.RoomID, members []id.UserID) error {
	if err := m.refresh(ctx, members); err != nil {
		return err
	}
	keys := m.store.keys
	session, err := keys.GetOutboundGroupSession(ctx, room)
	if err != nil {
		return err
	}
	sum := sumOf(members)
	if session != nil {
		shared, err := keys.Members(ctx, room)
		if err != nil {
			return err
		}
		if shared == sum && session.Shared && !session.Expired() {
			return nil
		}
		if err := keys.RemoveOutboundGroupSession(ctx, room); err != nil {
			return err
		}
	}
	if err := m.meet(ctx, members); err != nil {
		return err
	}
	if err := m.claim(ctx, members); err != nil {
		return err
	}
	m.olmMu.Lock()
	defer m.olmMu.Unlock()
	if err := protect(func() error { return m.olm.ShareGroupSession(sharing(ctx), room, members) }); err != nil {
		return err
	}
	return keys.SetMembers(ctx, room, sum)
}

// claim begins olm sessions with the devices of members with which there is none. Their one-time keys are claimed before the
// lock is taken that sealing and receiving need: other servers may take long to give them. A device without a key is left
// alone for a while.
func (m *Machine) claim(ctx context.Context, members []id.UserID) error {
	var missing []*id.Device
	for _, u := range members {
		devices, err := m.store.keys.GetDevices(ctx, u)
		if err != nil {
			return err
		}
		for _, d := range devices {
			if d.UserID != m.client.UserID || d.DeviceID != m.client.DeviceID {
				missing = append(missing, d)
			}
		}
	}
	return m.begin(ctx, missing)
}

// begin begins olm sessions with devices with which there is none.
func (m *Machine) begin(ctx context.Context, devices []*id.Device) error {
	wanted, asked := mautrix.OneTimeKeysRequest{}, []*id.Device{}
	for _, d := range devices {
		has, err := m.store.keys.Meets(ctx, d.IdentityKey)
		if err != nil {
			return err
		}
		if has || m.keyless.resting(d.IdentityKey) {
			continue
		}
		if wanted[d.UserID] == nil {
			wanted[d.UserID] = map[id.DeviceID]id.KeyAlgorithm{}
		}
		wanted[d.UserID][d.DeviceID] = id.KeyAlgorithmSignedCurve25519
		asked = append(asked, d)
	}
	if len(asked) == 0 {
		return nil
	}
	resp, err := m.client.ClaimKeys(ctx, &mautrix.ReqClaimKeys{OneTimeKeys: wanted, Timeout: claimTimeout.Milliseconds()})
	if err == nil && resp == nil {
		err = errors.New("the homeserver gives no answer")
	}
	if err != nil {
		return fmt.Errorf("claim one-time keys: %w", err)
	}
	m.olmMu.Lock()
	defer m.olmMu.Unlock()
	for _, d := range asked {
		began := false
		for _, key := range resp.OneTimeKeys[d.UserID][d.DeviceID] {
			if began, err = m.beginWith(ctx, d, key); err != nil {
				return err
			}
			break
		}
		m.keyless.note(d.IdentityKey, !began)
	}
	return nil
}

// claimTimeout is how long the own server may wait for others when one-time keys are claimed.
const claimTimeout = 10 * time.Second

// beginWith begins an olm session with a device by one of its one-time keys, and reports whether that is possible.
func (m *Machine) beginWith(ctx context.Context, d *id.Device, key mautrix.OneTimeKey) (bool, error) {
	valid, err := signatures.VerifySignatureJSON(key.RawData, d.UserID, d.DeviceID.String(), d.SigningKey)
	if err != nil || !valid {
		return false, nil
	}
	session, err := m.olm.GetAccount().Internal.NewOutboundSession(d.IdentityKey, key.Key)
	if err != nil {
		return false, nil
	}
	began := &mcrypto.OlmSession{Internal: session}
	began.CreationTime = time.Now()
	began.LastEncryptedTime, began.LastDecryptedTime = began.CreationTime, began.CreationTime
	return true, m.store.keys.AddSession(ctx, d.IdentityKey, began)
}

// keyless are the devices that had no one-time key, each with its rest.
type keyless struct {
	mu    sync.Mutex
	rests map[id.IdentityKey]rest
}

func (k *keyless) resting(key id.IdentityKey) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return time.Now().Before(k.rests[key].until)
}

func (k *keyless) note(key id.IdentityKey, none bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if !none {
		delete(k.rests, key)
		return
	}
	if k.rests == nil {
		k.rests = map[id.IdentityKey]rest{}
	}
	bounded(k.rests)[key] = k.rests[key].longer(time.Now())
}

// sumOf is a hash of a set of people.
func sumOf(members []id.UserID) string {
	sorted := slices.Compact(slices.Sorted(slices.Values(members)))
	h := sha256.New()
	for _, u := range sorted {
		fmt.Fprintf(h, "%d:%s", len(u), u)
	}
	return hex.EncodeToString(h.Sum(nil))
}

// Member is told that the membership of somebody has changed in an encrypted room: what is said from then on is for
// others, and sealed by a new session.
func (m *Machine) Member(ctx context.Context, ev *event.Event) error {
	content, ok := ev.Content.Parsed.(*event.MemberEventContent)
	if ok && ev.Unsigned.PrevContent != nil {
		_ = ev.Unsigned.PrevContent.ParseRaw(ev.Type)
		if before := ev.Unsigned.PrevContent.AsMember(); before != nil && inside(before.Membership) == inside(content.Membership) {
			return m.store.check(nil)
		}
	}
	if err := m.store.keys.RemoveOutboundGroupSession(ctx, ev.RoomID); err != nil {
		return m.store.check(fmt.Errorf("begin a new session for %s: %w", ev.RoomID, err))
	}
	return m.store.check(nil)
}

// inside reports whether somebody may read what is said.
func inside(m event.Membership) bool {
	return m == event.MembershipJoin || m == event.MembershipInvite
}
