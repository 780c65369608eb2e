package store

import (
	"crypto/sha256"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/bits-and-blooms/bloom/v3"
	"go.etcd.io/bbolt"

	"moot/internal/failpoint"
)

// journalBucket holds a bucket for each generation of the journal; see doc.go.
const journalBucket = "journal"

// limits are the sizes of the journal. All decisions count, and look at no clock but that of the commit: the same
// commits do the same work.
type limits struct {
	// Table is after how many events a generation of the journal ends and becomes a run. The memory of two of them is
	// held at most, and what one commit brings beyond.
	Table int
	// Ahead is how many events are recorded after a table has ended before it is moved: it is put in order meanwhile. That
	// takes as long as some hundred commits of one event, or some ten of many.
	Ahead int
	// Chunk is how many events a chunk of a run holds. One is dropped within a commit.
	Chunk int
	// Block is how many bytes of rows stand together in a chunk, at most. bbolt keeps at least two values in a page, and
	// up to four in one that is not split: two, three and four of 7900 bytes fill pages of 4 KiB to nine tenths or more.
	Block int
	// Fan is how many runs of one level are merged at once.
	Fan int
	// Closed is how many runs may be left of a partition that has passed.
	Closed int
	// Span is for how long a partition of time lasts. What was seen leaves the file by whole partitions.
	Span time.Duration
	// Least and Most are how many rows a commit moves, where it moves any.
	Least, Most int
}

// crashLimits are for programs that are built to die at a failpoint: everything happens within some dozens of events.
var crashLimits = limits{Table: 12, Ahead: 2, Chunk: 16, Block: 300, Fan: 3, Closed: 1, Span: time.Hour, Least: 4, Most: 64}

// defaultLimits keep a slice under 50 ms: a row takes less than 1 µs, and each its share of a page to be written.
var defaultLimits = limits{Table: 1 << 16, Ahead: 1 << 12, Chunk: 1 << 16, Block: 7900, Fan: 8, Closed: 1, Span: 7 * 24 * time.Hour, Least: 128, Most: 12_000}

const (
	// effort is how many rows are moved for each event that is recorded, while there are any. Two are written for each
	// event at most, and that again with each level: so the journal never falls behind.
	effort = 8
	// sweepEffort is how many rows are moved for each call of SweepSeen.
	sweepEffort = 4096
)

func partition(at uint64, span int64) int64 { return int64(at / uint64(span)) }

// journal is what the store keeps in memory of the events that it has seen. It belongs to the commit, except for what
// is said of state.
type journal struct {
	limits
	seed []byte // of the filters
	*state
	flush    *flush // of state.frozen; nil until it begins
	merge    *merge // of some of state.runs; nil where none is under way
	begun    []*run // that an earlier process was building: at most one flush and one merge can be gone on with
	dropping []*run // whose chunks are to be dropped
	debt     int    // rows that are to be moved
	lately   int    // how many events the last commit recorded

	sorting sync.WaitGroup // of tables that are put in order; Close waits for it
}

// state is what a view sees. It does not change, except that the tables know more than one commit, and frozen tables do
// not change either.
type state struct {
	commit uint64 // the number of the last commit that recorded something
	floor  uint64 // what was recorded before this time is forgotten
	active *table
	frozen *table // which is on its way into a run; nil if none is
	runs   []*run // those that are ready, newest first
}

// find returns what is recorded of the event, forgotten or not.
func (st *state) find(f *file, seed []byte, a address) (r Seen, ok bool) {
	if v, ok := st.active.get(a, st.commit); ok {
		return v.seen(), true
	}
	if st.frozen != nil {
		if v, ok := st.frozen.get(a, st.commit); ok {
			return v.seen(), true
		}
	}
	if len(st.runs) == 0 {
		return r, false
	}
	defer faulted()
	var space [256]byte
	seeded := a.appendKey(append(space[:0], seed...))
	locations := bloom.Locations(seeded, filterHashes)
	for _, run := range st.runs {
		if v := run.find(f, seeded[len(seed):], locations); v != nil {
			return decodeSeen(v), true
		}
	}
	return r, false
}

// seen returns what is recorded of the event, and is not forgotten.
func (st *state) seen(f *file, seed []byte, a address) Seen {
	s, ok := st.find(f, seed, a)
	if !ok || uint64(s.Time.UnixNano()) < st.floor {
		return Seen{}
	}
	return s
}

