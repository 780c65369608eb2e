package seen

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"moot/protocol"
	"moot/store/disk"
)

// value is a value in the file of a record.
type value struct{ bucket, key, value []byte }

// values returns all that the file has of the record.
func values(tx *bbolt.Tx) (list []value) {
	root := tx.Bucket(bucketName)
	_ = root.ForEach(func(k, v []byte) error {
		if v != nil {
			list = append(list, value{nil, slices.Clone(k), slices.Clone(v)})
			return nil
		}
		return root.Bucket(k).ForEach(func(x, v []byte) error {
			list = append(list, value{slices.Clone(k), slices.Clone(x), slices.Clone(v)})
			return nil
		})
	})
	return list
}

// TestDamage: whatever byte of whatever key or value changes, and whatever value is missing or
// stands in another's place, each answer is right or an error, and the check of the file says so.
func TestDamage(t *testing.T) {
	r := newRig(t, t.TempDir(), Limits{Table: 100, Chunk: 24, Block: 120, Slice: 100, Fan: 8, Span: 100 * time.Hour})
	defer r.db.Close()
	for n := range 60 {
		r.commit(
			time.Minute,
			recorded{protocol.RoomID(fmt.Sprintf("c:%d", n%4)), eventID(n), Handled, []string{"", "because"}[n%2]},
		)
		if n == 40 {
			r.freeze()
			r.settle()
		}
	}
	r.commit(time.Minute, recorded{"c:0", eventID(0), Failed, "again"})
	r.freeze()
	r.settle()
	r.check()
	st := r.ix.State()

	noticed := 0
	try := func(what string, change func(*bbolt.Bucket) error, v value) {
		t.Helper()
		tx, err := r.db.Begin(true)
		if err != nil {
			t.Fatal(err)
		}
		defer tx.Rollback()
		b := tx.Bucket(bucketName)
		if v.bucket != nil {
			b = b.Bucket(v.bucket)
		}
		if err := change(b); err != nil {
			t.Fatal(err)
		}
		if len(Check(tx, r.config)) == 0 {
			t.Fatalf("%s: the check says nothing", what)
		}
		right := func(err error) bool {
			if err != nil && !errors.Is(err, disk.ErrDamaged) {
				t.Fatalf("%s: %v", what, err)
			}
			if err != nil {
				noticed++
			}
			return err == nil
		}
		// The filters were loaded before the damage.
		rooms := map[protocol.RoomID][]Record{}
		for ref, want := range r.known {
			k := r.ix.Key(ref.Room, ref.Event)
			if got, ok, err := st.Find(tx, &k); right(err) && (!ok || got != want) {
				t.Fatalf("%s: %v is %+v, %v; want %+v", what, ref, got, ok, want)
			}
			rooms[ref.Room] = append(rooms[ref.Room], want)
		}
		for room, want := range rooms {
			slices.SortFunc(want, byPlace)
			var got []Record
			whole := true
			for rec, err := range st.Between(tx, room, Place{}, Place{}, false) {
				if whole = right(err); whole {
					got = append(got, rec)
				}
			}
			if whole && !slices.Equal(got, want) || !whole && !slices.Equal(got, want[:len(got)]) {
				t.Fatalf("%s: %s has\n%v\nwant\n%v", what, room, got, want)
			}
		}
		if _, err := Load(tx, r.config); err != nil && !errors.Is(err, disk.ErrDamaged) {
			t.Fatalf("%s: load: %v", what, err)
		}
	}
	var all []value
	if err := r.db.View(func(tx *bbolt.Tx) error { all = values(tx); return nil }); err != nil {
		t.Fatal(err)
	}
	if len(all) < 12 {
		t.Fatalf("only %d values", len(all))
	}
	for i, v := range all {
		name := fmt.Sprintf("%x %q", v.bucket, v.key)
		for at := range v.value {
			try(fmt.Sprintf("%s, byte %d of the value", name, at), func(b *bbolt.Bucket) error {
				bad := slices.Clone(v.value)
				bad[at] ^= 1 << (at % 8)
				return b.Put(v.key, bad)
			}, v)
		}
		for at := range v.key {
			for _, flip := range []byte{1, 0x10, 0x80} {
				bad := slices.Clone(v.key)
				bad[at] ^= flip
				try(fmt.Sprintf("%s, byte %d of the key, %x", name, at, flip), func(b *bbolt.Bucket) error {
					if err := b.Delete(v.key); err != nil {
						return err
					}
					return b.Put(bad, v.value)
				}, v)
			}
		}
		try(name+" is missing", func(b *bbolt.Bucket) error { return b.Delete(v.key) }, v)
		try(name+" is empty", func(b *bbolt.Bucket) error { return b.Put(v.key, nil) }, v)
		try(name+" is cut", func(b *bbolt.Bucket) error { return b.Put(v.key, v.value[:len(v.value)-1]) }, v)
		for _, other := range all[i+1:] {
			if other.bucket != nil {
				try(
					fmt.Sprintf("%s has the value of %x %q", name, other.bucket, other.key),
					func(b *bbolt.Bucket) error { return b.Put(v.key, other.value) }, v,
				)
			}
		}
	}
	if noticed == 0 {
		t.Error("nothing was noticed")
	}
	t.Logf("%d values, %d errors", len(all), noticed)
}
