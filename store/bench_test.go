package store

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"moot/protocol"
)

// ids makes event ids: random ones as Matrix has them, or increasing ones as Discord has them.
type ids struct {
	random *rand.Rand
	last   uint64
	name   string
}

func newIDs(name string, seed uint64) *ids {
	return &ids{rand.New(rand.NewPCG(seed, seed)), 1_100_000_000_000_000_000 + seed<<52, name}
}

func (i *ids) next() (protocol.RoomID, protocol.EventID) {
	room := protocol.RoomID(fmt.Sprintf("matrix:!room%04d:example.org", i.random.IntN(100)))
	if i.name == "increasing" {
		i.last += 1 + i.random.Uint64N(1<<22)
		return room, protocol.EventID(strconv.FormatUint(i.last, 10))
	}
	var b [32]byte
	for j := range 4 {
		order.PutUint64(b[8*j:], i.random.Uint64())
	}
	return room, protocol.EventID("$" + base64.RawURLEncoding.EncodeToString(b[:]))
}

// preload writes a file in which n events are recorded, 500 in a commit. It writes the keys in order and without sync.
func preload(b *testing.B, path, name string, n int) {
	b.Helper()
	s, err := Open(Config{Path: path})
	if err != nil {
		b.Fatal(err)
	}
	if err := s.Close(); err != nil {
		b.Fatal(err)
	}
	type pair struct{ key, value []byte }
	var events, times []pair
	gen := newIDs(name, 1)
	for at := start; len(events) < n; at = at.Add(time.Second) {
		commit := map[protocol.RoomID][]byte{}
		for range min(500, n-len(events)) {
			room, event := gen.next()
			events = append(events, pair{[]byte(Key(room, string(event))), append([]byte(Time(at)), byte(Handled))})
			if commit[room] != nil {
				commit[room] = append(commit[room], Sep...)
			}
			commit[room] = append(commit[room], event...)
		}
		for room, list := range commit {
			times = append(times, pair{[]byte(Key(room, Time(at))), list})
		}
	}
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{NoSync: true, NoFreelistSync: true, FreelistType: bbolt.FreelistMapType})
	if err != nil {
		b.Fatal(err)
	}
	for bucket, pairs := range map[string][]pair{oldSeenBucket: events, oldTimesBucket: times} {
		slices.SortFunc(pairs, func(x, y pair) int { return bytes.Compare(x.key, y.key) })
		for chunk := range slices.Chunk(pairs, 100_000) {
			err := db.Update(func(tx *bbolt.Tx) error {
				to, err := tx.CreateBucketIfNotExists([]byte(bucket))
				for _, p := range chunk {
					if err == nil {
						err = to.Put(p.key, p.value)
					}
				}
				return err
			})
			if err != nil {
				b.Fatal(err)
			}
		}
	}
	err = db.Update(func(tx *bbolt.Tx) error {
		return tx.Bucket([]byte(meta.name)).Put([]byte(metaSchema), []byte(Number(1)))
	})
	if err := errors.Join(err, db.Sync(), db.Close()); err != nil {
		b.Fatal(err)
	}
	// It is of the schema before the journal; opening it makes runs of it.
	if s, err = Open(Config{Path: path}); err != nil {
		b.Fatal(err)
	}
	if err := s.Close(); err != nil {
		b.Fatal(err)
	}
}

func copyFile(b *testing.B, from, to string) {
	b.Helper()
	in, err := os.Open(from)
	if err != nil {
		b.Fatal(err)
	}
	defer in.Close()
	out, err := os.Create(to)
	if err != nil {
		b.Fatal(err)
	}
	if _, err = io.Copy(out, in); err == nil {
		err = out.Sync()
	}
	if err != nil {
		b.Fatal(err)
	}
	out.Close()
}

// BenchmarkSeenAndRecord measures how many new events can be checked and durably recorded in a second. A million stored
// events take MOOT_LONG=1.
func BenchmarkSeenAndRecord(b *testing.B) {
	stored := []int{10_000}
	if long {
		stored = append(stored, 1_000_000)
	}
	for _, n := range stored {
		for _, name := range []string{"random", "increasing"} {
			cached := filepath.Join(b.TempDir(), fmt.Sprint(name, n, ".db"))
			for _, batch := range []int{1, 50, 500, 5000} {
				b.Run(fmt.Sprintf("stored=%d/ids=%s/batch=%d", n, name, batch), func(b *testing.B) {
					if _, err := os.Stat(cached); err != nil {
						preload(b, cached, name, n)
					}
					path := filepath.Join(b.TempDir(), "moot.db")
					copyFile(b, cached, path)
					s, err := Open(Config{Path: path})
					if err != nil {
						b.Fatal(err)
					}
					defer s.Close()
					gen := newIDs(name, 2)
					events := 0
					for b.Loop() {
						err := s.Commit(time.Now(), func(c *Commit) error {
							for range batch {
								room, event := gen.next()
								if c.Seen(room, event).Disposition != Unseen {
									return fmt.Errorf("%s was seen", event)
								}
								c.Record(room, event, Handled, "")
							}
							return nil
						})
						if err != nil {
							b.Fatal(err)
						}
						events += batch
					}
					b.ReportMetric(float64(events)/b.Elapsed().Seconds(), "events/s")
				})
			}
		}
	}
}

// BenchmarkOpen measures what it takes to verify a file and to open it.
func BenchmarkOpen(b *testing.B) {
	n := 10_000
	if long {
		n = 1_000_000
	}
	path := filepath.Join(b.TempDir(), "moot.db")
	preload(b, path, "random", n)
	b.Run(fmt.Sprintf("stored=%d/verify", n), func(b *testing.B) {
		for b.Loop() {
			if err := verify(path); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run(fmt.Sprintf("stored=%d/open", n), func(b *testing.B) {
		for b.Loop() {
			s, err := Open(Config{Path: path})
			if err != nil {
				b.Fatal(err)
			}
			s.Close()
		}
	})
}
