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

	"go.mau.fi/util/dbutil"
	mcrypto "maunium.net/go/mautrix/crypto"
	"maunium.net/go/mautrix/crypto/sql_store_upgrade"
	_ "modernc.org/sqlite" // the driver "sqlite"

	"moot/internal/failpoint"
	"moot/protocol"
	"moot/protocol/matrix/account"
	"moot/protocol/matrix/keys"
)

// The keys of moot_meta.
const (
	metaPair   = "pair"
	metaBefore = "pair-before" // there only while the pair id changes; may be empty
	metaUser   = "user"
	metaDevice = "device"
)

const restore = "put the keys and the database back from the same backup, or run `moot matrix forget` to give the bot a new device"

// carry carries over the keys of a file, which versions before 0.2 had beside the database, and deletes it when all is
// durable. Where it ends in between, doing it again does the rest. Where the two do not belong together, or the file cannot be
// read, the error is an *account.Fault and nothing was changed.
func (s *Store) carry(ctx context.Context, kept keys.Kept) error {
	path := filepath.Join(s.c.Folder, File)
	info, err := os.Stat(path)
	switch none := errors.Is(err, fs.ErrNotExist); {
	case none && kept.Pair != "":
		return missing(path)
	case none:
		return discard(path) // a start that has deleted the file may have got no further
	case err != nil:
		return fmt.Errorf("look for the database of keys: %w", err)
	case info.Size() == 0 && kept.Pair != "":
		return apart()
	case info.Size() == 0:
		return discard(path) // of a start that got no further
	}
	raw, err := sql.Open("sqlite", dsn(path))
	if err != nil {
		return fmt.Errorf("open %s: %w", path, err)
	}
	err = s.carryFrom(ctx, raw, path, kept)
	if err := errors.Join(err, raw.Close()); err != nil {
		return orUnusable(path, err)
	}
	return discard(path)
}

// discard deletes a file of keys that was carried over: keys that are used twice are worse than none. It goes before its
// write-ahead log, without which it would be an older one.
func discard(path string) error {
	var errs []error
	for _, suffix := range []string{"", "-wal", "-shm", spareSuffix} {
		if err := os.Remove(path + suffix); err != nil && !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, fmt.Errorf("delete the keys that were carried over: %w", err))
		}
	}
	return errors.Join(errs...)
}

func (s *Store) carryFrom(ctx context.Context, raw *sql.DB, path string, kept keys.Kept) error {
	db, err := dbutil.NewWithDB(raw, "sqlite3")
	if err != nil {
		return err
	}
	switch there, err := db.TableExists(ctx, "moot_meta"); {
	case err != nil:
		return err
	case !there && kept.Pair != "":
		return apart()
	case !there:
		return nil // of a start that got no further
	}
	pair, done, err := fits(metaOf(ctx, raw), kept)
	if err != nil || done {
		return err
	}
	if err := s.upgrade(ctx, db, path); err != nil {
		return err
	}
	n, left, err := s.keys.Carry(ctx, raw)
	if err != nil {
		return err
	}
	failpoint.Hit(failpoint.KeysCarried)
	if err := s.keys.Carried(pair); err != nil {
		return err
	}
	s.c.Log.Info("the keys for Matrix are in moot.db now, and their file is deleted", "file", File, "rows", n, "left", left)
	return nil
}

// metaOf returns what reads moot_meta. It has nothing where the table is not there.
func metaOf(ctx context.Context, db *sql.DB) func(key string) (string, bool, error) {
	return func(key string) (value string, ok bool, err error) {
		err = db.QueryRowContext(ctx, `SELECT value FROM moot_meta WHERE key=$1`, key).Scan(&value)
		if errors.Is(err, sql.ErrNoRows) {
			return "", false, nil
		}
		return value, err == nil, err
	}
}

// fits reports why a file of keys does not belong to a database, and whether it was carried over already. See paired for get.
func fits(get func(key string) (string, bool, error), kept keys.Kept) (pair string, carried bool, err error) {
	pair, is, err := get(metaPair)
	switch {
	case err != nil:
		return "", false, err
	case is && kept.Carried != "" && kept.Carried == pair:
		return pair, true, nil
	case kept.Pair == "" && kept.Any:
		return "", false, apart() // the database has keys, and those are others
	}
	return pair, false, paired(get, kept.Pair)
}

// dsn says how the file is opened: a transaction takes its lock at once, and a commit is on the disk when it returns.
func dsn(path string) string {
	u := url.URL{Scheme: "file", Opaque: (&url.URL{Path: path}).EscapedPath()}
	return u.String() + "?_txlock=immediate&_pragma=busy_timeout(60000)&_pragma=foreign_keys(1)&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)"
}

// upgrade brings the tables of the library up to date. Of those that hold something it keeps a copy until that is done.
func (s *Store) upgrade(ctx context.Context, db *dbutil.Database, path string) error {
	spare := path + spareSuffix
	will := ""
	var version, compat int
	exists, err := db.TableExists(ctx, sql_store_upgrade.VersionTableName)
	if err == nil && exists {
		err = db.QueryRow(ctx, `SELECT version, coalesce(compat, 0) FROM `+sql_store_upgrade.VersionTableName).Scan(&version, &compat)
		if errors.Is(err, sql.ErrNoRows) {
			err = nil
		}
	}
	if err == nil {
		will, err = upgradeOf(path, version, compat)
	}
	if err != nil {
		return err
	}
	if will != "" {
		s.c.Log.Info("the database of keys is brought to another schema, and a copy is kept meanwhile", "file", File, "from", version, "to", len(sql_store_upgrade.Table), "copy", spare)
		if err := vacuumInto(ctx, db.RawDB, spare); err != nil {
			return fmt.Errorf("keep a copy before the upgrade: %w", err)
		}
	}
	if err := mcrypto.NewSQLCryptoStore(db, nil, "", "", s.c.Secret).DB.Upgrade(ctx); err != nil {
		if will != "" {
			return &account.Fault{What: fmt.Sprintf("%s could not be brought to another schema: %s", path, protocol.OneLine(err.Error())), Do: "report this as a fault of moot; what it was is in " + spare, Err: err}
		}
		return err
	}
	if err := os.Remove(spare); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if will != "" {
		s.c.Log.Info("the database of keys has its schema now, and the copy is gone", "file", File)
	}
	return nil
}

// spareSuffix is behind the name of the copy that an upgrade keeps.
const spareSuffix = ".before-upgrade"
