package store

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"moot/protocol"
)

// oldFile makes a file as schema 1 had it: what was seen lies in two buckets.
func oldFile(t *testing.T, path string) map[address]Seen {
	t.Helper()
	s, err := Open(Config{Path: path, migrations: migrations[:1]})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	known := map[address]Seen{}
	random := rand.New(rand.NewPCG(1, 1))
	changeFile(t, path, func(tx *bbolt.Tx) error {
		bySeen, err1 := tx.CreateBucket([]byte(oldSeenBucket))
		byTime, err2 := tx.CreateBucket([]byte(oldTimesBucket))
		if err := errors.Join(err1, err2); err != nil {
			return err
		}
		last := start
		for i := range 60 {
			last = start.Add(time.Duration(i) * time.Minute)
			rows := map[protocol.RoomID][]string{}
			for range random.IntN(5) {
				a := address{protocol.RoomID(fmt.Sprintf("c:r%d", random.IntN(4))), protocol.EventID(fmt.Sprintf("%08x", random.Uint32()))}
				known[a] = Seen{last, Disposition(1 + random.IntN(5)), strings.Repeat("r", random.IntN(3))}
				r := recorded{at: nanoseconds(last), disposition: known[a].Disposition, reason: known[a].Reason}
				if err := bySeen.Put(a.appendKey(nil), r.appendSeen(nil)); err != nil {
					return err
				}
				rows[a.room] = append(rows[a.room], string(a.event))
			}
			for room, ids := range rows {
				if err := byTime.Put([]byte(Key(room, Time(last))), []byte(strings.Join(ids, Sep))); err != nil {
					return err
				}
			}
		}
		return tx.Bucket([]byte(meta.name)).Put([]byte(metaLast), []byte(Time(last)))
	})
	return known
}

// changeFile changes a file behind the back of the store.
func changeFile(t *testing.T, path string, f func(*bbolt.Tx) error) {
	t.Helper()
	db, err := bbolt.Open(path, 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(db.Update(f), db.Close()); err != nil {
		t.Fatal(err)
	}
}

// TestMigrateSeen: a file from before the journal keeps its seen events, also where the migration ends in the middle.
func TestMigrateSeen(t *testing.T) {
	boom := errors.New("boom")
	for name, crash := range map[string]func(t *testing.T, path string){
		"at once": func(*testing.T, string) {},
		"prepared and not adopted": func(t *testing.T, path string) {
			m := []migration{migrations[0], {prepare: prepareRuns, change: func(tx *bbolt.Tx) error { return errors.Join(adoptRuns(tx), boom) }}}
			for range 2 {
				if _, err := Open(Config{Path: path, migrations: m, limits: tinyLimits}); !errors.Is(err, boom) {
					t.Fatalf("got %v", err)
				}
			}
		},
		"half of it copied": func(t *testing.T, path string) {
			last := []byte(After("c:r3" + Sep))
			changeFile(t, path, func(tx *bbolt.Tx) error { return tx.Bucket([]byte(oldTimesBucket)).Put(last, []byte("x")) })
			if _, err := Open(Config{Path: path, limits: tinyLimits}); !errors.Is(err, ErrDamaged) {
				t.Fatalf("got %v", err)
			}
			changeFile(t, path, func(tx *bbolt.Tx) error {
				if n := tx.Bucket([]byte(runTimesBucket)).Stats().KeyN; n < 20 {
					t.Fatalf("only %d rows were copied", n)
				}
				return tx.Bucket([]byte(oldTimesBucket)).Delete(last)
			})
		},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "moot.db")
			known := oldFile(t, path)
			crash(t, path)
			b := openBoxWith(t, Config{Path: path, limits: tinyLimits})
			defer func() { b.Close() }()
			compare := func() {
				t.Helper()
				b.view(func(tx *Tx) {
					for a, want := range known {
						if got := tx.Seen(a.room, a.event); got != want {
							t.Fatalf("%v is %+v, and was %+v", a, got, want)
						}
					}
					if tx.Has(SharedBucket(oldSeenBucket), "x") || tx.reader.(*file).bucket(oldSeenBucket) != nil {
						t.Error("the old bucket is left")
					}
				})
			}
			compare()
			if st, err := b.Stats(); err != nil || st.Events != len(known) || st.Runs != 12 || st.Journal != 0 {
				t.Errorf("%d events over 12 partitions became %+v (%v)", len(known), st, err)
			}
			b.reopen()
			compare()
			b.now = start.Add(2 * time.Hour)
			for i := range 30 { // what comes then goes on
				b.commit(func(c *Commit) {
					a := address{"c:r1", protocol.EventID(fmt.Sprint("new", i))}
					c.Record(a.room, a.event, Handled, "")
					known[a] = Seen{c.Now(), Handled, ""}
				})
			}
			compare()
			b.sweep()
		})
	}
}

// TestMigrateNothing: a file in which nothing was seen has nothing to bring along.
func TestMigrateNothing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "moot.db")
	s, err := Open(Config{Path: path, migrations: migrations[:1]})
	if err != nil {
		t.Fatal(err)
	}
	s.Close()
	b := openBox(t, path)
	b.commit(func(c *Commit) { c.Record("c:r", "e", Handled, "") })
	b.reopen()
	b.Close()
}
