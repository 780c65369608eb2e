// Package replicatest holds a log to what package replica promises.
package replicatest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"moot/replica"
	"moot/store"
)

// Run runs all tests. Open opens a log of the given name; those of one name are one log, and a name that was not used
// before is an empty one.
func Run(t *testing.T, open func(t *testing.T, name string) replica.Log) {
	for name, test := range map[string]func(t *testing.T, l, other replica.Log){
		"OneLeadsAtATime":             oneLeads,
		"ALeaseEndsAndGoesOn":         leaseEnds,
		"WhoLedBeforeIsFenced":        fenced,
		"ChangesHaveNoGaps":           noGaps,
		"TheSameChangeIsAppendedOnce": once,
		"FollowersGetAll":             follow,
		"WhatWasTrimmedIsGone":        trimmed,
		"BasesReplaceOneAnother":      bases,
		"ALogIsOfOneBot":              identity,
		"LargeChanges":                large,
		"ManyContend":                 contend,
		"ABaseIsReadInTheEnd":         baseInTheEnd,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			log := fmt.Sprintf("test-%x", rand.Uint64())
			test(t, open(t, log), open(t, log))
		})
	}
}

// change is one whose bytes tell its number.
func change(n uint64) store.Change {
	return store.Change{Number: n, Body: fmt.Appendf(nil, "change %d \x00\xff", n)}
}

const short = 300 * time.Millisecond

func ok(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func is(t *testing.T, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Fatalf("error %v, want %v", err, want)
	}
}

func lead(t *testing.T, l replica.Log, node string, ttl time.Duration) replica.Term {
	t.Helper()
	for began := time.Now(); ; time.Sleep(5 * time.Millisecond) {
		term, err := l.Lead(t.Context(), node, ttl)
		if err == nil {
			return term
		}
		if !errors.Is(err, replica.ErrHeld) || time.Since(began) > 20*time.Second {
			t.Fatal(err)
		}
	}
}

// begun leads, and puts a base that has the changes up to a number.
func begun(t *testing.T, l replica.Log, number uint64) replica.Term {
	t.Helper()
	stand(t, l)
	term := lead(t, l, "a", time.Minute)
	ok(t, l.PutBase(t.Context(), term, "bot", number, strings.NewReader("base")))
	return term
}

func stand(t *testing.T, l replica.Log) replica.Standing {
	t.Helper()
	s, err := l.Stand(t.Context())
	ok(t, err)
	return s
}

func oneLeads(t *testing.T, l, other replica.Log) {
	if s := stand(t, l); s != (replica.Standing{}) {
		t.Fatalf("an empty log stands at %+v", s)
	}
	first := lead(t, l, "a", time.Minute)
	if s := stand(t, other); !s.Held || s.Leader != "a" || s.Term != first {
		t.Errorf("while a leads: %+v", s)
	}
	_, err := other.Lead(t.Context(), "b", time.Minute)
	is(t, err, replica.ErrHeld)
	_, err = other.Lead(t.Context(), "a", time.Minute) // the same name is no excuse
	is(t, err, replica.ErrHeld)
	ok(t, l.Release(t.Context(), first))
	second := lead(t, other, "b", time.Minute)
	if second <= first {
		t.Errorf("term %d follows term %d", second, first)
	}
	ok(t, l.Release(t.Context(), first)) // it takes nothing from b
	if s := stand(t, l); !s.Held || s.Leader != "b" {
		t.Errorf("while b leads: %+v", s)
	}
}

