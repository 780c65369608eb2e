package seen

import (
	"cmp"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"go.etcd.io/bbolt"
	"pgregory.net/rapid"

	"moot/protocol"
)

// tb is what testing.T and rapid.T have in common.
type tb interface {
	Helper()
	Fatalf(string, ...any)
}

var errCrash = errors.New("the transaction is not committed")

// rig is an index with its file, and what plain maps say of it.
type rig struct {
	t      tb
	dir    string
	db     *bbolt.DB
	config Config
	ix     *Index

	change  uint64
	now     uint64
	horizon uint64
	// known is what is recorded, forgotten or not; frozen is what is in the file once a build has
	// ended.
	known   map[protocol.Ref]Record
	log     []logged // changes that are in no committed run
	frozen  uint64   // the change at which the table was frozen
	durable uint64   // the last change of which the runs have everything
	works   int      // transactions so far
}

type logged struct {
	change  uint64
	records []byte
	at      uint64
}

func newRig(t tb, dir string, l Limits) *rig {
	r := &rig{
		t: t, dir: dir, config: Config{Secret: []byte("secret"), Limits: l}, known: map[protocol.Ref]Record{},
		now: uint64(10 * time.Hour),
	}
	r.open(func(tx *bbolt.Tx) error { return Create(tx) })
	return r
}

// open opens the file and loads what it has.
func (r *rig) open(first func(*bbolt.Tx) error) {
	r.t.Helper()
	var err error
	if r.db, err = bbolt.Open(
		filepath.Join(r.dir, "seen.db"), 0o600,
		&bbolt.Options{NoSync: true, NoFreelistSync: true, InitialMmapSize: 16 << 20},
	); err != nil {
		r.t.Fatalf("open: %v", err)
	}
	if err := r.db.Update(first); err != nil {
		r.t.Fatalf("first: %v", err)
	}
	r.config.Horizon = r.horizon
	if err := r.db.View(func(tx *bbolt.Tx) (err error) { r.ix, err = Load(tx, r.config); return err }); err != nil {
		r.t.Fatalf("load: %v", err)
	}
}

// crash loses what is in memory, and replays the log.
func (r *rig) crash() {
	r.t.Helper()
	if err := r.db.Close(); err != nil {
		r.t.Fatalf("close: %v", err)
	}
	r.open(func(*bbolt.Tx) error { return nil })
	r.frozen = 0
	for _, l := range r.log {
		records, rest, err := r.ix.DecodeRecords(l.records, l.at)
		if err != nil || len(rest) > 0 {
			r.t.Fatalf("change %d: %v, %d bytes left", l.change, err, len(rest))
		}
		r.ix.Add(l.change, records)
	}
	r.ix.Add(r.change, nil)
}

// commit records events, as the store does.
func (r *rig) commit(step time.Duration, events ...recorded) {
	r.t.Helper()
	r.now += uint64(step)
	r.change++
	var batch Batch
	r.view(func(tx *bbolt.Tx, st *State) {
		for _, e := range events {
			k := r.ix.Key(e.room, e.event)
			rec, ok := batch.Find(&k)
			if !ok {
				var err error
				if rec, ok, err = st.Find(tx, &k); err != nil {
					r.t.Fatalf("find %v: %v", e, err)
				}
			}
			if !ok {
				rec = Record{Key: k, At: r.now}
			}
			rec.Disposition, rec.Reason = e.disposition, e.reason
			batch.Put(rec)
			r.known[protocol.Ref{Room: e.room, Event: e.event}] = rec
		}
	})
	if len(batch.Records()) > 0 {
		r.log = append(r.log, logged{r.change, AppendRecords(nil, r.now, batch.Records()), r.now})
	}
	r.ix.Add(r.change, batch.Records())
}

type recorded struct {
	room        protocol.RoomID
	event       protocol.EventID
	disposition Disposition
	reason      string
}

func (r *rig) view(f func(*bbolt.Tx, *State)) {
	r.t.Helper()
	if err := r.db.View(func(tx *bbolt.Tx) error {
		st := r.ix.State()
		if uint64(tx.ID()) < st.Needs() {
			r.t.Fatalf("the state needs transaction %d, the newest is %d", st.Needs(), tx.ID())
		}
		f(tx, &st)
		return nil
	}); err != nil {
		r.t.Fatalf("view: %v", err)
	}
}

