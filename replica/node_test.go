package replica_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"pgregory.net/rapid"

	"moot/internal/effort"
	"moot/protocol"
	"moot/replica"
	"moot/replica/replicatest"
	"moot/store"
)

func TestMemory(t *testing.T) {
	var mu sync.Mutex
	logs := map[string]*replicatest.Memory{} // guarded by mu
	replicatest.Run(t, func(_ *testing.T, name string) replica.Log {
		mu.Lock()
		defer mu.Unlock()
		if logs[name] == nil {
			logs[name] = replicatest.NewMemory()
		}
		return logs[name]
	})
}

// broken is a log on a bad network: what is asked of it may be lost before it comes there, or the answer may be.
type broken struct {
	*replicatest.Memory
	draw func() fault // of the next request
}

type fault int

const (
	works    fault = iota
	lost           // nothing has happened
	unheard        // it has happened, and nobody hears of it
	takeover       // it is lost, and meanwhile another leads
)

var errNetwork = errors.New("the network is broken")

func (b *broken) try(do func() error) error {
	switch b.draw() {
	case lost:
		return errNetwork
	case takeover:
		b.Expire()
		_, err := b.Memory.Lead(context.Background(), "another", 0)
		return errors.Join(errNetwork, err)
	case unheard:
		_ = do() // whatever it was
		return errNetwork
	}
	return do()
}

func (b *broken) Append(ctx context.Context, t replica.Term, ch store.Change) error {
	return b.try(func() error { return b.Memory.Append(ctx, t, ch) })
}

func (b *broken) Lead(ctx context.Context, node string, ttl time.Duration) (t replica.Term, err error) {
	err = b.try(func() (err error) { t, err = b.Memory.Lead(ctx, node, ttl); return err })
	if errors.Is(err, errNetwork) {
		b.Expire() // so that nobody waits for a lease that nobody knows to have
	}
	return t, err
}

func (b *broken) Follow(ctx context.Context, after uint64) iter.Seq2[store.Change, error] {
	return func(yield func(store.Change, error) bool) {
		for ch, err := range b.Memory.Follow(ctx, after) {
			if err == nil && b.draw() != works {
				err = errNetwork
			}
			if !yield(ch, err) || err != nil {
				return
			}
		}
	}
}

// machine is a node and its store.
type machine struct {
	*replica.Node
	st    *store.Store
	lease *replica.Lease // nil while it stands by
}

var rows = store.SharedBucket("rows")

// write commits a row of a number, and reports whether that is known to be kept.
func (m *machine) write(n int) error {
	return m.st.Commit(time.Now(), func(c *store.Commit) error {
		return c.Run("", protocol.Ref{}, func(tx *store.Tx) error {
			tx.Put(rows, fmt.Sprintf("%06d", n), []byte(m.Name))
			return nil
		})
	})
}

