package store

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime/debug"
	"sync"
	"time"

	"go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"

	"moot/internal/failpoint"
	"moot/protocol"
)

// Errors of Open and of the open store.
var (
	ErrLocked  = errors.New("another process holds the file")
	ErrForeign = errors.New("not a file of moot")
	ErrDamaged = errors.New("the file is damaged")
	ErrNewer   = errors.New("the file was written by a newer version of moot")
	ErrBroken  = errors.New("the store is broken by an earlier failed write")
	ErrWrite   = errors.New("the file could not be written") // of the commit that breaks the store
)

// Config says how to open a store.
type Config struct {
	// Path of the file. It is made, readable by its owner only, if it does not exist.
	Path string
	// LockTimeout is how long to wait for another process to let go of the file; zero means 5 seconds.
	LockTimeout time.Duration
	// ReadOnly opens the file for views only. It must exist.
	ReadOnly bool
	// Scratch says that nothing in the file is worth keeping: commits do not wait until they are on the disk.
	Scratch bool
	// Room sees to it that the file, of which so many bytes are in use, can grow by what a commit may need, and fails with
	// ErrFull where it cannot. Nil asks the disk; others are for tests.
	Room func(used int64) error

	migrations []migration // tests bring their own; nil means those of this version
	limits     limits      // tests bring their own; zero means defaultLimits
}

// Store is an open file. Its methods may be called concurrently; commits wait for one another.
type Store struct {
	db   *bbolt.DB
	file *os.File          // that of db, for reserve; nil where the file is open for reading only
	room func(int64) error // see Config.Room; guarded by mu

	mu       sync.Mutex // held by the one commit
	broken   error      // guarded by mu
	last     time.Time  // time of the last commit, also of one that wrote nothing; guarded by mu
	reserved int64      // up to where the file has blocks on the disk; guarded by mu

	// viewing keeps a view from beginning between the moment when a commit is in the file and that when the journal knows.
	viewing sync.RWMutex
	journal *journal // guarded by mu; its state, when it changes, by viewing too
}

// Open opens the file, or makes it. What it refuses it leaves unchanged: ErrLocked, ErrForeign, ErrDamaged, ErrNewer.
func Open(c Config) (*Store, error) {
	if c.LockTimeout == 0 {
		c.LockTimeout = 5 * time.Second
	}
	if c.migrations == nil {
		c.migrations = migrations
	}
	if c.limits == (limits{}) {
		if c.limits = defaultLimits; failpoint.Enabled {
			c.limits = crashLimits
		}
	}
	s, err := open(c)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", c.Path, err)
	}
	return s, nil
}

func open(c Config) (*Store, error) {
	if !c.ReadOnly {
		if err := create(c); err != nil {
			return nil, err
		}
	}
	if err := preflight(c.Path); err != nil {
		return nil, err
	}
	db, file, err := openBolt(c.Path, c.LockTimeout, true)
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
		if db, file, err = openBolt(c.Path, c.LockTimeout, false); err != nil {
			return nil, err
		}
		if same, err := isAt(file, c.Path); err != nil || !same {
			if err := errors.Join(err, db.Close()); err != nil {
				return nil, err
			}
			return open(c) // Compact has put another one in its place
		}
	}
	db.NoSync = c.Scratch
	s := &Store{db: db}
	if s.room = c.Room; s.room == nil && !c.ReadOnly {
		s.file, s.room = file, s.reserve
	}
	if err := s.begin(c); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return s, nil
}

