package replicatest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"sync"
	"time"

	"moot/internal/finding"
	"moot/replica"
	"moot/store"
)

// Memory is a log in memory, for tests. Its lease ends by the clock, or by Expire.
type Memory struct {
	mu      sync.Mutex
	stands  replica.Standing
	until   time.Time
	changes []store.Change // the first is behind trimmed
	trimmed uint64
	base    []byte
	news    chan struct{} // closed and made anew when something is appended
}

// NewMemory returns an empty log.
func NewMemory() *Memory { return &Memory{news: make(chan struct{})} }

// Expire ends the lease of whoever leads.
func (m *Memory) Expire() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.until = time.Time{}
}

// Forget lets go of the last changes, as a server does that was replaced by a copy which lacked them. It returns how many those were:
// what is in the base stays.
func (m *Memory) Forget(n int) int {
	m.mu.Lock()
	defer m.mu.Unlock()
	n = min(n, len(m.changes), int(m.stands.Last-m.stands.Base))
	m.changes = m.changes[:len(m.changes)-n]
	m.stands.Last -= uint64(n)
	return n
}

// Stand says how the log stands.
func (m *Memory) Stand(context.Context) (replica.Standing, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.stands.Held = time.Now().Before(m.until)
	return m.stands, nil
}

// Lead takes the lease where nobody has it.
func (m *Memory) Lead(_ context.Context, node string, ttl time.Duration) (replica.Term, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if time.Now().Before(m.until) {
		return 0, replica.ErrHeld
	}
	m.stands.Leader, m.until = node, time.Now().Add(ttl)
	m.stands.Term++
	return m.stands.Term, nil
}

// as calls f where the term is that of who leads.
func (m *Memory) as(t replica.Term, f func() error) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if t != m.stands.Term {
		return replica.ErrFenced
	}
	return f()
}

// Renew has the lease run on.
func (m *Memory) Renew(_ context.Context, t replica.Term, ttl time.Duration) error {
	return m.as(t, func() error { m.until = time.Now().Add(ttl); return nil })
}

// Release gives the lease back.
func (m *Memory) Release(_ context.Context, t replica.Term) error {
	_ = m.as(t, func() error { m.until = time.Time{}; return nil }) // another may lead
	return nil
}

// Append puts a change behind the last one.
func (m *Memory) Append(_ context.Context, t replica.Term, ch store.Change) error {
	return m.as(t, func() error {
		if n := len(m.changes); n > 0 && ch.Number == m.stands.Last && bytes.Equal(m.changes[n-1].Body, ch.Body) {
			return nil
		}
		if ch.Number != m.stands.Last+1 {
			return fmt.Errorf("%w: %d, and it ends at %d", replica.ErrGap, ch.Number, m.stands.Last)
		}
		m.changes = append(m.changes, store.Change{Number: ch.Number, Body: bytes.Clone(ch.Body)})
		m.stands.Last = ch.Number
		close(m.news)
		m.news = make(chan struct{})
		return nil
	})
}

// Follow goes through the changes after a number.
func (m *Memory) Follow(ctx context.Context, after uint64) iter.Seq2[store.Change, error] {
	next := func() (ch store.Change, news chan struct{}, err error) {
		m.mu.Lock()
		defer m.mu.Unlock()
		switch {
		case after > m.stands.Last:
			return ch, nil, store.ErrAhead
		case after == m.stands.Last:
			return ch, m.news, nil
		case after < m.trimmed:
			return ch, nil, store.ErrGone
		}
		return m.changes[after-m.trimmed], nil, nil
	}
	return func(yield func(store.Change, error) bool) {
		for {
			ch, news, err := next()
			if news != nil {
				select {
				case <-news:
					continue
				case <-ctx.Done():
					err = ctx.Err()
				}
			}
			if !yield(ch, err) || err != nil {
				return
			}
			after = ch.Number
		}
	}
}

// PutBase puts a base in place of the one before it.
func (m *Memory) PutBase(_ context.Context, t replica.Term, identity string, number uint64, r io.Reader) error {
	data, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	return m.as(t, func() error {
		switch m.stands.Identity {
		case identity:
		case "":
			m.stands.Identity, m.stands.Last, m.trimmed = identity, number, number
		default:
			return replica.ErrOther
		}
		m.stands.Base, m.base = number, data
		return nil
	})
}

// Base reads the base.
func (m *Memory) Base(context.Context) (uint64, io.ReadCloser, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.stands.Identity == "" {
		return 0, nil, replica.ErrNoBase
	}
	return m.stands.Base, &memoryReader{m, m.stands.Base, bytes.NewReader(m.base)}, nil
}

// memoryReader reads a base until another one is put.
type memoryReader struct {
	m      *Memory
	number uint64
	from   io.Reader
}

func (r *memoryReader) Read(b []byte) (int, error) {
	r.m.mu.Lock()
	defer r.m.mu.Unlock()
	if r.m.stands.Base != r.number {
		return 0, errors.New("another base was put meanwhile")
	}
	return r.from.Read(b)
}

func (r *memoryReader) Close() error { return nil }

// Trim lets go of the changes up to a number.
func (m *Memory) Trim(_ context.Context, t replica.Term, upTo uint64) error {
	return m.as(t, func() error {
		if upTo = min(upTo, m.stands.Base); upTo > m.trimmed {
			m.changes = m.changes[upTo-m.trimmed:]
			m.trimmed = upTo
		}
		return nil
	})
}

// Check finds nothing.
func (m *Memory) Check(context.Context) ([]finding.Finding, error) { return nil, nil }

// Close does nothing.
func (m *Memory) Close() error { return nil }
