package store

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/bits-and-blooms/bloom/v3"
	"go.etcd.io/bbolt"
	"pgregory.net/rapid"

	"moot/protocol"
)

// TestChunkRows: any rows that a builder was given in any number of commits come back as they were, and each is found from
// any key, whatever the size of a block.
func TestChunkRows(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		db := tempBolt(t)
		keys := rapid.SliceOfDistinct(rapid.StringMatching(`[ab]{0,6}!x`), rapid.ID[string]).Draw(t, "keys")
		slices.Sort(keys)
		l := limits{Chunk: 100, Block: rapid.IntRange(0, 120).Draw(t, "block")}
		commits := rapid.IntRange(1, 4).Draw(t, "commits")
		value := func(key string) []byte { return []byte("12345678\x01" + strings.Repeat(key, 3)) }
		var b *builder
		for part := range slices.Chunk(keys, len(keys)/commits+1) {
			update(t, db, func(tx *bbolt.Tx) (err error) {
				if b == nil {
					if b, err = newBuilder(tx, runHeader{}, []byte("seed"), l, len(keys)); err != nil {
						return err
					}
				}
				b.begin(tx)
				for _, k := range part {
					if err := b.addSeen([]byte(k), value(k)); err != nil {
						return err
					}
				}
				return b.end()
			})
		}
		if b == nil {
			return
		}
		update(t, db, func(tx *bbolt.Tx) error {
			var got []string
			all := newFile(tx).rows(runSeenBucket, b.header.Seen[0].ID, true)
			for ok := all.first(); ok; ok = all.next() {
				if !bytes.Equal(all.value, value(string(all.key))) {
					t.Fatalf("%q has %q", all.key, all.value)
				}
				got = append(got, string(all.key))
			}
			if all.check(); !slices.Equal(got, keys) {
				t.Fatalf("got %q, want %q", got, keys)
			}
			if b.begin(tx); string(b.last(runSeenBucket, b.header.Seen)) != keys[len(keys)-1] {
				t.Fatalf("the last key is %q", b.last(runSeenBucket, b.header.Seen))
			}
			r := &run{runHeader: b.header, filters: b.filters}
			for _, from := range append(keys, rapid.StringMatching(`[ab]{0,6}!?x?`).Draw(t, "from")) {
				at, there := slices.BinarySearch(keys, from)
				if ok := all.seek([]byte(from)); ok != (at < len(keys)) || ok && string(all.key) != keys[at] {
					t.Fatalf("from %q: %q, %v", from, all.key, ok)
				}
				row := r.find(newFile(tx), []byte(from), bloom.Locations([]byte("seed"+from), filterHashes))
				if there != (row != nil) || there && !bytes.Equal(row, value(from)) {
					t.Fatalf("%q is found as %q", from, row)
				}
			}
			return nil
		})
	})
}

func tempBolt(t *rapid.T) *bbolt.DB {
	dir, err := os.MkdirTemp("", "moot-block-")
	if err != nil {
		t.Fatal(err)
	}
	db, err := bbolt.Open(filepath.Join(dir, "x.db"), 0o600, &bbolt.Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(db.Close(), os.RemoveAll(dir)); err != nil {
			t.Error(err)
		}
	})
	return db
}

func update(t *rapid.T, db *bbolt.DB, f func(*bbolt.Tx) error) {
	if err := db.Update(f); err != nil {
		t.Fatal(err)
	}
}

// FuzzBlock: a block of any bytes is read to its end, or is refused.
func FuzzBlock(f *testing.F) {
	f.Add(appendRow(appendRow(nil, nil, []byte("c:r\x1fa"), []byte("1")), []byte("c:r\x1fa"), []byte("c:r\x1fb"), nil))
	f.Add([]byte{1, 1, 1, 'x', 'y'})
	f.Add(bytes.Repeat([]byte{0xff}, 30))
	f.Fuzz(func(t *testing.T, body []byte) {
		c := &chunkRows{blocks: true, rest: body}
		var again, before []byte
		for len(c.rest) > 0 {
			left := len(c.rest)
			if !c.row() {
				if c.err == nil {
					t.Fatal("it ends in the middle, without an error")
				}
				return
			}
			if len(c.rest) >= left {
				t.Fatal("it does not get on")
			}
			again = appendRow(again, before, c.key, c.value)
			before = bytes.Clone(c.key)
		}
		if len(again) > len(body) {
			t.Fatalf("%d bytes became %d", len(body), len(again))
		}
	})
}

