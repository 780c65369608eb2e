package bolt

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime/debug"
	"time"

	"go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"

	"moot/internal/failpoint"
	"moot/store/disk"
)

// Config says which file to open.
type Config struct {
	Path string
	// LockTimeout is how long to wait for another process to let go of the file; zero means for
	// ever.
	LockTimeout time.Duration
	ReadOnly    bool
	// NoSync says that nothing in the file is worth keeping.
	NoSync bool
}

// File is an open file. One goroutine at a time may write to it; views may be opened beside it.
type File struct {
	db       *bbolt.DB
	file     *os.File
	path     string
	reserved int64 // up to where the file has blocks on the disk; belongs to who writes
}

// Create makes a file that init fills. It appears under its name only when it is whole, so that a
// crash leaves no half of one, and never in place of one that another process has made meanwhile.
func Create(path string, init func(*Tx) error) error {
	folder, name := filepath.Split(path)
	f, err := os.CreateTemp(filepath.Clean(folder), name+".new")
	if err != nil {
		return err
	}
	fresh := f.Name()
	defer os.Remove(fresh) //nolint:errcheck // it is there only after an error
	if err := f.Close(); err != nil {
		return err
	}
	db, _, err := open(fresh, 0, false)
	if err != nil {
		return err
	}
	db.AllocSize = 0 // no more than is needed
	err = db.Update(func(tx *bbolt.Tx) error { return init(&Tx{Bolt: tx}) })
	if err := errors.Join(err, db.Close()); err != nil {
		return err
	}
	failpoint.Hit(failpoint.CreateBefore)
	// A link replaces nothing. A rename is for an empty file, and for a file system without links.
	if err := os.Link(fresh, path); err != nil {
		if missing, err := Missing(path); err != nil || !missing {
			return err
		}
		if err := os.Rename(fresh, path); err != nil {
			return err
		}
	}
	return disk.SyncFolder(filepath.Dir(path))
}

// Missing reports whether there is no file, or an empty one.
func Missing(path string) (bool, error) {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return true, nil
	}
	return err == nil && info.Size() == 0 && info.Mode().IsRegular(), err
}

// Open opens the file. What it refuses it leaves unchanged: disk.ErrLocked, ErrForeign, ErrDamaged.
func Open(c Config) (*File, error) {
	if err := preflight(c.Path); err != nil {
		return nil, err
	}
	db, file, err := open(c.Path, c.LockTimeout, true)
	if err != nil {
		return nil, err
	}
	if err := verify(c.Path); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	if !c.ReadOnly {
		if err := db.Close(); err != nil {
			return nil, err
		}
		if db, file, err = open(c.Path, c.LockTimeout, false); err != nil {
			return nil, err
		}
		if same, err := isAt(file, c.Path); err != nil || !same {
			if err := errors.Join(err, db.Close()); err != nil {
				return nil, err
			}
			return Open(c) // Compact has put another one in its place
		}
	}
	db.NoSync = c.NoSync
	return &File{db: db, file: file, path: c.Path}, nil
}

// open opens the file under a guard: bbolt panics on some kinds of damage (etcd-io/bbolt#701).
func open(path string, timeout time.Duration, readOnly bool) (db *bbolt.DB, file *os.File, err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if p := recover(); p != nil {
			// bbolt leaves it open, and with it the lock.
			db, err = nil, errors.Join(fmt.Errorf("%w: %v", disk.ErrDamaged, p), file.Close())
		}
	}()
	db, err = bbolt.Open(path, 0o600, &bbolt.Options{
		OpenFile: func(name string, flag int, mode os.FileMode) (_ *os.File, err error) {
			file, err = os.OpenFile(name, flag, mode)
			return file, err
		},
		Timeout:         timeout,
		ReadOnly:        readOnly,
		InitialMmapSize: mapped,
		// Both matter once the freelist is large: with a synced one commits slowed down fourfold.
		FreelistType:   bbolt.FreelistMapType,
		NoFreelistSync: true,
	})
	switch {
	case errors.Is(err, berrors.ErrTimeout):
		return nil, nil, disk.ErrLocked
	case errors.Is(err, berrors.ErrInvalid), errors.Is(err, berrors.ErrChecksum), errors.Is(
		err, berrors.ErrVersionMismatch,
	):
		return nil, nil, fmt.Errorf("%w: %w", disk.ErrDamaged, err)
	case err == nil:
		db.AllocSize = growth
	}
	return db, file, err
}

// growth is by how much more than it needs the file grows. bbolt's own 16 MiB, on top of a large
// mapping, would make that of a new file.
const growth = 1 << 20

// isAt reports whether the open file is the one under the path. While somebody waited for its lock
// another one may have taken its place.
func isAt(f *os.File, path string) (bool, error) {
	mine, err := f.Stat()
	if err != nil {
		return false, err
	}
	there, err := os.Stat(path)
	if errors.Is(err, os.ErrNotExist) {
		return false, nil
	}
	return err == nil && os.SameFile(mine, there), err
}

// Close waits for all views.
func (f *File) Close() error { return f.db.Close() }

// Path returns the name of the file.
func (f *File) Path() string { return f.path }

// Size returns the length of the file in bytes. It does not shrink when something is deleted.
func (f *File) Size() int64 {
	info, err := os.Stat(f.path)
	if err != nil {
		return 0
	}
	return info.Size()
}

// Space returns how many bytes of the file are in use, and how many wait to be used again.
func (f *File) Space() (used, free int64, err error) {
	err = f.db.View(func(tx *bbolt.Tx) error {
		st := f.db.Stats()
		free = int64(st.FreePageN+st.PendingPageN) * int64(f.db.Info().PageSize)
		used = tx.Size() - free
		return nil
	})
	return used, free, err
}
