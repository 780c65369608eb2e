//go:build goolm

package crypto

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"go.mau.fi/util/dbutil"
	mcrypto "maunium.net/go/mautrix/crypto"
	"maunium.net/go/mautrix/crypto/sql_store_upgrade"
	_ "modernc.org/sqlite" // the driver "sqlite"

	"moot/protocol"
	"moot/protocol/matrix/account"
)

// Able is whether this program can encrypt.
const Able = true

// Store is the database of keys.
type Store struct {
	c     Config
	raw   *sql.DB
	db    *dbutil.Database
	watch *watch
	keys  *mcrypto.SQLCryptoStore
	owner Owner
}

// The keys of moot_meta.
const (
	metaPair   = "pair"
	metaBefore = "pair-before" // there only while the pair id changes; may be empty
	metaUser   = "user"
	metaDevice = "device"
	// metaRestored is when it was noted that the keys were put back from a backup.
	metaRestored = "restored"
)

const restore = "put the keys and the database back from the same backup, or run `moot matrix forget` to give the bot a new device"

// Open opens the database of keys, makes one where there is none, and gives it and the other database a new pair id. Where
// they do not belong together, or it cannot be read, the error is an *account.Fault and nothing was changed.
func Open(ctx context.Context, c Config) (_ *Store, err error) {
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	path := filepath.Join(c.Folder, File)
	_, err = os.Stat(path)
	switch none := errors.Is(err, fs.ErrNotExist); {
	case err != nil && !none:
		return nil, fmt.Errorf("look for the database of keys: %w", err)
	case none && c.Pair != "":
		return nil, missing(path)
	case none:
		// SQLite would make it readable to all.
		f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
		if err != nil {
			return nil, fmt.Errorf("make the database of keys: %w", err)
		}
		if err := f.Close(); err != nil {
			return nil, fmt.Errorf("make the database of keys: %w", err)
		}
	}
	s := &Store{c: c, watch: &watch{}}
	if err := s.space(); err != nil {
		return nil, unusable(path, err)
	}
	if s.raw, err = sql.Open("sqlite", dsn(path)); err != nil {
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.raw.Close())
		}
	}()
	if s.db, err = dbutil.NewWithDB(s.raw, "sqlite3"); err != nil {
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	if err := s.begin(ctx); err != nil {
		return nil, orUnusable(path, err)
	}
	s.db.Log = s.watch // of which the logger of a child is none (dbutil, Database.Child)
	return s, nil
}

// dsn says how the file is opened: a transaction takes its lock at once, and a commit is on the disk when it returns.
func dsn(path string) string {
	u := url.URL{Scheme: "file", Opaque: (&url.URL{Path: path}).EscapedPath()}
	return u.String() + "?_txlock=immediate&_pragma=busy_timeout(60000)&_pragma=foreign_keys(1)&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)"
}

// begin compares the pair ids, brings the tables up to date, and changes the pair id.
func (s *Store) begin(ctx context.Context) error {
	if _, err := s.db.Exec(ctx, `
		CREATE TABLE IF NOT EXISTS moot_meta (key TEXT PRIMARY KEY, value TEXT NOT NULL);
		CREATE TABLE IF NOT EXISTS moot_shared (room TEXT PRIMARY KEY, members TEXT NOT NULL)`); err != nil {
		return err
	}
	get := func(key string) (string, bool, error) { return s.meta(ctx, key) }
	if err := paired(get, s.c.Pair); err != nil {
		return err
	}
	var err error
	if s.owner, err = ownerOf(get); err != nil {
		return err
	}
	s.keys = mcrypto.NewSQLCryptoStore(s.db, nil, "", s.owner.Device, s.c.Secret)
	if err := s.upgrade(ctx); err != nil {
		return err
	}
	return s.change(ctx, rand.Text())
}