func leaseEnds(t *testing.T, l, other replica.Log) {
	const ttl = 2 * time.Second // a machine that is busy keeps it
	stand(t, l)
	first := lead(t, l, "a", ttl)
	for range 3 {
		time.Sleep(ttl / 2)
		ok(t, l.Renew(t.Context(), first, ttl))
		_, err := other.Lead(t.Context(), "b", ttl)
		is(t, err, replica.ErrHeld)
	}
	time.Sleep(ttl + ttl/2)
	if s := stand(t, l); s.Held {
		t.Errorf("a lease that ran out: %+v", s)
	}
	ok(t, l.Renew(t.Context(), first, ttl)) // nobody has taken it
	began := time.Now()
	second := lead(t, other, "b", time.Minute)
	if took := time.Since(began); took < ttl/2 {
		t.Errorf("another led after %v of a lease of %v", took, ttl)
	}
	is(t, l.Renew(t.Context(), first, ttl), replica.ErrFenced)
	ok(t, other.Renew(t.Context(), second, time.Minute))
}

func fenced(t *testing.T, l, other replica.Log) {
	first := begun(t, l, 7)
	ok(t, l.Append(t.Context(), first, change(8)))
	ok(t, l.Release(t.Context(), first))
	second := lead(t, other, "b", time.Minute)
	is(t, l.Append(t.Context(), first, change(9)), replica.ErrFenced)
	ok(t, other.Append(t.Context(), second, change(9)))
	is(t, l.Append(t.Context(), first, change(9)), replica.ErrFenced)
	is(t, l.Append(t.Context(), first, change(10)), replica.ErrFenced)
	is(t, l.PutBase(t.Context(), first, "bot", 8, strings.NewReader("x")), replica.ErrFenced)
	is(t, l.Trim(t.Context(), first, 8), replica.ErrFenced)
	if s := stand(t, l); s.Last != 9 || s.Base != 7 {
		t.Errorf("it stands at %+v", s)
	}
}

func noGaps(t *testing.T, l, _ replica.Log) {
	term := begun(t, l, 0)
	is(t, l.Append(t.Context(), term, change(2)), replica.ErrGap)
	ok(t, l.Append(t.Context(), term, change(1)))
	ok(t, l.Append(t.Context(), term, change(2)))
	is(t, l.Append(t.Context(), term, change(4)), replica.ErrGap)
	is(t, l.Append(t.Context(), term, change(1)), replica.ErrGap)
}

