//go:build goolm

package crypto

import (
	"context"
	"errors"
	"slices"

	"maunium.net/go/mautrix"
	mcrypto "maunium.net/go/mautrix/crypto"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"

	"moot/protocol"
)

// state tells the library what it asks of rooms. What there is to know of their members, Encrypt is told by its caller.
type state struct{ m *Machine }

var _ mcrypto.StateStore = state{}

type sharingKey struct{}

// sharing is the context within which a new session is made, to the wishes of its room, and given to devices.
func sharing(ctx context.Context) context.Context {
	return context.WithValue(ctx, sharingKey{}, true)
}

func isSharing(ctx context.Context) bool { return ctx.Value(sharingKey{}) != nil }

// IsEncrypted returns true: only of encrypted rooms it is asked.
func (state) IsEncrypted(context.Context, id.RoomID) (bool, error) { return true, nil }

// GetEncryptionEvent returns how often a room wants a new session. The server is asked when one is made, and never within
// a transaction.
func (s state) GetEncryptionEvent(ctx context.Context, room id.RoomID) (*event.EncryptionEventContent, error) {
	content := &event.EncryptionEventContent{Algorithm: id.AlgorithmMegolmV1}
	if !isSharing(ctx) {
		return content, nil
	}
	err := s.m.client.StateEvent(ctx, room, event.StateEncryption, "", content)
	if errors.Is(err, mautrix.MNotFound) {
		return &event.EncryptionEventContent{Algorithm: id.AlgorithmMegolmV1}, nil
	}
	return content, err
}

// GetHistoryVisibility returns nil: sessions are not marked as ones that newcomers may be given.
func (state) GetHistoryVisibility(context.Context, id.RoomID) (*event.HistoryVisibilityEventContent, error) {
	return nil, nil
}

// FindSharedRooms returns the rooms in which a session exists that somebody has the key of, or should have.
func (s state) FindSharedRooms(ctx context.Context, user id.UserID) ([]id.RoomID, error) {
	open, err := s.m.store.keys.Sealing(ctx)
	if err != nil || len(open) == 0 {
		return nil, err
	}
	if user == s.m.client.UserID {
		return open, nil
	}
	shared, err := s.m.c.Rooms.Shared(protocol.UserID("matrix:" + string(user)))
	if err != nil {
		return open, nil // one session too many is better than one that somebody cannot read
	}
	return slices.DeleteFunc(open, func(room id.RoomID) bool {
		return !slices.Contains(shared, protocol.RoomID("matrix:"+string(room))) && !s.given(ctx, room, user)
	}), nil
}

// given reports whether a device of somebody has the key to the session of a room; they may be invited only.
func (s state) given(ctx context.Context, room id.RoomID, user id.UserID) bool {
	yes, err := s.m.store.keys.Given(ctx, room, user)
	return yes || err != nil
}
