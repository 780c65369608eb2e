package seen

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"moot/internal/effort"
	"moot/protocol"
)

// crowd makes events as a Matrix server does.
type crowd struct {
	random *rand.Rand
	rooms  []protocol.RoomID
	at     uint64
	change uint64
}

func newCrowd(rooms int) *crowd {
	c := &crowd{random: rand.New(rand.NewPCG(1, 2)), at: uint64(time.Date(2026, 9, 1, 0, 0, 0, 0, time.UTC).UnixNano())}
	for i := range rooms {
		c.rooms = append(c.rooms, protocol.RoomID(fmt.Sprintf("matrix:!room%04d:example.org", i)))
	}
	return c
}

func (c *crowd) event() (protocol.RoomID, protocol.EventID) {
	var id [idSize]byte
	for i := range 4 {
		binary.LittleEndian.PutUint64(id[8*i:], c.random.Uint64())
	}
	return c.rooms[c.random.IntN(len(c.rooms))], unpack(idHash, id[:])
}

// batch returns the records of a change.
func (c *crowd) batch(ix *Index, n int, step time.Duration) (records []Record) {
	c.change++
	c.at += uint64(step) * uint64(n)
	for range n {
		room, id := c.event()
		records = append(records, Record{Key: ix.Key(room, id), At: c.at, Disposition: Handled})
	}
	return records
}

// TestSize: both directions take at most 75 bytes an event of the file, filters two bytes of
// memory, and are wrong at most once in two hundred times.
func TestSize(t *testing.T) {
	effort.Slow(t)
	const events = 300_000
	for _, rooms := range []int{1, 100, 10_000} {
		t.Run(fmt.Sprint(rooms), func(t *testing.T) {
			db, err := bbolt.Open(
				filepath.Join(t.TempDir(), "seen.db"), 0o600,
				&bbolt.Options{NoSync: true, NoFreelistSync: true},
			)
			if err != nil {
				t.Fatal(err)
			}
			defer db.Close()
			var ix *Index
			if err := db.Update(func(tx *bbolt.Tx) (err error) {
				if err = Create(tx); err == nil {
					ix, err = Load(tx, Config{Secret: []byte("secret")})
				}
				return err
			}); err != nil {
				t.Fatal(err)
			}
			c := newCrowd(rooms)
			work := func() {
				for did := true; did; {
					if err := db.Update(func(tx *bbolt.Tx) error {
						built, err := ix.Build(tx, false)
						if err == nil && built {
							did, err = ix.Tend(tx, c.at, false)
						}
						return err
					}); err != nil {
						t.Fatal(err)
					}
					ix.Committed()
				}
			}
			for range events / 500 {
				records := c.batch(ix, 500, time.Second)
				ix.Add(c.change, records)
				if ix.Full(c.at) && ix.Freeze() {
					work()
				}
			}
			ix.Freeze()
			work()
			st := ix.State()
			stats := st.Stats()
			var live int64
			if err := db.View(func(tx *bbolt.Tx) error {
				free := db.Stats()
				live = tx.Size() - int64(free.FreePageN+free.PendingPageN)*int64(db.Info().PageSize)
				return nil
			}); err != nil {
				t.Fatal(err)
			}
			asked, wrong := 0, 0
			for range 100_000 {
				room, id := c.event()
				k := ix.Key(room, id)
				for _, r := range st.runs {
					for _, chunk := range r.of(string(room)) {
						if asked++; chunk.filter.has(fingerprint(k.hash)) {
							wrong++
						}
					}
				}
			}
			bytes, memory, faults := float64(live)/events, float64(stats.Filters)/events, float64(wrong)/float64(asked)
			t.Logf("%.1f bytes an event, %.2f of memory, %.3f %% false, %+v", bytes, memory, 100*faults, stats)
			if bytes > 75 || memory > 2.1 || faults > 0.005 || stats.Events != events || stats.Table != 0 {
				t.Errorf("%.1f bytes an event, %.2f of memory, %.3f %% false, %+v", bytes, memory, 100*faults, stats)
			}
		})
	}
}
