package main

import (
	"context"
	"path/filepath"
	"time"

	"moot/protocol"
	"moot/store"
)

// mootEngine is the store of moot, through the same methods as the bot uses.
type mootEngine struct{ *store.Store }

func (m *mootEngine) open(dir string) (err error) {
	m.Store, err = store.Open(store.Config{Path: filepath.Join(dir, "moot.db")})
	return err
}

func (m *mootEngine) admit(events []event, at time.Time) (fresh int, err error) {
	err = m.Commit(at, func(c *store.Commit) error {
		for _, e := range events {
			room, id := protocol.RoomID(e.room), protocol.EventID(e.id)
			if c.Seen(room, id).Disposition == store.Unseen {
				c.Record(room, id, store.Handled, "")
				fresh++
			}
		}
		return nil
	})
	return fresh, err
}

func (m *mootEngine) settle() error { return m.Merge(context.Background()) }

func (m *mootEngine) close() error { return m.Close() }

func (m *mootEngine) count() (events, indexed int, err error) {
	if err := m.Merge(context.Background()); err != nil {
		return 0, 0, err
	}
	st, err := m.Stats()
	return st.Events, st.Indexed, err
}