// TestRunsOfSchema2: a file whose runs have no blocks is gone on with, whatever of it was under way.
func TestRunsOfSchema2(t *testing.T) {
	for commits := range 40 {
		path := filepath.Join(t.TempDir(), "moot.db")
		b := openBoxWith(t, Config{Path: path, limits: tinyLimits})
		record := func(from, to int) {
			for i := from; i < to; i++ {
				b.commit(func(c *Commit) {
					for n := range 3 {
						c.Record("c:r", protocol.EventID(fmt.Sprint(i, "-", n)), Handled, strings.Repeat("x", n))
					}
				})
			}
		}
		record(0, commits)
		b.Close()
		changeFile(t, path, toSchema2)
		b = openBoxWith(t, Config{Path: path, limits: tinyLimits})
		record(commits, commits+20)
		b.view(func(tx *Tx) {
			for i := range commits + 20 {
				for n := range 3 {
					if s := tx.Seen("c:r", protocol.EventID(fmt.Sprint(i, "-", n))); s.Disposition != Handled || len(s.Reason) != n {
						t.Fatalf("after %d commits the event %d-%d is %+v", commits, i, n, s)
					}
				}
			}
		})
		if err := b.Merge(t.Context()); err != nil {
			t.Fatal(err)
		}
		if st, err := b.Stats(); err != nil || st.Events != 3*(commits+20) || st.Indexed != st.Events {
			t.Fatalf("after %d commits and 20 more there is %+v (%v)", commits, st, err)
		}
		if err := errors.Join(b.Check(), b.Close()); err != nil {
			t.Fatal(err)
		}
	}
}

// TestDamagedBlock: what stands in a block that cannot be read is not taken for new, and is not lost by a merge: the store
// says that it is damaged.
func TestDamagedBlock(t *testing.T) {
	path := filepath.Join(t.TempDir(), "moot.db")
	b := openBoxWith(t, Config{Path: path, limits: tinyLimits})
	for i := range 5 {
		b.commit(func(c *Commit) {
			for n := range 6 {
				c.Record("c:r", protocol.EventID(fmt.Sprint("event", 6*i+n)), Handled, "")
			}
		})
	}
	b.Close()
	if s, err := Open(Config{Path: path, migrations: migrations[:2]}); err == nil {
		s.Close()
		t.Error("a version that knows no blocks opens it")
	} else if !errors.Is(err, ErrNewer) {
		t.Errorf("a version that knows no blocks says %v", err)
	}
	damaged := 0
	changeFile(t, path, func(tx *bbolt.Tx) error {
		p := tx.Bucket([]byte(runSeenBucket))
		return p.ForEachBucket(func(id []byte) error {
			chunk := p.Bucket(id)
			k, v := chunk.Cursor().Last()
			v = bytes.Clone(v)
			v[len(v)-blockTail-1] ^= 1
			damaged++
			return chunk.Put(bytes.Clone(k), v)
		})
	})
	if damaged == 0 {
		t.Fatal("there is no run")
	}
	s, err := Open(Config{Path: path, limits: tinyLimits})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	unreadable := 0
	for i := range 30 {
		err := s.View(func(tx *Tx) error {
			if s := tx.Seen("c:r", protocol.EventID(fmt.Sprint("event", i))); s.Disposition != Handled {
				t.Errorf("event %d is %+v", i, s)
			}
			return nil
		})
		if errors.Is(err, ErrDamaged) {
			unreadable++
		} else if err != nil {
			t.Error(err)
		}
	}
	if unreadable < damaged {
		t.Errorf("%d events cannot be read, of %d damaged blocks", unreadable, damaged)
	}
	for i := 0; err == nil && i < 100; i++ {
		err = s.Commit(start.Add(time.Hour), func(c *Commit) error {
			c.Record("c:r", protocol.EventID(fmt.Sprint("later", i)), Handled, "")
			return nil
		})
	}
	if !errors.Is(err, ErrDamaged) {
		t.Errorf("a merge of damaged blocks ends with %v", err)
	}
}

// kept returns copies of the row at which the rows stand, if they stand at one, and of all that follow.
func kept(all *chunkRows, ok bool) (rows []row) {
	for ; ok; ok = all.next() {
		rows = append(rows, row{bytes.Clone(all.key), bytes.Clone(all.value)})
	}
	all.check()
	return rows
}

// toSchema2 takes the rows out of their blocks.
func toSchema2(tx *bbolt.Tx) error {
	runs := tx.Bucket([]byte(runsBucket))
	headers := map[uint64]runHeader{}
	if runs != nil {
		err := runs.ForEach(func(k, v []byte) error {
			r, err := readRun(tx, ParseNumber(string(k)), v)
			headers[r.number] = r.runHeader
			return err
		})
		if err != nil {
			return err
		}
	}
	for number, h := range headers {
		for parent, list := range map[string][]chunkHeader{runSeenBucket: h.Seen, runTimesBucket: h.Times} {
			for _, c := range list {
				p, id := tx.Bucket([]byte(parent)), []byte(Number(c.ID))
				all := newFile(tx).rows(parent, c.ID, h.Blocks)
				rows := kept(all, all.first())
				if err := p.DeleteBucket(id); err != nil {
					return err
				}
				chunk, err := p.CreateBucket(id)
				if err != nil {
					return err
				}
				for _, r := range rows {
					if err := chunk.Put(r.key, r.value); err != nil {
						return err
					}
				}
			}
		}
		if h.Blocks = false; len(h.Seen)+len(h.Times) > 0 {
			if err := putRun(tx, number, &h); err != nil {
				return err
			}
		}
	}
	return tx.Bucket([]byte(meta.name)).Put([]byte(metaSchema), []byte(Number(2)))
}
