package main

import (
	"errors"
	"strings"
	"time"

	"github.com/dgraph-io/badger/v4"
)

// badgerEngine is Badger.
type badgerEngine struct{ db *badger.DB }

func (b *badgerEngine) open(dir string) (err error) {
	b.db, err = badger.Open(badger.DefaultOptions(dir).WithSyncWrites(true).WithDetectConflicts(false).WithLogger(nil))
	return err
}

func (b *badgerEngine) admit(events []event, at time.Time) (int, error) {
	var fresh []event
	now := []byte(number(at))
	err := b.db.Update(func(tx *badger.Txn) error {
		for _, e := range events {
			k := []byte("s" + sep + e.key()) // it sees what this transaction has written
			switch _, err := tx.Get(k); {
			case err == nil:
				continue
			case !errors.Is(err, badger.ErrKeyNotFound):
				return err
			}
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
	return len(fresh), err
}

// settle closes, which alone writes what is in memory.
func (b *badgerEngine) settle() error { return b.db.Close() }

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
