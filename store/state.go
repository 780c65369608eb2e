package store

import (
	"iter"
	"time"

	"moot/protocol"
	"moot/store/bolt"
	"moot/store/disk"
	"moot/store/seen"
)

// timers is the bucket of timers by time, of which a state knows where it begins.
var timers = SharedBucket("timers")

// state is the store as of one change, together with a view of the file that is new enough. It does
// not change once it is published.
type state struct {
	change uint64    // its number
	at     time.Time // its time
	ahead  uint64    // by how much the time of the record of seen events is ahead of that; see meta.go
	seen   seen.State

	rows   rows   // the memtable: what changed since the last checkpoint began
	bytes  int    // about how many it takes
	events int    // how many events its changes recorded
	frozen rows   // what the checkpoint that is under way writes to the file
	upTo   uint64 // the last change of frozen; 0 while there is none
	holds  uint64 // the last change that the file holds
	needs  int    // the transaction that made it hold that

	// firstTimer is a key before which no timer is. Those that have gone off may still be in the file, and whoever looks for
	// the next one would step over all of them.
	firstTimer string
}

// fits reports whether a view is new enough. One that is newer is right too: what a checkpoint
// writes to the file is covered by the rows of the state.
func (st *state) fits(v *bolt.View) bool {
	return v.ID() >= st.needs && uint64(v.ID()) >= st.seen.Needs()
}

// reader reads the state.
func (st *state) reader(v *bolt.View) reader {
	var r reader = fileReader{v}
	for _, over := range []rows{st.frozen, st.rows} {
		if len(over) > 0 {
			r = &layer{rows: over, below: r}
		}
	}
	return r
}

// add returns the state after one more change. The index knows its records already.
func (st *state) add(c *content, ix *seen.Index) *state {
	next := *st
	next.change++
	next.at = c.at
	if v, ok := c.rows.get(meta.name, metaAhead); ok {
		next.ahead = ParseNumber(string(v))
	}
	more := 0
	next.rows, more = st.rows.with(c.rows)
	next.bytes += more
	next.events += len(c.records)
	next.firstTimer = min(max(st.firstTimer, c.firstTimer), c.rows.first(timers.name))
	next.seen = ix.State()
	return &next
}

// seenNow returns the time of the record of seen events.
func (st *state) seenNow() uint64 { return nanoseconds(st.at) + st.ahead }

// freeze returns the state with which a checkpoint of all that it holds begins.
func (st *state) freeze(ix *seen.Index) *state {
	next := *st
	ix.Freeze()
	next.frozen, next.upTo = st.rows, st.change
	next.rows, next.bytes, next.events = nil, 0, 0
	next.seen = ix.State()
	return &next
}

// fileReader reads the file.
type fileReader struct{ *bolt.View }

func (f fileReader) get(bucket, key string) []byte { return f.Get(bucket, key) }

func (f fileReader) walk(bucket string, reverse bool) walker {
	if w := f.Walk(bucket, reverse); w != nil {
		return fileWalker{w}
	}
	return nothing{}
}

type fileWalker struct{ *bolt.Walker }

func (w fileWalker) seek(key string) (string, []byte, bool) { return w.Seek(key) }
func (w fileWalker) step() (string, []byte, bool)           { return w.Step() }

type nothing struct{}

func (nothing) seek(string) (string, []byte, bool) { return "", nil, false }
func (nothing) step() (string, []byte, bool)       { return "", nil, false }

// viewer is the seer of a state.
type viewer struct {
	index *seen.Index
	state *state
	view  *bolt.View
}

func (v *viewer) key(room protocol.RoomID, event protocol.EventID) seen.Key {
	room, event = seenIDs(room, event)
	return v.index.Key(room, event)
}

func (v *viewer) seen(k *seen.Key) (seen.Record, bool) {
	defer disk.Faulted()
	r, ok, err := v.state.seen.Find(v.view.Bolt, k)
	if err != nil {
		panic(disk.Fault{Cause: err})
	}
	return r, ok
}

func (v *viewer) ahead() uint64 { return v.state.ahead }

func (v *viewer) firstTimer() string { return v.state.firstTimer }

func (v *viewer) between(
	room protocol.RoomID, from, to seen.Place, backward bool,
) iter.Seq2[seen.Record, error] {
	return v.state.seen.Between(v.view.Bolt, room, from, to, backward)
}
