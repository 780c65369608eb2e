package record

import (
	"fmt"

	"moot/internal/languages"
	"moot/protocol"
	"moot/protocol/matrix"
	"moot/rooms"
	"moot/sealed"
	"moot/store"
)

// Matrix implements [matrix.Rooms] and [matrix.Waiting].
type Matrix struct{ Store *store.Store }

// Room implements matrix.Rooms.
func (m Matrix) Room(room protocol.RoomID) (state matrix.RoomState, err error) {
	err = m.Store.View(func(tx *store.Tx) error {
		info, _ := rooms.Get(tx, room)
		state = matrix.RoomState{
			Own: info.Own, Floor: info.Floor, Encrypted: info.Encrypted, Private: info.Private,
			Named: info.Name != "" || info.Alias != "", Known: info.Members == rooms.Known, Count: info.Count,
			Language: string(languages.Room(tx, room)),
		}
		return nil
	})
	return state, err
}

// Members implements matrix.Rooms.
func (m Matrix) Members(room protocol.RoomID) (users []protocol.UserID, whole bool, err error) {
	err = m.Store.View(func(tx *store.Tx) error {
		info, _ := rooms.Get(tx, room)
		whole = info.Members == rooms.Known
		for one := range rooms.Members(tx, room) {
			users = append(users, one.User)
		}
		return nil
	})
	return users, whole, err
}

// IsMember implements matrix.Rooms.
func (m Matrix) IsMember(room protocol.RoomID, user protocol.UserID) (is bool, err error) {
	err = m.Store.View(func(tx *store.Tx) error {
		_, is = rooms.Lookup(tx, room, user)
		return nil
	})
	return is, err
}

// Shared implements matrix.Rooms.
func (m Matrix) Shared(user protocol.UserID) (shared []protocol.RoomID, err error) {
	err = m.Store.View(func(tx *store.Tx) error {
		for info := range rooms.Of(tx, user) {
			shared = append(shared, info.ID)
		}
		return nil
	})
	return shared, err
}

// Conversations implements matrix.Rooms.
func (m Matrix) Conversations(user protocol.UserID) (all []matrix.Conversation, err error) {
	err = m.Store.View(func(tx *store.Tx) error {
		for _, c := range rooms.Conversations(tx, user) {
			one := matrix.Conversation{Room: c.Room, Never: c.State == rooms.ConversationDeclined}
			if one.Over = c.State.Over(); one.Over {
				one.Until = c.Since.Add(rooms.Pause)
			}
			all = append(all, one)
		}
		return nil
	})
	return all, err
}

// Seen implements matrix.Rooms.
func (m Matrix) Seen(room protocol.RoomID, event protocol.EventID) (seen bool, err error) {
	err = m.Store.View(func(tx *store.Tx) error {
		seen = tx.Seen(room, event).Disposition != store.Unseen
		return nil
	})
	return seen, err
}

// Sealed implements matrix.Waiting.
func (m Matrix) Sealed() (events []protocol.Event, err error) {
	err = m.Store.View(func(tx *store.Tx) error {
		for ev := range sealed.All(tx, "") {
			events = append(events, ev)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read what waits for its key: %w", err)
	}
	return events, nil
}
