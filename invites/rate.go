package invites

import (
	"time"

	"moot/protocol"
	"moot/store"
)

// rates holds when invitations of a person were accepted, the oldest first.
var rates = store.ScopedBucket("invites-rates")

const hour = time.Hour

// may decides, in the scope of the person who invited, whether one more of their invitations is accepted now.
func (f *Feature) may(tx *store.Tx, n note) {
	user := protocol.UserID(tx.Scope())
	recent := recentRates(tx)
	n = note{Room: n.Room, By: user, Own: n.Own}
	if len(recent) >= f.PerHour {
		n.Until = recent[len(recent)-f.PerHour].Add(hour)
		tell(tx, n.Room, tellHold, n)
		return
	}
	putRates(tx, append(recent, tx.Now()))
	tell(tx, n.Room, tellGo, n)
}

// recentRates returns what is not older than an hour.
func recentRates(tx *store.Tx) (recent []time.Time) {
	for v := tx.Get(rates, string(tx.Scope())); len(v) >= 8; v = v[8:] {
		if at := store.ParseTime(string(v)); at.Add(hour).After(tx.Now()) && !at.After(tx.Now()) { // later: the clock was turned back
			recent = append(recent, at)
		}
	}
	return recent
}

func putRates(tx *store.Tx, times []time.Time) {
	if len(times) == 0 {
		tx.Delete(rates, string(tx.Scope()))
		tx.StopTimer(timerRates)
		return
	}
	var v []byte
	for _, at := range times {
		v = append(v, store.Time(at)...)
	}
	tx.Put(rates, string(tx.Scope()), v)
	tx.SetTimer(timerRates, times[len(times)-1].Add(hour), nil)
}

// clearRates clears away what is over.
func clearRates(tx *store.Tx) { putRates(tx, recentRates(tx)) }
