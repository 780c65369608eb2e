package events

import (
	"bytes"
	"context"
	"errors"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"moot/store"
)

func TestVerify(t *testing.T) {
	w := newWorld(t)
	if err := w.bus.Verify(t.Context(), ""); err != nil {
		t.Error("an empty log:", err)
	}
	w.crowd(turnFacts * 3 / 2)
	w.age()
	for range 3 {
		if _, _, err := w.bus.ArchiveStep(w.now, 0); err != nil {
			t.Fatal(err)
		}
	}
	w.publish(garden, ballot(cem, "9", "late"), active(cem))
	w.run(garden, func(tx *store.Tx) { w.bus.Forget(tx, bob, true) })
	dir := t.TempDir()
	if err := w.bus.Verify(t.Context(), dir); err != nil {
		t.Error(err)
	}
	fast, err := w.bus.Replay(t.Context(), dir, false)
	if err != nil {
		t.Error(err)
	}
	gently, err := w.bus.Replay(t.Context(), dir, true)
	if d := cmp.Diff(fast, gently); d != "" || err != nil || fast.Facts == 0 || fast.Keys == 0 {
		t.Errorf("gently it is another: %s (%v)", d, err)
	}
	ctx, stop := context.WithCancel(t.Context())
	stop()
	if _, err := w.bus.Replay(ctx, dir, true); !errors.Is(err, context.Canceled) {
		t.Errorf("it is stopped with %v", err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("%v is left, %v", left, err)
	}
}

// TestPace: what works at a pace rests as long as it has worked.
func TestPace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		p := &pace{worked: began}
		for range 640 {
			time.Sleep(100 * time.Microsecond) // the work
			p.step()
		}
		if d := time.Since(began); d != 128*time.Millisecond {
			t.Errorf("64 ms of work took %s", d)
		}
	})
}

