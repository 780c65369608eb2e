package keys

import (
	"encoding/json"
	"errors"
	"fmt"

	"maunium.net/go/mautrix/id"

	"moot/store"
)

// bucket holds all rows.
var bucket = store.SharedBucket("matrix-keys")

// ErrRow is where a row holds something that it cannot.
var ErrRow = errors.New("a row of the keys is damaged")

// The rows of which there is one.
const (
	rowOwner    = "owner"
	rowCarried  = "carried"
	rowRestored = "restored"
)

// Owner is whose keys a database holds; the zero value where nobody's are in it yet.
type Owner struct {
	User   id.UserID   `json:"user"`
	Device id.DeviceID `json:"device"`
}

// Kept is what a database says of the keys in it. The zero value is that of one without keys.
type Kept struct {
	Pair     string // the pair id of the file of keys that versions before 0.2 have beside it; zero where it has none
	Any      bool   // whether there are keys
	Owner    Owner  // whose they are
	Carried  string // the pair id of the file of keys from which they were carried over; zero if from none
	Restored string // when it was noted that they were put back from a backup, by RFC 3339; zero if never
}

// Look returns what a database says of the keys in it.
func Look(tx *store.Tx) (k Kept, err error) {
	for range tx.Range(bucket, "", "") {
		k.Any = true
		break
	}
	k.Pair = Pair(tx)
	k.Carried, k.Restored = string(tx.Get(bucket, rowCarried)), string(tx.Get(bucket, rowRestored))
	if data := tx.Get(bucket, rowOwner); data != nil {
		if err := json.Unmarshal(data, &k.Owner); err != nil {
			return k, fmt.Errorf("%w: the owner: %w", ErrRow, err)
		}
	}
	return k, nil
}

// pairs holds the pair id.
var pairs = store.SharedBucket("matrix")

// Pair returns the pair id of the file of keys that belongs to a database; zero where there is none.
func Pair(tx *store.Tx) string { return string(tx.Get(pairs, "pair")) }

// SetPair gives a database another pair id.
func SetPair(tx *store.Tx, pair string) {
	if pair == "" {
		tx.Delete(pairs, "pair")
		return
	}
	tx.Put(pairs, "pair", []byte(pair))
}

// Forget deletes all keys of a database, and that it has a file of keys. None may be open.
func Forget(tx *store.Tx) {
	SetPair(tx, "")
	for key := range tx.Range(bucket, "", "") {
		tx.Delete(bucket, key)
	}
}
