package docbuf

import (
	"errors"
	"io"
	"os"
	"slices"
	"testing"
)

var damaged = []string{"one", "", "three is longer than the others", "\x00\x00\x00\x00", "five"}

// A file that lost its tail is refused, wherever it was cut.
func TestCutAnywhere(t *testing.T) {
	store, bounds := filled(t, damaged...)
	whole, end := store.String(), bounds[len(bounds)-1]
	file := tempFile(t)
	if _, err := file.WriteString(whole); err != nil {
		t.Fatal(err)
	}
	for size := end - 1; size >= 0; size-- {
		if err := file.Truncate(size); err != nil {
			t.Fatal(err)
		}
		for name, store := range map[string]io.ReadWriteSeeker{
			"memory": NewReadWriteSeekString(whole[:size]),
			"file":   file,
		} {
			if _, err := Open(store, Bytes{}, end, 2); !errors.Is(err, ErrShort) {
				t.Fatalf("%s cut at %d of %d: %v", name, size, end, err)
			}
		}
	}
}

// A smaller committed end gives exactly the documents up to it, whatever comes
// after; an end that is no boundary is refused.
func TestOpenAtEveryEnd(t *testing.T) {
	store, bounds := filled(t, damaged...)
	whole := store.String() + "a torn write"
	for end := int64(0); end <= int64(len(whole)); end++ {
		for _, cuts := range []bool{true, false} {
			store := NewReadWriteSeekString(whole)
			var backing io.ReadWriteSeeker = store
			if !cuts {
				backing = store.WithoutTruncate()
			}
			b, err := Open(backing, Bytes{}, end, 2)
			if end == 0 {
				b, err = New(backing, Bytes{}, 2)
			}
			i, boundary := slices.BinarySearch(bounds, end)
			if !boundary && end != 0 {
				if !errors.Is(err, ErrCorrupt) {
					t.Errorf("end %d: %v", end, err)
				}
				if store.String() != whole {
					t.Errorf("end %d: refused and changed", end)
				}
				continue
			}
			if err != nil {
				t.Fatalf("end %d: %v", end, err)
			}
			if got, err := scan(b, 0); err != nil || !slices.Equal(got, damaged[:i]) {
				t.Errorf("end %d: Scan %q, %v", end, got, err)
			}
			if size := int64(len(store.String())); cuts && size != b.End() {
				t.Errorf("end %d: %d bytes are left", end, size)
			}
			push(t, b, "new")
			if err := b.Flush(); err != nil {
				t.Fatal(err)
			}
			want := append(slices.Clone(damaged[:i]), "new")
			b = opened(t, backing, b.End(), 2)
			if got, err := drain(b); err != io.EOF || !slices.Equal(got, want) {
				t.Errorf("end %d, then a Push: %q, %v", end, got, err)
			}
		}
	}
}

// Whatever single bit turns, no reader gets a wrong document, and one that reads
// everything gets an error.
func TestBitFlips(t *testing.T) {
	store, bounds := filled(t, damaged...)
	whole, end := store.String(), bounds[len(bounds)-1]
	for at := range whole {
		// The frame that is hit; -1 for the header.
		hit := -1
		for hit+1 < len(damaged) && int64(at) >= bounds[hit+1] {
			hit++
		}
		for bit := range 8 {
			flipped := []byte(whole)
			flipped[at] ^= 1 << bit
			for _, cache := range []int{0, 3, 100} {
				store := NewReadWriteSeekString(string(flipped))
				b, err := Open(store, Bytes{}, end, cache)
				if hit < 0 || hit == len(damaged)-1 {
					if !errors.Is(err, ErrCorrupt) {
						t.Fatalf("byte %d bit %d: opened: %v", at, bit, err)
					}
					continue
				}
				if err != nil {
					t.Fatalf("byte %d bit %d: %v", at, bit, err)
				}
				var broken *CorruptError
				got, err := scan(b, 0)
				if !slices.Equal(got, damaged[:hit]) || !errors.As(err, &broken) || broken.Offset != bounds[hit] {
					t.Fatalf("byte %d bit %d: Scan %q, %v", at, bit, got, err)
				}
				if docs, err := b.Read(len(damaged)); docs != nil || !errors.Is(err, ErrCorrupt) {
					t.Fatalf("byte %d bit %d: Read %q, %v", at, bit, docs, err)
				}
				got, err = drain(b)
				if !slices.Equal(got, damaged[hit+1:]) || !errors.As(err, &broken) || broken.Offset != bounds[hit+1] {
					t.Fatalf("byte %d bit %d: Pop %q, %v", at, bit, got, err)
				}
			}
		}
	}
}

// A store that is cut behind the buffer's back must not look like an empty one.
func TestCutWhileOpen(t *testing.T) {
	store, bounds := filled(t, damaged...)
	b := opened(t, store, bounds[len(bounds)-1], 0)
	for size := b.End() - 1; size >= 0; size-- {
		if err := store.Truncate(size); err != nil {
			t.Fatal(err)
		}
		if _, err := b.Pop(); !errors.Is(err, ErrShort) || errors.Is(err, io.EOF) {
			t.Errorf("cut at %d: Pop: %v", size, err)
		}
		if _, err := scan(b, 0); !errors.Is(err, ErrShort) || errors.Is(err, io.EOF) {
			t.Errorf("cut at %d: Scan: %v", size, err)
		}
	}
}

// A whole life in a file of the operating system.
func TestFile(t *testing.T) {
	file := tempFile(t)
	b := opened(t, file, 0, 10)
	docs := numbered(100, 1000)
	push(t, b, docs...)
	end, err := b.Close()
	if err != nil {
		t.Fatal(err)
	}
	again, err := os.OpenFile(file.Name(), os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	b = opened(t, again, end, 7)
	if got, err := scan(b, 0); err != nil || !slices.Equal(got, docs) {
		t.Errorf("Scan: %d documents, %v", len(got), err)
	}
	if got, err := b.Remove(40); err != nil || !slices.Equal(cooked(got), docs[60:]) {
		t.Errorf("Remove: %d documents, %v", len(got), err)
	}
	push(t, b, "new")
	end, err = b.Close()
	if info, serr := again.Stat(); err != nil || serr != nil || info.Size() != end {
		t.Errorf("closed at %d, %v; file %v, %v", end, err, info, serr)
	}
	b = opened(t, again, end, 0)
	if got, err := drain(b); err != io.EOF || !slices.Equal(got, append(docs[:60:60], "new")) {
		t.Errorf("Pop: %d documents, %v", len(got), err)
	}
}
