//go:build goolm

package crypto

import (
	"errors"
	"fmt"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"moot/internal/files"
	"moot/protocol"
	"moot/protocol/matrix/account"
)

// minSpace is how much room there has to be before anything is written: more than one sync response, or one message to a room
// of thousands, makes the file and its write-ahead log grow. A write that fails for want of room cannot be taken back
// where the library goes on after it; so it is not begun.
const minSpace = 4 << 20

// space returns ErrFull where there may be too little space for what comes next.
func (s *Store) space() error {
	if n, ok := files.Free(s.c.Folder); ok && n < minSpace {
		return fmt.Errorf("%w: %d KiB are left for %s, which needs %d", ErrFull, n>>10, File, minSpace>>10)
	}
	return nil
}

// marked is an error that is others too, and whose words are enough.
type marked struct {
	error
	as error
}

func (m marked) Unwrap() []error { return []error{m.as, m.error} }

// classified adds ErrDamaged or ErrFull to an error that SQLite means so.
func classified(err error) error {
	var fault *sqlite.Error
	if !errors.As(err, &fault) {
		return err
	}
	switch fault.Code() & 0xff { // the primary result code; the rest says more about it (sqlite.org/rescode.html)
	case sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB:
		return marked{err, ErrDamaged}
	case sqlite3.SQLITE_FULL:
		return marked{err, ErrFull}
	}
	return err
}

// unusable says of a file that could not be opened why, and what to do.
func unusable(path string, err error) *account.Fault {
	err = classified(err)
	text := protocol.OneLine(err.Error())
	f := &account.Fault{What: fmt.Sprintf("%s cannot be used: %s", path, text), Do: "see that it can be written; if it is damaged, " + restore, Err: err}
	switch {
	case errors.Is(err, ErrDamaged):
		f.What, f.Do = fmt.Sprintf("%s is damaged: %s", path, text), restore
	case errors.Is(err, ErrFull):
		f.What, f.Do = fmt.Sprintf("there is no space on the disk to open %s: %s", path, text), "free some space"
	}
	return f
}
