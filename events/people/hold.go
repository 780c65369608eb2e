package people

import (
	"strings"
	"time"

	"moot/store"
)

// A hold is a reason for which a person stays recognisable, also if they want to be forgotten: a vote that is open about
// them, a limit that still runs, a challenge that stands. As long as there is one, forgetting keeps a keyed hash of their
// identifier. The last one that is let go takes it away.
var holds = store.SharedBucket("people-holds") // number ␟ reason → time until when, empty if it is not known

// Hold holds the number of a person for a reason. The zero time means until it is let go. Nobody is not held. A reason
// that ends by its time is let go of, too, by whoever holds, so that nothing is kept for longer.
func (r *Registry) Hold(tx *store.Tx, n Number, reason string, until time.Time) {
	if n == 0 {
		return
	}
	var value []byte
	if !until.IsZero() {
		value = []byte(store.Time(until))
	}
	tx.Put(holds, store.Key(n.key(), reason), value)
}

// LetGo ends a hold. Where it was the last one of somebody who was forgotten, nothing leads to their number any more.
func (r *Registry) LetGo(tx *store.Tx, n Number, reason string) {
	tx.Delete(holds, store.Key(n.key(), reason))
	if !r.Held(tx, n) {
		r.Release(tx, n)
	}
}

// Held reports whether anything holds a number.
func (r *Registry) Held(tx *store.Tx, n Number) bool {
	for _, v := range tx.Prefix(holds, n.key()+store.Sep) {
		if len(v) == 0 || store.ParseTime(string(v)).After(tx.Now()) {
			return true
		}
	}
	return false
}

// Reasons returns the reasons for which a number is held, in order.
func (r *Registry) Reasons(tx *store.Tx, n Number) (reasons []string) {
	for k := range tx.Prefix(holds, n.key()+store.Sep) {
		reasons = append(reasons, strings.TrimPrefix(k, n.key()+store.Sep))
	}
	return reasons
}
