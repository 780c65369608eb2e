package events

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"moot/events/docbuf"
	"moot/protocol"
	"moot/store"
)

// crowd publishes n facts in one commit, one in four of them disposable, and some of them large.
func (w *world) crowd(n int) {
	w.Helper()
	w.commit(func(c *store.Commit) {
		for i := range n {
			err := c.Run(lobby, w.cause(), func(tx *store.Tx) error {
				switch {
				case i%4 == 1:
					return w.bus.Publish(tx, active([]protocol.UserID{ann, bob}[i%8/4]))
				case i%50 == 7:
					return w.bus.Publish(tx, says(strings.Repeat("large", 2000)))
				}
				return w.bus.Publish(tx, ballot(bob, fmt.Sprint(i%5), fmt.Sprint(i)))
			})
			if err != nil {
				w.Fatal(err)
			}
		}
	})
}

func lasting(facts []Fact) (out []Fact) {
	for _, f := range facts {
		if f.Kind != "active" {
			out = append(out, f)
		}
	}
	return out
}

func TestArchiveStep(t *testing.T) {
	w := newWorld(t)
	w.crowd(600)
	before := w.all()
	w.now = w.now.Add(DefaultWindow) // not older than the window, but as old
	if moved, more, err := w.bus.ArchiveStep(w.now, 0); moved != 0 || more || err != nil {
		t.Fatal("too early:", moved, more, err)
	}
	w.now = w.now.Add(1)
	w.publish(lobby, ballot(ann, "1", "young"))
	for i, want := range []struct {
		limit, moved int
		more         bool
	}{{10, 10, true}, {0, 256, true}, {10_000, 256, true}, {100, 78, false}, {0, 0, false}} {
		moved, more, err := w.bus.ArchiveStep(w.now, want.limit)
		if moved != want.moved || more != want.more || err != nil {
			t.Fatalf("step %d: %d, %v, %v", i, moved, more, err)
		}
	}
	check := func() {
		t.Helper()
		if d := diff(lasting(before), w.all()[:450]); d != "" {
			t.Error(d)
		}
		if got := w.matching(Query{Kind: "active"}); len(got) != 0 {
			t.Errorf("%d disposable facts are left", len(got))
		}
		if got := w.matching(Query{Kind: "ballot", Filters: map[string]string{"vote": "3"}, Backward: true}); len(got) < 50 {
			t.Errorf("%d facts found", len(got))
		}
		w.view(func(tx *store.Tx) {
			n := 0
			for range tx.Log(0) {
				n++
			}
			if n != 1 || len(dump(tx, activity)) != 0 {
				t.Errorf("%d records in the window, %d entries of what was dropped", n, len(dump(tx, activity)))
			}
			for _, of := range []string{
				term("active", "", ""), term("active", "who", "1"), term("active", KeyScope, string(lobby)),
			} {
				for n := range tx.Indexed(of, 0, 0, false) {
					t.Fatalf("an index entry of what was dropped: %q, %d", of, n)
				}
			}
		})
		if err := w.bus.Verify(t.Context(), t.TempDir()); err != nil {
			t.Error(err)
		}
	}
	check()
	w.reopen()
	check()
}

// What is read to find one fact is bounded, by facts and by bytes.
func TestBlocks(t *testing.T) {
	w := newWorld(t)
	large := strings.Repeat("x", 30<<10)
	for _, d := range []Draft{says(large), says(large), says(large), says(large), says("small")} { // 1 to 5
		w.publish(lobby, d)
	}
	w.commit(func(c *store.Commit) {
		for i := range blockFacts + 1 {
			if err := c.Run(lobby, w.cause(), func(tx *store.Tx) error { return w.bus.Publish(tx, note(i)) }); err != nil {
				t.Fatal(err)
			}
		}
	})
	w.age()
	w.archive()
	w.view(func(tx *store.Tx) {
		var first []uint64
		for k := range tx.Range(blocks, "", "") {
			first = append(first, store.ParseNumber(k))
		}
		if want := []uint64{1, 4, 68}; !slices.Equal(first, want) {
			t.Errorf("blocks begin at %v, not %v", first, want)
		}
		r := newReader(tx, w.bus.history.archive)
		for _, seq := range []uint64{70, 1, 4, 67, 68, 3} {
			if f, err := r.fact(seq); f.Seq != seq || err != nil || len(r.block) > blockFacts {
				t.Errorf("%d: %+v, %v", seq, f.Seq, err)
			}
		}
	})
}

