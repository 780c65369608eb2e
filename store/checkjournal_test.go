package store

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"go.etcd.io/bbolt"

	"moot/protocol"
)

// TestCheckJournal damages what only a reader of the rows finds: Check says where, and what cannot be gone on with is
// refused when the file is opened.
func TestCheckJournal(t *testing.T) {
	good := filled(t)
	// first calls f with the first chunk of the first run that is ready, which f may change.
	first := func(tx *bbolt.Tx, parent string, f func(r *run, chunk *bbolt.Bucket, k, v []byte) error) error {
		var ready *run
		_ = tx.Bucket([]byte(runsBucket)).ForEach(func(k, v []byte) error {
			r := &run{number: ParseNumber(string(k))}
			if err := json.Unmarshal(v, &r.runHeader); err == nil && r.State == runReady && ready == nil {
				ready = r
			}
			return nil
		})
		list := ready.Seen
		if parent == runTimesBucket {
			list = ready.Times
		}
		chunk := tx.Bucket([]byte(parent)).Bucket([]byte(Number(list[0].ID)))
		k, v := chunk.Cursor().Last()
		return f(ready, chunk, bytes.Clone(k), bytes.Clone(v))
	}
	// block changes the bytes of a block, and change its last row, of which it leaves out what comes back as nil.
	block := func(f func(v []byte) []byte) func(*bbolt.Tx) error {
		return func(tx *bbolt.Tx) error {
			return first(tx, runSeenBucket, func(_ *run, chunk *bbolt.Bucket, k, v []byte) error { return chunk.Put(k, f(v)) })
		}
	}
	change := func(parent string, f func(r row) *row) func(*bbolt.Tx) error {
		return func(tx *bbolt.Tx) error {
			return first(tx, parent, func(_ *run, chunk *bbolt.Bucket, k, _ []byte) error {
				all := newChunkRows(chunk, true)
				rows := kept(all, all.lastBlock())
				last := len(rows) - 1
				if changed := f(rows[last]); changed != nil {
					rows[last] = *changed
				} else {
					rows = rows[:last]
				}
				return errors.Join(chunk.Delete(k), putBlock(chunk, rows))
			})
		}
	}
	entry := func(f func(g *bbolt.Bucket, k, v []byte) error) func(*bbolt.Tx) error {
		return func(tx *bbolt.Tx) error {
			b := tx.Bucket([]byte(journalBucket))
			k, _ := b.Cursor().Last()
			g := b.Bucket(k)
			k, v := g.Cursor().Last()
			return f(g, bytes.Clone(k), bytes.Clone(v))
		}
	}
	for name, c := range map[string]struct {
		damage  func(*bbolt.Tx) error
		want    string
		refused bool
	}{
		"nothing": {func(*bbolt.Tx) error { return nil }, "", false},
		"another event": {change(runSeenBucket, func(r row) *row {
			r.key[len(r.key)-1] ^= 0x40
			return &r
		}), "the filter does not know", false},
		"an event missing": {change(runSeenBucket, func(row) *row { return nil }), "and should have", false},
		"a short row":      {change(runSeenBucket, func(r row) *row { return &row{r.key, r.value[:8]} }), "cannot be read", false},
		"no disposition":   {change(runSeenBucket, func(r row) *row { r.value[8] = 0; return &r }), "cannot be read", false},
		"another time":     {change(runSeenBucket, func(r row) *row { r.value[0] = 0x7f; return &r }), "younger than the run", false},
		"a row of before": {func(tx *bbolt.Tx) error {
			return first(tx, runSeenBucket, func(_ *run, chunk *bbolt.Bucket, k, v []byte) error {
				all := newChunkRows(chunk, true)
				all.first()
				return putBlock(chunk, []row{{k, all.value}, {bytes.Clone(all.key), all.value}})
			})
		}, "is not in order", false},
		"a bit of a block":  {block(func(v []byte) []byte { v[len(v)/2] ^= 1; return v }), "the block of", false},
		"a block cut short": {block(func(v []byte) []byte { return v[:len(v)/2] }), "the block of", false},
		"an empty block":    {block(func(v []byte) []byte { return checksummed(nil) }), "the block of", false},
		"a row cut short":   {block(func(v []byte) []byte { return checksummed(v[:len(v)-blockTail-1]) }), "the block of", false},
		"a key that shares what is not there": {block(func(v []byte) []byte {
			v[0] = 100
			return checksummed(v[:len(v)-blockTail])
		}), "the block of", false},
		"a block under another key": {func(tx *bbolt.Tx) error {
			return first(tx, runSeenBucket, func(_ *run, chunk *bbolt.Bucket, k, v []byte) error {
				return errors.Join(chunk.Delete(k), chunk.Put(append(k, '0'), v))
			})
		}, "the block of", false},
		"another first key": {func(tx *bbolt.Tx) error {
			return first(tx, runSeenBucket, func(r *run, b *bbolt.Bucket, _, _ []byte) error {
				k, _ := b.Cursor().First()
				return b.Delete(k)
			})
		}, "its first key is not where it should be", false},
		"a row of times missing": {change(runTimesBucket, func(row) *row { return nil }), "run-seen-by-time", false},
		"an event of a time missing": {change(runTimesBucket, func(r row) *row {
			return &row{r.key, []byte(strings.Replace(string(r.value), Sep, "", 1))}
		}), "events, and should have", false},
		"a chunk of nobody": {func(tx *bbolt.Tx) error {
			_, err := tx.Bucket([]byte(runSeenBucket)).CreateBucket([]byte(Number(1 << 40)))
			return err
		}, "belongs to no run", false},
		"a filter": {func(tx *bbolt.Tx) error {
			return first(tx, runSeenBucket, func(r *run, _ *bbolt.Bucket, _, _ []byte) error {
				b, id := tx.Bucket([]byte(filtersBucket)), []byte(Number(r.Seen[0].ID))
				v := bytes.Clone(b.Get(id))
				v[len(v)-1] ^= 1
				return b.Put(id, v)
			})
		}, "the filter cannot be read", true},
		"no filter": {func(tx *bbolt.Tx) error {
			return first(tx, runSeenBucket, func(r *run, _ *bbolt.Bucket, _, _ []byte) error {
				return tx.Bucket([]byte(filtersBucket)).Delete([]byte(Number(r.Seen[0].ID)))
			})
		}, "the filter cannot be read", true},
		"the header of a run": {func(tx *bbolt.Tx) error {
			b := tx.Bucket([]byte(runsBucket))
			k, v := b.Cursor().First()
			return b.Put(bytes.Clone(k), bytes.Clone(v[1:]))
		}, "run ", true},
		"an unknown state": {func(tx *bbolt.Tx) error {
			b := tx.Bucket([]byte(runsBucket))
			k, v := b.Cursor().First()
			return b.Put(bytes.Clone(k), bytes.Replace(v, []byte(`"State":"`), []byte(`"State":"x`), 1))
		}, "is \"x", true},
		"an entry": {entry(func(g *bbolt.Bucket, k, v []byte) error { v[len(v)/2] ^= 1; return g.Put(k, v) }), "an entry of the journal cannot be read", true},
		"three generations": {func(tx *bbolt.Tx) error {
			for i := range 3 {
				g, err := tx.Bucket([]byte(journalBucket)).CreateBucket([]byte(Number(uint64(1000 + i))))
				if err != nil {
					return err
				}
				a := address{"c:r", protocol.EventID(fmt.Sprint("x", i))}
				if err := g.Put([]byte(Number(uint64(1000+i))), encodeEntry(1, []recorded{{a, 1, Handled, true, ""}})); err != nil {
					return err
				}
			}
			return nil
		}, "more than two generations", true},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "moot.db")
			writeFile(t, path, good)
			changeFile(t, path, c.damage)
			if c.refused {
				refused(t, path, ErrDamaged)
			}
			s, err := Open(Config{Path: path, limits: tinyLimits, ReadOnly: true})
			if err == nil {
				err = s.Check()
				s.Close()
			}
			if c.want == "" {
				if err != nil {
					t.Errorf("got %v", err)
				}
				return
			}
			if !errors.Is(err, ErrDamaged) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}

// putBlock puts rows into a chunk as one block.
func putBlock(chunk *bbolt.Bucket, rows []row) error {
	if len(rows) == 0 {
		return nil
	}
	var b, before []byte
	for _, r := range rows {
		b = appendRow(b, before, r.key, r.value)
		before = r.key
	}
	return chunk.Put(rows[0].key, checksummed(b))
}