func once(t *testing.T, l, other replica.Log) {
	term := begun(t, l, 0)
	for range 3 {
		ok(t, l.Append(t.Context(), term, change(1)))
	}
	is(t, l.Append(t.Context(), term, store.Change{Number: 1, Body: []byte("another")}), replica.ErrGap)
	var all sync.WaitGroup // the answer to the first of them was lost, and it is still under way
	for range 8 {
		all.Go(func() {
			if err := other.Append(t.Context(), term, change(2)); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if got := read(t, l, 0, 2); len(got) != 2 {
		t.Errorf("the log has %d changes", len(got))
	}
}

// read returns the changes after a number, up to another.
func read(t *testing.T, l replica.Log, after, upTo uint64) (got []store.Change) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for ch, err := range l.Follow(ctx, after) {
		ok(t, err)
		if want := change(ch.Number); ch.Number != after+uint64(len(got))+1 || !bytes.Equal(ch.Body, want.Body) {
			t.Fatalf("change %d after %d: %q", ch.Number, after, ch.Body)
		}
		got = append(got, store.Change{Number: ch.Number, Body: bytes.Clone(ch.Body)})
		if ch.Number == upTo {
			return got
		}
	}
	t.Fatal("it ended")
	return nil
}

func follow(t *testing.T, l, other replica.Log) {
	const all = 700
	term := begun(t, l, 3)
	for n := uint64(4); n < 400; n++ {
		ok(t, l.Append(t.Context(), term, change(n)))
	}
	var followers sync.WaitGroup
	for _, after := range []uint64{3, 4, 100, 399} {
		followers.Go(func() { read(t, other, after, all) })
	}
	for n := uint64(400); n <= all; n++ {
		ok(t, l.Append(t.Context(), term, change(n)))
	}
	followers.Wait()

	ctx, cancel := context.WithTimeout(t.Context(), short)
	defer cancel()
	for ch, err := range other.Follow(ctx, all) {
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("change %d, error %v", ch.Number, err)
		}
	}
	ended := error(nil)
	for _, ended = range other.Follow(t.Context(), all+1) {
	}
	is(t, ended, store.ErrAhead)
}

func trimmed(t *testing.T, l, other replica.Log) {
	term := begun(t, l, 0)
	for n := uint64(1); n <= 10; n++ {
		ok(t, l.Append(t.Context(), term, change(n)))
	}
	ok(t, l.Trim(t.Context(), term, 5)) // the base has none of them
	read(t, other, 0, 10)
	ok(t, l.PutBase(t.Context(), term, "bot", 8, strings.NewReader("base")))
	ok(t, l.Trim(t.Context(), term, 6))
	read(t, other, 6, 10)
	var ended error
	for _, ended = range other.Follow(t.Context(), 5) {
	}
	is(t, ended, store.ErrGone)
	ok(t, l.Trim(t.Context(), term, 10)) // not beyond the base
	read(t, other, 8, 10)
	ok(t, l.PutBase(t.Context(), term, "bot", 10, strings.NewReader("base")))
	ok(t, l.Trim(t.Context(), term, 10))
	if s := stand(t, l); s.Last != 10 {
		t.Errorf("an empty log stands at %+v", s)
	}
	ended = nil
	for _, ended = range other.Follow(t.Context(), 9) {
	}
	is(t, ended, store.ErrGone)
	ok(t, l.Append(t.Context(), term, change(11)))
	read(t, other, 10, 11)
}

func bases(t *testing.T, l, other replica.Log) {
	stand(t, l)
	term := lead(t, l, "a", time.Minute)
	_, _, err := other.Base(t.Context())
	is(t, err, replica.ErrNoBase)
	for number, size := range map[uint64]int{1: 7, 2: 1, 3: 1 << 20, 4: 1<<20 + 1, 5: 3 << 20} {
		want := make([]byte, size)
		for i := range want {
			want[i] = byte(rand.Uint32())
		}
		ok(t, l.PutBase(t.Context(), term, "bot", number, bytes.NewReader(want)))
		n, r, err := other.Base(t.Context())
		ok(t, err)
		got, err := io.ReadAll(r)
		ok(t, errors.Join(err, r.Close()))
		if n != number || !bytes.Equal(got, want) {
			t.Errorf("base %d of %d bytes was read as base %d of %d", number, size, n, len(got))
		}
	}
	cut := io.MultiReader(strings.NewReader(strings.Repeat("x", 2<<20)), failing{})
	if err := l.PutBase(t.Context(), term, "bot", 6, cut); !errors.Is(err, errCut) {
		t.Errorf("a base that was cut short: %v", err)
	}
	if _, r, err := other.Base(t.Context()); err != nil {
		t.Errorf("after a base that was cut short: %v", err)
	} else if _, err := io.ReadAll(r); err != nil {
		t.Error(err)
	}
}

var errCut = errors.New("cut short")

type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, errCut }

func identity(t *testing.T, l, other replica.Log) {
	term := begun(t, l, 5)
	if s := stand(t, other); s.Identity != "bot" || s.Base != 5 || s.Last != 5 {
		t.Errorf("it stands at %+v", s)
	}
	is(t, l.PutBase(t.Context(), term, "another", 9, strings.NewReader("base")), replica.ErrOther)
	if s := stand(t, other); s.Identity != "bot" || s.Base != 5 || s.Last != 5 {
		t.Errorf("after that of another bot it stands at %+v", s)
	}
}

func large(t *testing.T, l, other replica.Log) {
	term := begun(t, l, 0)
	sizes := []int{6 << 20, 1, 5 << 20, 3 << 20, 3 << 20, 0}
	for i, size := range sizes {
		ok(t, l.Append(t.Context(), term, store.Change{Number: uint64(i + 1), Body: bytes.Repeat([]byte{byte(i)}, size)}))
	}
	i := 0
	for ch, err := range other.Follow(t.Context(), 0) {
		ok(t, err)
		if len(ch.Body) != sizes[i] || ch.Number != uint64(i+1) {
			t.Errorf("change %d has %d bytes, not %d", ch.Number, len(ch.Body), sizes[i])
		}
		if i++; i == len(sizes) {
			break
		}
	}
}

