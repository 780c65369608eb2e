package docbuf

import (
	"errors"
	"slices"
	"testing"
)

func TestScanFrom(t *testing.T) {
	// A document may hold frames itself: none of them is one of this store.
	inner, _ := filled(t, "inner one", "inner two")
	docs := []string{"one", inner.String(), "", "four"}
	store, bounds := filled(t, docs...)
	end := bounds[len(bounds)-1]
	b := opened(t, store, end, 2)
	if _, err := b.Peek(); err != nil { // so that some are in both places
		t.Fatal(err)
	}
	for from := int64(-2); from <= end+2; from++ {
		got, err := scan(b, from)
		i, boundary := slices.BinarySearch(bounds, from)
		switch {
		case from == 0:
			if err != nil || !slices.Equal(got, docs) {
				t.Errorf("from 0: %q, %v", got, err)
			}
		case boundary:
			if err != nil || !slices.Equal(got, docs[i:]) {
				t.Errorf("from %d: %q, %v; want %q", from, got, err, docs[i:])
			}
		case from > end:
			if len(got) != 0 || !errors.Is(err, ErrShort) {
				t.Errorf("from %d: %q, %v", from, got, err)
			}
		default:
			if len(got) != 0 || !errors.Is(err, ErrCorrupt) {
				t.Errorf("from %d: %q, %v", from, got, err)
			}
		}
	}
	checkInvariants(t, b)
}

func TestScanLeavesOutWhatIsOnlyInMemory(t *testing.T) {
	b := opened(t, NewReadWriteSeekString(""), 0, 4)
	push(t, b, "one", "two")
	if got, err := scan(b, 0); len(got) != 0 || err != nil {
		t.Errorf("%q, %v", got, err)
	}
	if err := b.Flush(); err != nil {
		t.Fatal(err)
	}
	push(t, b, "three")
	if got, err := scan(b, 0); err != nil || !slices.Equal(got, []string{"one", "two"}) {
		t.Errorf("%q, %v", got, err)
	}
}

// What happens to a Scan when its buffer is used inside the loop.
func TestScanInterrupted(t *testing.T) {
	for _, test := range []struct {
		name string
		do   func(b *DocumentBuffer[[]byte]) error
		want []string
		err  error
	}{
		{"Push", func(b *DocumentBuffer[[]byte]) error { return b.Push([]byte("new")) },
			[]string{"one", "two", "three"}, nil},
		{"Peek", func(b *DocumentBuffer[[]byte]) error { _, err := b.Peek(); return err },
			[]string{"one", "two", "three"}, nil},
		{"Scan", func(b *DocumentBuffer[[]byte]) error { _, err := scan(b, 0); return err },
			[]string{"one", "two", "three"}, nil},
		{"Pop", func(b *DocumentBuffer[[]byte]) error { _, err := b.Pop(); return err },
			[]string{"one"}, ErrShrunk},
		{"Pop and Push", func(b *DocumentBuffer[[]byte]) error {
			if _, err := b.Pop(); err != nil {
				return err
			}
			return b.Push([]byte("THREE"))
		}, []string{"one"}, ErrShrunk},
		{"Close", func(b *DocumentBuffer[[]byte]) error { _, err := b.Close(); return err },
			[]string{"one"}, ErrClosed},
	} {
		t.Run(test.name, func(t *testing.T) {
			b := opened(t, NewReadWriteSeekString(""), 0, 0)
			push(t, b, "one", "two", "three")
			var got []string
			var last error
			for entry, err := range b.Scan(0) {
				if last = err; err != nil {
					continue // an error is the last thing, even if one goes on
				}
				got = append(got, string(entry.Doc))
				if len(got) == 1 {
					if err := test.do(b); err != nil {
						t.Fatal(err)
					}
				}
			}
			if !slices.Equal(got, test.want) || !errors.Is(last, test.err) {
				t.Errorf("%q, %v; want %q, %v", got, last, test.want, test.err)
			}
		})
	}
}
