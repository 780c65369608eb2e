package store

import (
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"time"

	"moot/protocol"
	"moot/store/wal"
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

// rooms are the rooms of the events.
var rooms = func() (names [100]protocol.RoomID) {
	for i := range names {
		names[i] = protocol.RoomID(fmt.Sprintf("matrix:!room%04d:example.org", i))
	}
	return names
}()

func (i *ids) room() protocol.RoomID { return rooms[i.random.IntN(len(rooms))] }

func (i *ids) event() protocol.EventID {
	if i.name == "increasing" {
		i.last += 1 + i.random.Uint64N(1<<22)
		return protocol.EventID(strconv.FormatUint(i.last, 10))
	}
	var b [32]byte
	for j := range 4 {
		binary.BigEndian.PutUint64(b[8*j:], i.random.Uint64())
	}
	return protocol.EventID("$" + base64.RawURLEncoding.EncodeToString(b[:]))
}

// preload writes a store in which n events are recorded, 5,000 in a commit.
func preload(b *testing.B, path, name string, n int) {
	b.Helper()
	s, err := Open(Config{Path: path})
	if err != nil {
		b.Fatal(err)
	}
	gen, at := newIDs(name, 1), start
	for left := n; left > 0; left -= 5000 {
		at = at.Add(time.Second)
		err = errors.Join(err, s.Commit(at, func(c *Commit) error {
			for range min(left, 5000) {
				c.Record(gen.room(), gen.event(), Handled, "")
			}
			return nil
		}))
	}
	if err := errors.Join(err, s.Checkpoint(b.Context()), s.Close()); err != nil {
		b.Fatal(err)
	}
}

// copyStore copies a closed store.
func copyStore(b *testing.B, from, to string) {
	b.Helper()
	err := errors.Join(os.Mkdir(logOf(to), 0o700), copyTo(from, to))
	entries, rerr := os.ReadDir(logOf(from))
	for _, e := range entries {
		err = errors.Join(err, copyTo(filepath.Join(logOf(from), e.Name()), filepath.Join(logOf(to), e.Name())))
	}
	if err := errors.Join(err, rerr); err != nil {
		b.Fatal(err)
	}
}

// BenchmarkSeenAndRecord measures how many new events can be checked and durably recorded in a
// second. A million stored events take MOOT_LONG=1.
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
					copyStore(b, cached, path)
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
								room, event := gen.room(), gen.event()
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

// BenchmarkOpen measures what it takes to open a store, of which all pages are read.
func BenchmarkOpen(b *testing.B) {
	n := 10_000
	if long {
		n = 1_000_000
	}
	path := filepath.Join(b.TempDir(), "moot.db")
	preload(b, path, "random", n)
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

// BenchmarkLimit measures what the disk and the processor allow for the same work: appending what a
// commit of the batch takes, with one sync, and the same with a map asked and the records encoded
// before it.
func BenchmarkLimit(b *testing.B) {
	for _, batch := range []int{1, 50, 500, 5000} {
		for _, what := range []string{"append", "map, encode, append"} {
			b.Run(fmt.Sprintf("%s/batch=%d", what, batch), func(b *testing.B) {
				cfg := wal.Config{Folder: filepath.Join(b.TempDir(), "moot.wal")}
				from := wal.From{Segment: 1}
				if err := wal.Create(cfg, from); err != nil {
					b.Fatal(err)
				}
				log, err := wal.Open(cfg, from, nil)
				if err != nil {
					b.Fatal(err)
				}
				defer log.Close()
				gen, known, events := newIDs("random", 2), map[string]uint64{}, 0
				record := make([]byte, wal.Head, 1<<20)
				for b.Loop() {
					record = record[:wal.Head]
					for range batch {
						room, event := gen.room(), gen.event()
						if what != "append" {
							key := string(room) + Sep + string(event)
							if _, seen := known[key]; seen {
								b.Fatal("it was seen")
							}
							known[key] = uint64(events)
						}
						record = append(
							append(record, byte(len(room)), byte(Handled), byte(len(event))), event[1:33]...,
						)
					}
					if err := log.Reserve(); err != nil {
						b.Fatal(err)
					}
					if _, err := log.Append(record); err != nil {
						b.Fatal(err)
					}
					if events += batch; events%100_000 < batch {
						if _, err := log.Trim(log.Place(log.Last())); err != nil {
							b.Fatal(err)
						}
					}
				}
				b.ReportMetric(float64(events)/b.Elapsed().Seconds(), "events/s")
			})
		}
	}
}

// BenchmarkView measures a view while commits run.
func BenchmarkView(b *testing.B) {
	s, err := Open(Config{Path: filepath.Join(b.TempDir(), "moot.db")})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	stop, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		gen := newIDs("random", 3)
		for {
			select {
			case <-stop:
				return
			default:
			}
			_ = s.Commit(time.Now(), func(c *Commit) error {
				for range 100 {
					c.Record(gen.room(), gen.event(), Handled, "")
				}
				return nil
			})
		}
	}()
	var took []time.Duration
	for b.Loop() {
		began := time.Now()
		if err := s.View(func(tx *Tx) error { tx.Get(meta, metaLast); return nil }); err != nil {
			b.Fatal(err)
		}
		took = append(took, time.Since(began))
	}
	close(stop)
	<-done
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Nanoseconds()), "p50-ns")
	b.ReportMetric(float64(took[len(took)*99/100].Nanoseconds()), "p99-ns")
}
