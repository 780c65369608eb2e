package replica_test

import (
	"errors"
	"os"
	"sync/atomic"
	"testing"
	"time"

	"moot/replica"
	"moot/replica/replicatest"
)

// TestWhoWasSuspendedLeadsNoMore: timers stand still while a machine is suspended, and the clock of the day goes on. From the first moment
// on nothing is begun and nothing is shipped. A clock that is set back, or a little forward, ends nothing.
func TestWhoWasSuspendedLeadsNoMore(t *testing.T) {
	t.Parallel()
	dir, ctx := t.TempDir(), t.Context()
	var set atomic.Int64 // what the clock of the day is ahead
	m := newMachine(dir, "a", replicatest.NewMemory())
	m.TTL = time.Hour // which its timers do not see the end of
	m.Wall = func() time.Time { return time.Now().Add(time.Duration(set.Load())) }
	if err := errors.Join(os.MkdirAll(m.Folder, 0o700), m.open(ctx), m.leads(ctx), m.write(1)); err != nil {
		t.Fatal(err)
	}
	for _, by := range []time.Duration{-24 * time.Hour, 30 * time.Minute} {
		set.Store(int64(by))
		if err := m.write(2); err != nil || !m.lease.Holds() {
			t.Errorf("the clock was set by %s, and it leads no more: %v", by, err)
		}
	}
	set.Store(int64(40 * time.Minute))
	before := m.st.Change()
	if m.lease.Holds() {
		t.Error("it holds a lease that has run out while it was suspended")
	}
	if err := m.lease.Context().Err(); err == nil {
		t.Error("the context of its lease goes on")
	}
	if err := m.write(3); !errors.Is(err, replica.ErrLost) {
		t.Errorf("it commits: %v", err)
	}
	if s, err := m.Log.Stand(ctx); err != nil || s.Last != before {
		t.Errorf("the log stands at %+v, and its last change was %d: %v", s, before, err)
	}
	if err := m.close(ctx); err != nil {
		t.Fatal(err)
	}
}
