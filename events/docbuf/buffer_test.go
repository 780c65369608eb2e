package docbuf

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// numbered returns n documents of about size bytes.
func numbered(n, size int) []string {
	docs := make([]string, n)
	for i := range docs {
		docs[i] = fmt.Sprintf("%0*d", size, i)
	}
	return docs
}

func TestEmpty(t *testing.T) {
	for _, cache := range []int{0, 1, 10} {
		b := opened(t, NewReadWriteSeekString(""), 0, cache)
		if _, err := b.Pop(); err != io.EOF {
			t.Errorf("Pop: %v", err)
		}
		if _, err := b.Peek(); err != io.EOF {
			t.Errorf("Peek: %v", err)
		}
		if docs, err := b.Read(10); len(docs) != 0 || err != nil {
			t.Errorf("Read: %q, %v", docs, err)
		}
		if docs, err := b.Remove(10); len(docs) != 0 || err != nil {
			t.Errorf("Remove: %q, %v", docs, err)
		}
		if docs, err := scan(b, 0); len(docs) != 0 || err != nil {
			t.Errorf("Scan: %q, %v", docs, err)
		}
		if err := b.Flush(); err != nil {
			t.Errorf("Flush: %v", err)
		}
		if end, err := b.Close(); end != 0 || err != nil {
			t.Errorf("Close: %d, %v", end, err)
		}
	}
}

func TestOpenRefuses(t *testing.T) {
	store, bounds := filled(t, "one", "two")
	whole, end := store.String(), bounds[len(bounds)-1]
	for _, test := range []struct {
		name       string
		store      string
		end, cache int
		want       error // nil for one without a name
	}{
		{"negative end", whole, -1, 0, nil},
		{"negative cache", whole, 0, -1, nil},
		{"too short", whole, int(end) + 1, 0, ErrShort},
		{"too short for a header", "", 8, 0, ErrShort},
		{"no end", whole, 0, 0, ErrUncommitted},
		{"no end, and no frames", "x", 0, 0, ErrUncommitted},
		{"end in the header", whole, 3, 0, ErrCorrupt},
		{"end in a frame", whole, int(end) - 1, 0, ErrCorrupt},
		{"another file", strings.Repeat("x", int(end)), int(end), 0, ErrCorrupt},
		{"another version", whole[:7] + "\x02" + whole[8:], int(end), 0, ErrCorrupt},
	} {
		t.Run(test.name, func(t *testing.T) {
			store := NewReadWriteSeekString(test.store)
			_, err := Open(store, Bytes{}, int64(test.end), test.cache)
			if err == nil || test.want != nil && !errors.Is(err, test.want) {
				t.Errorf("error %v, want %v", err, test.want)
			}
			if store.String() != test.store {
				t.Errorf("a refused store was changed")
			}
		})
	}
}

// What one half of the cache is worth: how documents move, in numbers.
func TestPromotionAndDemotion(t *testing.T) {
	store := &flaky{ReadWriteSeeker: NewReadWriteSeekString("")}
	b := opened(t, store, 0, 4)
	const size = 3 + frameExtra
	at := func(step string, cached int, frames int64, writes int) {
		t.Helper()
		end := frames * size
		if frames > 0 {
			end += headerSize
		}
		if b.Cached() != cached || b.End() != end || store.writes != writes {
			t.Errorf("%s: %d cached, end %d, %d writes; want %d, %d, %d",
				step, b.Cached(), b.End(), store.writes, cached, end, writes)
		}
		checkInvariants(t, b)
	}
	docs := numbered(8, 3)
	push(t, b, docs[:4]...)
	at("a full cache", 4, 0, 0)
	push(t, b, docs[4])
	at("overflow leaves half", 2, 3, 1)
	push(t, b, docs[5:7]...)
	at("full again", 4, 3, 1)
	if err := b.Flush(); err != nil {
		t.Fatal(err)
	}
	at("Flush leaves the cache alone", 4, 7, 2)
	push(t, b, docs[7])
	at("what was flushed is demoted for free", 2, 7, 2)
	for range 3 {
		if _, err := b.Pop(); err != nil {
			t.Fatal(err)
		}
	}
	at("Pop promoted two, and took one", 1, 5, 2)
	if _, err := b.Read(3); err != nil {
		t.Fatal(err)
	}
	at("Read promotes what it needs", 3, 5, 2)
	if _, err := b.Read(5); err != nil {
		t.Fatal(err)
	}
	at("Read promotes no more than fits", 4, 5, 2)
	if got, err := drain(b); err != io.EOF || !slices.Equal(got, docs[:5]) {
		t.Errorf("%q, %v", got, err)
	}
	at("empty", 0, 0, 2)
}

