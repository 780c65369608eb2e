package backup

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"moot/events"
	"moot/protocol"
	"moot/store"
)

// measured skips a test that measures, unless it is asked for: its figures mean something only on a machine that does nothing else.
func measured(t *testing.T) {
	if os.Getenv("MOOT_MEASURE") == "" {
		t.Skip("it measures: MOOT_MEASURE=1, on a machine that does nothing else")
	}
}

// events makes a commit of n events of which each is recorded, beside what commit does.
func (b *bot) events(n int) error {
	b.made++
	b.now = b.now.Add(time.Second)
	made := b.made
	return b.Store.Commit(b.now, func(c *store.Commit) error {
		for i := range n {
			room := protocol.RoomID(fmt.Sprint("console:room", i%50))
			id := protocol.EventID(fmt.Sprintf("$%d-%d-abcdefghijklmnopqrstuvwxyz", made, i))
			err := c.Run(protocol.Scope(room), protocol.Ref{Room: room, Event: id}, func(*store.Tx) error { return nil })
			if err != nil {
				return err
			}
			c.Record(room, id, store.Handled, "")
		}
		return c.Run("console:lobby", protocol.Ref{Room: "console:lobby", Event: protocol.EventID(fmt.Sprint(made))}, func(tx *store.Tx) error {
			for i := range rowCount {
				tx.Put(rows, fmt.Sprint("row ", i, " ", made%50), []byte(store.Number(made)))
			}
			return b.bus.Publish(tx, events.Draft{Kind: "note", Payload: "x"})
		})
	})
}

// p99 is the value that one in a hundred is above.
func p99(took []time.Duration) time.Duration {
	slices.Sort(took)
	return took[len(took)*99/100]
}

// TestHeldToUnderLoad: 50 backups under 2,000 events a second; each opens, is whole, and is the state at its change, and a
// commit waits at most twice as long as usual.
func TestHeldToUnderLoad(t *testing.T) {
	measured(t)
	const rounds, every, each = 50, 10 * time.Millisecond, 20 // 2,000 a second
	b := newBot(t)
	fill(t, b, 64<<20)
	dir := filepath.Join(t.TempDir(), "backups")
	var mu sync.Mutex
	at := map[uint64]uint64{} // how many commits a change stands for
	var took [2][]time.Duration
	var during int // 1 while a backup is made; guarded by mu
	ctx, stop := context.WithCancel(t.Context())
	var work sync.WaitGroup
	work.Go(func() {
		tick := time.NewTicker(every)
		defer tick.Stop()
		for ctx.Err() == nil {
			<-tick.C
			began := time.Now()
			if err := b.events(each); err != nil {
				t.Error(err)
				return
			}
			mu.Lock()
			took[during] = append(took[during], time.Since(began))
			at[b.Store.Change()] = b.made
			mu.Unlock()
		}
	})
	set := func(to int) {
		mu.Lock()
		defer mu.Unlock()
		during = to
	}
	time.Sleep(5 * time.Second)
	var longest time.Duration
	equal := 0
	for i := range rounds {
		set(1)
		began := time.Now()
		made := b.backUp(Request{Dir: dir, Keep: 1})
		longest = max(longest, time.Since(began))
		set(0)
		if opened, err := made.Check(t.Context(), nil); err != nil || !opened {
			t.Fatalf("round %d: opened %v, %v", i, opened, err)
		}
		mu.Lock()
		commits, ok := at[made.Change]
		mu.Unlock()
		if !ok {
			t.Errorf("round %d: nobody knows change %d", i, made.Change)
			continue
		}
		holds(t, made.Folder, commits)
		equal++
	}
	stop()
	work.Wait()
	usual, then := p99(took[0]), p99(took[1])
	t.Logf("%d of %d backups of %d MiB hold the state at their change; longest %s; p99 of a commit %s without one (%d commits), %s during one (%d): %.2f ×",
		equal, rounds, b.Store.Size()>>20, longest.Round(time.Millisecond), usual.Round(10*time.Microsecond), len(took[0]), then.Round(10*time.Microsecond), len(took[1]), float64(then)/float64(usual))
	if then > 2*usual {
		t.Errorf("a commit waits %s during a backup, and %s otherwise", then, usual)
	}
}

// fill writes so many bytes of rows.
func fill(t *testing.T, b *bot, bytes int) {
	t.Helper()
	const size = 32 << 10
	filler := store.SharedBucket("rows")
	chance := rand.NewChaCha8([32]byte{1})
	for n := 0; n < bytes; {
		err := b.Store.Commit(b.now, func(c *store.Commit) error {
			return c.Run("console:lobby", protocol.Ref{Room: "console:lobby", Event: protocol.EventID(fmt.Sprint("fill", n))}, func(tx *store.Tx) error {
				for range 64 {
					value := make([]byte, size)
					_, _ = chance.Read(value) // it cannot fail
					tx.Put(filler, fmt.Sprintf("filler %010d", n), value)
					n += size
				}
				return nil
			})
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

// TestHeldToSize: 1 GiB is backed up in 10 seconds, and restored in 15.
func TestHeldToSize(t *testing.T) {
	measured(t)
	b := newBot(t)
	fill(t, b, 1<<30)
	if err := b.Store.Checkpoint(t.Context()); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	made := b.backUp(Request{Dir: filepath.Join(t.TempDir(), "backups")})
	backedUp := time.Since(began)
	began = time.Now()
	to := filepath.Join(t.TempDir(), "restored")
	if _, err := made.Restore(t.Context(), RestoreConfig{To: to}); err != nil {
		t.Fatal(err)
	}
	restored := time.Since(began)
	t.Logf("a backup of %d MiB takes %s, its restore %s", made.Size()>>20, backedUp.Round(10*time.Millisecond), restored.Round(10*time.Millisecond))
	if made.Size() < 1<<30 || backedUp > 10*time.Second || restored > 15*time.Second {
		t.Errorf("%d bytes are backed up in %s and restored in %s", made.Size(), backedUp, restored)
	}
}

// TestHeldToShipping: a backup that is followed costs at most a tenth of the events a second.
func TestHeldToShipping(t *testing.T) {
	measured(t)
	const turns, long, each = 5, 2 * time.Second, 400
	b := newBot(t)
	if err := b.events(each); err != nil {
		t.Fatal(err)
	}
	var rates [2][]float64
	for turn := range 2 * turns {
		with := turn % 2
		ctx, stop := context.WithCancel(t.Context())
		var work sync.WaitGroup
		if with == 1 {
			ready := make(chan struct{})
			once := sync.OnceFunc(func() { close(ready) })
			dir := filepath.Join(t.TempDir(), "backups")
			work.Go(func() {
				if err := b.Follow(ctx, Request{Dir: dir}, func(Followed) { once() }); err != nil {
					t.Error(err)
					once()
				}
			})
			<-ready
		}
		began, n := time.Now(), 0
		for time.Since(began) < long {
			if err := b.events(each); err != nil {
				t.Fatal(err)
			}
			n += each
		}
		rates[with] = append(rates[with], float64(n)/time.Since(began).Seconds())
		stop()
		work.Wait()
	}
	for i := range rates {
		slices.Sort(rates[i])
	}
	without, with := rates[0][turns/2], rates[1][turns/2]
	t.Logf("%.0f events a second without and %.0f with a backup that is followed (medians of %d turns): %.1f %% less; %.0f and %.0f", without, with, turns, 100*(1-with/without), rates[0], rates[1])
	if with < 0.9*without {
		t.Errorf("it costs %.1f %%", 100*(1-with/without))
	}
}