// filterSeed returns the seed of the filters, which nobody outside knows.
func filterSeed(tx *bbolt.Tx) []byte {
	secret := tx.Bucket([]byte(meta.name)).Get([]byte(metaSecret))
	sum := sha256.Sum256(append([]byte("filters of seen events\x00"), secret...))
	return sum[:16]
}

// loadJournal reads the state of the journal.
func loadJournal(tx *bbolt.Tx, l limits) (*journal, error) {
	j := &journal{limits: l, seed: filterSeed(tx), state: &state{active: newTable(1, 0)}}
	if v := tx.Bucket([]byte(meta.name)).Get([]byte(metaFloor)); v != nil {
		j.floor = ParseNumber(string(v))
	}
	if b := tx.Bucket([]byte(runsBucket)); b != nil {
		err := b.ForEach(func(k, v []byte) error {
			r, err := readRun(tx, ParseNumber(string(k)), v)
			if err != nil {
				return err
			}
			switch r.State {
			case runReady:
				j.runs = append(j.runs, r)
			case runBuilding:
				j.begun = append(j.begun, r)
			case runDropping:
				j.dropping = append(j.dropping, r)
			default:
				return fmt.Errorf("run %d is %q", r.number, r.State)
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	slices.SortFunc(j.runs, func(a, b *run) int { return int(int64(b.To) - int64(a.To)) })
	if len(j.runs) > 0 {
		j.active.generation = j.runs[0].To + 1
	}
	if err := j.loadTables(tx); err != nil {
		return nil, err
	}
	// The journal may end with the table that a flush had begun with.
	if j.frozen == nil && slices.ContainsFunc(j.begun, func(r *run) bool { return r.Level == 0 && r.To == j.active.generation }) {
		j.frozen, j.active = j.active, newTable(j.active.generation+1, 0)
	}
	if j.frozen != nil {
		j.frozen.end(j.floor, &j.sorting)
	}
	return j, nil
}

// takeBegun returns the run with which an earlier process began on these generations, nil if there is none.
func (j *journal) takeBegun(from, to uint64, flush bool) *run {
	for i, r := range j.begun {
		if r.From == from && r.To == to && (r.Level == 0) == flush && r.Blocks {
			j.begun = slices.Delete(j.begun, i, i+1)
			return r
		}
	}
	return nil
}

// loadTables reads what is not in a run yet.
func (j *journal) loadTables(tx *bbolt.Tx) error {
	b := tx.Bucket([]byte(journalBucket))
	if b == nil {
		return nil
	}
	return b.ForEachBucket(func(k []byte) error {
		generation := ParseNumber(string(k))
		switch {
		case generation < j.active.generation:
			return fmt.Errorf("generation %d of the journal is behind %d", generation, j.active.generation)
		case j.active.size() == 0:
			j.active.generation = generation
		case j.frozen != nil:
			return fmt.Errorf("the journal has more than two generations")
		default:
			j.frozen, j.active = j.active, newTable(generation, 0)
		}
		return b.Bucket(k).ForEach(func(k, v []byte) error {
			_, records, err := decodeEntry(v)
			if err != nil {
				return fmt.Errorf("entry %d: %w", ParseNumber(string(k)), err)
			}
			j.commit = ParseNumber(string(k))
			j.active.add(j.commit, records, int64(j.Span))
			return nil
		})
	})
}

// stage writes to the file what the commit did to the journal and does its share of the work. It returns the state that
// is to be published when the commit is durable.
func (j *journal) stage(c *Commit, tx *bbolt.Tx) (*state, error) {
	next := *j.state
	next.floor = c.floor
	if len(c.records) == 0 && !c.swept && !c.merging {
		return &next, nil
	}
	now := nanoseconds(c.now)
	// A table ends when it is full, and when its partition has passed. Where the one before it is still on its way, it
	// grows until that is through.
	if n := next.active.size(); next.frozen == nil && n > 0 && (n >= j.Table || c.merging || next.active.partition != partition(now, int64(j.Span))) {
		next.frozen, next.active = next.active, newTable(next.active.generation+1, n)
		next.frozen.end(next.floor, &j.sorting)
	}
	if c.swept {
		if err := j.expire(tx, &next); err != nil {
			return nil, err
		}
	}
	if len(c.records) > 0 {
		if err := j.write(tx, &next, now, c.records); err != nil {
			return nil, err
		}
	}
	return &next, j.work(tx, &next, c)
}

// write puts the entry of this commit into the journal.
func (j *journal) write(tx *bbolt.Tx, next *state, now uint64, records []recorded) error {
	b, err := tx.CreateBucketIfNotExists([]byte(journalBucket))
	if err != nil {
		return err
	}
	g, err := b.CreateBucketIfNotExists([]byte(Number(next.active.generation)))
	if err != nil {
		return err
	}
	next.commit++
	g.FillPercent = 1
	return g.Put([]byte(Number(next.commit)), encodeEntry(now, records))
}

// publish makes the state of a commit that is durable the one that views see. The caller keeps them waiting.
func (j *journal) publish(next *state, records []recorded) {
	if j.lately = len(records); j.lately > 0 {
		next.active.add(next.commit, records, int64(j.Span))
	}
	j.state = next
}

// expire drops the runs of which nothing is remembered any more. A merge that they are part of is given up.
func (j *journal) expire(tx *bbolt.Tx, next *state) error {
	var keep, drop []*run
	for _, r := range next.runs {
		if r.Newest < next.floor {
			drop = append(drop, r)
		} else {
			keep = append(keep, r)
		}
	}
	if len(drop) == 0 {
		return nil
	}
	if j.merge != nil && slices.ContainsFunc(j.merge.sources, func(r *run) bool { return slices.Contains(drop, r) }) {
		b := j.merge.builder
		j.merge = nil
		drop = append(drop, &run{number: b.number, runHeader: b.header})
	}
	next.runs = keep
	return j.drop(tx, drop)
}

// drop marks runs as being dropped. The marks are on copies: views may still read the runs.
func (j *journal) drop(tx *bbolt.Tx, runs []*run) error {
	for _, r := range runs {
		d := &run{number: r.number, runHeader: r.runHeader}
		d.State = runDropping
		j.dropping = append(j.dropping, d)
		if err := putRun(tx, d.number, &d.runHeader); err != nil {
			return err
		}
	}
	return nil
}

// work moves rows towards sorted runs, a slice of them: as much as the commit recorded, so that the journal stays
// bounded and no commit waits for long.
func (j *journal) work(tx *bbolt.Tx, next *state, c *Commit) error {
	j.debt += effort * len(c.records)
	if c.swept {
		j.debt = max(j.debt, sweepEffort)
	}
	units := j.Most
	if n := 4 * len(c.records); n > units { // one commit recorded more than a slice is worth
		units = n
	}
	if c.merging {
		j.debt, units = j.Most, j.Most
	}
	if j.debt < j.Least && !c.swept {
		return nil
	}
	units = min(units, j.debt)
	j.debt -= units
	for units > 0 {
		used, err := j.step(tx, next, units, c.swept || c.merging)
		if err != nil {
			return err
		}
		if used == 0 { // nothing is to be done
			j.debt = 0
			break
		}
		c.moved = true
		units -= used
	}
	if c.moved {
		failpoint.Hit(failpoint.JournalBefore)
	}
	return nil
}

// step does one thing of what is to be done, the most urgent one, and returns how much it was; zero if there is none. Now
// is whether it does not wait until a table is likely to be in order.
func (j *journal) step(tx *bbolt.Tx, next *state, units int, now bool) (used int, err error) {
	switch {
	case next.frozen != nil && (now || j.flush != nil || len(j.begun) > 0 || next.active.size() >= j.Ahead):
		return j.stepFlush(tx, next, units)
	case len(j.dropping) > 0:
		return j.stepDrop(tx)
	case j.merge == nil:
		sources := j.begunMerge(next.runs)
		if sources == nil {
			sources = pickMerge(next.runs, next.active.partition, j.limits)
		}
		if sources == nil {
			n := len(j.begun)
			err := j.drop(tx, j.begun)
			j.begun = nil
			return n, err
		}
		begun := j.takeBegun(sources[len(sources)-1].From, sources[0].To, false)
		if err := j.drop(tx, j.begun); err != nil { // nobody goes on with these
			return 0, err
		}
		j.begun = nil
		if j.merge, err = newMerge(tx, sources, begun, j.seed, j.limits); err != nil {
			return 0, err
		}
	}
	return j.stepMerge(tx, next, units)
}

// begunMerge returns the runs of which an earlier process began to make one, nil if there are none.
func (j *journal) begunMerge(runs []*run) []*run {
	for _, b := range j.begun {
		if b.Level == 0 {
			continue
		}
		start := slices.IndexFunc(runs, func(r *run) bool { return r.To == b.To })
		end := slices.IndexFunc(runs, func(r *run) bool { return r.From == b.From }) + 1
		if start >= 0 && end > start {
			return runs[start:end]
		}
	}
	return nil
}

func (j *journal) stepFlush(tx *bbolt.Tx, next *state, units int) (int, error) {
	if j.flush == nil {
		var err error
		g := next.frozen.generation
		if j.flush, err = newFlush(tx, next.frozen, j.takeBegun(g, g, true), j.seed, j.limits); err != nil {
			return 0, err
		}
	}
	used, done, made, err := j.flush.step(tx, next.floor, units)
	if err != nil || !done {
		return used + 1, err
	}
	if made != nil {
		next.runs = append([]*run{made}, next.runs...)
	}
	if b := tx.Bucket([]byte(journalBucket)); b != nil {
		if err := b.DeleteBucket([]byte(Number(next.frozen.generation))); err != nil {
			return used, fmt.Errorf("end generation %d of the journal: %w", next.frozen.generation, err)
		}
	}
	j.flush, next.frozen = nil, nil
	return used + 1, nil
}

func (j *journal) stepMerge(tx *bbolt.Tx, next *state, units int) (int, error) {
	m := j.merge
	used, done, made, err := m.step(tx, next.floor, units)
	if err != nil || !done {
		return used + 1, err
	}
	j.merge = nil
	var runs []*run
	for _, r := range next.runs {
		switch {
		case r == m.sources[0] && made != nil:
			runs = append(runs, made)
		case !slices.Contains(m.sources, r):
			runs = append(runs, r)
		}
	}
	next.runs = runs
	return used + 1, j.drop(tx, m.sources)
}

// stepDrop drops one chunk.
func (j *journal) stepDrop(tx *bbolt.Tx) (used int, err error) {
	r := j.dropping[0]
	if len(r.Seen)+len(r.Times) > 0 {
		if used, err = dropChunk(tx, &r.runHeader); err != nil {
			return used, err
		}
	}
	if len(r.Seen)+len(r.Times) == 0 {
		j.dropping = j.dropping[1:]
	}
	return 1 + used/8, putRun(tx, r.number, &r.runHeader)
}

// sweeps tells whether a sweep up to the floor finds something to give back.
func (j *journal) sweeps(floor, now uint64) bool {
	expired := func(r *run) bool { return r.Newest < floor }
	return j.frozen != nil && j.frozen.oldest < floor ||
		j.active.oldest < floor && j.active.partition != partition(now, int64(j.Span)) ||
		slices.ContainsFunc(j.dropping, expired) || slices.ContainsFunc(j.runs, expired)
}

// idle tells whether nothing is to be moved.
func (j *journal) idle() bool {
	return j.frozen == nil && j.merge == nil && len(j.dropping) == 0 && pickMerge(j.runs, j.active.partition, j.limits) == nil
}

// pickMerge returns the runs that are to be merged next: neighbours of one partition, newest first; nil if there are
// none.
func pickMerge(runs []*run, now int64, l limits) []*run {
	for start := 0; start < len(runs); {
		end := start + 1
		for end < len(runs) && runs[end].Partition == runs[start].Partition {
			end++
		}
		if picked := pickOf(runs[start:end], runs[start].Partition < now, l); picked != nil {
			return picked
		}
		start = end
	}
	return nil
}

// pickOf is pickMerge for the runs of one partition, the newest first.
func pickOf(runs []*run, closed bool, l limits) []*run {
	level := func(start int) (end int) { // of the neighbours of one level
		for end = start + 1; end < len(runs) && runs[end].Level == runs[start].Level; end++ {
		}
		return end
	}
	if closed && len(runs) > l.Closed {
		end := level(0)
		if end == 1 {
			end = level(1)
		}
		return runs[:end]
	}
	for start := 0; start < len(runs); {
		end := level(start)
		if end-start >= l.Fan {
			return runs[start:end]
		}
		start = end
	}
	return nil
}
