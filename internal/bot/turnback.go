package bot

import (
	"fmt"
	"time"

	"moot/protocol"
	"moot/store"
)

// turned holds what a clock that was turned back has left: "since", the time of the earliest event that may be acted on.
var turned = store.SharedBucket("clock")

const turnedSince = "since"

// TurnBack puts a store right that has followed a clock which was ahead: its time is then now. It is for a bot that does not
// run; the store is to be closed after it. It returns by how much the time was turned back, zero where nothing was to be
// done, and the time of the earliest event that the bot will act on beyond what it remembers anyway.
//
// Nothing is done twice: what was seen stays seen, and what may have been forgotten too early, because time ran ahead, is
// older than since.
func TurnBack(st *store.Store, now time.Time) (by time.Duration, since time.Time, err error) {
	var horizon time.Time
	err = st.View(func(tx *store.Tx) error {
		by, horizon, since = max(0, tx.Now().Sub(now)), tx.Horizon(), actsSince(tx)
		return nil
	})
	if err != nil {
		return 0, since, fmt.Errorf("read the time of the last commit: %w", err)
	}
	if by == 0 {
		return 0, since, nil
	}
	if !horizon.IsZero() {
		// An event may have been ahead of the bot by futureSlack when it was recorded.
		since = latest(since, earliest(horizon.Add(futureSlack), now))
	}
	err = st.TurnBack(now, func(c *store.Commit) error {
		return c.Run("", protocol.Ref{}, func(tx *store.Tx) error {
			tx.Put(turned, turnedSince, []byte(store.Time(since)))
			return nil
		})
	})
	if err != nil {
		return 0, since, fmt.Errorf("turn the clock back: %w", err)
	}
	return by, since, nil
}

// actsSince returns the time of the earliest event that may be acted on after a clock was turned back.
func actsSince(tx *store.Tx) time.Time { return store.ParseTime(string(tx.Get(turned, turnedSince))) }
