//go:build goolm

package keys

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"moot/store"
)

func database(t testing.TB, path string) *store.Store {
	t.Helper()
	st, err := store.Open(store.Config{Path: path})
	if err != nil {
		t.Fatal(err)
	}
	return st
}

// crash ends the use of a database as a crash does: what no commit has had is lost.
func crash(t testing.TB, st *store.Store) {
	t.Helper()
	st.Along(nil)
	if err := st.Close(); err != nil {
		t.Fatal(err)
	}
}

func commit(t testing.TB, st *store.Store) {
	t.Helper()
	if err := st.Commit(time.Time{}, func(*store.Commit) error { return nil }); err != nil {
		t.Fatal(err)
	}
}

func want(t *testing.T, r *Rows, value string, parts ...string) {
	t.Helper()
	got, err := r.get(context.Background(), parts...)
	if err != nil || string(got) != value {
		t.Errorf("%q is %q, %v; want %q", parts, got, err, value)
	}
}

// TestDurability: what is written is seen at once, and is durable with the next commit, whatever that is for; not before.
func TestDurability(t *testing.T) {
	path := filepath.Join(t.TempDir(), "moot.db")
	st := database(t, path)
	r := Open(st)
	if err := r.set(t.Context(), []byte("1"), "a", "b"); err != nil {
		t.Fatal(err)
	}
	want(t, r, "1", "a", "b")
	crash(t, st)

	st = database(t, path)
	r = Open(st)
	want(t, r, "", "a", "b")
	for _, durable := range []func() error{
		func() error { return r.Flush() },
		func() error { return st.Commit(time.Time{}, func(*store.Commit) error { return nil }) },
	} {
		was := st.Change()
		if err := r.set(t.Context(), []byte("2"), "a", "b"); err != nil {
			t.Fatal(err)
		}
		if err := r.set(t.Context(), []byte("3"), "a", "c"); err != nil {
			t.Fatal(err)
		}
		if err := durable(); err != nil {
			t.Fatal(err)
		}
		if n := st.Change() - was; n != 1 {
			t.Errorf("it took %d commits", n)
		}
		if err := r.Flush(); err != nil || st.Change() != was+1 { // there is nothing to do
			t.Errorf("another commit was made, %v", err)
		}
		crash(t, st)
		st = database(t, path)
		r = Open(st)
		want(t, r, "2", "a", "b")
		want(t, r, "3", "a", "c")
		if n, err := r.drop(t.Context(), "a"); n != 2 || err != nil {
			t.Errorf("%d rows were dropped, %v", n, err)
		}
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	crash(t, st)
	st = database(t, path)
	r = Open(st)
	want(t, r, "", "a", "b")
	crash(t, st)
}

// TestAFailedCommit of the bot takes nothing along: the next one has it.
func TestAFailedCommit(t *testing.T) {
	st := database(t, filepath.Join(t.TempDir(), "moot.db"))
	defer crash(t, st)
	r := Open(st)
	if err := r.set(t.Context(), []byte("1"), "a"); err != nil {
		t.Fatal(err)
	}
	gone := errors.New("a feature has failed")
	was := st.Change()
	if err := st.Commit(time.Time{}, func(*store.Commit) error { return gone }); !errors.Is(err, gone) {
		t.Fatal(err)
	}
	want(t, r, "1", "a")
	commit(t, st)
	if st.Change() != was+1 {
		t.Errorf("%d commits were made", st.Change()-was)
	}
	want(t, r, "1", "a")
}

// TestDo: a transaction is seen by itself only, until it is whole; where it fails or panics nothing of it is left, and what it has
// undone by then is undone.
func TestDo(t *testing.T) {
	st := database(t, filepath.Join(t.TempDir(), "moot.db"))
	defer crash(t, st)
	r := Open(st)
	ctx := t.Context()
	if err := r.set(ctx, []byte("old"), "a", "1"); err != nil {
		t.Fatal(err)
	}
	commit(t, st)
	if err := r.set(ctx, []byte("noted"), "a", "2"); err != nil {
		t.Fatal(err)
	}
	seen := func(ctx context.Context) string {
		var all []string
		if err := r.each(ctx, func(rest []string, value []byte) error {
			all = append(all, rest[0]+string(value))
			return nil
		}, "a"); err != nil {
			t.Fatal(err)
		}
		return fmt.Sprint(len(all), strings.Contains(fmt.Sprint(all), "1old"), strings.Contains(fmt.Sprint(all), "2noted"), strings.Contains(fmt.Sprint(all), "3new"))
	}
	work := func(ctx context.Context) {
		if err := errors.Join(r.set(ctx, nil, "a", "1"), r.set(ctx, []byte("new"), "a", "3")); err != nil {
			t.Fatal(err)
		}
		if got := seen(ctx); got != "2 false true true" {
			t.Errorf("within it sees %s", got)
		}
		if got := seen(context.Background()); got != "2 true true false" {
			t.Errorf("from outside %s is seen", got)
		}
	}
	gone := errors.New("gone")
	undone := 0
	if err := r.Do(ctx, func(ctx context.Context) error {
		r.otherwise(ctx, func() { undone++ })
		work(ctx)
		return gone
	}); !errors.Is(err, gone) || undone != 1 {
		t.Errorf("%v, undone %d times", err, undone)
	}
	func() {
		defer func() { _ = recover() }()
		_ = r.Do(ctx, func(ctx context.Context) error {
			work(ctx)
			panic("the library")
		})
	}()
	if got := seen(ctx); got != "2 true true false" {
		t.Errorf("after failures %s is seen", got)
	}
	var late context.Context
	if err := r.Do(ctx, func(ctx context.Context) error {
		late = ctx
		r.otherwise(ctx, func() { undone++ })
		return r.Do(ctx, func(ctx context.Context) error {
			work(ctx)
			return nil
		})
	}); err != nil || undone != 1 {
		t.Errorf("%v, undone %d times", err, undone)
	}
	if got := seen(ctx); got != "2 false true true" {
		t.Errorf("afterwards %s is seen", got)
	}
	if err := r.set(late, []byte("late"), "b"); err != nil { // by what goes on with its context
		t.Error(err)
	}
	want(t, r, "late", "b")
	stopped, stop := context.WithCancel(ctx)
	stop()
	if err := r.set(stopped, []byte("x"), "c"); !errors.Is(err, context.Canceled) {
		t.Errorf("after its context has ended: %v", err)
	}
}

// TestKeysThatCannotBe are refused without harm to anything else.
func TestKeysThatCannotBe(t *testing.T) {
	st := database(t, filepath.Join(t.TempDir(), "moot.db"))
	defer crash(t, st)
	r := Open(st)
	for _, name := range []string{"a" + store.Sep + "b", strings.Repeat("long", 1000)} {
		if err := r.set(t.Context(), []byte("1"), "device", name); !errors.Is(err, ErrKey) {
			t.Errorf("%.20q: %v", name, err)
		}
	}
	commit(t, st)
	if err := r.Err(); err != nil {
		t.Error(err)
	}
}

// TestManyAtOnce: those who wait for the disk at the same time share commits, and each is durable when it returns. What the bot commits
// meanwhile takes along what there is.
func TestManyAtOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "moot.db")
	st := database(t, path)
	r := Open(st)
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			for n := range 20 {
				if err := r.Do(context.Background(), func(ctx context.Context) error {
					return errors.Join(r.set(ctx, []byte("1"), "x", fmt.Sprint(i), fmt.Sprint(n)), r.set(ctx, []byte("1"), "y", fmt.Sprint(i), fmt.Sprint(n)))
				}); err != nil {
					t.Error(err)
				}
				if err := r.Flush(); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Go(func() {
		for range 20 {
			commit(t, st)
		}
	})
	all.Wait()
	crash(t, st)
	st = database(t, path)
	defer crash(t, st)
	r = Open(st)
	for _, kind := range []string{"x", "y"} {
		if n, err := r.drop(context.Background(), kind); n != 160 || err != nil {
			t.Errorf("%d rows of %s, %v", n, kind, err)
		}
	}
}

