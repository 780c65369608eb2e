package main

import (
	"path/filepath"
	"slices"
	"strings"
	"time"

	"go.etcd.io/bbolt"
)

// boltEngine is bbolt behind a filter in memory: two buckets, written in the order of the keys. Its
// index by time has a row for what a room had in a batch.
type boltEngine struct {
	db     *bbolt.DB
	filter *front
}

var seenBucket, timesBucket = []byte("seen"), []byte("times")

func openBolt(path string) (*bbolt.DB, error) {
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{NoFreelistSync: true, FreelistType: bbolt.FreelistMapType})
	if err != nil {
		return nil, err
	}
	return db, db.Update(func(tx *bbolt.Tx) error {
		if _, err := tx.CreateBucketIfNotExists(seenBucket); err != nil {
			return err
		}
		_, err := tx.CreateBucketIfNotExists(timesBucket)
		return err
	})
}

func (b *boltEngine) open(dir string) (err error) {
	if b.db, err = openBolt(filepath.Join(dir, "bolt.db")); err != nil {
		return err
	}
	b.filter = newFront()
	return b.db.View(func(tx *bbolt.Tx) error {
		return tx.Bucket(seenBucket).ForEach(func(k, _ []byte) error {
			b.filter.add(string(k))
			return nil
		})
	})
}

func (b *boltEngine) admit(events []event, at time.Time) (int, error) {
	var fresh []event
	err := b.db.Update(func(tx *bbolt.Tx) error {
		seen, times := tx.Bucket(seenBucket), tx.Bucket(timesBucket)
		batch := make(map[string]bool, len(events))
		var keys []string
		for _, e := range events {
			k := e.key()
			if batch[k] || b.filter.maybe(k) && seen.Get([]byte(k)) != nil {
				continue
			}
			batch[k] = true
			keys = append(keys, k)
			fresh = append(fresh, e)
		}
		slices.Sort(keys)
		now := number(at)
		for _, k := range keys {
			if err := seen.Put([]byte(k), []byte(now)); err != nil {
				return err
			}
		}
		rows := byRoom(fresh)
		for _, room := range sortedKeys(rows) {
			if err := times.Put([]byte(room+sep+now), rows[room]); err != nil {
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

func (b *boltEngine) finish() error { return nil }

func (b *boltEngine) close() error { return b.db.Close() }

func (b *boltEngine) count() (events, indexed int, err error) {
	err = b.db.View(func(tx *bbolt.Tx) error {
		events = tx.Bucket(seenBucket).Stats().KeyN
		return tx.Bucket(timesBucket).ForEach(func(_, v []byte) error {
			indexed += 1 + strings.Count(string(v), sep)
			return nil
		})
	})
	return events, indexed, err
}

func sortedKeys(m map[string][]byte) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
