package events

import (
	"crypto/hmac"
	"crypto/sha256"
	"strconv"

	"moot/protocol"
	"moot/store"
)

// Number stands for a person in the log. It is given once and to one person only. Zero is nobody.
type Number uint64

// String returns the number in decimal: the value to filter by under a role or [KeyPerson]. That of nobody finds nothing.
func (n Number) String() string { return strconv.FormatUint(uint64(n), 10) }

func (n Number) key() string { return store.Number(uint64(n)) }

func parseNumber(v []byte) Number { return Number(store.ParseNumber(string(v))) }

var (
	people  = store.SharedBucket("people")
	numbers = store.SharedBucket("people-numbers")
	kept    = store.SharedBucket("people-kept")
)

// Number returns the number of a person, a new one for somebody who has none. Who was forgotten under a sanction gets
// their old one back.
func (b *Bus) Number(tx *store.Tx, user protocol.UserID) Number {
	if v := tx.Get(people, string(user)); v != nil {
		return parseNumber(v)
	}
	n := b.Lookup(tx, user)
	if n != 0 {
		b.Release(tx, n) // from here on the mapping itself says it
	} else {
		n = Number(next(tx, nextPerson))
	}
	tx.Put(people, string(user), []byte(n.key()))
	tx.Put(numbers, n.key(), []byte(user))
	return n
}

// Lookup returns the number of a person, also of one who was forgotten under a sanction; zero if they have none.
func (b *Bus) Lookup(tx *store.Tx, user protocol.UserID) Number {
	if v := tx.Get(people, string(user)); v != nil {
		return parseNumber(v)
	}
	return parseNumber(tx.Get(kept, hashKey(b.hash(user))))
}

// Who returns the person of a number, and whether there is one who was not forgotten.
func (b *Bus) Who(tx *store.Tx, n Number) (protocol.UserID, bool) {
	v := tx.Get(numbers, n.key())
	return protocol.UserID(v), v != nil
}

// Forget removes what leads from a person to their number and back, and the person's own texts. If keep is set, for a
// sanction that stands, a keyed hash of the identifier remains, by which the person is recognised until
// [Bus.Release]. It leads to the number, but never from the number to the person.
//
// What is removed is out of reach from here on; its bytes may stand in unused pages of the store's file until these
// are used again.
func (b *Bus) Forget(tx *store.Tx, user protocol.UserID, keep bool) {
	n := b.Lookup(tx, user)
	if n == 0 {
		return
	}
	tx.Delete(people, string(user))
	tx.Delete(numbers, n.key())
	for k := range tx.Prefix(texts, n.key()+store.Sep) {
		tx.Delete(texts, k)
	}
	if !keep {
		b.Release(tx, n)
		return
	}
	h := b.hash(user)
	tx.Put(kept, hashKey(h), []byte(n.key()))
	tx.Put(kept, numberKey(n), []byte(h))
}

// Release removes the hash that Forget kept for a number, when the sanction is lifted. One that has none stays so.
func (b *Bus) Release(tx *store.Tx, n Number) {
	if h := tx.Get(kept, numberKey(n)); h != nil {
		tx.Delete(kept, hashKey(string(h)))
		tx.Delete(kept, numberKey(n))
	}
}

func hashKey(hash string) string { return store.Key("h", hash) }
func numberKey(n Number) string  { return store.Key("n", n.key()) }

func (b *Bus) hash(user protocol.UserID) string {
	h := hmac.New(sha256.New, b.secret)
	h.Write([]byte(store.Key("moot person", string(user))))
	return string(h.Sum(nil))
}
