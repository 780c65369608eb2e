package bolt

import (
	"errors"
	"fmt"
	"io"

	"go.etcd.io/bbolt"

	"moot/store/disk"
)

// View is one state of the file, which stays as it is until the view is closed. It belongs to one
// goroutine.
type View struct {
	Bolt    *bbolt.Tx
	buckets map[string]*bbolt.Bucket
}

// View opens a view.
func (f *File) View() (*View, error) {
	tx, err := f.db.Begin(false)
	return &View{Bolt: tx}, err
}

// ID returns the number of the last transaction that the view sees.
func (v *View) ID() int { return v.Bolt.ID() }

// Close ends the view. Its values are no longer valid.
func (v *View) Close() error { return v.Bolt.Rollback() }

// WriteTo writes the file as the view sees it.
func (v *View) WriteTo(w io.Writer) (int64, error) { return v.Bolt.WriteTo(w) }

func (v *View) bucket(name string) *bbolt.Bucket {
	b, ok := v.buckets[name]
	if !ok {
		b = v.Bolt.Bucket([]byte(name))
		if v.buckets == nil {
			v.buckets = map[string]*bbolt.Bucket{}
		}
		v.buckets[name] = b
	}
	return b
}

// Buckets returns the names of all buckets.
func (v *View) Buckets() (names []string) {
	defer disk.Faulted()
	c := v.Bolt.Cursor()
	for name, _ := c.First(); name != nil; name, _ = c.Next() {
		names = append(names, string(name))
	}
	return names
}

// Get returns a value, nil if there is none.
func (v *View) Get(bucket, key string) []byte {
	defer disk.Faulted()
	if b := v.bucket(bucket); b != nil {
		return b.Get([]byte(key))
	}
	return nil
}

// Walk returns a place in a bucket, nil if there is no such bucket. In reverse it steps backwards.
func (v *View) Walk(bucket string, reverse bool) *Walker {
	defer disk.Faulted()
	if b := v.bucket(bucket); b != nil {
		return &Walker{b.Cursor(), reverse}
	}
	return nil
}

// Walker is a place in a bucket.
type Walker struct {
	cursor  *bbolt.Cursor
	reverse bool
}

// Seek goes to the first key not below key, or, in reverse, to the last one below it (the last of
// all where key is empty).
func (w *Walker) Seek(key string) (string, []byte, bool) {
	defer disk.Faulted()
	if !w.reverse {
		return at(w.cursor.Seek([]byte(key)))
	}
	if key == "" {
		return at(w.cursor.Last())
	}
	if k, _ := w.cursor.Seek([]byte(key)); k == nil {
		return at(w.cursor.Last())
	}
	return at(w.cursor.Prev())
}

// Step goes on by one.
func (w *Walker) Step() (string, []byte, bool) {
	defer disk.Faulted()
	if w.reverse {
		return at(w.cursor.Prev())
	}
	return at(w.cursor.Next())
}

func at(k, v []byte) (string, []byte, bool) {
	if k == nil {
		return "", nil, false
	}
	if v == nil {
		v = []byte{}
	}
	return string(k), v, true
}

// Check reads the whole file, and what more may have to say, and returns what is wrong with it, nil
// if nothing is. Whoever writes waits for it: a page that is freed meanwhile would look lost.
func (f *File) Check(more func(*View) []error) error {
	return f.db.View(func(tx *bbolt.Tx) error {
		defer f.Release() // of what was only looked at
		if err := verify(f.path); err != nil {
			return err
		}
		return disk.Guard(func() error {
			var errs []error
			for err := range tx.Check() {
				// The rest is read too: whoever sends it would wait for ever.
				if len(errs) < 10 {
					errs = append(errs, err)
				}
			}
			if len(errs) == 0 {
				errs = more(&View{Bolt: tx})
			}
			if len(errs) > 0 {
				return fmt.Errorf("%w: %w", disk.ErrDamaged, errors.Join(errs...))
			}
			return nil
		})
	})
}