// contend has several nodes lead in turns, each as long as it can, with leases that end in the middle: what the log
// has afterwards is what was acknowledged, in order, by terms that grow.
func contend(t *testing.T, l, other replica.Log) {
	begunBy := begun(t, l, 0)
	ok(t, l.Release(t.Context(), begunBy))
	var acknowledged sync.Map // number → body
	var fencedOff, appended atomic.Int64
	stop := time.Now().Add(3 * time.Second)
	var nodes sync.WaitGroup
	for k := range 6 {
		log := []replica.Log{l, other}[k%2]
		nodes.Go(func() {
			for time.Now().Before(stop) {
				term, err := log.Lead(t.Context(), fmt.Sprint(k), 20*time.Millisecond)
				if err != nil {
					time.Sleep(time.Millisecond)
					continue
				}
				s, err := log.Stand(t.Context())
				if err != nil || s.Term != term {
					continue
				}
				for n := s.Last + 1; time.Now().Before(stop); n++ {
					body := fmt.Appendf(nil, "%d by %d in term %d", n, k, term)
					err := log.Append(t.Context(), term, store.Change{Number: n, Body: body})
					if err != nil {
						if !errors.Is(err, replica.ErrFenced) {
							t.Errorf("append %d in term %d: %v", n, term, err)
						}
						fencedOff.Add(1)
						break
					}
					appended.Add(1)
					if was, twice := acknowledged.LoadOrStore(n, body); twice {
						t.Errorf("change %d was acknowledged as %q and as %q", n, was, body)
					}
				}
			}
		})
	}
	nodes.Wait()
	last := stand(t, l).Last
	if appended.Load() == 0 || fencedOff.Load() == 0 {
		t.Fatalf("%d were appended, and %d times somebody was fenced off", appended.Load(), fencedOff.Load())
	}
	var before uint64
	for ch, err := range l.Follow(t.Context(), 0) {
		ok(t, err)
		was, found := acknowledged.Load(ch.Number)
		if !found || !bytes.Equal(was.([]byte), ch.Body) {
			t.Fatalf("change %d is %q; %q was acknowledged", ch.Number, ch.Body, was)
		}
		var n, k, term uint64
		if _, err := fmt.Sscanf(string(ch.Body), "%d by %d in term %d", &n, &k, &term); err != nil || term < before {
			t.Fatalf("%q follows one of term %d: %v", ch.Body, before, err)
		}
		if before = term; ch.Number == last {
			break
		}
	}
	count := 0
	acknowledged.Range(func(any, any) bool { count++; return true })
	if uint64(count) != last {
		t.Errorf("%d changes were acknowledged, and the log has %d", count, last)
	}
	t.Logf("%d changes, %d times fenced off", last, fencedOff.Load())
}

// Killed has a server killed again and again while changes are appended: what was acknowledged is there afterwards.
func Killed(t *testing.T, l replica.Log, kill, run func()) {
	term := begun(t, l, 0)
	for n, deadline := uint64(1), time.Now().Add(time.Minute); n <= 400; n++ {
		if n%100 == 0 {
			kill()
			ctx, cancel := context.WithTimeout(t.Context(), short)
			if err := l.Append(ctx, term, change(n)); err == nil {
				t.Error("a server that is not there has taken a change")
			}
			cancel()
			run()
		}
		for {
			err := l.Append(t.Context(), term, change(n))
			if err == nil {
				break
			}
			if errors.Is(err, replica.ErrFenced) || errors.Is(err, replica.ErrGap) || time.Now().After(deadline) {
				t.Fatalf("change %d: %v", n, err)
			}
		}
	}
	read(t, l, 0, 400)
}
