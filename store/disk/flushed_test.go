package disk

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
)

func TestFlushed(t *testing.T) {
	f, err := os.Create(filepath.Join(t.TempDir(), "large"))
	if err != nil {
		t.Fatal(err)
	}
	w, part := NewFlushed(f), bytes.Repeat([]byte("0123456789abcdef"), flushAt/32)
	for i := range 5 {
		if n, err := w.Write(part); n != len(part) || err != nil {
			t.Fatalf("write %d: %d, %v", i, n, err)
		}
	}
	if err := w.Sync(); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(f.Name()); err != nil || !bytes.Equal(got, bytes.Repeat(part, 5)) {
		t.Errorf("it has %d bytes, %v", len(got), err)
	}
}

// What failed while more is written is not forgotten: the system says so once, and the next sync may succeed.
func TestFlushedThatFails(t *testing.T) {
	f, err := os.Create(filepath.Join(t.TempDir(), "large"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	w := NewFlushed(f)
	w.ended(os.ErrDeadlineExceeded)
	if _, err := w.Write(make([]byte, flushAt)); err != nil {
		t.Fatal(err)
	}
	if err := w.Sync(); err != os.ErrDeadlineExceeded {
		t.Errorf("the sync at the end says %v", err)
	}
}
