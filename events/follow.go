package events

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"moot/store"
)

// DefaultHistory is how many facts SubscribeWithHistory brings first if it is not told otherwise.
const DefaultHistory = 256

// A page is what a subscription reads at a time: that many facts and bytes of payload, give or take
// one fact.
const (
	pageFacts = 64
	pageBytes = 256 << 10
)

// followers are the subscriptions that are open.
type followers struct {
	history *history

	mu     sync.Mutex
	all    map[*Subscription]struct{}
	closed bool
}

func (f *followers) add(s *Subscription) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		close(s.done)
		return
	}
	f.all[s] = struct{}{}
}

func (f *followers) remove(s *Subscription) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if _, ok := f.all[s]; ok {
		delete(f.all, s)
		close(s.done)
	}
}

func (f *followers) close() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for s := range f.all {
		close(s.done)
	}
	clear(f.all)
	f.closed = true
}

// Notify tells the subscriptions that the log has grown. The loop calls it after each commit that
// appended; it never blocks.
func (f *followers) Notify() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for s := range f.all {
		select {
		case s.wake <- struct{}{}:
		default: // it has been told, and looks for itself
		}
	}
}

// Subscription is a place in the log that moves on with each Next. Next belongs to one goroutine;
// Close may be called from another.
type Subscription struct {
	of     *followers
	kinds  []string
	wake   chan struct{} // one slot: there may be something new
	done   chan struct{} // closed by Close
	cursor uint64        // number of the last fact that was read, if not returned; owned by Next
	page   []Fact        // read and not returned yet; owned by Next
	fault  error         // why the place is not known; owned by Next
}

// Subscribe follows facts of the given kinds, all where there are none, from now on. It must not be
// called within a commit. The subscription is to be closed.
func (f *followers) Subscribe(kinds ...string) *Subscription {
	return f.subscribe(kinds, func(tx *store.Tx) uint64 { return tx.NextFact() - 1 })
}

// SubscribeWithHistory is Subscribe that first brings the last n facts of these kinds; then come
// those that follow, without gap or repeat. An n of 0 means DefaultHistory, a negative one all that
// there are.
func (f *followers) SubscribeWithHistory(n int, kinds ...string) *Subscription {
	if n == 0 {
		n = DefaultHistory
	}
	return f.subscribe(kinds, func(tx *store.Tx) uint64 {
		if n < 0 {
			return 0
		}
		start, left := tx.NextFact(), n
		for seq := range seqs(tx, kinds, Query{Backward: true}) {
			if start = seq; left == 1 {
				break
			}
			left--
		}
		return start - 1
	})
}

func (f *followers) subscribe(kinds []string, start func(*store.Tx) uint64) *Subscription {
	s := &Subscription{of: f, kinds: kinds, wake: make(chan struct{}, 1), done: make(chan struct{})}
	s.fault = f.history.store.View(func(tx *store.Tx) error {
		s.cursor = start(tx)
		return nil
	})
	f.add(s)
	return s
}

// Next returns the next fact and waits until there is one. It returns ErrClosed after Close, the
// error of the context when that ends, and with any other error of one fact (its Seq says which)
// goes on behind it at the next call.
func (s *Subscription) Next(ctx context.Context) (Fact, error) {
	for {
		select {
		case <-s.done:
			return Fact{}, fmt.Errorf("subscription: %w", ErrClosed)
		default:
		}
		if err := ctx.Err(); err != nil {
			return Fact{}, err
		}
		if len(s.page) > 0 {
			f := s.page[0]
			s.page[0] = Fact{} // which it keeps no longer
			s.page = s.page[1:]
			return f, nil
		}
		if f, err := s.turn(); err != nil {
			return f, err
		}
		if len(s.page) > 0 {
			continue
		}
		select {
		case <-s.wake:
		case <-s.done:
		case <-ctx.Done():
		}
	}
}

// turn reads the next page. With an error it returns the fact that could not be read.
func (s *Subscription) turn() (bad Fact, err error) {
	if s.fault != nil {
		return bad, fmt.Errorf("subscribe: %w", s.fault)
	}
	var faulty error
	err = s.of.history.store.View(func(tx *store.Tx) error {
		reader, bytes := newReader(tx, s.of.history.archive), 0
		for seq := range seqs(tx, s.kinds, Query{After: s.cursor}) {
			f, err := reader.fact(seq)
			switch {
			case err != nil && len(s.page) > 0:
				return nil // first what comes before it
			case err != nil:
				s.cursor, bad, faulty = seq, f, err
				return nil
			case len(s.kinds) > 0 && !slices.Contains(s.kinds, f.Kind): // the index was mistaken
				continue
			}
			s.page, s.cursor = append(s.page, f), seq
			if bytes += len(f.Payload); len(s.page) == pageFacts || bytes > pageBytes {
				return nil
			}
		}
		return nil
	})
	if err == nil {
		err = faulty
	}
	if err != nil {
		err = fmt.Errorf("follow the log: %w", err)
	}
	return bad, err
}

// Close ends the subscription, also a Next that waits.
func (s *Subscription) Close() { s.of.remove(s) }
