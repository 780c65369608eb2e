package seen

import (
	"testing"
	"time"

	"go.etcd.io/bbolt"
)

// newBenchRig returns a record with so many events in runs, and some in tables.
func newBenchRig(b *testing.B, events int) (*rig, *crowd) {
	r, c := newRig(b, b.TempDir(), DefaultLimits()), newCrowd(100)
	for n := 0; n < events; n += 500 {
		r.ix.Add(c.change+1, c.batch(r.ix, 500, 4*time.Second))
		if r.ix.Full(c.at) && r.ix.Freeze() {
			r.now = c.at
			r.settle()
		}
	}
	b.Cleanup(func() { r.db.Close() })
	b.ReportAllocs()
	b.ResetTimer()
	return r, c
}

// BenchmarkKey packs and hashes the name of an event.
func BenchmarkKey(b *testing.B) {
	c, h := newCrowd(100), newHasher(nil)
	room, id := c.event()
	b.ReportAllocs()
	for b.Loop() {
		k := h.key(room, id)
		_ = k
	}
}

// BenchmarkFindNew asks for an event that is new, with 500,000 in runs of several weeks.
func BenchmarkFindNew(b *testing.B) {
	r, c := newBenchRig(b, 500_000)
	var keys []Key
	for range 4096 {
		room, id := c.event()
		keys = append(keys, r.ix.Key(room, id))
	}
	st := r.ix.State()
	b.ReportMetric(float64(len(st.runs)), "runs")
	err := r.db.View(func(tx *bbolt.Tx) error {
		i := 0
		for b.Loop() {
			if _, ok, err := st.Find(tx, &keys[i%len(keys)]); ok || err != nil {
				b.Fatal("it is there", err)
			}
			i++
		}
		return nil
	})
	if err != nil {
		b.Fatal(err)
	}
}

// BenchmarkFindOld asks for an event that is in a run.
func BenchmarkFindOld(b *testing.B) {
	r, _ := newBenchRig(b, 500_000)
	c, keys := newCrowd(100), []Key(nil)
	for range 100_000 {
		if room, id := c.event(); len(keys) < 4096 {
			keys = append(keys, r.ix.Key(room, id))
		}
	}
	st := r.ix.State()
	err := r.db.View(func(tx *bbolt.Tx) error {
		i := 0
		for b.Loop() {
			if _, ok, err := st.Find(tx, &keys[i%len(keys)]); !ok || err != nil {
				b.Fatal("it is new", err)
			}
			i++
		}
		return nil
	})
	if err != nil {
		b.Fatal(err)
	}
}

// BenchmarkPage reads 200 events of a room, the newest first.
func BenchmarkPage(b *testing.B) {
	r, c := newBenchRig(b, 500_000)
	st := r.ix.State()
	err := r.db.View(func(tx *bbolt.Tx) error {
		for b.Loop() {
			n := 0
			for _, err := range st.Between(tx, c.rooms[7], Place{}, Place{}, true) {
				if err != nil {
					return err
				}
				if n++; n == 200 {
					break
				}
			}
			if n != 200 {
				b.Fatal("only", n)
			}
		}
		return nil
	})
	if err != nil {
		b.Fatal(err)
	}
}

// BenchmarkAdd adds a change of 500 events to a table, for each event.
func BenchmarkAdd(b *testing.B) {
	r, c := newBenchRig(b, 0)
	for n := 0; b.Loop(); n++ {
		if n%500 > 0 {
			continue
		}
		b.StopTimer()
		if r.ix.State().active.size() >= r.ix.limits.Table {
			r.ix.state.active = newTable(r.ix.limits.Table)
		}
		records := c.batch(r.ix, 500, time.Millisecond)
		b.StartTimer()
		r.ix.Add(c.change, records)
	}
}

// BenchmarkRecords encodes and decodes the 500 records of a change, for each event.
func BenchmarkRecords(b *testing.B) {
	r, c := newBenchRig(b, 0)
	records := c.batch(r.ix, 500, time.Millisecond)
	var space []byte
	b.Run("encode", func(b *testing.B) {
		b.ReportAllocs()
		for n := 0; b.Loop(); n++ {
			if n%500 == 0 {
				space = AppendRecords(space[:0], c.at, records)
			}
		}
		b.ReportMetric(float64(len(space))/500, "bytes")
	})
	b.Run("decode", func(b *testing.B) {
		b.ReportAllocs()
		for n := 0; b.Loop(); n++ {
			if n%500 == 0 {
				if _, _, err := r.ix.DecodeRecords(space, c.at); err != nil {
					b.Fatal(err)
				}
			}
		}
	})
}

// BenchmarkBuild makes a run of a full table, for each event.
func BenchmarkBuild(b *testing.B) {
	r, c := newBenchRig(b, 0)
	b.StopTimer()
	for n := 0; n < b.N; n += r.ix.limits.Table {
		for !r.ix.Full(c.at) {
			r.ix.Add(c.change+1, c.batch(r.ix, 512, time.Millisecond))
		}
		r.ix.Freeze()
		b.StartTimer()
		for r.work(true, false) {
		}
		b.StopTimer()
	}
}

// BenchmarkMerge merges eight runs into one, for each event.
func BenchmarkMerge(b *testing.B) {
	r, c := newBenchRig(b, 0)
	b.StopTimer()
	for n := 0; n < b.N; n += r.ix.limits.Fan * r.ix.limits.Table {
		for range r.ix.limits.Fan {
			for !r.ix.Full(c.at) {
				r.ix.Add(c.change+1, c.batch(r.ix, 512, time.Millisecond))
			}
			r.ix.Freeze()
			for r.work(true, false) {
			}
		}
		b.StartTimer()
		for r.work(false, false) {
		}
		b.StopTimer()
	}
}
