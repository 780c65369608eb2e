package seen

import (
	"go.etcd.io/bbolt"
)

// State is the record as of one change. It does not change, and is valid with any read transaction
// that sees the runs which it knows: see [Index.Committed].
type State struct {
	hasher  hasher
	change  uint64
	horizon uint64
	active  *table
	frozen  *table // on its way into a run; nil where none is
	runs    []*run // the newest first
	needs   uint64
}

// Change returns the last change that the state knows.
func (st *State) Change() uint64 { return st.change }

// Needs returns the id of the transaction that completed the newest of its runs: a read transaction
// must not be older.
func (st *State) Needs() uint64 { return st.needs }

// Find returns what is recorded of the event, and reports whether anything is. Its error is
// [disk.ErrDamaged].
func (st *State) Find(tx *bbolt.Tx, k *Key) (r Record, ok bool, err error) {
	if r, ok = st.active.find(k, st.change); !ok && st.frozen != nil {
		r, ok = st.frozen.find(k, st.change)
	}
	if !ok {
		c := chunks{tx: tx}
		for _, run := range st.runs {
			if r, ok, err = run.find(&c, k); ok || err != nil {
				break
			}
		}
	}
	if err != nil || !ok || r.At < st.horizon {
		return Record{}, false, err
	}
	return r, true, nil
}
