// Package parts examines the parts of a data folder: whether each is what it should be, and whether they belong together.
//
// # Promises
//
//   - It opens nothing for writing, makes nothing and changes nothing, but for one thing: where there is no database yet, it
//     makes a folder and deletes it at once, as nothing else tells whether that can be done.
//   - `moot run` starts only where [Examine] finds no fault, and before anything is made or cut; `moot check` shows the same
//     findings. The two cannot disagree.
//   - A fault says what is the matter with which part, and what to do.
package parts

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"moot/events"
	"moot/internal/files"
	"moot/protocol/console"
	"moot/protocol/matrix/account"
	"moot/protocol/matrix/crypto"
	"moot/protocol/matrix/keys"
	"moot/store"
)

// The parts that other packages do not name.
const (
	Database = "moot.db"
	Commits  = "moot.wal" // the folder of the log of commits
	Archive  = "facts.archive"
	// Stage is what the names of folders match in which a backup is put together before it is encrypted.
	Stage = "moot-backup-*"
)

// Config says what is examined.
type Config struct {
	// Folder is the data folder.
	Folder string
	// Matrix is the account on Matrix that is used; nil for none.
	Matrix *account.Config
	// Console says whether it is used; Real whether a network is, beside which the console's clock is the real one.
	Console, Real bool
	// Cursors are the names of those whose values are wanted.
	Cursors []string
	// LockTimeout is how long to wait for another process; zero means not at all.
	LockTimeout time.Duration
}

// Fault is what keeps the bot from starting with a part.
type Fault struct {
	Part string // the name of the file, or of the folder
	What string // the matter, a sentence without its full stop
	Do   string // what to do, as an instruction; zero where Err says it
	Err  error  // the cause, for errors.Is; may be nil
}

// Error says what is the matter and what to do.
func (f *Fault) Error() string {
	if f.Do == "" {
		return f.What
	}
	return f.What + "; " + f.Do
}

func (f *Fault) Unwrap() error { return f.Err }

// Found is what was found.
type Found struct {
	Faults []*Fault
	// Will is what the next start does with the parts, in sentences: an upgrade, what it clears away.
	Will []string
	// Busy is why the database could not be looked at: another process has it, and with it the whole folder. What rests on
	// the database was not compared.
	Busy error
	// Cursors are the values of the cursors that were wanted, by their names; nil where the database was not read.
	Cursors map[string]string
	// Moved says that the clock of the console's world was moved.
	Moved bool
}

// Err returns why the bot cannot start; nil if it can.
func (f *Found) Err() error {
	switch {
	case f.Busy != nil:
		return f.Busy
	case len(f.Faults) > 0:
		return f.Faults[0]
	}
	return nil
}

func (f *Found) fault(part string, err error, what, do string) {
	f.Faults = append(f.Faults, &Fault{Part: part, What: what, Do: do, Err: err})
}

// known is what the database says of the other parts. The zero value is that of a database that is not there.
type known struct {
	there   bool
	archive events.Commitment
	keys    keys.Kept
	console string // the cursor of the console
}

// Examine looks at all parts.
func Examine(ctx context.Context, c Config) *Found {
	f := &Found{}
	info, err := os.Stat(c.Folder)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		f.parent(c.Folder)
		return f
	case err != nil:
		f.fault(c.Folder, err, err.Error(), "run the bot as the user who owns the folder")
		return f
	case !info.IsDir():
		f.fault(c.Folder, nil, "the data folder "+c.Folder+" is a file", "move it away, or name another folder with --data")
		return f
	}
	if !f.access(c.Folder) {
		return f
	}
	db := f.database(c)
	if !db.there && f.Busy == nil && len(f.Faults) == 0 {
		f.takes(c.Folder, fmt.Sprintf("the data folder %s cannot be used", c.Folder))
	}
	if len(f.Faults) > 0 {
		return f
	}
	if f.Busy == nil {
		f.alone(c, db)
		f.archive(c, db)
		f.console(c, db)
		f.leftovers(c.Folder)
	}
	f.matrix(ctx, c, db)
	return f
}

// parent looks at where a folder would be made.
func (f *Found) parent(folder string) {
	for {
		up := filepath.Dir(folder)
		info, err := os.Stat(up)
		switch {
		case errors.Is(err, fs.ErrNotExist) && up != folder:
			folder = up
			continue
		case err != nil:
			f.fault(folder, err, fmt.Sprintf("the data folder cannot be made: %v", err), "name another folder with --data")
		case !info.IsDir():
			f.fault(folder, nil, fmt.Sprintf("the data folder cannot be made: %s is a file", up), "name another folder with --data")
		case !writable(up):
			f.fault(folder, nil, fmt.Sprintf("the data folder cannot be made: %s cannot be written to", up), "name another folder with --data, or make it as another user")
		default:
			f.takes(up, "the data folder cannot be made")
		}
		return
	}
}

// takes tries whether files can be made in a folder. Its mode says nothing of that where it is the system's, as /proc is.
func (f *Found) takes(folder, otherwise string) {
	dir, err := os.MkdirTemp(folder, tried)
	if err == nil {
		var file *os.File
		if file, err = os.CreateTemp(dir, tried); err == nil {
			err = errors.Join(file.Close(), os.Remove(file.Name()))
		}
		err = errors.Join(err, os.Remove(dir))
	}
	if err != nil {
		cause := err
		if of := (*fs.PathError)(nil); errors.As(err, &of) {
			cause = of.Err
		}
		f.fault(folder, err, fmt.Sprintf("%s: nothing can be made in %s (%v)", otherwise, folder, cause), "name another folder with --data")
	}
}