// create makes the file if there is none. It appears under its name only when it is whole, so that a crash leaves no
// half of one, and never in place of one that another process has made meanwhile.
func create(c Config) error {
	if missing, err := isMissing(c.Path); err != nil || !missing {
		return err
	}
	folder, name := filepath.Split(c.Path)
	f, err := os.CreateTemp(filepath.Clean(folder), name+".new")
	if err != nil {
		return err
	}
	fresh := f.Name()
	defer os.Remove(fresh) //nolint:errcheck // it is there only after an error
	if err := f.Close(); err != nil {
		return err
	}
	db, _, err := openBolt(fresh, c.LockTimeout, false)
	if err != nil {
		return err
	}
	err = db.Update(func(tx *bbolt.Tx) error { return initialise(tx, len(c.migrations)) })
	if err := errors.Join(err, db.Close()); err != nil {
		return err
	}
	failpoint.Hit(failpoint.CreateBefore)
	// A link replaces nothing. A rename is for an empty file, and for a file system without links.
	if err := os.Link(fresh, c.Path); err != nil {
		if missing, err := isMissing(c.Path); err != nil || !missing {
			return err
		}
		if err := os.Rename(fresh, c.Path); err != nil {
			return err
		}
	}
	return syncFolder(filepath.Dir(c.Path))
}

// isMissing tells whether there is no file, or an empty one.
func isMissing(path string) (bool, error) {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return true, nil
	}
	return err == nil && info.Size() == 0 && info.Mode().IsRegular(), err
}

func syncFolder(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// openBolt opens the file under a guard: bbolt panics on some kinds of damage (etcd-io/bbolt#701).
func openBolt(path string, timeout time.Duration, readOnly bool) (db *bbolt.DB, file *os.File, err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if p := recover(); p != nil {
			// bbolt leaves it open, and with it the lock.
			db, err = nil, errors.Join(fmt.Errorf("%w: %v", ErrDamaged, p), file.Close())
		}
	}()
	db, err = bbolt.Open(path, 0o600, &bbolt.Options{
		OpenFile: func(name string, flag int, mode os.FileMode) (_ *os.File, err error) {
			file, err = os.OpenFile(name, flag, mode)
			return file, err
		},
		Timeout:  timeout,
		ReadOnly: readOnly,
		// Both matter once the freelist is large: with a synced one commits slowed down fourfold.
		FreelistType:   bbolt.FreelistMapType,
		NoFreelistSync: true,
	})
	switch {
	case errors.Is(err, berrors.ErrTimeout):
		return nil, nil, ErrLocked
	case errors.Is(err, berrors.ErrInvalid), errors.Is(err, berrors.ErrChecksum), errors.Is(err, berrors.ErrVersionMismatch):
		return nil, nil, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	return db, file, err
}

// Close lets go of the file. It waits for views and for the commit that runs.
func (s *Store) Close() error {
	err := s.db.Close()
	s.journal.sorting.Wait()
	return err
}

// Path returns the name of the file.
func (s *Store) Path() string { return s.db.Path() }

// Size returns the length of the file in bytes. It does not shrink when something is deleted.
func (s *Store) Size() int64 {
	info, err := os.Stat(s.db.Path())
	if err != nil {
		return 0
	}
	return info.Size()
}

// View runs f on the state of the last commit. Keep it short: what is deleted meanwhile is not reused until it ends.
// It must not be called within a Commit by the same goroutine.
func (s *Store) View(f func(*Tx) error) error {
	s.viewing.RLock()
	btx, err := s.db.Begin(false)
	st := s.journal.state
	s.viewing.RUnlock()
	if err != nil {
		return fmt.Errorf("begin a view: %w", err)
	}
	defer btx.Rollback() //nolint:errcheck // a read transaction has nothing to lose
	return guard(func() error {
		file := newFile(btx)
		tx := &Tx{now: lastCommit(file), shared: &shared{reader: file, seer: viewed{file, s.journal.seed, st}}}
		if err := f(tx); err != nil {
			return err
		}
		return tx.err
	})
}

// Check reads the whole file and returns what is wrong with it, nil if nothing is. It takes a while for a large one, and
// commits wait for it: a page that one of them frees meanwhile would look lost.
func (s *Store) Check() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.db.View(func(tx *bbolt.Tx) error {
		if err := verify(s.db.Path()); err != nil {
			return err
		}
		return guard(func() error {
			var errs []error
			for err := range tx.Check() {
				// The rest is read too: whoever sends it would wait for ever.
				if len(errs) < 10 {
					errs = append(errs, err)
				}
			}
			if len(errs) == 0 {
				errs = s.journal.check(tx)
			}
			if len(errs) > 0 {
				return fmt.Errorf("%w: %w", ErrDamaged, errors.Join(errs...))
			}
			return nil
		})
	})
}

