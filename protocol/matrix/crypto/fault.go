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
	"moot/protocol/matrix/keys"
	"moot/store"
)

// minSpace is how much room there has to be before anything is taken or sealed: more than one sync response, or one message to a
// room of thousands, makes the database grow. What was noted and finds no room waits in memory for a commit; that is not begun.
const minSpace = 4 << 20

// space returns ErrFull where there may be too little space for what comes next.
func (s *Store) space() error {
	if n, ok := files.Free(s.c.Folder); ok && n < minSpace {
		return fmt.Errorf("%w: %d KiB are left, and they need %d", ErrFull, n>>10, minSpace>>10)
	}
	return nil
}

// marked is an error that is others too, and whose words are enough.
type marked struct {
	error
	as error
}

func (m marked) Unwrap() []error { return []error{m.as, m.error} }

// isDamage reports whether an error says that the database holds what it cannot.
func isDamage(err error) bool { return errors.Is(err, store.ErrDamaged) || errors.Is(err, keys.ErrRow) }

// classified adds ErrDamaged or ErrFull to an error that the database, or SQLite, means so.
func classified(err error) error {
	var fault *sqlite.Error
	switch {
	case err == nil, errors.Is(err, ErrDamaged), errors.Is(err, ErrFull):
		return err
	case isDamage(err):
		return marked{err, ErrDamaged}
	case store.IsFull(err):
		return marked{err, ErrFull}
	}
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