// A crash at any step, with whatever the file system has made of what was not synced, loses nothing
// and doubles nothing.
func TestCrashWhileArchiving(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.crowd(180)
	before := w.all()
	w.age()
	type image struct{ point, dir string }
	var images []image
	w.bus.failpoint = func(point string) error {
		dir := t.TempDir()
		if _, err := w.store.Base(t.Context(), filepath.Join(dir, "moot.db"), nil); err != nil {
			return err
		}
		copyFile(t, w.archivePath(), filepath.Join(dir, "facts.archive"))
		images = append(images, image{point, dir})
		return nil
	}
	for more := true; more; {
		var err error
		if _, more, err = w.bus.ArchiveStep(w.now, 90); err != nil {
			t.Fatal(err)
		}
	}
	if len(images) != 2*(2+1+1) {
		t.Fatalf("%d crashes, where 2 steps each push 2 blocks, sync and commit", len(images))
	}
	for i, im := range images {
		path := filepath.Join(im.dir, "facts.archive")
		whole, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		end := committedEnd(t, im.dir)
		tail := int64(len(whole)) - end
		if (im.point == "committed") != (tail == 0) {
			t.Fatalf("crash %d at %s leaves %d bytes behind the end", i, im.point, tail)
		}
		variants := map[string][]byte{"whole": whole, "cut": whole[:end], "torn": whole[:end+tail/2]}
		if tail > 0 {
			junk := bytes.Clone(whole)
			for j := end; j < int64(len(junk)); j++ {
				junk[j] = byte(rand.Uint32())
			}
			variants["junk"] = junk
			variants["one byte"] = whole[:end+1]
		}
		for name, content := range variants {
			dir := filepath.Join(t.TempDir(), "data")
			if err := os.CopyFS(dir, os.DirFS(im.dir)); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(dir, "facts.archive"), content, 0o600); err != nil {
				t.Fatal(err)
			}
			c := worldIn(t, dir)
			c.now = w.now
			if info, err := os.Stat(c.archivePath()); err != nil || info.Size() != end {
				t.Errorf("crash %d at %s, %s: %v bytes after opening, %v", i, im.point, name, info.Size(), err)
			}
			check := func() {
				t.Helper()
				if d := diff(lasting(before), lasting(c.all())); d != "" {
					t.Errorf("crash %d at %s, %s: %s", i, im.point, name, d)
				}
				if d := diff(lasting(before), lasting(c.matching(Query{}))); d != "" {
					t.Errorf("crash %d at %s, %s: by the index: %s", i, im.point, name, d)
				}
			}
			check()
			c.archive()
			check()
			if n := len(c.matching(Query{Kind: "active"})); n > 0 {
				t.Errorf("%d disposable facts are left", n)
			}
			if name != "torn" {
				c.close()
				continue
			}
			if err := c.bus.Verify(t.Context(), dir); err != nil {
				t.Errorf("crash %d at %s, %s: %v", i, im.point, name, err)
			}
			c.close()
		}
	}
}

func committedEnd(t *testing.T, dir string) (end int64) {
	t.Helper()
	s, err := store.Open(store.Config{Path: filepath.Join(dir, "moot.db")})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := s.View(func(tx *store.Tx) error { end = Committed(tx).End; return nil }); err != nil {
		t.Fatal(err)
	}
	return end
}