func TestNoCache(t *testing.T) {
	store := &flaky{ReadWriteSeeker: NewReadWriteSeekString("")}
	b := opened(t, store, 0, 0)
	docs := numbered(3, 5)
	push(t, b, docs...)
	if b.Cached() != 0 || store.writes != 1 {
		t.Errorf("%d cached, %d writes", b.Cached(), store.writes)
	}
	if got, err := scan(b, 0); err != nil || !slices.Equal(got, docs) {
		t.Errorf("Scan: %q, %v", got, err)
	}
	if got, err := drain(b); err != io.EOF || !slices.Equal(got, docs) {
		t.Errorf("Pop: %q, %v", got, err)
	}
}

// To read the newest of many must cost the newest, not the many.
func TestReadsNewestFirst(t *testing.T) {
	inner, bounds := filled(t, numbered(10_000, 100)...)
	store := &flaky{ReadWriteSeeker: inner}
	b := opened(t, store, bounds[len(bounds)-1], 0)
	if _, err := b.Pop(); err != nil {
		t.Fatal(err)
	}
	if store.read > 4*minBlock {
		t.Errorf("Open and Pop read %d bytes", store.read)
	}
	store.read = 0
	if _, err := b.Read(1000); err != nil {
		t.Fatal(err)
	}
	if most := 1000*(100+frameExtra) + 2*maxBlock; store.read > most {
		t.Errorf("Read(1000) read %d bytes, want at most %d", store.read, most)
	}
	store.read = 0
	for range b.Scan(bounds[5000]) {
		break
	}
	if store.read > minBlock {
		t.Errorf("one Entry cost %d bytes", store.read)
	}
}

func TestTooLarge(t *testing.T) {
	b := opened(t, NewReadWriteSeekString(""), 0, 1)
	big := make([]byte, MaxDocument+1)
	if err := b.Push([]byte("small"), big); !errors.Is(err, ErrTooLarge) {
		t.Errorf("Push: %v", err)
	}
	if _, err := b.Peek(); err != io.EOF {
		t.Errorf("half of a refused Push is there: %v", err)
	}
	if err := b.Push(big[1:], []byte("small")); err != nil {
		t.Fatalf("the largest: %v", err)
	}
	if got, err := drain(b); err != io.EOF || len(got) != 2 || len(got[0]) != MaxDocument {
		t.Errorf("%d documents, %v", len(got), err)
	}

	// What Push refuses is not accepted from a store, even in a sound frame.
	text := appendFrame([]byte(header), headerSize, big)
	bigEnd := int64(len(text))
	text = appendFrame(text, bigEnd, []byte("small"))
	b = opened(t, NewReadWriteSeekString(string(text)), int64(len(text)), 0)
	if _, err := scan(b, 0); !errors.Is(err, ErrCorrupt) {
		t.Errorf("Scan: %v", err)
	}
	if got, err := drain(b); len(got) != 1 || !errors.Is(err, ErrCorrupt) {
		t.Errorf("Pop: %d documents, %v", len(got), err)
	}
}

// A length is believed only after it was held against the size of the store.
func TestCorruptLengthAllocatesNothing(t *testing.T) {
	for _, length := range []string{"\xff\xff\xff\xff", "\x01\x00\x00\x00", "\x00\xff\xff\xff"} {
		frame := length + "sum!" + "document" + length
		store, bounds := filled(t, "first", "last")
		text := store.String()
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := Open(NewReadWriteSeekString(header+frame), Bytes{}, headerSize+int64(len(frame)), 0)
		// The same in the middle, where Open does not look.
		b := opened(t, NewReadWriteSeekString(text[:headerSize]+length+text[headerSize+4:]), bounds[2], 0)
		_, serr := scan(b, 0)
		runtime.ReadMemStats(&after)
		if !errors.Is(err, ErrCorrupt) || !errors.Is(serr, ErrCorrupt) {
			t.Errorf("length %x: %v, %v", length, err, serr)
		}
		if grown := after.TotalAlloc - before.TotalAlloc; grown > 1<<20 {
			t.Errorf("length %x: allocated %d bytes", length, grown)
		}
	}
}

