package main

import (
	"errors"
	"strings"
	"time"

	"github.com/dgraph-io/badger/v4"
	"github.com/dgraph-io/badger/v4/options"
)

// badgerEngine is Badger behind a filter in memory. Its index by time has a row for what a room had
// in a batch.
type badgerEngine struct {
	db     *badger.DB
	filter *front
}

func (b *badgerEngine) open(dir string) (err error) {
	b.db, err = badger.Open(badger.DefaultOptions(dir).WithSyncWrites(true).WithDetectConflicts(false).
		WithMetricsEnabled(false).WithCompression(options.None).WithBlockCacheSize(0).
		WithNumCompactors(2).WithLogger(nil))
	if err != nil {
		return err
	}
	b.filter = newFront()
	return b.db.View(func(tx *badger.Txn) error {
		it := tx.NewIterator(badger.IteratorOptions{Prefix: []byte("s" + sep)})
		defer it.Close()
		for it.Rewind(); it.Valid(); it.Next() {
			b.filter.add(string(it.Item().Key()[2:]))
		}
		return nil
	})
}

func (b *badgerEngine) admit(events []event, at time.Time) (int, error) {
	var fresh []event
	now := []byte(number(at))
	err := b.db.Update(func(tx *badger.Txn) error {
		batch := make(map[string]bool, len(events))
		for _, e := range events {
			name := e.key()
			if batch[name] {
				continue
			}
			k := []byte("s" + sep + name)
			if b.filter.maybe(name) {
				switch _, err := tx.Get(k); {
				case err == nil:
					continue
				case !errors.Is(err, badger.ErrKeyNotFound):
					return err
				}
			}
			batch[name] = true
			fresh = append(fresh, e)
			if err := tx.Set(k, now); err != nil {
				return err
			}
		}
		for room, row := range byRoom(fresh) {
			if err := tx.Set([]byte("t"+sep+room+sep+string(now)), row); err != nil {
				return err
			}
		}
		return nil
	})
	if err == nil {
		b.filter.admit(fresh)
	}
	return len(fresh), err
}

// finish closes, which alone writes what is in memory.
func (b *badgerEngine) finish() error { return b.db.Close() }

func (b *badgerEngine) close() error { return b.db.Close() } // a second time does nothing

func (b *badgerEngine) count() (events, indexed int, err error) {
	err = b.db.View(func(tx *badger.Txn) error {
		it := tx.NewIterator(badger.DefaultIteratorOptions)
		defer it.Close()
		for it.Rewind(); it.Valid(); it.Next() {
			if it.Item().Key()[0] == 's' {
				events++
				continue
			}
			err := it.Item().Value(func(v []byte) error {
				indexed += 1 + strings.Count(string(v), sep)
				return nil
			})
			if err != nil {
				return err
			}
		}
		return nil
	})
	return events, indexed, err
}
