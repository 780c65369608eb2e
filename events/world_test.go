package events

import (
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"reflect"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"moot/protocol"
	"moot/store"
)

const (
	lobby  = protocol.Scope("console:lobby")
	garden = protocol.Scope("console:garden")

	ann = protocol.UserID("console:ann")
	bob = protocol.UserID("console:bob")
	cem = protocol.UserID("console:cem")
)

var (
	ballots  = store.ScopedBucket("ballots")
	activity = store.ScopedBucket("activity")
)

// testKinds are a lasting kind and a disposable one with projections, and a lasting one without.
func testKinds() []Kind {
	return []Kind{
		{
			Name: "ballot", Version: 2, Buckets: []store.Bucket{ballots},
			Apply: func(tx *store.Tx, f Fact) error {
				if f.Seq != 0 {
					return fmt.Errorf("Apply sees the number %d", f.Seq)
				}
				// It keeps all that it sees, and what stood there before, so that any difference
				// shows.
				key := store.Key(f.Scope, f.Keys["vote"], f.People["voter"].String())
				before := tx.Get(ballots, key)
				now := fmt.Appendf(nil, "%d %v %v %v %v %s", len(before), f.Time, f.Version, f.Cause, f.People, f.Payload)
				tx.Put(ballots, key, now)
				return nil
			},
		},
		{
			// When somebody was last active, and how often: facts of one commit have the same time.
			Name: "active", Version: 1, Disposable: true, Buckets: []store.Bucket{activity},
			Apply: func(tx *store.Tx, f Fact) error {
				key := store.Key(f.Scope, f.People["who"].String())
				n := store.ParseNumber(string(tx.Get(activity, key)))
				tx.Put(activity, key, []byte(store.Time(f.Time)+store.Number(n+1)))
				return nil
			},
			Drop: func(tx *store.Tx, f Fact) error {
				key := store.Key(f.Scope, f.People["who"].String())
				v := string(tx.Get(activity, key))
				if n := store.ParseNumber(v); n > 1 {
					tx.Put(activity, key, []byte(v[:8]+store.Number(n-1)))
				} else {
					tx.Delete(activity, key)
				}
				return nil
			},
		},
		{Name: "note", Version: 1},
	}
}

func ballot(voter protocol.UserID, vote, choice string) Draft {
	return Draft{
		Kind: "ballot", People: map[string]protocol.UserID{"voter": voter},
		Keys: map[string]string{"vote": vote}, Payload: map[string]string{"choice": choice},
	}
}

func active(who protocol.UserID) Draft {
	return Draft{Kind: "active", People: map[string]protocol.UserID{"who": who}}
}

func note(n int) Draft { return Draft{Kind: "note", Payload: n} }

func says(s string) Draft { return Draft{Kind: "note", Payload: s} }

// tester is what testing.TB and *rapid.T have in common.
type tester interface {
	Helper()
	Fatal(...any)
	Fatalf(string, ...any)
	Errorf(string, ...any)
}

// world is a store and a bus over it, with a clock.
type world struct {
	tester
	dir    string
	config Config
	store  *store.Store
	bus    *Bus
	now    time.Time
	causes int
}

func newWorld(t testing.TB, change ...func(*Config)) *world {
	t.Helper()
	w := worldIn(t, t.TempDir(), change...)
	t.Cleanup(w.close)
	return w
}

// worldIn opens a world in a folder, with what is there.
func worldIn(t tester, dir string, change ...func(*Config)) *world {
	t.Helper()
	w := &world{tester: t, dir: dir, now: time.Date(2026, 11, 21, 8, 0, 0, 0, time.UTC)}
	w.config = Config{Kinds: testKinds()}
	for _, f := range change {
		f(&w.config)
	}
	w.open()
	return w
}

func (w *world) open() {
	w.Helper()
	if err := w.tryOpen(); err != nil {
		w.Fatal(err)
	}
}

func (w *world) tryOpen() (err error) {
	w.store, err = store.Open(store.Config{Path: filepath.Join(w.dir, "moot.db")})
	if err != nil {
		return err
	}
	w.config.Store = w.store
	if w.bus, err = Open(w.config); err != nil {
		w.store.Close()
		w.bus = nil
	}
	return err
}