func TestVerifyFindsTheFirstDifference(t *testing.T) {
	key := func(voter string) string { return store.Key(lobby, "1", voter) }
	for name, tc := range map[string]struct {
		spoil func(*store.Tx)
		want  Difference
	}{
		"another value": {
			func(tx *store.Tx) { tx.Put(ballots, key("2"), []byte("x")) },
			Difference{Bucket: "ballots", Key: key("2"), Stands: []byte("x"), Replayed: []byte("right")},
		},
		"missing": {
			func(tx *store.Tx) { tx.Delete(ballots, key("1")) },
			Difference{Bucket: "ballots", Key: key("1"), Replayed: []byte("right")},
		},
		"last one missing": {
			func(tx *store.Tx) { tx.Delete(ballots, key("3")) },
			Difference{Bucket: "ballots", Key: key("3"), Replayed: []byte("right")},
		},
		"one too many": {
			func(tx *store.Tx) { tx.Put(ballots, key("0"), nil) },
			Difference{Bucket: "ballots", Key: key("0"), Stands: []byte{}},
		},
		"one too many at the end": {
			func(tx *store.Tx) { tx.Put(ballots, key("9"), nil) },
			Difference{Bucket: "ballots", Key: key("9"), Stands: []byte{}},
		},
		"the first of two": {
			func(tx *store.Tx) {
				tx.Put(ballots, key("2"), []byte("x"))
				tx.Put(activity, store.Key(lobby, "1"), []byte("y"))
			},
			Difference{Bucket: "activity", Key: store.Key(lobby, "1"), Stands: []byte("y"), Replayed: []byte("right")},
		},
	} {
		w := newWorld(t)
		w.publish(lobby, ballot(ann, "1", "yes"), ballot(bob, "1", "yes"), ballot(cem, "1", "yes"), active(ann))
		var right []byte
		w.view(func(tx *store.Tx) {
			for _, k := range tc.want.Replayed {
				_ = k
				right = append(right, tx.Get(ballots, tc.want.Key)...)
				right = append(right, tx.Get(activity, tc.want.Key)...)
				break
			}
		})
		if tc.want.Replayed != nil {
			tc.want.Replayed = right
		}
		w.run(lobby, tc.spoil)
		err := w.bus.Verify(t.Context(), t.TempDir())
		var d *Difference
		if !errors.As(err, &d) {
			t.Errorf("%s: %v", name, err)
		} else if diff := cmp.Diff(tc.want, *d); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

// What breaks the rules for Apply and Drop is found out.
func TestVerifyFindsImpurity(t *testing.T) {
	own := store.ScopedBucket("own")
	calls := 0
	for name, k := range map[string]Kind{
		"the time of the transaction": {Apply: func(tx *store.Tx, f Fact) error {
			tx.Put(own, string(f.Scope), []byte(store.Time(tx.Now())))
			return nil
		}},
		"a state of its own": {Apply: func(tx *store.Tx, f Fact) error {
			calls++
			tx.Put(own, string(f.Scope), []byte(store.Number(uint64(calls))))
			return nil
		}},
		"the bucket of another": {Apply: func(tx *store.Tx, f Fact) error {
			tx.Put(own, string(f.Scope), tx.Get(store.ScopedBucket("settings"), string(f.Scope)))
			return nil
		}},
		"a drop that does nothing": {
			Disposable: true,
			Apply:      func(tx *store.Tx, f Fact) error { tx.Put(own, string(f.Scope), nil); return nil },
			Drop:       func(*store.Tx, Fact) error { return nil },
		},
	} {
		k.Name, k.Version, k.Buckets = "impure", 1, []store.Bucket{own}
		w := newWorld(t, func(c *Config) { c.Kinds = append(c.Kinds, k) })
		w.run(lobby, func(tx *store.Tx) { tx.Put(store.ScopedBucket("settings"), string(lobby), []byte("x")) })
		w.publish(lobby, Draft{Kind: "impure"})
		w.age()
		w.archive()
		var d *Difference
		if err := w.bus.Verify(t.Context(), t.TempDir()); !errors.As(err, &d) || d.Bucket != "own" {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestVerifyEnds(t *testing.T) {
	w := newWorld(t)
	w.publish(lobby, note(1))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	dir := t.TempDir()
	if err := w.bus.Verify(ctx, dir); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("%v is left, %v", left, err)
	}
	if err := w.bus.Verify(t.Context(), dir+"/nowhere"); err == nil {
		t.Error("verified in a folder that is not there")
	}
}

// A page that has gone bad ends a verify with a sentence, and not the process.
func TestVerifyOfADamagedFile(t *testing.T) {
	const marker = "0123456789abcdef"
	for name, damage := range map[string]struct {
		at    int64 // in the page
		bytes []byte
	}{
		"the kind of the page":                {8, []byte{0xff, 0xff}},
		"how many there are on the page":      {10, []byte{0xff, 0xff}},
		"where the first key is, far away":    {16 + 4, []byte{0xff, 0xff, 0xff, 0x7f}},
		"how long the first value is, by far": {16 + 12, []byte{0xff, 0xff, 0xff, 0x7f}},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			for range 20 {
				w.commit(func(c *store.Commit) {
					for range 100 {
						err := c.Run(lobby, w.cause(), func(tx *store.Tx) error { return w.bus.Publish(tx, says(marker)) })
						if err != nil {
							t.Fatal(err)
						}
					}
				})
			}
			w.reopen()
			data, err := os.ReadFile(w.store.Path())
			if err != nil {
				t.Fatal(err)
			}
			file, err := os.OpenFile(w.store.Path(), os.O_RDWR, 0)
			if err != nil {
				t.Fatal(err)
			}
			defer file.Close()
			size, pages := os.Getpagesize(), 0
			for at := 2 * size; at < len(data); at += size {
				if !bytes.Contains(data[at:at+size], []byte(marker)) {
					continue
				}
				pages++
				if _, err := file.WriteAt(damage.bytes, int64(at)+damage.at); err != nil {
					t.Fatal(err)
				}
			}
			if pages < 10 {
				t.Fatalf("facts are on %d pages", pages)
			}
			dir := t.TempDir()
			if err := w.bus.Verify(t.Context(), dir); !errors.Is(err, store.ErrDamaged) {
				t.Errorf("%v", err)
			}
			if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
				t.Errorf("%v is left, %v", left, err)
			}
		})
	}
}
