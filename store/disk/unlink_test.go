package disk

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
)

func TestRemove(t *testing.T) {
	dir := t.TempDir()
	folder, kept := filepath.Join(dir, "backup"), filepath.Join(dir, "kept")
	large := bytes.Repeat([]byte{1}, 2*removeAt+1)
	for _, err := range []error{
		os.MkdirAll(filepath.Join(folder, "log"), 0o700),
		os.WriteFile(filepath.Join(folder, "large"), large, 0o600),
		os.WriteFile(filepath.Join(folder, "linked"), large, 0o600),
		os.WriteFile(filepath.Join(folder, "log", "small"), []byte("1"), 0o400),
		os.Link(filepath.Join(folder, "linked"), kept),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	for range 2 { // the second time there is nothing
		if err := Remove(folder); err != nil {
			t.Fatal(err)
		}
		if _, err := os.Stat(folder); !os.IsNotExist(err) {
			t.Fatalf("it is still there: %v", err)
		}
	}
	if got, err := os.ReadFile(kept); err != nil || !bytes.Equal(got, large) {
		t.Errorf("what has another name has %d bytes of %d, %v", len(got), len(large), err)
	}
}

// A file goes piece by piece, and its first piece with its name.
func TestShrink(t *testing.T) {
	name := filepath.Join(t.TempDir(), "large")
	for size, left := range map[int64]int64{0: 0, removeAt: removeAt, removeAt + 1: 1, 3 * removeAt: removeAt} {
		if err := os.WriteFile(name, make([]byte, size), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := shrink(name); err != nil {
			t.Fatal(err)
		}
		if info, err := os.Stat(name); err != nil || info.Size() != left {
			t.Errorf("of %d bytes %d are left, %v; want %d", size, info.Size(), err, left)
		}
	}
}
