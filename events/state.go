package events

import "moot/store"

// state holds the single values of this package.
var state = store.SharedBucket("events")

const (
	endOfFile   = "archive-end"
	tipOfFile   = "archive-tip"
	lastRetired = "archive-last"
)

func getState(tx *store.Tx, name string) uint64 {
	return store.ParseNumber(string(tx.Get(state, name)))
}

func putState(tx *store.Tx, name string, n uint64) { tx.Put(state, name, []byte(store.Number(n))) }

// blocks is the index of the archive file: the number of the first fact of a block, and its offset.
var blocks = store.SharedBucket("archive")

// Commitment is what a store has committed to its archive. The zero value is that of a store that
// never had one, and of no store at all.
type Commitment struct {
	Begun bool   // whether the store has ever begun an archive
	End   int64  // the bytes of the file that count; 0 as long as nothing was archived
	Tip   string // the hash of the newest block that counts; zero as long as nothing was archived
}

// Committed returns what the store has committed to its archive.
func Committed(tx *store.Tx) Commitment {
	return Commitment{tx.Has(state, endOfFile), int64(getState(tx, endOfFile)), string(tx.Get(state, tipOfFile))}
}

// commit makes it what the store has committed.
func (c Commitment) commit(tx *store.Tx) {
	putState(tx, endOfFile, uint64(c.End))
	if c.Tip != "" {
		tx.Put(state, tipOfFile, []byte(c.Tip))
	}
}