// TestABrokenDatabase: when a commit fails everything does.
func TestABrokenDatabase(t *testing.T) {
	st := database(t, filepath.Join(t.TempDir(), "moot.db"))
	defer st.Close() //nolint:errcheck // it is broken
	r := Open(st)
	st.Ship(func(store.Change) error { return errors.New("the log is gone") })
	if err := r.set(t.Context(), []byte("1"), "a"); err != nil {
		t.Fatal(err)
	}
	for _, err := range []error{r.Flush(), r.Err(), r.Flush(), r.set(t.Context(), []byte("1"), "b")} {
		if !errors.Is(err, store.ErrShip) {
			t.Errorf("it goes on: %v", err)
		}
	}
	if err := r.Close(); err != nil {
		t.Errorf("it is said once more: %v", err)
	}
}

// TestAFullDisk: nothing has happened, and it goes on by itself.
func TestAFullDisk(t *testing.T) {
	var full error
	st, err := store.Open(store.Config{Path: filepath.Join(t.TempDir(), "moot.db"), Space: func() error { return full }})
	if err != nil {
		t.Fatal(err)
	}
	defer crash(t, st)
	r := Open(st)
	if err := r.set(t.Context(), []byte("1"), "a"); err != nil {
		t.Fatal(err)
	}
	full = store.ErrFull
	if err := r.Flush(); !store.IsFull(err) || r.Err() != nil {
		t.Errorf("%v, %v", err, r.Err())
	}
	want(t, r, "1", "a")
	full = nil
	was := st.Change()
	if err := r.Flush(); err != nil || st.Change() != was+1 {
		t.Errorf("with space it does not go on: %v", err)
	}
}

// TestFoundAgain: of what was carried over each row is looked for, and one that is another, or is not there, is noticed.
func TestFoundAgain(t *testing.T) {
	st := database(t, filepath.Join(t.TempDir(), "moot.db"))
	defer crash(t, st)
	s := New(Open(st), []byte("0123456789abcdef"))
	c := &carrier{Store: s, ctx: t.Context()}
	if err := errors.Join(c.keep([]byte("1"), "a", "b"), s.Rows.Flush()); err != nil {
		t.Fatal(err)
	}
	c = &carrier{Store: s, ctx: t.Context(), looks: true}
	if err := c.keep([]byte("1"), "a", "b"); err != nil || c.n != 1 {
		t.Errorf("the same row: %v, %d are found", err, c.n)
	}
	if err := c.keep([]byte("1"), "a", "c"); err != nil || c.n != 1 || c.left != 1 {
		t.Errorf("a row that is not there: %v, %d are found", err, c.n)
	}
	if err := c.keep([]byte("2"), "a", "b"); err == nil {
		t.Error("a row that is another one is taken for the same")
	}
}
