package bot

import (
	"fmt"
	"time"

	"moot/protocol"
	"moot/store"
)

// restored holds what a bot has to know that was put back from a backup: another life of it has gone on after
// that, of which it knows nothing.
var restored = store.SharedBucket("restored")

const (
	restoredFrom  = "from"  // the time of the last commit of the backup
	restoredUntil = "until" // when that other life had surely ended
)

// lostFuture is the time in which another life of the bot may have acted; zero where there was none. What it
// said because of an event, or a timer, it said under the key that this one derives again. So the bot looks into
// the network before it sends something that has its cause in that time: see [store.Queued].
type lostFuture struct{ from, until time.Time }

func readLostFuture(tx *store.Tx) lostFuture {
	return lostFuture{
		store.ParseTime(string(tx.Get(restored, restoredFrom))), store.ParseTime(string(tx.Get(restored, restoredUntil))),
	}
}

// Restored prepares a store that was put back from a backup for its next run: until says when the bot that the
// backup is of had surely stopped. It returns the time of the backup, and how many entries of its outbox may
// have been sent since.
func Restored(st *store.Store, until time.Time) (from time.Time, doubtful int, err error) {
	err = st.View(func(tx *store.Tx) error {
		from = tx.Now()
		return nil
	})
	if err != nil {
		return from, 0, fmt.Errorf("read the time of the backup: %w", err)
	}
	err = st.Commit(from, func(c *store.Commit) error {
		doubtful = c.DoubtQueued()
		return c.Run("", protocol.Ref{}, func(tx *store.Tx) error {
			if before := readLostFuture(tx); !before.from.IsZero() && before.until.After(from) {
				from = before.from // that of a backup which was put back meanwhile is not settled yet
			}
			tx.Put(restored, restoredFrom, []byte(store.Time(from)))
			tx.Put(restored, restoredUntil, []byte(store.Time(until)))
			return nil
		})
	})
	if err != nil {
		return from, 0, fmt.Errorf("note that it was put back from a backup: %w", err)
	}
	return from, doubtful, nil
}

// clockSlack is by how much the clock of a network may be ahead of that of the machine, for its events to be in
// doubt.
const clockSlack = time.Minute
