package seen

import (
	"slices"
	"sync"

	"go.etcd.io/bbolt"

	"moot/protocol"
)

// Config says how an index is kept.
type Config struct {
	Secret []byte // of the store; the same for the same file
	Limits Limits // zero: DefaultLimits
	// Horizon is the time before which nothing is remembered.
	Horizon uint64
}

// Index is the record of seen events of one store. See the package for who may call what.
type Index struct {
	hasher hasher
	limits Limits

	mu    sync.Mutex
	state State // guarded by mu; the writer and the background change their own parts of it

	latest uint64 // the newest time of an event; the writer's alone

	// The background's alone.
	garbage  []uint64 // chunks that are to be dropped
	building *build   // of state.frozen; nil until it begins
	merging  *merge   // nil where none is under way
	next     *outcome // of the transaction that is open; nil where nothing was done in it yet
}

// outcome is what becomes true when a transaction is committed.
type outcome struct {
	txid    uint64
	runs    []*run
	garbage []uint64
	ended   []*builder // runs that were completed or given up
	built   bool       // state.frozen is in a run
}

// Load reads the index from the file. Its tables are empty. Its error is [disk.ErrDamaged].
func Load(tx *bbolt.Tx, c Config) (*Index, error) {
	if c.Limits == (Limits{}) {
		c.Limits = DefaultLimits()
	}
	m, err := readManifest(tx)
	if err != nil {
		return nil, err
	}
	ix := &Index{hasher: newHasher(c.Secret), limits: c.Limits, garbage: m.unnamed(tx)}
	for _, r := range m.Runs {
		ix.latest = max(ix.latest, r.Newest)
	}
	ix.state = State{hasher: ix.hasher, horizon: c.Horizon, active: newTable(0), runs: m.Runs, needs: uint64(tx.ID())}
	return ix, nil
}

// unnamed returns the chunks in the file that the manifest does not name.
func (m *manifest) unnamed(tx *bbolt.Tx) (ids []uint64) {
	named := map[uint64]bool{}
	for _, r := range m.Runs {
		for _, c := range r.Chunks {
			named[c.ID] = true
		}
	}
	eachChunk(tx, func(id uint64) {
		if !named[id] {
			ids = append(ids, id)
		}
	})
	return ids
}

// Key returns the key of an event. Both parts must be identifiers as [protocol.CheckID] wants them.
func (ix *Index) Key(room protocol.RoomID, event protocol.EventID) Key {
	return ix.hasher.key(room, event)
}

// State returns the record as of the last change that was added.
func (ix *Index) State() State {
	ix.mu.Lock()
	defer ix.mu.Unlock()
	return ix.state
}

// Add adds what a change recorded, once the change is durable: each event once, with the time of
// its first record where the state before the change has one. Numbers of changes rise.
func (ix *Index) Add(change uint64, records []Record) {
	active := ix.state.active // which the writer alone replaces
	if len(records) > 0 {
		for i := range records {
			ix.latest = max(ix.latest, records[i].At)
		}
		if active.size() == 0 {
			active.partition = ix.partition(ix.latest) // an event that is recorded again may be much older
		}
		active.add(change, records)
	}
	ix.mu.Lock()
	defer ix.mu.Unlock()
	ix.state.change = change
}

// Horizon forgets what was recorded before a time, now or later. It leaves the file as whole runs.
// The store keeps the time, and gives it to Load. It never moves back.
func (ix *Index) Horizon(before uint64) {
	ix.mu.Lock()
	defer ix.mu.Unlock()
	ix.state.horizon = before
}

func (ix *Index) partition(at uint64) int64 { return int64(at / uint64(ix.limits.Span)) }

// Full reports whether the active table should be frozen: it has as many events as it should, or
// its partition of time has passed.
func (ix *Index) Full(now uint64) bool {
	active := ix.state.active
	n := active.size()
	return n >= ix.limits.Table || n > 0 && active.partition < ix.partition(now)
}

// Freeze ends the active table and begins another. It does nothing and returns false where nothing
// is in the table, or where the one before it is not in a run yet; the active table then grows.
func (ix *Index) Freeze() bool {
	active := ix.state.active
	n := active.size()
	ix.mu.Lock()
	defer ix.mu.Unlock()
	if n == 0 || ix.state.frozen != nil {
		return false
	}
	ix.state.frozen, ix.state.active = active, newTable(min(n, ix.limits.Table))
	return true
}

// Committed makes the work of a transaction visible: the next State has it. It is called when the
// transaction is committed, and before the next one begins.
func (ix *Index) Committed() {
	o := ix.next
	if ix.next = nil; o == nil {
		return
	}
	ix.garbage = o.garbage
	for _, b := range ix.builders() {
		b.durable = len(b.run.Chunks)
	}
	ix.mu.Lock()
	defer ix.mu.Unlock()
	if o.built {
		ix.state.frozen = nil
	}
	if !slices.Equal(ix.state.runs, o.runs) {
		ix.state.runs, ix.state.needs = o.runs, o.txid
	}
}

// Aborted takes back the work of a transaction that was not committed. What was under way begins
// anew.
func (ix *Index) Aborted() {
	o := ix.next
	if ix.next = nil; o == nil {
		return
	}
	// Only what earlier transactions wrote is in the file; the numbers of other chunks are given
	// out again.
	for _, b := range append(ix.builders(), o.ended...) {
		ix.garbage = append(ix.garbage, ids(b.run.Chunks[:b.durable])...)
	}
	ix.building, ix.merging = nil, nil
}

// begin returns the outcome of the transaction that is open.
func (ix *Index) begin(tx *bbolt.Tx) *outcome {
	if ix.next == nil {
		ix.next = &outcome{runs: ix.State().runs, garbage: ix.garbage}
	}
	ix.next.txid = uint64(tx.ID())
	return ix.next
}

// builders returns those of the runs that are under way.
func (ix *Index) builders() (list []*builder) {
	if ix.building != nil {
		list = append(list, ix.building.builder)
	}
	if ix.merging != nil {
		list = append(list, ix.merging.builder)
	}
	return list
}

// Stats says how much an index holds, and in what.
type Stats struct {
	Table   int // events in tables
	Runs    int
	Chunks  int
	Events  int // rows in runs; one that was recorded again in another run counts twice
	Filters int // bytes of memory that the filters take
	Garbage int // chunks that are to be dropped
}

// Stats returns how much the state holds.
func (st *State) Stats() (s Stats) {
	s.Table = st.active.size()
	if st.frozen != nil {
		s.Table += st.frozen.size()
	}
	for _, r := range st.runs {
		s.Runs++
		s.Chunks += len(r.Chunks)
		s.Events += r.events()
		for _, c := range r.Chunks {
			s.Filters += 32 * len(c.filter)
		}
	}
	return s
}