// file reads from a bbolt transaction.
type file struct {
	tx      *bbolt.Tx
	buckets map[string]*bbolt.Bucket
	chunks  map[chunkKey]*bbolt.Bucket
}

func newFile(tx *bbolt.Tx) *file { return &file{tx: tx, buckets: map[string]*bbolt.Bucket{}} }

func (f *file) bucket(name string) *bbolt.Bucket {
	b, ok := f.buckets[name]
	if !ok {
		b = f.tx.Bucket([]byte(name))
		f.buckets[name] = b
	}
	return b
}

func (f *file) get(bucket, key string) []byte {
	defer faulted()
	if b := f.bucket(bucket); b != nil {
		return b.Get([]byte(key))
	}
	return nil
}

func (f *file) walk(bucket string, reverse bool) walker {
	defer faulted()
	b := f.bucket(bucket)
	if b == nil {
		return nothing{}
	}
	return &fileWalker{b.Cursor(), reverse}
}

type nothing struct{}

func (nothing) seek(string) (string, []byte, bool) { return "", nil, false }
func (nothing) step() (string, []byte, bool)       { return "", nil, false }

type fileWalker struct {
	cursor  *bbolt.Cursor
	reverse bool
}

func (w *fileWalker) seek(key string) (string, []byte, bool) {
	defer faulted()
	if !w.reverse {
		return w.at(w.cursor.Seek([]byte(key)))
	}
	if key == "" {
		return w.at(w.cursor.Last())
	}
	if k, _ := w.cursor.Seek([]byte(key)); k == nil {
		return w.at(w.cursor.Last())
	}
	return w.at(w.cursor.Prev())
}

func (w *fileWalker) step() (string, []byte, bool) {
	defer faulted()
	if w.reverse {
		return w.at(w.cursor.Prev())
	}
	return w.at(w.cursor.Next())
}

func (w *fileWalker) at(k, v []byte) (string, []byte, bool) {
	if k == nil {
		return "", nil, false
	}
	if v == nil {
		v = []byte{}
	}
	return string(k), v, true
}

// fault is the panic of a file that cannot be read. It passes through handlers and stops the process: it is never an
// error of theirs.
type fault struct{ cause any }

func faulted() {
	if p := recover(); p != nil {
		panic(fault{p})
	}
}

// guard turns the panic of a fault into an error, and lets others through. Memory that is mapped but not there, behind a
// page number that is damaged, is a fault too.
func guard(f func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		switch p := recover().(type) {
		case nil:
		case fault:
			err = fmt.Errorf("%w: %v", ErrDamaged, p.cause)
		default:
			panic(p)
		}
	}()
	return f()
}

// Instance returns the name that the file was given when it was made, and the key with which its keyed hashes are
// made where the operator brings none.
func (s *Store) Instance() (id string, secret []byte, err error) {
	err = s.View(func(tx *Tx) error {
		id = string(tx.Get(meta, metaInstance))
		secret = append(secret, tx.Get(meta, metaSecret)...)
		return nil
	})
	return id, secret, err
}

// Cursor returns the saved cursor of that name, zero if there is none.
func (s *Store) Cursor(name string) (value string, err error) {
	err = s.View(func(tx *Tx) error {
		value = tx.Cursor(name)
		return nil
	})
	return value, err
}

// Cursor returns the saved cursor of that name, zero if there is none.
func (tx *Tx) Cursor(name string) string { return string(tx.Get(cursors, name)) }

// SetCursor saves a cursor with the transaction.
func (tx *Tx) SetCursor(c protocol.Cursor) {
	if c.Name != "" {
		tx.Put(cursors, c.Name, []byte(c.Value))
	}
}

var cursors = SharedBucket("cursors")
