package seen

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"
	"unsafe"

	"go.etcd.io/bbolt"

	"moot/protocol"
	"moot/store/disk"
)

func TestDispositionNames(t *testing.T) {
	names := map[string]bool{}
	for d := Unseen; d <= Duplicate+1; d++ {
		names[d.String()] = true
	}
	if len(names) != 8 || !names["disposition 7"] {
		t.Errorf("names %v", names)
	}
}

// many records so many new events in a room.
func (r *rig) many(room protocol.RoomID, from, n int) {
	for i := range n {
		r.commit(time.Second, recorded{room, protocol.EventID(fmt.Sprint("e", from+i)), Handled, ""})
	}
}

var small = Limits{Table: 8, Chunk: 10, Block: 100, Slice: 4, Fan: 2, Span: time.Hour}

// TestGiveUpMerge: a merge whose sources have become too old is given up, before its first row and
// after any number of slices, while chunks of another run wait to be dropped. No chunk is left
// over, and none is dropped twice.
func TestGiveUpMerge(t *testing.T) {
	for slices := range 4 {
		r := newRig(t, t.TempDir(), small)
		for n := range 2 {
			r.many("c:r", 100*n, 8)
			r.freeze()
			for r.work(true, false) {
			}
		}
		r.ix.merging = newMerge(r.ix.hasher, r.ix.limits, r.ix.State().runs)
		for range slices {
			r.work(false, false)
		}
		if r.ix.merging == nil {
			t.Fatalf("after %d slices the merge has ended", slices)
		}
		r.ix.garbage = append(r.ix.garbage, 1000)
		r.commit(time.Hour)
		r.forget(r.now)
		for n := 0; r.work(false, false); n++ {
			if n > 100 {
				t.Fatal("it never ends")
			}
			r.check()
		}
		r.settle()
		if st := r.ix.State(); len(st.runs) > 0 || len(r.ix.garbage) > 0 {
			t.Errorf("%v and %v are left", shapes(st.runs), r.ix.garbage)
		}
		r.db.Close()
	}
}

// TestCrashAtEachSlice: after a crash between any two transactions of a build and of merges nothing
// is lost, and nothing is left over.
func TestCrashAtEachSlice(t *testing.T) {
	for stop := 0; ; stop++ {
		r := newRig(t, t.TempDir(), small)
		steps := 0
		work := func(build bool) {
			for r.work(build, false) {
				if steps++; steps == stop {
					r.crash()
					r.check()
				}
			}
		}
		for n := range 5 {
			r.many(protocol.RoomID(fmt.Sprint("c:", n)), 100*n, 30)
			r.commit(time.Second, recorded{"c:0", "e0", Disposition(n + 1), "again"})
			r.freeze()
			work(true)
			work(false)
		}
		r.settle()
		r.check()
		if err := r.db.Close(); err != nil {
			t.Fatal(err)
		}
		if stop > steps {
			if steps < 40 {
				t.Errorf("only %d transactions", steps)
			}
			return
		}
	}
}

// TestOldRecord: an event of long ago that is recorded again does not make the table one of long
// ago.
func TestOldRecord(t *testing.T) {
	r := newRig(t, t.TempDir(), small)
	defer r.db.Close()
	r.commit(0, recorded{"c:r", "old", Waiting, ""})
	r.commit(5*time.Hour, recorded{"c:r", "new", Handled, ""})
	for range 2 {
		r.freeze()
		r.settle()
		r.commit(time.Second, recorded{"c:r", "old", Handled, "its key came"})
		if r.ix.Full(r.now) || !r.ix.Full(r.now+uint64(time.Hour)) {
			t.Error("the table is full before its time has passed, or not after it")
		}
		r.check()
		r.crash() // the time is known from the runs
	}
}

// TestDeterminism: the same calls write the same file.
func TestDeterminism(t *testing.T) {
	var before []value
	for range 2 {
		r := newRig(t, t.TempDir(), small)
		for n := range 10 {
			r.commit(time.Minute)
			r.many(protocol.RoomID(fmt.Sprint("c:", n%3)), 100*n, 9)
			r.freeze()
			r.settle()
		}
		var all []value
		if err := r.db.View(func(tx *bbolt.Tx) error { all = values(tx); return nil }); err != nil {
			t.Fatal(err)
		}
		if a, b := fmt.Sprint(before), fmt.Sprint(all); before != nil && a != b {
			t.Errorf("%s\nand\n%s", a, b)
		}
		before = all
		r.db.Close()
	}
}

