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

	"maunium.net/go/mautrix/crypto/sql_store_upgrade"
	"maunium.net/go/mautrix/id"

	"moot/protocol"
	"moot/protocol/matrix/account"
	"moot/protocol/matrix/keys"
)

// Examine looks at the keys in a data folder, without changing anything, also while the bot runs. Kept is what the database says
// of them; nil where it could not be asked. A file of keys that an older version has left is read as a whole. Login is whose
// login the keys are used with; zero compares none. Will says what Open is going to do first; zero where that is nothing. The error is an *account.Fault: with it Open fails, or keys are damaged.
func Examine(ctx context.Context, folder string, kept *keys.Kept, login Owner) (will string, err error) {
	path := filepath.Join(folder, File)
	info, err := os.Stat(path)
	switch none := errors.Is(err, fs.ErrNotExist); {
	case none && kept == nil:
		return "", nil
	case none && kept.Pair != "":
		return "", missing(path)
	case none:
		return "", refuse(kept.Owner, login)
	case err != nil:
		return "", unusable(path, err)
	case info.Size() == 0 && kept != nil && kept.Pair != "":
		return "", apart()
	case info.Size() == 0:
		return "", nil // of a start that got no further
	}
	mode := "?mode=ro"
	if _, err := os.Stat(path + "-wal"); errors.Is(err, fs.ErrNotExist) {
		mode += "&immutable=1" // it would have to make a write-ahead log in order to read that there is nothing in it
	}
	u := url.URL{Scheme: "file", Opaque: (&url.URL{Path: path}).EscapedPath()}
	db, err := sql.Open("sqlite", u.String()+mode)
	if err != nil {
		return "", unusable(path, err)
	}
	defer db.Close()
	if err := whole(ctx, db, path); err != nil {
		return "", err
	}
	return belongs(ctx, db, path, kept, login)
}

// whole reads every page.
func whole(ctx context.Context, db *sql.DB, path string) error {
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

// belongs looks at whose database it is, and of which version.
func belongs(ctx context.Context, db *sql.DB, path string, kept *keys.Kept, login Owner) (will string, err error) {
	tables := map[string]bool{}
	rows, err := db.QueryContext(ctx, `SELECT name FROM sqlite_schema WHERE type='table'`)
	if err != nil {
		return "", unusable(path, err)
	}
	defer rows.Close()
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			return "", unusable(path, err)
		}
		tables[name] = true
	}
	if err := rows.Err(); err != nil {
		return "", unusable(path, err)
	}
	if !tables["moot_meta"] {
		switch {
		case len(tables) > 0:
			return "", &account.Fault{What: fmt.Sprintf("there is nothing of the bot in %s", path), Do: restore}
		case kept != nil && kept.Pair != "":
			return "", apart()
		}
		return "", nil
	}
	get := metaOf(ctx, db)
	if kept != nil {
		_, carried, err := fits(get, *kept)
		if err != nil {
			return "", orUnusable(path, err)
		}
		if carried {
			return fmt.Sprintf("the keys of %s were carried over into moot.db; the next start deletes the file", path), refuse(kept.Owner, login)
		}
	}
	owner, err := ownerOf(get)
	if err != nil {
		return "", orUnusable(path, err)
	}
	if err := refuse(owner, login); err != nil {
		return "", err
	}
	if !tables[sql_store_upgrade.VersionTableName] {
		return "", nil
	}
	var version int
	var compat sql.NullInt64
	err = db.QueryRowContext(ctx, `SELECT version, compat FROM `+sql_store_upgrade.VersionTableName).Scan(&version, &compat)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return "", unusable(path, err)
	}
	will = fmt.Sprintf("the next start carries the keys of %s over into moot.db, and deletes the file", path)
	up, err := upgradeOf(path, version, max(int(compat.Int64), 0))
	if up != "" {
		will = up + "; " + will
	}
	return will, err
}

// upgradeOf says what becomes of a database of a version, which those of another can read that is not below compat.
func upgradeOf(path string, version, compat int) (will string, err error) {
	latest := len(sql_store_upgrade.Table)
	if compat == 0 {
		compat = version
	}
	switch {
	case version == 0 || version == latest, version > latest && compat <= latest:
		return "", nil
	case version > latest:
		return "", &account.Fault{What: fmt.Sprintf("%s was written by a newer version of moot: its schema is %d, this version knows %d", path, version, latest), Do: "run that version"}
	case version < oldest:
		return "", &account.Fault{What: fmt.Sprintf("%s has schema %d, which is too old", path, version), Do: restore}
	}
	return fmt.Sprintf("%s has schema %d; it is brought to %d first", path, version, latest), nil
}

// oldest is the first version of the tables from which there is a way to the present one (mautrix, sql_store_upgrade).
const oldest = 3

// paired reports why the keys, whose moot_meta get reads, do not belong to the other database; nil if they do. Get returns
// false for a key that is not there.
func paired(get func(key string) (string, bool, error), want string) error {
	pair, is, err := get(metaPair)
	if err != nil {
		return err
	}
	before, changing, err := get(metaBefore)
	switch {
	case err != nil:
		return err
	case !is && want == "": // made just now, or by a start that got no further
	case is && pair == want:
	case changing && before == want:
	default:
		return apart()
	}
	return nil
}

// ownerOf returns whose keys they are; see paired for get.
func ownerOf(get func(key string) (string, bool, error)) (Owner, error) {
	user, _, err := get(metaUser)
	if err != nil {
		return Owner{}, err
	}
	device, _, err := get(metaDevice)
	return Owner{User: id.UserID(user), Device: id.DeviceID(device)}, err
}

func missing(path string) *account.Fault {
	return &account.Fault{What: fmt.Sprintf("%s is missing, and the bot has used it", path), Do: restore}
}

func apart() *account.Fault {
	return &account.Fault{What: fmt.Sprintf("the keys in %s and moot.db do not belong together: one of the two was lost, or put back alone", File), Do: restore}
}

// orUnusable returns a fault as it is, and makes one of another error.
func orUnusable(path string, err error) error {
	var fault *account.Fault
	if errors.As(err, &fault) {
		return err
	}
	return unusable(path, err)
}
