package people

import (
	"moot/protocol"
	"moot/store"
)

// Forget removes what leads from a person to their number and back, and the person's own texts. If keep is set, or anything
// holds the number ([Registry.Hold]), a keyed hash of the identifier remains, by which the person is recognised until
// [Registry.Release]. It leads to the number, but never from the number to the person.
//
// What is removed is out of reach from here on; its bytes may stand in unused pages of the store's
// file until these are used again.
func (r *Registry) Forget(tx *store.Tx, user protocol.UserID, keep bool) {
	n := r.Lookup(tx, user)
	if n == 0 {
		return
	}
	tx.Delete(people, string(user))
	tx.Delete(numbers, n.key())
	for k := range tx.Prefix(texts, n.key()+store.Sep) {
		tx.Delete(texts, k)
	}
	if !keep && !r.Held(tx, n) {
		r.Release(tx, n)
		return
	}
	h := r.hash(user)
	tx.Put(kept, hashKey(h), []byte(n.key()))
	tx.Put(kept, numberKey(n), []byte(h))
}