func (m *machine) has(t fataler) map[string]string {
	got := map[string]string{}
	err := m.st.View(func(tx *store.Tx) error {
		for k, v := range tx.Prefix(rows, "") {
			got[k] = string(v)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return got
}

type fataler interface{ Fatal(...any) }

// open opens the store, of the base where there is none.
func (m *machine) open(ctx context.Context) (err error) {
	if m.lease, err = m.Prepare(ctx); err == nil {
		m.st, err = store.Open(store.Config{Path: filepath.Join(m.Folder, "moot.db"), LockTimeout: 10 * time.Second})
	}
	return err
}

// leads waits until the machine leads.
func (m *machine) leads(ctx context.Context) (err error) {
	if m.lease, err = m.Stand(ctx, m.st, m.lease); err == nil {
		m.st.Ship(m.lease.Ship)
	}
	return err
}

// close lets the machine fall, and gives its lease back or does not.
func (m *machine) close(ctx context.Context) error {
	var errs []error
	if m.lease != nil {
		errs = append(errs, m.lease.Release(ctx))
		m.lease = nil
	}
	if m.st != nil {
		if err := m.st.Close(); err != nil && !errors.Is(err, store.ErrBroken) {
			errs = append(errs, err)
		}
		m.st = nil
	}
	return errors.Join(errs...)
}

func newMachine(dir, name string, log replica.Log) *machine {
	return &machine{Node: &replica.Node{Log: log, Name: name, Folder: filepath.Join(dir, name), Version: "test", Logger: slog.New(slog.DiscardHandler)}}
}

// TestNothingIsLostOrDoubled: machines lead in turns on a bad network. What a commit has said to be kept, all have in the
// end; and they have the same.
func TestNothingIsLostOrDoubled(t *testing.T) {
	var fenced, based atomic.Int64
	rapid.Check(t, func(rt *rapid.T) {
		dir, err := os.MkdirTemp(t.TempDir(), "")
		if err != nil {
			rt.Fatal(err)
		}
		log := &broken{Memory: replicatest.NewMemory(), draw: func() fault { return works }}
		faults := rapid.Custom(func(rt *rapid.T) fault {
			if rapid.IntRange(0, 9).Draw(rt, "chance") > 2 {
				return works
			}
			return rapid.SampledFrom([]fault{lost, unheard, takeover}).Draw(rt, "fault")
		})
		ctx := context.Background()
		machines := []*machine{newMachine(dir, "a", log), newMachine(dir, "b", log), newMachine(dir, "c", log)}
		for _, m := range machines {
			if err := os.MkdirAll(m.Folder, 0o700); err != nil {
				rt.Fatal(err)
			}
		}
		kept := map[string]string{}
		n, bases := 0, 0
		for range rapid.IntRange(2, 12).Draw(rt, "terms") {
			m := rapid.SampledFrom(machines).Draw(rt, "machine")
			if err := m.open(ctx); err != nil {
				rt.Fatal(err)
			}
			err := m.leads(ctx)
			if errors.Is(err, store.ErrGone) { // it was away while the log was trimmed
				bases++
				err = errors.Join(m.close(ctx), m.TakeBase(ctx), m.open(ctx))
				if err == nil {
					err = m.leads(ctx)
				}
			}
			if err != nil {
				rt.Fatal(err)
			}
			for k, by := range kept {
				if got := m.has(rt)[k]; got != by {
					rt.Fatalf("%s leads, and row %s is %q; %s has written it", m.Name, k, got, by)
				}
			}
			log.draw = func() fault { return faults.Draw(rt, "of the network") }
			for range rapid.IntRange(0, 8).Draw(rt, "rows") {
				n++
				err := m.write(n)
				if err == nil {
					kept[fmt.Sprintf("%06d", n)] = m.Name
					continue
				}
				if !errors.Is(err, replica.ErrLost) && !errors.Is(err, store.ErrBroken) {
					rt.Fatalf("row %d: %v", n, err)
				}
				fenced.Add(1)
				break
			}
			log.draw = func() fault { return works }
			if m.lease.Context().Err() == nil && rapid.Bool().Draw(rt, "another base") {
				number, err := m.MakeBase(ctx, m.st, m.lease)
				if err == nil {
					err = log.Trim(ctx, m.lease.Term, number)
				}
				if err != nil && !errors.Is(err, replica.ErrFenced) {
					rt.Fatal(err)
				}
			}
			if err := m.close(ctx); err != nil {
				rt.Fatal(err)
			}
			log.Expire()
		}
		var first map[string]string
		for _, m := range machines {
			if err := m.open(ctx); err != nil {
				rt.Fatal(err)
			}
			err := m.leads(ctx)
			if errors.Is(err, store.ErrGone) {
				if err = errors.Join(m.close(ctx), m.TakeBase(ctx), m.open(ctx)); err == nil {
					err = m.leads(ctx)
				}
			}
			if err != nil {
				rt.Fatal(err)
			}
			got := m.has(rt)
			if first == nil {
				first = got
			}
			for k, by := range kept {
				if got[k] != by {
					rt.Fatalf("%s has lost row %s of %s", m.Name, k, by)
				}
			}
			if !maps.Equal(first, got) {
				rt.Fatalf("%s has %v, and others %v", m.Name, slices.Sorted(maps.Keys(got)), slices.Sorted(maps.Keys(first)))
			}
			if err := m.close(ctx); err != nil {
				rt.Fatal(err)
			}
		}
		based.Add(int64(bases))
	})
	if !t.Failed() && !effort.Quick() && (fenced.Load() == 0 || based.Load() == 0) { // few histories need not have both
		t.Errorf("a leader was fenced off %d times, and a base was taken %d times", fenced.Load(), based.Load())
	}
	t.Logf("a leader was fenced off %d times, and a base was taken %d times", fenced.Load(), based.Load())
}

// TestAFolderOfAnotherBotIsRefused: and so is one that has what the log does not.
// TestAnOutageIsALine: while the log is away, a machine that leads and one that stands by say so once each, and not at each try.
func TestAnOutageIsALine(t *testing.T) {
	t.Parallel()
	dir, ctx := t.TempDir(), t.Context()
	away, tries := atomic.Bool{}, atomic.Int64{}
	memory := replicatest.NewMemory()
	log := &unreachable{Memory: memory, broken: &broken{Memory: memory, draw: func() fault {
		if !away.Load() {
			return works
		}
		tries.Add(1)
		return lost
	}}}
	var said, saidToo bytes.Buffer
	a, b := newMachine(dir, "a", log), newMachine(dir, "b", log)
	a.TTL, b.TTL = time.Second, time.Second
	a.Logger, b.Logger = slog.New(slog.NewTextHandler(&said, nil)), slog.New(slog.NewTextHandler(&saidToo, nil))
	for _, m := range []*machine{a, b} {
		if err := os.MkdirAll(m.Folder, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(a.open(ctx), a.leads(ctx), b.open(ctx)); err != nil {
		t.Fatal(err)
	}
	led := a.lease.Context()
	away.Store(true)
	stands, stop := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- b.leads(stands) }()
	<-led.Done()
	for tries.Load() < 20 {
		time.Sleep(10 * time.Millisecond)
	}
	stop()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("it ends to stand by with %v", err)
	}
	away.Store(false)
	if err := errors.Join(a.close(ctx), b.close(ctx)); err != nil {
		t.Fatal(err)
	}
	for name, log := range map[string]string{"the leader": said.String(), "the standby": saidToo.String()} {
		if n := strings.Count(log, "level=WARN"); n != 1 {
			t.Errorf("%s warns %d times in %d tries:\n%s", name, n, tries.Load(), log)
		}
	}
}

// unreachable is a log of which also how it stands, and a renewal, may be lost.
type unreachable struct {
	*replicatest.Memory
	broken *broken
}

func (u *unreachable) Stand(ctx context.Context) (s replica.Standing, err error) {
	err = u.broken.try(func() (err error) { s, err = u.Memory.Stand(ctx); return err })
	return s, err
}

func (u *unreachable) Renew(ctx context.Context, t replica.Term, ttl time.Duration) error {
	return u.broken.try(func() error { return u.Memory.Renew(ctx, t, ttl) })
}

func TestAFolderOfAnotherBotIsRefused(t *testing.T) {
	dir, ctx := t.TempDir(), t.Context()
	log := replicatest.NewMemory()
	a, b := newMachine(dir, "a", log), newMachine(dir, "b", log)
	for _, m := range []*machine{a, b} {
		st, err := store.Open(store.Config{Path: filepath.Join(m.Folder, "moot.db")})
		if err != nil {
			if err = os.MkdirAll(m.Folder, 0o700); err == nil {
				st, err = store.Open(store.Config{Path: filepath.Join(m.Folder, "moot.db")})
			}
		}
		if err != nil {
			t.Fatal(err)
		}
		m.st = st
		if err := errors.Join(m.write(1), m.close(ctx)); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(a.open(ctx), a.leads(ctx)); err != nil {
		t.Fatal(err)
	}
	if err := b.open(ctx); err != nil {
		t.Fatal(err)
	}
	if err := b.leads(ctx); !errors.Is(err, replica.ErrOther) {
		t.Errorf("a folder of another bot: %v", err)
	}
	if err := errors.Join(a.close(ctx), b.close(ctx)); err != nil {
		t.Fatal(err)
	}

	// Somebody has used the folder without the log.
	if err := errors.Join(a.open(ctx), a.write(2), a.close(ctx), a.open(ctx)); err != nil {
		t.Fatal(err)
	}
	if err := a.leads(ctx); !errors.Is(err, store.ErrAhead) {
		t.Errorf("a folder that is ahead of the log: %v", err)
	}
	if err := a.close(ctx); err != nil {
		t.Fatal(err)
	}
}

// TestABaseThatIsDamagedIsRefused: and leaves the folder as it was.
func TestABaseThatIsDamagedIsRefused(t *testing.T) {
	dir, ctx := t.TempDir(), t.Context()
	log := replicatest.NewMemory()
	a, b := newMachine(dir, "a", log), newMachine(dir, "b", log)
	if err := errors.Join(os.MkdirAll(a.Folder, 0o700), os.MkdirAll(b.Folder, 0o700), a.open(ctx), a.leads(ctx), a.write(1)); err != nil {
		t.Fatal(err)
	}
	_, r, err := log.Base(ctx)
	if err != nil {
		t.Fatal(err)
	}
	var whole bytes.Buffer
	if _, err := whole.ReadFrom(r); err != nil {
		t.Fatal(err)
	}
	id, err := replica.Identity(a.st)
	if err != nil {
		t.Fatal(err)
	}
	for _, at := range []int{0, 5, whole.Len() / 3, whole.Len() / 2, whole.Len() - 9} {
		bad := bytes.Clone(whole.Bytes())
		bad[at] ^= 0x40
		for _, data := range [][]byte{bad, whole.Bytes()[:at]} {
			if err := log.PutBase(ctx, a.lease.Term, id, 0, bytes.NewReader(data)); err != nil {
				t.Fatal(err)
			}
			if err := b.TakeBase(ctx); err == nil {
				t.Errorf("a base that is damaged at %d of %d was taken", at, whole.Len())
			}
			if entries, err := os.ReadDir(b.Folder); err != nil || len(entries) > 0 {
				t.Errorf("it left %v, %v", entries, err)
			}
		}
	}
	if err := errors.Join(a.close(ctx), b.close(ctx)); err != nil {
		t.Fatal(err)
	}
}
