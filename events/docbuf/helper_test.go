package docbuf

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// A tester is what *testing.T and *rapid.T have in common.
type tester interface {
	Helper()
	Fatalf(format string, args ...any)
}

// fault is a way for a store to fail.
type fault int

const (
	noFault       fault = iota
	seekFails           // and does not move
	readFails           // and reads nothing
	writeFails          // and writes nothing: failed and lost
	writeTears          // writes half and says so
	writeLies           // writes half and says so with a nil error
	writeKept           // writes all and fails nevertheless: failed but kept
	truncateFails       // and cuts nothing
	truncateKept        // cuts and fails nevertheless
	syncFails
)

var errInjected = errors.New("injected")

// flaky is a store that fails the way it is told to, for as long as it is told.
// It also counts.
type flaky struct {
	io.ReadWriteSeeker
	fault fault

	failed        int // faults that struck
	read, written int // bytes
	writes, syncs int // calls
}

// strikes reports whether the store is to fail in one of the ways.
func (f *flaky) strikes(ways ...fault) bool {
	if !slices.Contains(ways, f.fault) {
		return false
	}
	f.failed++
	return true
}

func (f *flaky) Seek(offset int64, whence int) (int64, error) {
	if f.strikes(seekFails) {
		return 0, errInjected
	}
	return f.ReadWriteSeeker.Seek(offset, whence)
}

func (f *flaky) Read(p []byte) (int, error) {
	if f.strikes(readFails) {
		return 0, errInjected
	}
	n, err := f.ReadWriteSeeker.Read(p)
	f.read += n
	return n, err
}

func (f *flaky) Write(p []byte) (int, error) {
	f.writes++
	part, err := len(p), error(nil)
	if f.strikes(writeFails, writeTears, writeLies, writeKept) {
		err = errInjected
		switch f.fault {
		case writeFails:
			part = 0
		case writeTears:
			part /= 2
		case writeLies:
			part, err = part/2, nil
		}
	}
	n, werr := f.ReadWriteSeeker.Write(p[:part])
	f.written += n
	return n, errors.Join(werr, err)
}

func (f *flaky) Sync() error {
	f.syncs++
	if f.strikes(syncFails) {
		return errInjected
	}
	return nil
}

// flakyCut is a flaky store that can be cut.
type flakyCut struct{ *flaky }

func (f flakyCut) Truncate(size int64) error {
	if f.strikes(truncateFails) {
		return errInjected
	}
	if err := f.ReadWriteSeeker.(interface{ Truncate(int64) error }).Truncate(size); err != nil {
		return err
	}
	if f.strikes(truncateKept) {
		return errInjected
	}
	return nil
}

// tempFile returns a new file that is closed when the test is over.
func tempFile(t testing.TB) *os.File {
	t.Helper()
	file, err := os.Create(filepath.Join(t.TempDir(), "store"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { file.Close() })
	return file
}

func opened(t tester, store io.ReadWriteSeeker, end int64, cache int) *DocumentBuffer[[]byte] {
	t.Helper()
	b, err := Open(store, Bytes{}, end, cache)
	if errors.Is(err, ErrUncommitted) { // these tests know that it is worth nothing
		b, err = New(store, Bytes{}, cache)
	}
	if err != nil {
		t.Fatalf("Open(end %d, cache %d): %v", end, cache, err)
	}
	return b
}

func push(t tester, b *DocumentBuffer[[]byte], docs ...string) {
	t.Helper()
	if err := b.Push(raw(docs)...); err != nil {
		t.Fatalf("Push(%q): %v", docs, err)
	}
}

// filled returns a store with docs and its end, and all its frame boundaries.
func filled(t tester, docs ...string) (*ReadWriteSeekString, []int64) {
	t.Helper()
	store := NewReadWriteSeekString("")
	b := opened(t, store, 0, 0)
	push(t, b, docs...)
	bounds := []int64{headerSize}
	for entry, err := range b.Scan(0) {
		if err != nil {
			t.Fatalf("Scan: %v", err)
		}
		bounds = append(bounds, entry.Next)
	}
	if _, err := b.Close(); err != nil {
		t.Fatalf("Close: %v", err)
	}
	return store, bounds
}

// scan returns what Scan yields before its first error, and that error.
func scan(b *DocumentBuffer[[]byte], from int64) (docs []string, err error) {
	for entry, err := range b.Scan(from) {
		if err != nil {
			return docs, err
		}
		docs = append(docs, string(entry.Doc))
	}
	return docs, nil
}

// drain pops until the first error and returns what came, oldest first.
func drain(b *DocumentBuffer[[]byte]) ([]string, error) {
	var docs []string
	for {
		doc, err := b.Pop()
		if err != nil {
			slices.Reverse(docs)
			return docs, err
		}
		docs = append(docs, string(doc))
	}
}

func raw(docs []string) [][]byte {
	var out [][]byte
	for _, doc := range docs {
		out = append(out, []byte(doc))
	}
	return out
}

// cooked returns docs as strings in the opposite order.
func cooked(docs [][]byte) []string {
	var out []string
	for _, doc := range slices.Backward(docs) {
		out = append(out, string(doc))
	}
	return out
}

// checkInvariants holds the fields of b against each other.
func checkInvariants(t tester, b *DocumentBuffer[[]byte]) {
	t.Helper()
	var both int64
	for _, doc := range b.cache[:b.stored] {
		both += frameSize(doc)
	}
	switch {
	case len(b.cache) > b.capacity:
		t.Fatalf("%d documents in a cache of %d", len(b.cache), b.capacity)
	case b.low < headerSize, b.end < b.low:
		t.Fatalf("low %d, end %d", b.low, b.end)
	case b.low+both != b.end:
		t.Fatalf("low %d and %d bytes in both places do not make end %d", b.low, both, b.end)
	}
}
