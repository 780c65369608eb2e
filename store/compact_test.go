package store

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"moot/protocol"
)

func TestCompact(t *testing.T) {
	dir := t.TempDir()
	target, link := filepath.Join(dir, "target.db"), filepath.Join(dir, "moot.db")
	k := filled(t)
	k.at(t, target, k.data)
	if err := os.Symlink(target, link); err != nil {
		t.Fatal(err)
	}
	writeFile(t, target+".compact", []byte("left by one that was cut short"))
	b := openBox(t, link)
	b.now = start.Add(time.Hour)
	b.run("s", func(tx *Tx) { tx.Put(plainA, "k", make([]byte, 3<<20)) })
	if err := b.Checkpoint(t.Context()); err != nil {
		t.Fatal(err)
	}
	b.run("s", func(tx *Tx) { tx.Delete(plainA, "k") })
	content := dump(t, b.Store)
	if _, _, err := Compact(Config{Path: link, LockTimeout: 50 * time.Millisecond}); !errors.Is(err, ErrLocked) {
		t.Errorf("while it is open: %v", err)
	}
	size := b.Size()
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	before, after, err := Compact(Config{Path: link})
	if err != nil || before != size || after > before-3<<20 {
		t.Errorf("%d bytes, before that %d, of which it said %d (%v)", after, size, before, err)
	}
	if info, err := os.Stat(target); err != nil || info.Size() != after || info.Mode() != 0o600 {
		t.Errorf("the file is %v (%v)", info, err)
	}
	if info, err := os.Lstat(link); err != nil || info.Mode()&os.ModeSymlink == 0 {
		t.Errorf("the link became %v (%v)", info, err)
	}
	if files, _ := os.ReadDir(dir); len(files) != 3 { // with the log of commits
		t.Errorf("files: %v", files)
	}
	b = openBox(t, link)
	same(t, b.Store, content)
	b.now = start.Add(2 * time.Hour)
	for i := range 30 { // numbers of runs and chunks go on where they were
		b.commit(func(c *Commit) { fillStep(t, c, 100+i) })
	}
	b.reopen()
	b.Close()

	none := filepath.Join(dir, "none.db")
	if _, _, err := Compact(Config{Path: none}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a file that is not there: %v", err)
	}
	if _, err := os.Stat(none); err == nil {
		t.Error("it was made")
	}
}

// TestCompactAwaited: whoever waits for the file while it is compacted gets the new one, and not
// the old one, which is no longer under any name.
func TestCompactAwaited(t *testing.T) {
	k := filled(t)
	for round := range 5 {
		path := filepath.Join(t.TempDir(), "moot.db")
		k.at(t, path, k.data)
		s, err := Open(Config{Path: path})
		if err != nil {
			t.Fatal(err)
		}
		opened := make(chan error)
		for i := range 3 {
			go func() {
				s, err := Open(Config{Path: path, LockTimeout: time.Minute})
				if err == nil {
					err = s.Commit(start, func(c *Commit) error {
						c.Record("c:awaited", protocol.EventID(fmt.Sprint(i)), Handled, "")
						return nil
					})
					err = errors.Join(err, s.Close())
				}
				opened <- err
			}()
		}
		if _, err := s.file.Compact(); err != nil {
			t.Fatal(err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		for range 3 {
			if err := <-opened; err != nil {
				t.Fatal(err)
			}
		}
		b := openBox(t, path)
		b.view(func(tx *Tx) {
			for i := range 3 {
				if tx.Seen("c:awaited", protocol.EventID(fmt.Sprint(i))).Disposition != Handled {
					t.Errorf("round %d: what opener %d wrote is lost", round, i)
				}
			}
		})
		b.Close()
	}
}