// upgrade brings the tables of the library up to date. Of those that hold something it keeps a copy until that is done.
func (s *Store) upgrade(ctx context.Context) error {
	path := filepath.Join(s.c.Folder, File)
	spare := path + spareSuffix
	will := ""
	var version, compat int
	exists, err := s.db.TableExists(ctx, sql_store_upgrade.VersionTableName)
	if err == nil && exists {
		err = s.db.QueryRow(ctx, `SELECT version, coalesce(compat, 0) FROM `+sql_store_upgrade.VersionTableName).Scan(&version, &compat)
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
		if err := vacuumInto(ctx, s.raw, spare); err != nil {
			return fmt.Errorf("keep a copy before the upgrade: %w", err)
		}
	}
	if err := s.keys.DB.Upgrade(ctx); err != nil {
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

// change gives both databases a new pair id. Between any two of its steps they are recognised as a pair.
//
// It also drops the sessions for what the bot says: after a backup was put back, they would be used a second time from
// the same place on, which other programs refuse as a replay.
func (s *Store) change(ctx context.Context, pair string) error {
	err := s.db.DoTxn(ctx, nil, func(ctx context.Context) error {
		for _, q := range []string{`DELETE FROM crypto_megolm_outbound_session`, `DELETE FROM moot_shared`} {
			if _, err := s.db.Exec(ctx, q); err != nil {
				return err
			}
		}
		return errors.Join(s.drop(ctx, time.Now().Add(-keepKeys)), s.setMeta(ctx, metaBefore, s.c.Pair), s.setMeta(ctx, metaPair, pair))
	})
	if err != nil {
		return err
	}
	if err := s.c.SetPair(pair); err != nil {
		return fmt.Errorf("give moot.db its pair id: %w", err)
	}
	s.c.Pair = pair
	_, err = s.db.Exec(ctx, `DELETE FROM moot_meta WHERE key=$1`, metaBefore)
	return err
}

// keepKeys is how long keys to messages are kept. A session may be used for a year at most (mautrix, sessions.go).
const keepKeys = 400 * 24 * time.Hour

// drop lets go of keys that came before a time, and of what is remembered of the messages that they opened. The keys go
// first: without them nothing can be delivered once more as something new.
func (s *Store) drop(ctx context.Context, before time.Time) error {
	// The driver writes a time as text that begins with the date, in UTC.
	res, err := s.db.Exec(ctx, `DELETE FROM crypto_megolm_inbound_session WHERE received_at < $1`, before.UTC().Format(time.DateOnly))
	if err != nil {
		return err
	}
	if n, err := res.RowsAffected(); err != nil || n == 0 {
		return err
	}
	_, err = s.db.Exec(ctx, `DELETE FROM crypto_message_index WHERE session_id NOT IN (SELECT session_id FROM crypto_megolm_inbound_session)`)
	return err
}

func (s *Store) meta(ctx context.Context, key string) (value string, ok bool, err error) {
	err = s.db.QueryRow(ctx, `SELECT value FROM moot_meta WHERE key=$1`, key).Scan(&value)
	if errors.Is(err, sql.ErrNoRows) {
		return "", false, nil
	}
	return value, err == nil, err
}

func (s *Store) setMeta(ctx context.Context, key, value string) error {
	_, err := s.db.Exec(ctx, `INSERT INTO moot_meta (key, value) VALUES ($1, $2) ON CONFLICT (key) DO UPDATE SET value=excluded.value`, key, value)
	return err
}

// Owner returns whose keys these are.
func (s *Store) Owner() Owner { return s.owner }

// own makes the keys those of a user and a device, once.
func (s *Store) own(ctx context.Context, who Owner) error {
	if err := s.owner.refuse(who); err != nil || s.owner == who {
		return err
	}
	err := s.db.DoTxn(ctx, nil, func(ctx context.Context) error {
		return errors.Join(s.setMeta(ctx, metaUser, string(who.User)), s.setMeta(ctx, metaDevice, string(who.Device)))
	})
	if err != nil {
		return fmt.Errorf("%w: %w", ErrBroken, err)
	}
	s.owner, s.keys.DeviceID = who, who.Device
	return nil
}

// Close closes the file. No Machine of it may be in use any more.
func (s *Store) Close() error { return s.raw.Close() }

// refuse returns why the keys of an owner cannot be used by a login; nil if they can, and where one of the two is not known.
func (o Owner) refuse(login Owner) error {
	if o == login || o == (Owner{}) || login == (Owner{}) {
		return nil
	}
	return &account.Fault{
		What: fmt.Sprintf("the keys in %s are those of %s on device %s, and the bot is logged in as %s on device %s", File, o.User, o.Device, login.User, login.Device),
		Do:   "log in as before, or run `moot matrix forget` to begin anew on the other device",
	}
}
