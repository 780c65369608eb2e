package disk

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// TestGuard: faults become errors, and other panics stay panics.
func TestGuard(t *testing.T) {
	err := Guard(func() error {
		defer Faulted()
		panic("a page that is not there")
	})
	if !errors.Is(err, ErrDamaged) {
		t.Errorf("a fault: %v", err)
	}
	err = Guard(func() error { defer Faulted(); panic(Fault{"inner"}) })
	if err.Error() != ErrDamaged.Error()+": inner" {
		t.Errorf("a fault within another: %v", err)
	}
	if err := Guard(func() error { return ErrFull }); !errors.Is(err, ErrFull) {
		t.Errorf("an error: %v", err)
	}
	defer func() {
		if p := recover(); p != "not a fault" {
			t.Errorf("it panicked with %v", p)
		}
	}()
	_ = Guard(func() error { panic("not a fault") })
}

// TestAllocate: blocks are there, and neither length nor content has changed.
func TestAllocate(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, []byte("content"), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := Allocate(f, 0, 1<<20); err != nil {
		if errors.Is(err, errors.ErrUnsupported) {
			t.Skip(err)
		}
		t.Fatal(err)
	}
	if err := errors.Join(Sync(f), SyncFolder(filepath.Dir(path))); err != nil {
		t.Error(err)
	}
	info, err := f.Stat()
	if err != nil || info.Size() != 7 {
		t.Fatalf("it has %v bytes (%v)", info.Size(), err)
	}
	if blocks := info.Sys().(*syscall.Stat_t).Blocks; blocks*512 < 1<<20 {
		t.Errorf("it has %d blocks", blocks)
	}
	if free, known := Free(path); !known || free == 0 {
		t.Errorf("%d bytes are free (%v)", free, known)
	}
	if !IsFull(&os.PathError{Err: syscall.ENOSPC}) || IsFull(syscall.EIO) {
		t.Error("a full disk is not told from others")
	}
}