func TestClosed(t *testing.T) {
	store := NewReadWriteSeekString("junk of an earlier life, and a long one")
	b := opened(t, store, 0, 4)
	push(t, b, "one")
	running := b.Scan(0)
	end, err := b.Close()
	if want := headerSize + 3 + frameExtra; end != want || err != nil {
		t.Errorf("Close: %d, %v; want %d", end, err, want)
	}
	if len(store.String()) != int(end) {
		t.Errorf("closed at %d, but %d bytes are left", end, len(store.String()))
	}
	errs := map[string]error{"Push": b.Push([]byte("two")), "Push of nothing": b.Push(), "Flush": b.Flush()}
	_, errs["Pop"] = b.Pop()
	_, errs["Peek"] = b.Peek()
	_, errs["Read"] = b.Read(1)
	_, errs["Remove"] = b.Remove(1)
	_, errs["Close"] = b.Close()
	_, errs["Scan"] = scan(b, 0)
	for _, errs["Scan made before"] = range running {
		break
	}
	for name, err := range errs {
		if !errors.Is(err, ErrClosed) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if b.End() != end || b.Cached() != 0 {
		t.Errorf("End %d, Cached %d", b.End(), b.Cached())
	}
}

// Where the store cannot be cut, Close leaves junk and the end tells where.
func TestCloseWithoutTruncate(t *testing.T) {
	inner := NewReadWriteSeekString("")
	b := opened(t, inner.WithoutTruncate(), 0, 0)
	push(t, b, "kept", "removed")
	if _, err := b.Pop(); err != nil {
		t.Fatal(err)
	}
	end, err := b.Close()
	if err != nil || int64(len(inner.String())) <= end {
		t.Fatalf("Close: %d, %v with %d bytes", end, err, len(inner.String()))
	}
	b = opened(t, inner.WithoutTruncate(), end, 0)
	if got, err := drain(b); err != io.EOF || !slices.Equal(got, []string{"kept"}) {
		t.Errorf("%q, %v", got, err)
	}
}

func TestJSON(t *testing.T) {
	type vote struct {
		Who string
		Yes bool
	}
	b, err := Open(NewReadWriteSeekString(""), JSON[*vote]{}, 0, 1)
	if err != nil {
		t.Fatal(err)
	}
	v := &vote{"ada", true}
	if err := b.Push(v, nil, v); err != nil {
		t.Fatal(err)
	}
	v.Who = "changed after the Push"
	got, err := b.Read(3)
	if want := []*vote{{"ada", true}, nil, {"ada", true}}; err != nil || !cmp.Equal(got, want) {
		t.Errorf("%v: %s", err, cmp.Diff(want, got))
	}

	store, bounds := filled(t, "{}", "not JSON")
	b, err = Open(store, JSON[*vote]{}, bounds[2], 1)
	if err != nil {
		t.Fatal(err)
	}
	var syntax *json.SyntaxError
	for range 2 { // it stays where it is
		if v, err := b.Pop(); v != nil || !errors.As(err, &syntax) {
			t.Errorf("Pop: %v, %v", v, err)
		}
	}
}

// picky is a codec that refuses some documents.
type picky struct{ Bytes }

var errPicky = errors.New("not to my taste")

func (p picky) Encode(doc []byte) ([]byte, error) {
	if string(doc) == "write-only nonsense" {
		return nil, errPicky
	}
	return p.Bytes.Encode(doc)
}

func (p picky) Decode(data []byte) ([]byte, error) {
	if string(data) == "nonsense" {
		return nil, errPicky
	}
	return p.Bytes.Decode(data)
}

func TestCodecRefuses(t *testing.T) {
	for _, cache := range []int{0, 1, 10} {
		b, err := Open(NewReadWriteSeekString(""), Codec[[]byte](picky{}), 0, cache)
		if err != nil {
			t.Fatal(err)
		}
		push(t, b, "one", "nonsense", "three")
		if err := b.Push([]byte("four"), []byte("write-only nonsense")); !errors.Is(err, errPicky) {
			t.Errorf("Push: %v", err)
		}
		if docs, err := b.Remove(2); docs != nil || !errors.Is(err, errPicky) {
			t.Errorf("Remove: %q, %v", docs, err)
		}
		if doc, err := b.Pop(); string(doc) != "three" || err != nil {
			t.Errorf("Pop: %q, %v", doc, err)
		}
		if _, err := b.Pop(); !errors.Is(err, errPicky) || errors.Is(err, ErrCorrupt) {
			t.Errorf("Pop: %v", err)
		}
		push(t, b, "three")
		if err := b.Flush(); err != nil {
			t.Fatal(err)
		}
		var got []string
		for entry, err := range b.Scan(0) {
			if err != nil && (!errors.Is(err, errPicky) || entry.Offset == 0 || entry.Next == 0) {
				t.Errorf("Scan: %+v, %v", entry, err)
			}
			got = append(got, string(entry.Doc))
		}
		if want := []string{"one", "", "three"}; !slices.Equal(got, want) {
			t.Errorf("Scan goes on with %q, want %q", got, want)
		}
	}
}
