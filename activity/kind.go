package activity

import (
	"fmt"
	"time"

	"moot/events"
	"moot/internal/say"
	"moot/protocol"
	"moot/store"
)

// KindName is the name of the kind of facts.
const KindName = "user_active"

// RoleWho is the role of the person whom a fact is about.
const RoleWho = "who"

// What somebody did.
const (
	byMessage  = "message"
	byReaction = "reaction"
	byCommand  = "command"
	byVoice    = "voice"
)

// moments is the projection: when somebody was active.
var moments = store.ScopedBucket("activity")

// payload is that of a fact.
type payload struct {
	By string    `json:"by"`
	At time.Time `json:"at,omitzero"` // zero means the time of the fact
}

// Kind returns the kind of the facts that somebody was active.
func Kind() events.Kind {
	return events.Kind{
		Name: KindName, Version: 1, Disposable: true, Describe: describe, Own: own,
		Buckets: []store.Bucket{moments},
		Apply: func(tx *store.Tx, f events.Fact) error {
			key, err := rowOf(f)
			if err == nil {
				tx.Put(moments, key, nil)
			}
			return err
		},
		// No two facts have the same row: they lie apart.
		Drop: func(tx *store.Tx, f events.Fact) error {
			key, err := rowOf(f)
			if err == nil {
				tx.Delete(moments, key)
			}
			return err
		},
	}
}

func describe(l say.Language, f events.Fact) string { return saidOf(l, "fact-", f) }

// own says to a person what a fact holds about them.
func own(l say.Language, _ *store.Tx, f events.Fact, _ events.Number) string {
	return saidOf(l, "own-", f)
}

// saidOf says a fact by the messages of a beginning: by what somebody took part.
func saidOf(l say.Language, begin string, f events.Fact) string {
	speak := catalogue.In(l)
	if _, by, err := decode(f); err == nil && speak.Has(begin+by) {
		return speak.Plain(begin + by)
	}
	return ""
}

// rowOf returns the row of a fact.
func rowOf(f events.Fact) (string, error) {
	at, _, err := decode(f)
	if err != nil {
		return "", err
	}
	n := f.People[RoleWho]
	if n == 0 || f.Scope == "" {
		return "", fmt.Errorf("a %s names nobody, or no room", KindName)
	}
	return momentKey(protocol.RoomID(f.Scope), n, at), nil
}

// decode returns when somebody was active, and how.
func decode(f events.Fact) (at time.Time, by string, err error) {
	var p payload
	if err := f.Decode(&p); err != nil {
		return at, "", err
	}
	if p.At.IsZero() {
		p.At = f.Time
	}
	return p.At.UTC(), p.By, nil
}

func momentKey(room protocol.RoomID, n events.Number, at time.Time) string {
	return store.Key(room, store.Number(uint64(n)), store.Time(at))
}

func parseMoment(key string) time.Time { return store.ParseTime(key[len(key)-8:]) }

// recently reports whether a fact about the person in the room of the transaction lies too near to the moment, on either
// side of it: what is caught up may come after what is later.
func (f *Feature) recently(tx *store.Tx, user protocol.UserID, at time.Time) bool {
	n := f.Bus.Lookup(tx, user)
	if n == 0 {
		return false
	}
	room := protocol.RoomID(tx.Scope())
	for range tx.Range(moments, momentKey(room, n, at.Add(1-f.Interval)), momentKey(room, n, at.Add(f.Interval))) {
		return true
	}
	return false
}

// publish publishes that the person was active in the room of the transaction, unless that is known already.
func (f *Feature) publish(tx *store.Tx, user protocol.UserID, at time.Time, by string) error {
	if f.recently(tx, user, at) {
		return nil
	}
	if key := store.Key(tx.Scope(), store.Number(uint64(f.Bus.Number(tx, user)))); !tx.Has(ever, key) {
		tx.Put(ever, key, nil)
	}
	p := payload{By: by}
	if !at.Equal(tx.Now()) {
		p.At = at.UTC().Round(0)
	}
	return f.Bus.Publish(tx, events.Draft{
		Kind: KindName, People: map[string]protocol.UserID{RoleWho: user}, Payload: p,
	})
}