func (r *rig) freeze() {
	if r.ix.Freeze() {
		r.frozen = r.change
	}
}

func (r *rig) forget(before uint64) {
	r.horizon = max(r.horizon, min(before, r.now))
	r.ix.Horizon(r.horizon)
}

// work runs one transaction, which is committed unless fail says otherwise. It reports whether
// anything was done.
func (r *rig) work(build, fail bool) (did bool) {
	r.t.Helper()
	built := false
	r.works++
	gently := r.works%2 == 0
	err := r.db.Update(func(tx *bbolt.Tx) (err error) {
		if build {
			frozen := r.ix.State().frozen != nil
			built, err = r.ix.Build(tx, gently)
			built, did = built && frozen, frozen
		} else {
			did, err = r.ix.Tend(tx, r.now, gently)
		}
		if err == nil && fail {
			return errCrash
		}
		return err
	})
	switch {
	case err == nil:
		r.ix.Committed()
		if built {
			r.durable = r.frozen
			r.log = slices.DeleteFunc(r.log, func(l logged) bool { return l.change <= r.durable })
		}
	case errors.Is(err, errCrash):
		r.ix.Aborted()
	default:
		r.t.Fatalf("work: %v", err)
	}
	return did
}

// settle does all that is to be done.
func (r *rig) settle() {
	r.t.Helper()
	for n := 0; r.work(true, false) || r.work(false, false); n++ {
		if n > 10_000 {
			r.t.Fatalf("it never ends")
		}
	}
	if !r.ix.Idle(r.now) {
		r.t.Fatalf("nothing is done, and it is not idle")
	}
}

// check compares both directions with the maps, and looks at the file.
func (r *rig) check() {
	r.t.Helper()
	r.view(func(tx *bbolt.Tx, st *State) {
		check(r.t, r.ix, tx, st, r.known, r.horizon)
		for _, err := range Check(tx, r.config) {
			r.t.Fatalf("check: %v", err)
		}
		// Each chunk in the file belongs to a run, is being written, or is to be dropped.
		owned := map[uint64]bool{}
		own := func(list []uint64) {
			for _, id := range list {
				if owned[id] {
					r.t.Fatalf("chunk %d belongs to two", id)
				}
				owned[id] = true
			}
		}
		for _, run := range st.runs {
			own(ids(run.Chunks))
		}
		own(r.ix.garbage)
		for _, b := range r.ix.builders() {
			own(ids(b.run.Chunks))
		}
		eachChunk(tx, func(id uint64) {
			if !owned[id] {
				r.t.Fatalf("chunk %d belongs to nobody", id)
			}
			delete(owned, id)
		})
		if len(owned) > 0 {
			r.t.Fatalf("the file lacks chunks %v", owned)
		}
		// What is loaded is what memory has.
		fresh, err := Load(tx, r.config)
		if err != nil {
			r.t.Fatalf("load: %v", err)
		}
		if a, b := fmt.Sprint(shapes(fresh.state.runs)), fmt.Sprint(shapes(st.runs)); a != b {
			r.t.Fatalf("the file has runs %s, memory %s", a, b)
		}
		for i, run := range fresh.state.runs {
			for j, c := range run.Chunks {
				if !slices.Equal(c.filter, st.runs[i].Chunks[j].filter) {
					r.t.Fatalf("the filter of chunk %d is another one when it is loaded", c.ID)
				}
			}
		}
	})
}

func shapes(runs []*run) (list []string) {
	for _, r := range runs {
		list = append(
			list,
			fmt.Sprintf("%d %d %d-%d %d %v", r.Level, r.Partition, r.Oldest, r.Newest, r.events(), ids(r.Chunks)),
		)
	}
	return list
}