// A step that fails has moved nothing, and the next one does it.
func TestAStepThatFails(t *testing.T) {
	w := newWorld(t)
	w.crowd(100)
	before := w.all()
	w.age()
	cause := errors.New("no more space")
	for _, fail := range []string{"pushed", "synced"} {
		w.bus.failpoint = func(point string) error {
			if point == fail {
				return cause
			}
			return nil
		}
		if moved, more, err := w.bus.ArchiveStep(w.now, 0); moved != 0 || more || !errors.Is(err, cause) {
			t.Errorf("%d, %v, %v", moved, more, err)
		}
		if d := diff(before, w.all()); d != "" {
			t.Error(d)
		}
	}
	w.bus.failpoint = nil
	if n := w.archive(); n != 100 {
		t.Errorf("%d facts archived", n)
	}
	if d := diff(lasting(before), w.all()); d != "" {
		t.Error(d)
	}
}

// After a failed sync nobody knows what the file holds, and nobody goes on as if they did.
func TestAFailedSyncIsFinal(t *testing.T) {
	w := newWorld(t)
	w.crowd(10)
	w.age()
	w.bus.failpoint = func(string) error { return docbuf.ErrSync }
	if _, _, err := w.bus.ArchiveStep(w.now, 0); !errors.Is(err, docbuf.ErrSync) {
		t.Error(err)
	}
	w.bus.failpoint = nil
	if _, _, err := w.bus.ArchiveStep(w.now, 0); !errors.Is(err, docbuf.ErrSync) {
		t.Error(err)
	}
	w.reopen()
	if n := w.archive(); n != 10 {
		t.Errorf("%d facts archived", n)
	}
}

func TestAShortArchiveIsRefused(t *testing.T) {
	w := newWorld(t)
	w.crowd(100)
	w.age()
	w.archive()
	w.close()
	whole, err := os.ReadFile(w.archivePath())
	if err != nil {
		t.Fatal(err)
	}
	broken := bytes.Clone(whole)
	broken[len(broken)-20] ^= 1
	for name, content := range map[string][]byte{
		"empty": {}, "header only": whole[:8], "half": whole[:len(whole)/2], "one byte short": whole[:len(whole)-1],
		"newest fact broken": broken, "something else": bytes.Repeat([]byte("no"), len(whole)),
	} {
		for _, readOnly := range []bool{false, true} {
			if err := os.WriteFile(w.archivePath(), content, 0o600); err != nil {
				t.Fatal(err)
			}
			w.config.ReadOnly = readOnly
			if err := w.tryOpen(); !errors.Is(err, ErrArchive) || !strings.Contains(err.Error(), w.archivePath()) {
				t.Errorf("%s: %v", name, err)
				w.close()
			}
			if now, err := os.ReadFile(w.archivePath()); err != nil || !bytes.Equal(now, content) {
				t.Errorf("%s: it was changed, %v", name, err)
			}
		}
	}
	w.config.ReadOnly = false
	if err := os.Remove(w.archivePath()); err != nil {
		t.Fatal(err)
	}
	if err := w.tryOpen(); !errors.Is(err, ErrArchive) || !strings.Contains(err.Error(), "no such file") {
		t.Errorf("missing: %v", err)
	}
	if _, err := os.Stat(w.archivePath()); !os.IsNotExist(err) {
		t.Error("it was made anew:", err)
	}
	if err := os.WriteFile(w.archivePath(), whole, 0o600); err != nil {
		t.Fatal(err)
	}
	w.open()
}

// Damage in the middle is reported where it is met, never as a wrong fact; what lies elsewhere
// can be read.
func TestDamageInTheArchive(t *testing.T) {
	w := newWorld(t)
	w.crowd(400)
	w.age()
	w.archive()
	w.publish(lobby, note(1))
	w.close()
	data, err := os.ReadFile(w.archivePath())
	if err != nil {
		t.Fatal(err)
	}
	data[len(data)/2] ^= 1
	if err := os.WriteFile(w.archivePath(), data, 0o600); err != nil {
		t.Fatal(err)
	}
	w.open()
	w.view(func(tx *store.Tx) {
		good, bad := 0, 0
		for f, err := range w.bus.Matching(tx, Query{}) {
			switch {
			case err == nil:
				good++
			case errors.Is(err, ErrArchive) && f.Seq > 0:
				bad++
			default:
				t.Errorf("%+v, %v", f, err)
			}
		}
		if good+bad != 301 || bad == 0 || bad > blockFacts {
			t.Errorf("%d facts can be read, %d cannot", good, bad)
		}
		var last Fact
		faults := 0
		for f, err := range w.bus.All(tx, 0) {
			if last = f; err != nil {
				faults++
			}
		}
		if faults != 1 || last.Kind != "note" {
			t.Errorf("%d faults, last %+v", faults, last)
		}
	})
	if err := w.bus.Verify(t.Context(), t.TempDir()); !errors.Is(err, ErrArchive) {
		t.Errorf("verified: %v", err)
	}
}

