package main

import (
	"context"
	"fmt"
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

func (m *mootEngine) finish() error { return m.Checkpoint(context.Background()) }

func (m *mootEngine) close() error { return m.Close() }

// count counts by room and time, and asks for one in fifty by room and event.
func (m *mootEngine) count() (events, indexed int, err error) {
	err = m.View(func(tx *store.Tx) error {
		for _, room := range rooms {
			for e := range tx.SeenIn(protocol.RoomID(room), store.SeenPlace{}, store.SeenPlace{}, false) {
				indexed++
				if indexed%50 == 0 && tx.Seen(protocol.RoomID(room), e.Event) != e.Seen {
					return fmt.Errorf("%s in %s is one thing by time and another by event", e.Event, room)
				}
			}
		}
		return nil
	})
	if err != nil {
		return 0, 0, err
	}
	st, err := m.Stats()
	return st.Seen.Events + st.Seen.Table, indexed, err
}
