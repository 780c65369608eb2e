//go:build goolm

package crypto

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"

	mcrypto "maunium.net/go/mautrix/crypto"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"
)

// shareTries is how often a session is made that something else takes away before it is used.
const shareTries = 3

// Encrypt seals content for the members of a room, all who have joined or are invited, and gives their devices the key
// first. It may be called concurrently. The error may pass, unless it is ErrBroken.
func (m *Machine) Encrypt(ctx context.Context, room id.RoomID, members []id.UserID, kind event.Type, content any) (*event.EncryptedEventContent, error) {
	if err := m.store.watch.check(nil); err != nil {
		return nil, err
	}
	if err := m.store.room(); err != nil {
		return nil, err
	}
	if len(members) == 0 {
		return nil, fmt.Errorf("encrypt for %s: nobody is known to be there", room)
	}
	defer m.rooms.WithLock(room)()
	for try := 1; ; try++ {
		if err := m.share(ctx, room, members); err != nil {
			return nil, m.store.watch.check(fmt.Errorf("share the key for %s: %w", room, err))
		}
		sealed, err := m.olm.EncryptMegolmEvent(ctx, room, kind, content)
		switch {
		case err == nil:
			return sealed, m.store.watch.check(nil)
		case !mcrypto.IsShareError(err) || try == shareTries:
			return nil, m.store.watch.check(fmt.Errorf("encrypt for %s: %w", room, err))
		}
	}
}

// share sees to it that the session of a room is one that its members, and nobody else, have the key of.
func (m *Machine) share(ctx context.Context, room id.RoomID, members []id.UserID) error {
	if err := m.outdated(ctx, false, false); err != nil {
		return err
	}
	keys := m.store.keys
	session, err := keys.GetOutboundGroupSession(ctx, room)
	if err != nil {
		return err
	}
	sum := sumOf(members)
	if session != nil {
		var shared string
		err := m.store.db.QueryRow(ctx, `SELECT members FROM moot_shared WHERE room=$1`, room).Scan(&shared)
		if err != nil && !errors.Is(err, sql.ErrNoRows) {
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
	m.olmMu.Lock()
	defer m.olmMu.Unlock()
	if err := protect(func() error { return m.olm.ShareGroupSession(withRotation(ctx), room, members) }); err != nil {
		return err
	}
	_, err = m.store.db.Exec(ctx, `INSERT INTO moot_shared (room, members) VALUES ($1, $2) ON CONFLICT (room) DO UPDATE SET members=excluded.members`, room, sum)
	return err
}

// meet fetches the devices of people of whom none is known. A slow server of theirs holds up this room only.
func (m *Machine) meet(ctx context.Context, members []id.UserID) error {
	known, err := m.store.keys.FilterTrackedUsers(ctx, members)
	if err != nil {
		return err
	}
	var strangers []id.UserID
	for _, u := range members {
		if slices.Contains(known, u) {
			devices, err := m.store.keys.GetDevices(ctx, u)
			if err != nil {
				return err
			}
			if len(devices) > 0 {
				continue
			}
			// Who had no device when they were asked for may have one that nobody has told of yet.
		}
		strangers = append(strangers, u)
	}
	if len(strangers) == 0 {
		return nil
	}
	_, err = m.olm.FetchKeys(ctx, strangers, true)
	return err
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
			return m.store.watch.check(nil)
		}
	}
	if err := m.store.keys.RemoveOutboundGroupSession(ctx, ev.RoomID); err != nil {
		return m.store.watch.check(fmt.Errorf("begin a new session for %s: %w", ev.RoomID, err))
	}
	return m.store.watch.check(nil)
}

// inside tells whether somebody may read what is said.
func inside(m event.Membership) bool {
	return m == event.MembershipJoin || m == event.MembershipInvite
}
