//go:build goolm

package crypto

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// Copy writes the database of keys in a folder, as it is at this moment, to a new file, which is on the disk when it returns.
// The bot may go on meanwhile. Where there are no keys it does nothing.
func Copy(ctx context.Context, folder, to string) (err error) {
	path := filepath.Join(folder, File)
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	db, err := sql.Open("sqlite", dsn(path))
	if err != nil {
		return fmt.Errorf("open %s: %w", path, err)
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	if err := vacuumInto(ctx, db, to); err != nil {
		return fmt.Errorf("copy %s: %w", path, err)
	}
	return nil
}

// vacuumInto writes a copy of the database, which is on the disk when it returns.
func vacuumInto(ctx context.Context, db *sql.DB, to string) error {
	f, err := os.OpenFile(to, os.O_CREATE|os.O_TRUNC|os.O_RDWR, 0o600) // SQLite fills one that is empty
	if err != nil {
		return err
	}
	_, err = db.ExecContext(ctx, `VACUUM INTO ?`, to)
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}
