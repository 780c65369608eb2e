package store

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"go.etcd.io/bbolt"
)

// FuzzOldFile: a file of the first schema with anything in it is brought to this one, and is whole then, or is refused as
// damaged; and the second time it is the same.
func FuzzOldFile(f *testing.F) {
	old := filepath.Join(f.TempDir(), "old.db")
	s, err := Open(Config{Path: old, migrations: migrations[:1]})
	if err != nil {
		f.Fatal(err)
	}
	if err := s.Close(); err != nil {
		f.Fatal(err)
	}
	empty, err := os.ReadFile(old)
	if err != nil {
		f.Fatal(err)
	}
	row := recorded{at: nanoseconds(start), disposition: Handled, reason: "x"}
	f.Add([]byte("c:r\x1f$1"), row.appendSeen(nil), []byte(Key("c:r", Time(start))), []byte("$1"))
	f.Add([]byte("c:r"), []byte{}, []byte("12345678"), []byte(""))
	f.Add([]byte("\x1f"), []byte("123456789"), []byte("\x1f12345678"), []byte("\x1f\x1f"))
	f.Fuzz(func(t *testing.T, seenKey, seenValue, timeKey, timeValue []byte) {
		path := filepath.Join(t.TempDir(), "moot.db")
		if err := os.WriteFile(path, empty, 0o600); err != nil {
			t.Fatal(err)
		}
		db, err := bbolt.Open(path, 0o600, &bbolt.Options{NoSync: true})
		if err != nil {
			t.Fatal(err)
		}
		err = db.Update(func(tx *bbolt.Tx) error {
			for name, kv := range map[string][2][]byte{oldSeenBucket: {seenKey, seenValue}, oldTimesBucket: {timeKey, timeValue}} {
				b, err := tx.CreateBucket([]byte(name))
				if err != nil {
					return err
				}
				if len(kv[0]) > 0 && len(kv[0]) <= bbolt.MaxKeySize {
					if err := b.Put(kv[0], kv[1]); err != nil {
						return err
					}
				}
			}
			return nil
		})
		if err := errors.Join(err, db.Close()); err != nil {
			t.Fatal(err)
		}
		var first error
		for i := range 2 {
			s, err := Open(Config{Path: path, limits: tinyLimits, Scratch: true})
			if err == nil {
				if err := s.Check(); err != nil && !errors.Is(err, ErrDamaged) {
					t.Errorf("check: %v", err)
				}
				if err := s.Close(); err != nil {
					t.Error(err)
				}
			} else if !errors.Is(err, ErrDamaged) {
				t.Fatalf("it is refused by %v", err)
			}
			if i == 1 && (err == nil) != (first == nil) {
				t.Errorf("first %v, and then %v", first, err)
			}
			first = err
		}
	})
}
