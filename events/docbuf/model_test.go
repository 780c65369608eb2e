package docbuf

import (
	"errors"
	"io"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// model races a buffer against a slice. Every action may meet a fault of the
// store, and then must not have happened.
type model struct {
	store io.ReadWriteSeeker
	flaky *flaky
	buf   *DocumentBuffer[[]byte]
	cache int

	docs []string // oldest first

	// What a crash leaves, until the buffer shrinks below it.
	committed []string
	end       int64
	void      bool
}

func TestModel(t *testing.T) {
	file := tempFile(t)
	stores := map[string]func() io.ReadWriteSeeker{
		"memory": func() io.ReadWriteSeeker { return NewReadWriteSeekString("") },
		"file":   func() io.ReadWriteSeeker { return file }, // with what the last run left in it
	}
	for name, inner := range stores {
		for _, cuts := range []bool{true, false} {
			t.Run(name+map[bool]string{true: " that cuts", false: " that does not cut"}[cuts], func(t *testing.T) {
				rapid.Check(t, func(t *rapid.T) {
					m := &model{flaky: &flaky{ReadWriteSeeker: inner()}}
					m.store = m.flaky
					if cuts {
						m.store = flakyCut{m.flaky}
					}
					m.cache = rapid.SampledFrom([]int{0, 1, 2, 3, 5, 50}).Draw(t, "cache")
					m.buf = opened(t, m.store, 0, m.cache)
					t.Repeat(rapid.StateMachineActions(m))
				})
			})
		}
	}
}

// try runs op, perhaps with a fault, and reports whether it happened.
func (m *model) try(t *rapid.T, op func() error) bool {
	m.flaky.failed = 0
	// One action in two is undisturbed.
	if rapid.Bool().Draw(t, "disturbed") {
		m.flaky.fault = fault(rapid.IntRange(0, int(syncFails)-1).Draw(t, "fault"))
	}
	err := op()
	m.flaky.fault = noFault
	switch {
	case err == nil:
		return true
	case m.flaky.failed == 0:
		t.Fatalf("error from a sound store: %v", err)
	case !errors.Is(err, errInjected) && !errors.Is(err, io.ErrShortWrite):
		t.Fatalf("the store's error got lost: %v", err)
	}
	return false
}

// Most documents are small, so that many share a window; some are larger than one.
var (
	small     = rapid.StringN(-1, -1, 20)
	documents = rapid.OneOf(small, small, small, rapid.Map(
		rapid.SampledFrom([]int{0, minBlock, 5000, maxBlock + 1}),
		func(n int) string { return strings.Repeat("x", n) },
	))
)

func (m *model) Push(t *rapid.T) {
	docs := rapid.SliceOfN(documents, 0, 8).Draw(t, "docs")
	if m.try(t, func() error { return m.buf.Push(raw(docs)...) }) {
		m.docs = append(m.docs, docs...)
	}
}

func (m *model) Pop(t *rapid.T) { m.single(t, m.buf.Pop, 1) }

func (m *model) Peek(t *rapid.T) { m.single(t, m.buf.Peek, 0) }

func (m *model) single(t *rapid.T, op func() ([]byte, error), removed int) {
	m.try(t, func() error {
		doc, err := op()
		last := len(m.docs) - 1
		switch {
		case last < 0:
			if err != io.EOF {
				t.Fatalf("error %v from an empty buffer", err)
			}
			return nil
		case err != nil:
			return err
		case string(doc) != m.docs[last]:
			t.Fatalf("got %q, want %q", doc, m.docs[last])
		}
		m.docs = m.docs[:len(m.docs)-removed]
		return nil
	})
}

func (m *model) Read(t *rapid.T) { m.bulk(t, m.buf.Read, false) }

func (m *model) Remove(t *rapid.T) { m.bulk(t, m.buf.Remove, true) }

func (m *model) bulk(t *rapid.T, op func(int) ([][]byte, error), removes bool) {
	n := rapid.IntRange(-1, 20).Draw(t, "n")
	m.try(t, func() error {
		docs, err := op(n)
		if err != nil {
			return err
		}
		rest := max(0, len(m.docs)-max(0, n))
		if got := cooked(docs); !slices.Equal(got, m.docs[rest:]) {
			t.Fatalf("got %q, want %q", got, m.docs[rest:])
		}
		if removes {
			m.docs = m.docs[:rest]
		}
		return nil
	})
}

func (m *model) Flush(t *rapid.T) {
	if m.try(t, m.buf.Flush) {
		m.commit(m.buf.End())
		if got, err := scan(m.buf, 0); err != nil || !slices.Equal(got, m.docs) {
			t.Fatalf("stored %q, %v; want %q", got, err, m.docs)
		}
	}
}

func (m *model) Reopen(t *rapid.T) {
	var end int64
	closed := m.try(t, func() (err error) { end, err = m.buf.Close(); return err })
	if !closed {
		return
	}
	if size, _ := m.store.Seek(0, io.SeekEnd); size != end {
		if _, cuts := m.store.(flakyCut); cuts || size < end {
			t.Fatalf("closed at %d, but the store is %d bytes long", end, size)
		}
	}
	m.commit(end)
	m.reopen(t)
}

// Crash forgets all that was not committed, as a kill would.
func (m *model) Crash(t *rapid.T) {
	if m.void {
		t.Skip("shrank below the committed end")
	}
	m.docs = slices.Clone(m.committed)
	m.reopen(t)
}

func (m *model) commit(end int64) {
	m.committed, m.end, m.void = slices.Clone(m.docs), end, false
}

func (m *model) reopen(t *rapid.T) {
	m.cache = rapid.SampledFrom([]int{0, 1, 2, 3, 5, 50}).Draw(t, "cache")
	m.buf = opened(t, m.store, m.end, m.cache)
	if m.buf.Cached() != 0 || m.buf.End() != m.end {
		t.Fatalf("opened at %d: %d cached, end %d", m.end, m.buf.Cached(), m.buf.End())
	}
}

// Check runs after every action.
func (m *model) Check(t *rapid.T) {
	checkInvariants(t, m.buf)
	if m.buf.End() < m.end {
		m.void = true
	}
	var ends []int64
	var stored []string
	at := headerSize
	cached, end := m.buf.Cached(), m.buf.End()
	for entry, err := range m.buf.Scan(0) {
		if err != nil {
			t.Fatalf("Scan: %v", err)
		}
		if entry.Offset != at {
			t.Fatalf("entry at %d after one that ends at %d", entry.Offset, at)
		}
		at = entry.Next
		ends = append(ends, at)
		stored = append(stored, string(entry.Doc))
	}
	switch {
	case len(stored) == 0 && end != 0, len(stored) > 0 && end != at:
		t.Fatalf("Scan stops at %d, End is %d", at, end)
	case len(stored) > len(m.docs) || !slices.Equal(stored, m.docs[:len(stored)]):
		t.Fatalf("stored %q, want the oldest of %q", stored, m.docs)
	case len(stored)+cached < len(m.docs):
		t.Fatalf("%d stored and %d cached of %d", len(stored), cached, len(m.docs))
	case m.buf.Cached() != cached || m.buf.End() != end:
		t.Fatalf("Scan changed the buffer")
	}
	if len(ends) > 0 {
		i := rapid.IntRange(0, len(ends)-1).Draw(t, "from")
		if got, err := scan(m.buf, ends[i]); err != nil || !slices.Equal(got, stored[i+1:]) {
			t.Fatalf("from %d: %q, %v; want %q", ends[i], got, err, stored[i+1:])
		}
	}
}
