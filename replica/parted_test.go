package replica_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"pgregory.net/rapid"

	"moot/internal/effort"
	"moot/replica"
	"moot/replica/replicatest"
	"moot/store"
)

// TestWhatALogHasLostIsNoticed: the server of the log is replaced again and again by a copy that lacks the last changes. Who has one of
// them neither leads nor follows, however far the others have gone on; who has none of them is not disturbed.
func TestWhatALogHasLostIsNoticed(t *testing.T) {
	effort.Slow(t)
	var refused, beyond, went atomic.Int64
	rapid.Check(t, func(rt *rapid.T) {
		dir, err := os.MkdirTemp(t.TempDir(), "")
		if err != nil {
			rt.Fatal(err)
		}
		ctx, log := context.Background(), replicatest.NewMemory()
		machines := []*machine{newMachine(dir, "a", log), newMachine(dir, "b", log), newMachine(dir, "c", log)}
		for _, m := range machines {
			if err := os.MkdirAll(m.Folder, 0o700); err != nil {
				rt.Fatal(err)
			}
		}
		lost := map[string]bool{} // rows, which are written once
		numbers := map[uint64]string{}
		n := 0
		for range rapid.IntRange(4, 14).Draw(rt, "terms") {
			m := rapid.SampledFrom(machines).Draw(rt, "machine")
			if err := m.open(ctx); err != nil {
				rt.Fatal(err)
			}
			hasLost := false
			for k := range m.has(rt) {
				hasLost = hasLost || lost[k]
			}
			stands, _ := log.Stand(ctx)
			ahead := m.st.Change() > stands.Last
			err := m.leads(ctx)
			switch {
			case hasLost && !errors.Is(err, replica.ErrParted):
				rt.Fatalf("%s at change %d has what the log has lost, which is at %d: %v", m.Name, m.st.Change(), stands.Last, err)
			case !hasLost && err != nil:
				rt.Fatalf("%s at change %d has nothing that the log has lost, which is at %d: %v", m.Name, m.st.Change(), stands.Last, err)
			case hasLost:
				refused.Add(1)
				if !ahead {
					beyond.Add(1)
				}
				m.lease = nil
				if err := m.close(ctx); err != nil {
					rt.Fatal(err)
				}
				if rapid.Bool().Draw(rt, "mended") { // its operator goes on with what the log has
					if err := m.TakeBase(ctx); err != nil {
						rt.Fatal(err)
					}
				}
				log.Expire()
				continue
			}
			went.Add(1)
			for range rapid.IntRange(0, 6).Draw(rt, "rows") {
				n++
				if err := m.write(n); err != nil {
					rt.Fatal(err)
				}
				numbers[m.st.Change()] = fmt.Sprintf("%06d", n)
			}
			if err := m.close(ctx); err != nil {
				rt.Fatal(err)
			}
			stands, _ = log.Stand(ctx)
			for k := range log.Forget(rapid.IntRange(0, 5).Draw(rt, "forgotten") * rapid.IntRange(0, 1).Draw(rt, "whether")) {
				if row := numbers[stands.Last-uint64(k)]; row != "" {
					lost[row] = true
				}
			}
			log.Expire()
		}
	})
	t.Logf("%d times a machine led; %d times one was refused, %d of these with a log that had gone on beyond it", went.Load(), refused.Load(), beyond.Load())
	if !t.Failed() && beyond.Load() == 0 {
		t.Error("no log had gone on beyond a machine")
	}
}

// TestAStandbyNoticesWhatTheLogLoses: while it follows.
func TestAStandbyNoticesWhatTheLogLoses(t *testing.T) {
	effort.Slow(t)
	dir, ctx := t.TempDir(), t.Context()
	log := replicatest.NewMemory()
	a, b := newMachine(dir, "a", log), newMachine(dir, "b", log)
	if err := errors.Join(os.MkdirAll(a.Folder, 0o700), os.MkdirAll(b.Folder, 0o700), a.open(ctx), a.leads(ctx), a.write(1), b.open(ctx)); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- b.leads(ctx) }()
	for n := 2; n < 10; n++ {
		if err := a.write(n); err != nil {
			t.Fatal(err)
		}
	}
	for b.st.Change() < a.st.Change() {
		time.Sleep(time.Millisecond)
	}
	log.Forget(3)
	if err := a.write(10); !errors.Is(err, replica.ErrLost) {
		t.Errorf("the leader is ahead of the log: %v", err)
	}
	select {
	case err := <-ended:
		if !errors.Is(err, replica.ErrParted) {
			t.Errorf("the standby is ahead of the log: %v", err)
		}
	case <-time.After(20 * time.Second):
		t.Fatal("the standby does not notice")
	}
	if err := a.close(ctx); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(a.open(ctx)); err != nil {
		t.Fatal(err)
	}
	if err := a.leads(ctx); !errors.Is(err, replica.ErrParted) || !errors.Is(err, store.ErrAhead) {
		t.Errorf("who led comes again: %v", err)
	}
	a.lease, b.lease = nil, nil
	if err := errors.Join(a.close(ctx), b.close(ctx)); err != nil {
		t.Fatal(err)
	}
}

// TestAnotherVersionIsRefused: who cannot read what another version of moot has appended neither follows nor leads, says so, and
// changes nothing.
func TestAnotherVersionIsRefused(t *testing.T) {
	for what, entry := range map[string]func(number uint64, before time.Time) []byte{
		"an entry of a later version": func(uint64, time.Time) []byte { return append([]byte{9}, make([]byte, 40)...) },
		"a change of a later version": func(number uint64, before time.Time) []byte {
			body := append([]byte{200}, make([]byte, 40)...)
			sum := crc32.New(crc32.MakeTable(crc32.Castagnoli))
			sum.Write(append(binary.BigEndian.AppendUint64(nil, number), body...))
			return slices.Concat([]byte{2}, []byte(store.Time(before)), sum.Sum(body))
		},
	} {
		dir, ctx := t.TempDir(), t.Context()
		log := replicatest.NewMemory()
		a, b := newMachine(dir, "a", log), newMachine(dir, "b", log)
		if err := errors.Join(os.MkdirAll(a.Folder, 0o700), os.MkdirAll(b.Folder, 0o700), a.open(ctx), a.leads(ctx), a.write(1), b.open(ctx)); err != nil {
			t.Fatal(err)
		}
		at := b.st.Change()
		number := a.st.Change() + 1
		if err := log.Append(ctx, a.lease.Term, store.Change{Number: number, Body: entry(number, a.st.Last())}); err != nil {
			t.Fatal(err)
		}
		if err := a.close(ctx); err != nil { // who stands by could lead
			t.Fatal(err)
		}
		if err := b.leads(ctx); !errors.Is(err, replica.ErrVersion) {
			t.Errorf("%s: %v", what, err)
		}
		if got := b.st.Change(); got > at+1 {
			t.Errorf("%s: it is at change %d, and was at %d", what, got, at)
		}
		b.lease = nil
		if err := b.close(ctx); err != nil {
			t.Fatal(err)
		}
		if s, _ := log.Stand(ctx); s.Held {
			t.Errorf("%s: it keeps the lease that it cannot use", what)
		}
	}
}
