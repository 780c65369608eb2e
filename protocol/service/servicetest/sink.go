// Package servicetest is a sink for the tests of collectors. It keeps what is durable, and dies when it is told to: then what was
// being brought is durable up to a place, as with a bot that is killed.
package servicetest

import (
	"context"
	"errors"
	"sync"
	"testing"

	"moot/protocol/service"
)

// ErrDied is the error of a sink that has died.
var ErrDied = errors.New("the sink has died")

// Sink keeps what a collector brings. Its methods may be called concurrently.
type Sink struct {
	mu     sync.Mutex
	cursor string
	items  []service.Item
	seen   map[string]bool
	left   int // how many new things are taken before it dies; negative means that it does not
	marks  int
	full   bool
	more   chan struct{} // closed, and made anew, when something was brought
}

// New returns a sink that does not die.
func New() *Sink { return &Sink{seen: map[string]bool{}, left: -1, more: make(chan struct{})} }

// DieAfter lets the sink die when it has taken n more things that are new. A negative n lets it live.
func (s *Sink) DieAfter(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.left = n
}

// Items returns what was brought, each once.
func (s *Sink) Items() []service.Item {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]service.Item{}, s.items...)
}

// Texts returns the texts of what was brought.
func (s *Sink) Texts() (all []string) {
	for _, it := range s.Items() {
		all = append(all, it.Text)
	}
	return all
}

// Marks returns how often a cursor came alone.
func (s *Sink) Marks() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.marks
}

// Wait returns when so many things were brought, or the context has ended.
func (s *Sink) Wait(ctx context.Context, n int) {
	for {
		s.mu.Lock()
		have, more := len(s.items), s.more
		s.mu.Unlock()
		if have >= n {
			return
		}
		select {
		case <-more:
		case <-ctx.Done():
			return
		}
	}
}

// Cursor implements service.Sink.
func (s *Sink) Cursor() (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.cursor, nil
}

// Forget forgets the cursor, as where the configuration has had another collector meanwhile.
func (s *Sink) Forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cursor = ""
}

// Fill has nothing be brought any more.
func (s *Sink) Fill() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.full = true
}

// Ready implements service.Sink.
func (s *Sink) Ready(ctx context.Context) error {
	s.mu.Lock()
	full := s.full
	s.mu.Unlock()
	if full {
		<-ctx.Done()
	}
	return ctx.Err()
}

// Bring implements service.Sink.
func (s *Sink) Bring(_ context.Context, items []service.Item) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	defer s.tell()
	for _, it := range items {
		if s.left == 0 {
			return ErrDied
		}
		if !s.seen[string(it.ID)] {
			s.left--
			s.seen[string(it.ID)] = true
			s.items = append(s.items, it)
		}
		if it.Cursor != "" && s.left != 0 { // it may die between a thing and the cursor behind it
			s.cursor = it.Cursor
		}
	}
	return nil
}

// Mark implements service.Sink.
func (s *Sink) Mark(_ context.Context, cursor string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	defer s.tell()
	if s.left == 0 {
		return ErrDied
	}
	s.cursor = cursor
	s.marks++
	return nil
}

// tell tells those who wait. The mutex is held.
func (s *Sink) tell() {
	close(s.more)
	s.more = make(chan struct{})
}

// Run runs a collector until stop is called, which returns when it has ended.
func Run(t testing.TB, c service.Collector, to *Sink) (stop func()) {
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- c.Run(ctx, to) }()
	return func() {
		cancel()
		if err := <-ended; err != nil && !errors.Is(err, context.Canceled) && !errors.Is(err, ErrDied) {
			t.Error(err)
		}
	}
}