// check compares both directions of a state with a map.
func check(t tb, ix *Index, tx *bbolt.Tx, st *State, known map[protocol.Ref]Record, horizon uint64) {
	t.Helper()
	rooms := map[protocol.RoomID][]Record{}
	for ref, want := range known {
		k := ix.Key(ref.Room, ref.Event)
		got, ok, err := st.Find(tx, &k)
		if err != nil || ok != (want.At >= horizon) || ok && got != want {
			t.Fatalf("%v is %+v, %v, %v; want %+v with the horizon at %d", ref, got, ok, err, want, horizon)
		}
		if _, any := rooms[ref.Room]; !any {
			rooms[ref.Room] = nil
		}
		if ok {
			rooms[ref.Room] = append(rooms[ref.Room], want)
		}
	}
	for room, want := range rooms {
		slices.SortFunc(want, byPlace)
		for _, backward := range []bool{false, true} {
			var got []Record
			for r, err := range st.Between(tx, room, Place{}, Place{}, backward) {
				if err != nil {
					t.Fatalf("between: %v", err)
				}
				got = append(got, r)
			}
			if backward {
				slices.Reverse(got)
			}
			if !slices.Equal(got, want) {
				t.Fatalf("%s has (backward %v)\n%v\nwant\n%v", room, backward, got, want)
			}
		}
	}
	if k := ix.Key("c:none", "e"); true {
		if r, ok, err := st.Find(tx, &k); ok || err != nil {
			t.Fatalf("an event that never was is %v, %v", r, err)
		}
	}
}

func byPlace(a, b Record) int {
	if c := cmp.Compare(a.At, b.At); c != 0 {
		return c
	}
	x, xs := a.name()
	y, ys := b.name()
	return compareIDs(x, xs, y, ys)
}

// held is a view that is kept open while everything goes on.
type held struct {
	tx      *bbolt.Tx
	st      State
	known   map[protocol.Ref]Record
	horizon uint64
}

func genEvent() *rapid.Generator[recorded] {
	return rapid.Custom(func(t *rapid.T) recorded {
		n := rapid.IntRange(0, 60).Draw(t, "event")
		return recorded{
			room: protocol.RoomID(
				rapid.SampledFrom([]string{"c:r", "c:r!", "c:ra", "c:rab", "c:\u00e9", "d:1"}).Draw(t, "room"),
			),
			event:       eventID(n),
			disposition: Disposition(rapid.IntRange(1, 6).Draw(t, "disposition")),
			reason: rapid.SampledFrom(
				[]string{"", "", "from the bot itself", strings.Repeat("x", 150)},
			).Draw(t, "reason"),
		}
	})
}

// eventID returns identifiers of all kinds.
func eventID(n int) protocol.EventID {
	switch n % 5 {
	case 0:
		return unpack(idHash, slices.Repeat([]byte{byte(n * 37)}, idSize))
	case 1:
		return protocol.EventID(fmt.Sprint(1_000_000_000_000 + n))
	case 2:
		return protocol.EventID(fmt.Sprintf("%d-%d", n%3, n))
	case 3:
		return protocol.EventID("e" + strings.Repeat("long", n) + fmt.Sprint(n))
	}
	return protocol.EventID(fmt.Sprintf("0%d", n))
}