func (w *world) close() {
	if w.bus == nil {
		return
	}
	if err := w.bus.Close(); err != nil {
		w.Errorf("close the bus: %v", err)
	}
	if err := w.store.Close(); err != nil {
		w.Errorf("close the store: %v", err)
	}
	w.bus = nil
}

func (w *world) reopen() {
	w.Helper()
	w.close()
	w.open()
}

// cause makes the cause of the next run.
func (w *world) cause() protocol.Ref {
	w.causes++
	return protocol.Ref{Room: "console:lobby", Event: protocol.EventID(fmt.Sprint("e", w.causes))}
}

// try makes a commit of one run and returns the error of the run. The clock moves on by a second.
func (w *world) try(scope protocol.Scope, f func(*store.Tx) error) (err error) {
	w.Helper()
	w.commit(func(c *store.Commit) { err = c.Run(scope, w.cause(), f) })
	return err
}

// run is try where no error is expected.
func (w *world) run(scope protocol.Scope, f func(*store.Tx)) {
	w.Helper()
	if err := w.try(scope, func(tx *store.Tx) error { f(tx); return nil }); err != nil {
		w.Fatal(err)
	}
}

func (w *world) commit(f func(*store.Commit)) {
	w.Helper()
	appended := false
	w.now = w.now.Add(time.Second)
	err := w.store.Commit(w.now, func(c *store.Commit) error {
		f(c)
		appended = c.Appended()
		return nil
	})
	if err != nil {
		w.Fatal(err)
	}
	if appended {
		w.bus.Notify()
	}
}

// publish publishes in one run.
func (w *world) publish(scope protocol.Scope, drafts ...Draft) {
	w.Helper()
	w.run(scope, func(tx *store.Tx) {
		for _, d := range drafts {
			_ = w.bus.Publish(tx, d) // an error fails the run
		}
	})
}

func (w *world) view(f func(*store.Tx)) {
	w.Helper()
	if err := w.store.View(func(tx *store.Tx) error { f(tx); return nil }); err != nil {
		w.Fatal(err)
	}
}

// all returns the whole log.
func (w *world) all() (facts []Fact) {
	w.Helper()
	w.view(func(tx *store.Tx) { facts = w.collect(w.bus.All(tx, 0)) })
	return facts
}

func (w *world) matching(q Query) (facts []Fact) {
	w.Helper()
	w.view(func(tx *store.Tx) { facts = w.collect(w.bus.Matching(tx, q)) })
	return facts
}

func (w *world) collect(seq iter.Seq2[Fact, error]) (facts []Fact) {
	w.Helper()
	for f, err := range seq {
		if err != nil {
			w.Fatal(err)
		}
		facts = append(facts, f)
	}
	return facts
}

func (w *world) number(user protocol.UserID) (n Number) {
	w.Helper()
	w.view(func(tx *store.Tx) { n = w.bus.Lookup(tx, user) })
	return n
}

// archive moves all that is older than the window.
func (w *world) archive() (moved int) {
	w.Helper()
	for {
		n, more, err := w.bus.ArchiveStep(w.now, 0)
		if err != nil {
			w.Fatal(err)
		}
		if moved += n; !more {
			return moved
		}
	}
}

// age lets all that was published until now become older than the window.
func (w *world) age() { w.now = w.now.Add(DefaultWindow + time.Second) }

func (w *world) archivePath() string { return filepath.Join(w.dir, "facts.archive") }

func numbers(facts []Fact) []uint64 {
	ns := make([]uint64, len(facts))
	for i, f := range facts {
		ns[i] = f.Seq
	}
	return ns
}

// diff is cmp.Diff, which takes its time, for facts that are mostly the same.
func diff(want, got []Fact) string {
	if reflect.DeepEqual(want, got) {
		return ""
	}
	return cmp.Diff(want, got)
}

// copyFile copies a file of another world, if it is there.
func copyFile(t tester, from, to string) {
	t.Helper()
	data, err := os.ReadFile(from)
	if os.IsNotExist(err) {
		return
	}
	if err == nil {
		err = os.WriteFile(to, data, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// dump returns all that stands in a bucket.
func dump(tx *store.Tx, b store.Bucket) map[string]string {
	m := map[string]string{}
	for k, v := range tx.Range(b, "", "") {
		m[k] = string(v)
	}
	return m
}
