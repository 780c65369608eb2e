//go:build goolm

package crypto

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"moot/protocol"
	"moot/protocol/matrix/account"
)

// least is how much room there has to be before anything is written: more than one sync response, or one message to a room
// of thousands, makes the file and its write-ahead log grow. A write that fails for want of room cannot be taken back
// where the library goes on after it; so it is not begun.
const least = 4 << 20

// room returns ErrFull where there may be too little room for what comes next.
func (s *Store) room() error {
	if n, ok := free(s.c.Folder); ok && n < least {
		return fmt.Errorf("%w: %d KiB are left for %s, which needs %d", ErrFull, n>>10, File, least>>10)
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
		f.What, f.Do = fmt.Sprintf("there is no room on the disk to open %s: %s", path, text), "make room"
	}
	return f
}

// Examine reads the whole database of keys in a folder, without changing it, also while the bot runs; where there is none
// it does nothing. The error is an *account.Fault.
func Examine(ctx context.Context, folder string) error {
	path := filepath.Join(folder, File)
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	mode := "?mode=ro"
	if _, err := os.Stat(path + "-wal"); errors.Is(err, fs.ErrNotExist) {
		mode += "&immutable=1" // it would have to make a write-ahead log in order to read that there is nothing in it
	}
	u := url.URL{Scheme: "file", Opaque: (&url.URL{Path: path}).EscapedPath()}
	db, err := sql.Open("sqlite", u.String()+mode)
	if err != nil {
		return unusable(path, err)
	}
	defer db.Close()
	var tables int
	if err := db.QueryRowContext(ctx, `SELECT count(*) FROM sqlite_schema WHERE name='moot_meta'`).Scan(&tables); err != nil {
		return unusable(path, err)
	}
	if tables == 0 {
		return &account.Fault{What: fmt.Sprintf("there is nothing of the bot in %s", path), Do: restore}
	}
	rows, err := db.QueryContext(ctx, `PRAGMA integrity_check(3)`)
	if err != nil {
		return unusable(path, err)
	}
	defer rows.Close()
	var wrong []string
	for rows.Next() {
		var line string
		if err := rows.Scan(&line); err != nil {
			return unusable(path, err)
		}
		if line != "ok" {
			wrong = append(wrong, line)
		}
	}
	if err := rows.Err(); err != nil {
		return unusable(path, err)
	}
	if len(wrong) > 0 {
		return &account.Fault{What: fmt.Sprintf("%s is damaged: %s", path, protocol.OneLine(strings.Join(wrong, "; "))), Do: restore, Err: ErrDamaged}
	}
	return nil
}