// TestReaders: readers see each change as a whole, and nothing newer, while the writer adds and the
// table grows.
func TestReaders(t *testing.T) {
	r := newRig(t, t.TempDir(), Limits{Table: 1 << 20, Chunk: 100, Block: 100, Slice: 100, Fan: 2, Span: time.Hour})
	defer r.db.Close()
	const changes, each = 300, 7
	var readers sync.WaitGroup
	done := make(chan struct{})
	for reader := range 3 {
		readers.Go(func() {
			for n := reader; ; n++ {
				select {
				case <-done:
					return
				default:
				}
				r.view(func(tx *bbolt.Tx, st *State) {
					change := uint64(n % (changes + 1))
					if st.Change() < change {
						return
					}
					as := *st
					as.change = change
					if n%50 == 0 {
						got := 0
						for rec, err := range as.Between(tx, "c:r", Place{}, Place{}, false) {
							if got++; err != nil || rec.Event == "same" && rec.Reason != fmt.Sprint("as of ", change) {
								t.Errorf("as of %d: %+v, %v", change, rec, err)
							}
						}
						if want := int(change) * each; change > 0 && got != want+1 {
							t.Errorf("as of %d there are %d events, want %d", change, got, want+1)
						}
					}
					k := r.ix.Key("c:r", "same")
					rec, ok, err := as.Find(tx, &k)
					if err != nil || ok != (change > 0) || ok && rec.Reason != fmt.Sprint("as of ", change) {
						t.Errorf("as of %d it is %+v, %v, %v", change, rec, ok, err)
					}
					for i := range each {
						k := r.ix.Key("c:r", protocol.EventID(fmt.Sprintf("%d-%d", change+1, i)))
						if rec, ok, err := as.Find(tx, &k); ok || err != nil {
							t.Errorf("as of %d there is %+v, %v", change, rec, err)
						}
					}
				})
			}
		})
	}
	first := uint64(0)
	for n := 1; n <= changes; n++ {
		at := uint64(n) * uint64(time.Minute)
		if first == 0 {
			first = at
		}
		records := []Record{{r.ix.Key("c:r", "same"), first, Handled, fmt.Sprint("as of ", n)}}
		for i := range each {
			records = append(
				records,
				Record{r.ix.Key("c:r", protocol.EventID(fmt.Sprintf("%d-%d", n, i))), at, Handled, ""},
			)
		}
		r.ix.Add(uint64(n), records)
	}
	close(done)
	readers.Wait()
}

// TestLoadNothing: a file without a record is damaged: nothing in it must seem new.
func TestLoadNothing(t *testing.T) {
	r := newRig(t, t.TempDir(), small)
	defer r.db.Close()
	err := r.db.Update(func(tx *bbolt.Tx) error {
		if err := tx.DeleteBucket(bucketName); err != nil {
			return err
		}
		if len(Check(tx, r.config)) == 0 {
			t.Error("the check says nothing")
		}
		_, err := Load(tx, r.config)
		return err
	})
	if !errors.Is(err, disk.ErrDamaged) {
		t.Errorf("it is loaded: %v", err)
	}
}

// TestTableMemory: a table takes at most a hundred bytes an event.
func TestTableMemory(t *testing.T) {
	ix := &Index{hasher: newHasher(nil), limits: DefaultLimits()}
	ix.state.active = newTable(0)
	c := newCrowd(100)
	for range ix.limits.Table / 512 {
		records := c.batch(ix, 512, time.Millisecond)
		ix.Add(c.change, records)
	}
	for _, size := range []int{0, ix.limits.Table} { // grown, and made for as many
		s := ix.state.active.shape.Load()
		bytes := len(s.parts)*partSize*int(unsafe.Sizeof(version{})) + 8*len(s.slots)
		if size > 0 {
			bytes = len(s.parts)*partSize*int(unsafe.Sizeof(version{})) + 8*len(newTable(size).shape.Load().slots)
		}
		if got := float64(bytes) / float64(s.used); got > 105 {
			t.Errorf("%.1f bytes an event", got)
		}
	}
}