// tried is what takes makes.
const tried = ".moot-try-*"

// access looks at who may use the folder and what is in it.
func (f *Found) access(folder string) bool {
	paths := []string{folder}
	for _, name := range []string{Database, Archive, console.FileName, crypto.File, crypto.File + "-wal", account.LoginFile, crypto.RecoveryFile} {
		if path := filepath.Join(folder, name); holds(path) >= 0 {
			paths = append(paths, path)
		}
	}
	for _, path := range paths {
		info, err := os.Stat(path)
		if err != nil {
			f.fault(path, err, err.Error(), "run the bot as the user who owns the data folder")
			continue
		}
		if owner, own := files.Owned(info); !own {
			f.fault(path, nil, fmt.Sprintf("%s belongs to another user (%d), and this program runs as user %d", path, owner, os.Getuid()), "run the bot as that user, or change the owner with chown")
			continue
		}
		if path != folder && !info.Mode().IsRegular() {
			f.fault(path, nil, path+" is not a regular file", "move it away")
			continue
		}
		if !writable(path) {
			f.fault(path, nil, path+" cannot be written to", "give the user of the bot write access to it, with chmod u+rw")
		}
	}
	return len(f.Faults) == 0
}

// database looks at the one file of the store, and asks it for what it knows of the others.
func (f *Found) database(c Config) (k known) {
	path := filepath.Join(c.Folder, Database)
	if holds(path) <= 0 {
		return k
	}
	st, err := store.Open(store.Config{Path: path, ReadOnly: true, LockTimeout: max(c.LockTimeout, time.Millisecond)})
	switch {
	case errors.Is(err, store.ErrLocked):
		f.Busy = err
		return k
	case err != nil:
		f.fault(path, err, err.Error(), "")
		return k
	}
	k.there = true
	err = st.View(func(tx *store.Tx) error {
		k.archive, k.console = events.Committed(tx), tx.Cursor(console.CursorName)
		var err error
		if k.keys, err = keys.Look(tx); err != nil {
			return err
		}
		f.Cursors = map[string]string{}
		for _, name := range c.Cursors {
			f.Cursors[name] = tx.Cursor(name)
		}
		return nil
	})
	if err = errors.Join(err, st.Close()); err != nil {
		f.fault(path, err, err.Error(), "")
	}
	return k
}

// alone refuses to begin anew where the database was lost: beside whatever rests on it.
func (f *Found) alone(c Config, k known) {
	if k.there {
		return
	}
	path, state := filepath.Join(c.Folder, Database), "is missing"
	if holds(path) == 0 {
		state = "is empty"
	}
	for _, name := range []string{Commits, Archive, crypto.File, account.LoginFile, console.FileName} {
		other := filepath.Join(c.Folder, name)
		if holds(other) <= 0 {
			continue
		}
		f.fault(path, nil, fmt.Sprintf("%s %s, and %s beside it is not", path, state, name),
			"restore the whole data folder from one backup, or move the folder away to start afresh")
		return
	}
}

func (f *Found) archive(c Config, k known) {
	if !k.there {
		return // alone has seen to it
	}
	path := filepath.Join(c.Folder, Archive)
	if _, err := events.Examine(path, k.archive); err != nil {
		f.fault(path, err, err.Error(), "")
	}
}

func (f *Found) console(c Config, k known) {
	path := filepath.Join(c.Folder, console.FileName)
	w, err := console.Examine(c.Folder)
	switch {
	case err != nil && (c.Console || !c.Real):
		f.fault(path, err, err.Error(), "")
		return
	case err != nil:
		return // nobody opens it
	}
	f.Moved = w.Moved
	switch {
	case w.Moved && c.Real:
		f.fault(path, console.ErrMoved, console.ErrMoved.Error(), "")
	case c.Console && k.there:
		if err := w.Fits(k.console); err != nil {
			f.fault(path, err, err.Error(), "")
		}
	}
}

func (f *Found) matrix(ctx context.Context, c Config, k known) {
	if c.Matrix == nil {
		return
	}
	user, device, err := account.Examine(*c.Matrix)
	if err != nil {
		f.matrixFault(filepath.Join(c.Folder, account.LoginFile), err)
	}
	kept := &k.keys
	if f.Busy != nil || !k.there { // alone has seen to it that there are no keys without the database
		kept = nil
	}
	will, err := crypto.Examine(ctx, c.Folder, kept, crypto.Owner{User: user, Device: device})
	if err != nil {
		f.matrixFault(filepath.Join(c.Folder, crypto.File), err)
	}
	if will != "" {
		f.Will = append(f.Will, will)
	}
}

func (f *Found) matrixFault(path string, err error) {
	fault := &Fault{Part: path, What: err.Error(), Err: err}
	if of := (*account.Fault)(nil); errors.As(err, &of) {
		fault.What, fault.Do = of.What, of.Do
	}
	f.Faults = append(f.Faults, fault)
}

// holds returns how many bytes a file has, for a folder how many files; -1 where there is none.
func holds(path string) int64 {
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return -1
	case info.IsDir():
		entries, err := os.ReadDir(path)
		if err != nil {
			return 1 // whatever is in it
		}
		return int64(len(entries))
	}
	return info.Size()
}
