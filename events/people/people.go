package people

import (
	"crypto/hmac"
	"crypto/sha256"
	"fmt"
	"strconv"

	"moot/protocol"
	"moot/store"
)

// Number stands for a person in the log. It is given once and to one person only. Zero is nobody.
type Number uint64

// String returns the number in decimal: the value to filter facts by. That of nobody finds nothing.
func (n Number) String() string { return strconv.FormatUint(uint64(n), 10) }

func (n Number) key() string      { return store.Number(uint64(n)) }
func parseNumber(v []byte) Number { return Number(store.ParseNumber(string(v))) }

var (
	people  = store.SharedBucket("people")
	numbers = store.SharedBucket("people-numbers")
	kept    = store.SharedBucket("people-kept")
	series  = store.SharedBucket("people-next")
)

// Registry gives out numbers, and forgets. Its methods may be called concurrently, each with a
// transaction of its own.
type Registry struct{ secret []byte }

// New returns the registry of a store. The secret is the key of the hashes that are kept of
// forgotten people, at least 16 bytes. With another one than before, those people are no longer
// recognised.
func New(secret []byte) (*Registry, error) {
	if len(secret) < 16 {
		return nil, fmt.Errorf("the secret has %d bytes, where at least 16 are needed", len(secret))
	}
	return &Registry{secret}, nil
}

// next gives out the next number of a series, from 1. Those of a discarded transaction are given
// again.
func next(tx *store.Tx, name string) uint64 {
	n := max(store.ParseNumber(string(tx.Get(series, name))), 1)
	tx.Put(series, name, []byte(store.Number(n+1)))
	return n
}

// Number returns the number of a person, a new one for somebody who has none. Somebody who was
// forgotten under a sanction gets their old one back.
func (r *Registry) Number(tx *store.Tx, user protocol.UserID) Number {
	if v := tx.Get(people, string(user)); v != nil {
		return parseNumber(v)
	}
	n := r.Lookup(tx, user)
	if n != 0 {
		r.Release(tx, n) // from here on the mapping itself says it
	} else {
		n = Number(next(tx, "person"))
	}
	tx.Put(people, string(user), []byte(n.key()))
	tx.Put(numbers, n.key(), []byte(user))
	return n
}

// Lookup returns the number of a person, also of one who was forgotten under a sanction; zero if
// they have none.
func (r *Registry) Lookup(tx *store.Tx, user protocol.UserID) Number {
	if v := tx.Get(people, string(user)); v != nil {
		return parseNumber(v)
	}
	return parseNumber(tx.Get(kept, hashKey(r.hash(user))))
}

// Who returns the person of a number, and whether there is one who was not forgotten.
func (r *Registry) Who(tx *store.Tx, n Number) (protocol.UserID, bool) {
	v := tx.Get(numbers, n.key())
	return protocol.UserID(v), v != nil
}

// Release removes the hash that Forget kept for a number, when the sanction is lifted. One that has
// none stays so.
func (r *Registry) Release(tx *store.Tx, n Number) {
	if h := tx.Get(kept, numberKey(n)); h != nil {
		tx.Delete(kept, hashKey(string(h)))
		tx.Delete(kept, numberKey(n))
	}
}

func hashKey(hash string) string { return store.Key("h", hash) }
func numberKey(n Number) string  { return store.Key("n", n.key()) }

func (r *Registry) hash(user protocol.UserID) string {
	h := hmac.New(sha256.New, r.secret)
	h.Write([]byte(store.Key("moot person", string(user))))
	return string(h.Sum(nil))
}