// TestModel plays whatever may happen against plain maps: commits, freezes, slices of builds and
// merges, transactions that fail, crashes, and the horizon; and views that stay open meanwhile.
func TestModel(t *testing.T) {
	dirs := 0
	root := t.TempDir()
	rapid.Check(t, func(t *rapid.T) {
		dirs++
		dir := filepath.Join(root, fmt.Sprint(dirs))
		r := newRig(t, mkdir(t, dir), Limits{
			Table: 8, Chunk: rapid.IntRange(1, 12).Draw(t, "chunk"), Block: rapid.IntRange(40, 200).Draw(t, "block"),
			Slice: rapid.IntRange(1, 20).Draw(t, "slice"), Fan: rapid.IntRange(2, 3).Draw(t, "fan"), Span: time.Hour,
		})
		var views []*held
		end := func(v *held) {
			check(t, r.ix, v.tx, &v.st, v.known, v.horizon)
			if err := v.tx.Rollback(); err != nil {
				t.Fatalf("end of a view: %v", err)
			}
		}
		endAll := func() {
			for _, v := range views {
				end(v)
			}
			views = nil
		}
		defer func() {
			endAll()
			r.db.Close()
		}()
		t.Repeat(map[string]func(*rapid.T){
			"commit": func(t *rapid.T) {
				step := time.Duration(
					rapid.SampledFrom(
						[]int{1, 1, 1, int(time.Minute), int(20 * time.Minute), int(2 * time.Hour)},
					).Draw(t, "step"),
				)
				r.commit(step, rapid.SliceOfN(genEvent(), 0, 12).Draw(t, "events")...)
				if r.ix.Full(r.now) {
					r.freeze()
				}
			},
			"freeze": func(*rapid.T) { r.freeze() },
			"build":  func(t *rapid.T) { r.work(true, rapid.IntRange(0, 5).Draw(t, "fail") == 0) },
			"tend":   func(t *rapid.T) { r.work(false, rapid.IntRange(0, 5).Draw(t, "fail") == 0) },
			"settle": func(*rapid.T) { r.settle() },
			"forget": func(t *rapid.T) {
				r.forget(
					r.now - min(
						r.now,
						uint64(
							rapid.SampledFrom([]time.Duration{0, time.Minute, time.Hour, 3 * time.Hour}).Draw(t, "age"),
						),
					),
				)
			},
			"crash": func(*rapid.T) { endAll(); r.crash() },
			"hold": func(*rapid.T) {
				tx, err := r.db.Begin(false)
				if err != nil {
					t.Fatalf("view: %v", err)
				}
				known := map[protocol.Ref]Record{}
				for k, v := range r.known {
					known[k] = v
				}
				views = append(views, &held{tx, r.ix.State(), known, r.horizon})
			},
			"let go": func(t *rapid.T) {
				if len(views) == 0 {
					t.Skip("no view")
				}
				i := rapid.IntRange(0, len(views)-1).Draw(t, "view")
				end(views[i])
				views = slices.Delete(views, i, i+1)
			},
			"page": func(t *rapid.T) { r.page(t) },
			"":     func(*rapid.T) { r.check() },
		})
	})
}

// page goes through a part of a room in pages and compares it with the map.
func (r *rig) page(t *rapid.T) {
	room := genEvent().Draw(t, "room").room
	place := func(name string) Place {
		p := Place{At: r.now - min(r.now, uint64(rapid.IntRange(0, int(time.Hour)).Draw(t, name)))}
		if rapid.Bool().Draw(t, name+" at an event") {
			p.Event = genEvent().Draw(t, name+" event").event
			if known, ok := r.known[protocol.Ref{Room: room, Event: p.Event}]; ok {
				p.At = known.At
			}
		}
		return p
	}
	from, to, size := place("from"), place("to"), rapid.IntRange(1, 5).Draw(t, "size")
	backward := rapid.Bool().Draw(t, "backward")
	var want, got []Record
	lower, upper := from.bound(), to.bound()
	for _, rec := range r.known {
		kind, id := rec.name()
		row := row{[]byte(rec.Room), rec.At, kind, id, rec.Disposition, nil}
		if rec.Room == room && rec.At >= r.horizon && lower.reached(&row) && !upper.reached(&row) {
			want = append(want, rec)
		}
	}
	slices.SortFunc(want, byPlace)
	if backward {
		slices.Reverse(want)
	}
	for more := true; more; {
		more = false
		r.view(func(tx *bbolt.Tx, st *State) {
			n := 0
			for rec, err := range st.Between(tx, room, from, to, backward) {
				if err != nil {
					t.Fatalf("between: %v", err)
				}
				if n == size {
					more = true
					break
				}
				got = append(got, rec)
				n++
			}
		})
		if last := len(got) - 1; more && backward {
			to = Place{got[last].At, got[last].Event}
		} else if more {
			from = Place{got[last].At, got[last].Event}
			got = got[:last] // it comes again
			size = max(size, 2)
		}
	}
	if !slices.Equal(got, want) {
		t.Fatalf("%s from %v to %v backward %v:\n%v\nwant\n%v", room, from, to, backward, got, want)
	}
}
