package main

import (
	"context"
	"fmt"
	"log/slog"

	"moot/internal/config"
	"moot/protocol"
	"moot/protocol/matrix"
	"moot/protocol/matrix/account"
	"moot/rooms"
	"moot/sealed"
	"moot/store"
)

// openMatrix makes the adapter for the account on a homeserver. It logs in when it runs.
func (a *app) openMatrix(cfg config.Config, st *store.Store, log *slog.Logger) protocol.Adapter {
	login := account.Config{
		User: cfg.Matrix.User, Homeserver: cfg.Matrix.Homeserver,
		AccessToken: cfg.Matrix.AccessToken.Reveal, Password: cfg.Matrix.Password.Reveal,
		Folder: cfg.Data, DeviceName: cfg.Name, Patient: true, Log: log,
	}
	if cfg.Matrix.AccessToken.IsZero() {
		login.AccessToken = nil
	}
	if cfg.Matrix.Password.IsZero() {
		login.Password = nil
	}
	return matrix.New(matrix.Config{
		Connect: func(ctx context.Context) (*matrix.Session, error) {
			acc, err := account.Open(ctx, login)
			if err != nil {
				return nil, err
			}
			return &matrix.Session{Client: acc.Client}, nil
		},
		Rooms:   recorded{st},
		Waiting: recorded{st},
		Log:     log,
	})
}

// recorded shows the Matrix adapter what the bot knows of rooms.
type recorded struct{ store *store.Store }

// Room implements matrix.Rooms.
func (r recorded) Room(room protocol.RoomID) (state matrix.RoomState, err error) {
	err = r.store.View(func(tx *store.Tx) error {
		info, _ := rooms.Get(tx, room)
		state = matrix.RoomState{
			Own: info.Own, Floor: info.Floor, Encrypted: info.Encrypted, Private: info.Private,
			Named: info.Name != "" || info.Alias != "", Known: info.Members == rooms.Known, Count: info.Count,
		}
		return nil
	})
	return state, err
}

// Members implements matrix.Rooms.
func (r recorded) Members(room protocol.RoomID) (users []protocol.UserID, whole bool, err error) {
	err = r.store.View(func(tx *store.Tx) error {
		info, _ := rooms.Get(tx, room)
		whole = info.Members == rooms.Known
		for m := range rooms.Members(tx, room) {
			users = append(users, m.User)
		}
		return nil
	})
	return users, whole, err
}

// IsMember implements matrix.Rooms.
func (r recorded) IsMember(room protocol.RoomID, user protocol.UserID) (is bool, err error) {
	err = r.store.View(func(tx *store.Tx) error {
		_, is = rooms.Lookup(tx, room, user)
		return nil
	})
	return is, err
}

// Shared implements matrix.Rooms.
func (r recorded) Shared(user protocol.UserID) (shared []protocol.RoomID, err error) {
	err = r.store.View(func(tx *store.Tx) error {
		for info := range rooms.Of(tx, user) {
			shared = append(shared, info.ID)
		}
		return nil
	})
	return shared, err
}

// Seen implements matrix.Rooms.
func (r recorded) Seen(room protocol.RoomID, event protocol.EventID) (seen bool, err error) {
	err = r.store.View(func(tx *store.Tx) error {
		seen = tx.Seen(room, event).Disposition != store.Unseen
		return nil
	})
	return seen, err
}

// Sealed implements matrix.Waiting.
func (r recorded) Sealed() (events []protocol.Event, err error) {
	err = r.store.View(func(tx *store.Tx) error {
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
