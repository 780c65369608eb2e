package bolt

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"moot/store/disk"
)

func write(t *testing.T, path string, data []byte) {
	t.Helper()
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

// filled makes a file with some buckets, of which some have many pages, and returns its bytes.
func filled(t *testing.T, path string) []byte {
	t.Helper()
	err := Create(path, func(tx *Tx) (err error) {
		for b := range 5 {
			for k := range 40 {
				err = errors.Join(
					err,
					tx.Put(fmt.Sprint("bucket", b), fmt.Sprintf("key%02d", k), bytes.Repeat([]byte{byte(k)}, 700)),
				)
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data[:len(data):len(data)]
}

// TestUpdate: what a transaction writes is seen by views with its number, and by no older ones.
func TestUpdate(t *testing.T) {
	path := filepath.Join(t.TempDir(), "moot.db")
	filled(t, path)
	f, err := Open(Config{Path: path})
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	before, err := f.View()
	if err != nil {
		t.Fatal(err)
	}
	id, err := f.Update(func(tx *Tx) error {
		return errors.Join(
			tx.Put("bucket0", "key00", []byte("new")), tx.Put("bucket9", "k", nil),
			tx.Delete("bucket1", "key01"), tx.Delete("none", "k"),
		)
	})
	if err != nil {
		t.Fatal(err)
	}
	boom := errors.New("boom")
	if _, err := f.Update(
		func(tx *Tx) error { return errors.Join(tx.Put("bucket0", "key00", nil), boom) },
	); !errors.Is(err, boom) {
		t.Errorf("one that fails: %v", err)
	}
	if _, err := f.Update(func(*Tx) error { panic("a page") }); !errors.Is(err, disk.ErrDamaged) {
		t.Errorf("one that panics: %v", err)
	}
	after, err := f.View()
	if err != nil {
		t.Fatal(err)
	}
	if before.ID() >= id || after.ID() != id {
		t.Errorf("the views have %d and %d, the transaction %d", before.ID(), after.ID(), id)
	}
	if v := before.Get("bucket0", "key00"); len(v) != 700 {
		t.Errorf("the view before it has %q", v)
	}
	if v := after.Get("bucket0", "key00"); string(v) != "new" || after.Get("bucket1", "key01") != nil ||
		after.Get("bucket9", "k") == nil {
		t.Errorf("the view after it has %q", v)
	}
	if names := after.Buckets(); len(names) != 6 {
		t.Errorf("buckets: %q", names)
	}
	w := after.Walk("bucket1", true)
	if k, _, _ := w.Seek(""); k != "key39" {
		t.Errorf("the last key is %q", k)
	}
	if k, _, _ := w.Seek("key02"); k != "key00" {
		t.Errorf("before key02 is %q", k)
	}
	if _, _, ok := w.Step(); ok || after.Walk("none", false) != nil {
		t.Error("it goes on before the first key")
	}
	if err := errors.Join(before.Close(), after.Close(), f.Check(func(*View) []error { return nil })); err != nil {
		t.Error(err)
	}
	if err := f.Check(func(*View) []error { return []error{boom} }); !errors.Is(err, disk.ErrDamaged) {
		t.Errorf("what more has to say: %v", err)
	}
}

// TestPutBehindDeletes: a bucket of many pages is emptied and written to in one transaction. It
// never came back: bbolt's cursor looked for the last key among empty pages.
func TestPutBehindDeletes(t *testing.T) {
	path := filepath.Join(t.TempDir(), "moot.db")
	filled(t, path)
	f, err := Open(Config{Path: path})
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	_, err = f.Update(func(tx *Tx) (err error) {
		for k := range 40 {
			err = errors.Join(err, tx.Delete("bucket2", fmt.Sprintf("key%02d", k)))
		}
		return errors.Join(err, tx.Put("bucket2", "new", nil))
	})
	if err != nil {
		t.Fatal(err)
	}
	v, err := f.View()
	if err != nil {
		t.Fatal(err)
	}
	defer v.Close()
	if k, _, _ := v.Walk("bucket2", true).Seek(""); k != "new" {
		t.Errorf("the last key is %q", k)
	}
}

// TestIsAt: an open file is told from another one that has taken its place.
func TestIsAt(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	write(t, path, nil)
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	check := func(want bool) {
		t.Helper()
		if same, err := isAt(f, path); same != want || err != nil {
			t.Errorf("got %v, %v", same, err)
		}
	}
	check(true)
	write(t, path+"2", nil)
	if err := os.Rename(path+"2", path); err != nil {
		t.Fatal(err)
	}
	check(false)
	os.Remove(path)
	check(false)
}

// TestVerify damages what only a walk through the pages finds.
func TestVerify(t *testing.T) {
	path := filepath.Join(t.TempDir(), "moot.db")
	good := filled(t, path)
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	l, err := readLayout(f)
	if err != nil {
		t.Fatal(err)
	}
	page := func(data []byte, id uint64) []byte { return data[id*l.pageSize:] }
	// The root lists the buckets. One of them has a branch page.
	var buckets [][2]int // where the number of a bucket's root page stands, and the number
	branch := uint64(0)
	for i := range int(order.Uint16(page(good, l.root)[10:])) {
		_, value, err := element(page(good, l.root), boltLeaf, i)
		if err != nil {
			t.Fatal(err)
		}
		if id := order.Uint64(value); id != 0 {
			buckets = append(buckets, [2]int{len(good) - cap(value), int(id)})
			if order.Uint16(page(good, id)[8:]) == boltBranch {
				branch = id
			}
		}
	}
	if len(buckets) < 3 || branch == 0 {
		t.Fatalf("buckets %v, branch %d", buckets, branch)
	}
	for name, c := range map[string]struct {
		damage func(data []byte)
		want   string
	}{
		"nothing": {func([]byte) {}, ""},
		"a page twice": {
			func(d []byte) { order.PutUint64(d[buckets[0][0]:], uint64(buckets[1][1])) }, "in use twice",
		},
		"a meta page as a root": {func(d []byte) { order.PutUint64(d[buckets[0][0]:], 1) }, "out of bounds"},
		"a page behind the end": {func(d []byte) { order.PutUint64(d[buckets[0][0]:], l.pages) }, "out of bounds"},
		"a page far away":       {func(d []byte) { order.PutUint64(d[buckets[0][0]:], 1<<63) }, "out of bounds"},
		"a circle": {
			func(d []byte) { order.PutUint64(page(d, branch)[boltHeader+8:], branch) }, "in use twice",
		},
		"a child of another": {
			func(d []byte) { copy(page(d, branch)[2*boltHeader+8:][:8], page(d, branch)[boltHeader+8:]) },
			"in use twice",
		},
		"a wrong number": {func(d []byte) { page(d, branch)[0]++ }, "has the head"},
		"another kind":   {func(d []byte) { order.PutUint16(page(d, branch)[8:], 0x10) }, "has the head"},
		"both kinds": {
			func(d []byte) { order.PutUint16(page(d, branch)[8:], boltBranch|boltLeaf) }, "has the head",
		},
		"an empty branch":   {func(d []byte) { order.PutUint16(page(d, branch)[10:], 0) }, "has the head"},
		"too many elements": {func(d []byte) { order.PutUint16(page(d, branch)[10:], 0xffff) }, ""},
		"too long": {
			func(d []byte) { order.PutUint32(page(d, branch)[12:], uint32(l.pages-branch)) }, "out of bounds",
		},
		"far too long": {func(d []byte) { order.PutUint32(page(d, branch)[12:], 1<<32-1) }, "out of bounds"},
		"a key outside": {
			func(d []byte) { order.PutUint32(page(d, branch)[boltHeader:], 1<<32-1) }, "out of bounds",
		},
		"a long key": {
			func(d []byte) { order.PutUint32(page(d, branch)[boltHeader+4:], 1<<32-1) }, "out of bounds",
		},
		"keys in disorder": {func(d []byte) {
			e := page(d, l.root)[boltHeader:]
			e[order.Uint32(e[4:])] = 0xff
		}, "not in order"},
		"a key of the parent too high": {func(d []byte) {
			e := page(d, branch)[boltHeader:]
			e[order.Uint32(e)] = 0xff
		}, "not in order"},
		"a value outside": {
			func(d []byte) { order.PutUint32(page(d, l.root)[boltHeader+12:], 1<<32-1) }, "out of bounds",
		},
		"a short bucket": {func(d []byte) { order.PutUint32(page(d, l.root)[boltHeader+12:], 15) }, "out of bounds"},
		"an odd flag":    {func(d []byte) { order.PutUint32(page(d, l.root)[boltHeader:], 2) }, "out of bounds"},
	} {
		t.Run(name, func(t *testing.T) {
			data := bytes.Clone(good)
			c.damage(data)
			write(t, path, data)
			err := verify(path)
			if name == "nothing" {
				if err != nil {
					t.Errorf("got %v", err)
				}
				return
			}
			if !errors.Is(err, disk.ErrDamaged) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
			for _, readOnly := range []bool{false, true} {
				if _, err := Open(Config{Path: path, ReadOnly: readOnly}); !errors.Is(err, disk.ErrDamaged) {
					t.Errorf("opened: %v", err)
				}
			}
			if now, _ := os.ReadFile(path); !bytes.Equal(now, data) {
				t.Error("what was refused was changed")
			}
		})
	}
}