func TestTheArchiveIsItsOwners(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("no such permissions")
	}
	mode := func(w *world) os.FileMode {
		info, err := os.Stat(w.archivePath())
		if err != nil {
			t.Fatal(err)
		}
		return info.Mode().Perm()
	}
	w := newWorld(t)
	if m := mode(w); m != 0o600 {
		t.Errorf("a new file has mode %o", m)
	}
	if err := os.Chmod(w.archivePath(), 0o644); err != nil {
		t.Fatal(err)
	}
	w.reopen()
	if m := mode(w); m != 0o600 {
		t.Errorf("an old file has mode %o", m)
	}
}

func TestReadOnly(t *testing.T) {
	w := newWorld(t)
	w.crowd(300)
	w.age()
	w.archive()
	before := w.all()
	w.close()
	old, err := os.ReadFile(w.archivePath())
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(w.archivePath(), append(old, "left over"...), 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := store.Open(store.Config{Path: filepath.Join(w.dir, "moot.db"), ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	c := w.config
	c.Store, c.ReadOnly = s, true
	w.store = s
	if w.bus, err = Open(c); err != nil {
		t.Fatal(err)
	}
	if d := diff(before, w.all()); d != "" {
		t.Error(d)
	}
	if _, _, err := w.bus.ArchiveStep(w.now, 0); !errors.Is(err, ErrReadOnly) {
		t.Error(err)
	}
	if now, err := os.ReadFile(w.archivePath()); err != nil || len(now) != len(old)+len("left over") {
		t.Errorf("it was changed: %d bytes, %v", len(now), err)
	}
}

func TestReadOnlyWithoutAnArchive(t *testing.T) {
	w := newWorld(t)
	w.publish(lobby, note(1))
	w.close()
	if err := os.Remove(w.archivePath()); err != nil {
		t.Fatal(err)
	}
	w.config.ReadOnly = true
	w.open()
	if n := len(w.all()); n != 1 {
		t.Errorf("%d facts", n)
	}
	if _, err := os.Stat(w.archivePath()); !os.IsNotExist(err) {
		t.Error("reading made a file:", err)
	}
}

// A view sees one state, whatever moves meanwhile; and views and steps do not disturb each other.
func TestViewsWhileArchiving(t *testing.T) {
	w := newWorld(t)
	w.crowd(600)
	w.age()
	before := w.all()
	if _, _, err := w.bus.ArchiveStep(w.now, 200); err != nil { // so that the store need not wait for the view
		t.Fatal(err)
	}
	w.view(func(tx *store.Tx) {
		part := w.collect(w.bus.All(tx, 0))
		done := make(chan error)
		go func() {
			_, _, err := w.bus.ArchiveStep(w.now, 200)
			done <- err
		}()
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		if d := diff(part, w.collect(w.bus.All(tx, 0))); d != "" {
			t.Error(d)
		}
		if d := diff(part, w.collect(w.bus.Matching(tx, Query{}))); d != "" {
			t.Error(d)
		}
	})
	var wg sync.WaitGroup
	stop := make(chan struct{})
	for range 2 {
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				w.view(func(tx *store.Tx) {
					if d := diff(lasting(before), lasting(w.collect(w.bus.Matching(tx, Query{})))); d != "" {
						t.Error(d)
					}
				})
			}
		})
	}
	for more := true; more; {
		var err error
		if _, more, err = w.bus.ArchiveStep(w.now, 20); err != nil {
			t.Error(err)
			break
		}
	}
	close(stop)
	wg.Wait()
}
