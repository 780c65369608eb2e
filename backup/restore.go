package backup

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"filippo.io/age"

	"moot/events"
	"moot/internal/failpoint"
	"moot/internal/parts"
	"moot/protocol"
	"moot/protocol/console"
	"moot/protocol/matrix/account"
	"moot/protocol/matrix/crypto"
	"moot/store"
	"moot/store/disk"
)

// Check opens a backup and reads all of it: its sums, every page of the database and the keys, and whether its
// parts belong together. Of one that is encrypted only the sums are compared where keys is nil, and opened is
// false then.
func (b Backup) Check(ctx context.Context, keys []age.Identity) (opened bool, err error) {
	if err := b.Sums(); err != nil {
		return false, err
	}
	if err := b.checkChanges(keys); err != nil {
		return false, err
	}
	in := b.Folder
	if b.Sealed {
		if keys == nil {
			return false, nil
		}
		if in, err = os.MkdirTemp("", parts.Stage); err != nil {
			return false, err
		}
		defer os.RemoveAll(in) //nolint:errcheck // it is in the folder for such files
		if _, err := b.openAll(ctx, in, keys, nil); err != nil {
			return false, err
		}
	}
	return true, b.examine(ctx, in)
}

// examine reads the parts of a backup in a folder where they are in clear. Its error is ErrDamaged.
func (b Backup) examine(ctx context.Context, in string) error {
	k, err := look(filepath.Join(in, parts.Database), true)
	if err == nil && (k.instance != b.Instance || k.change != b.Change || k.keys.Pair != b.Pair || k.archive.End != b.Archive) {
		err = errors.New("the database is not the one that the manifest names")
	}
	if err == nil {
		_, err = events.Examine(filepath.Join(in, parts.Archive), k.archive)
	}
	var login crypto.Owner
	if err == nil {
		login.User, login.Device, err = account.Examine(account.Config{Folder: in})
	}
	if err == nil && crypto.Able {
		_, err = crypto.Examine(ctx, in, &k.keys, login)
	}
	if err == nil {
		_, err = console.Examine(in)
	}
	if err != nil {
		return fmt.Errorf("%w: %s cannot be used: %w", ErrDamaged, b.Folder, err)
	}
	return nil
}

// RestoreConfig says how a backup is restored.
type RestoreConfig struct {
	// To is the data folder. It must not be there, or be empty.
	To string
	// Keys open a backup that is encrypted.
	Keys []age.Identity
	// Moved says that the bot did not run since the backup was made: it keeps its login and its keys for Matrix.
	// Otherwise they stay behind, since they were used beyond that point, and the bot gets a new device.
	Moved bool
	// Until leaves out the changes that are of a later time; zero leaves out none.
	Until time.Time
	// Mark prepares the database for its next run. It is called while nobody else has it open.
	Mark func(*store.Store) error
}

// Restored says what a restore did.
type Restored struct {
	Backup Backup `json:"backup"`
	// Change is the last one that the data folder has, and At is its time: of those that followed the backup too.
	Change   uint64    `json:"change"`
	At       time.Time `json:"at"`
	To       string    `json:"to"`
	Files    []string  `json:"files"`             // what the data folder has
	LeftOut  []string  `json:"leftOut,omitempty"` // what it does not have of the backup
	Duration time.Duration
}

// Restore makes a data folder of a backup. It has the backup checked as a whole first. The folder appears in one
// step, at the end; what is left of a restore that was cut short is cleared away by the next one.
func (b Backup) Restore(ctx context.Context, c RestoreConfig) (r Restored, err error) {
	began := time.Now()
	if r, err = b.restore(ctx, c); err != nil {
		return r, &Fault{"restore " + b.Folder + " to " + c.To, err}
	}
	r.Duration = time.Since(began)
	return r, nil
}

func (b Backup) restore(ctx context.Context, c RestoreConfig) (r Restored, err error) {
	to, err := filepath.Abs(c.To)
	if err != nil {
		return r, err
	}
	switch entries, err := os.ReadDir(to); {
	case err == nil && len(entries) > 0:
		return r, fmt.Errorf("%w: %s and more; move it away, or name another folder with --data, since a restore changes nothing that is there", ErrInUse, entries[0].Name())
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return r, err
	}
	if err := disk.MakeFolder(filepath.Dir(to)); err != nil {
		return r, err
	}
	aside := to + ".restoring"
	if err := errors.Join(os.RemoveAll(aside), os.Mkdir(aside, 0o700)); err != nil {
		return r, err
	}
	defer os.RemoveAll(aside) //nolint:errcheck // it is there only after an error
	var under syncs
	read, err := b.openAll(ctx, aside, c.Keys, &under)
	if err == nil || ctx.Err() == nil && !store.IsFull(err) && !errors.Is(err, ErrSealed) {
		if wrong := b.compare(read); wrong != nil { // which says more than what came of it
			err = wrong
		}
	}
	failpoint.Hit(failpoint.RestoreCopied)
	if err == nil {
		err = b.examine(ctx, aside) // while the disk takes what was written
	}
	if err := errors.Join(err, under.wait()); err != nil {
		return r, err
	}
	if !c.Moved {
		if r.LeftOut, err = leaveOut(aside, account.LoginFile, crypto.File); err != nil {
			return r, err
		}
	}
	if r.Change, r.At, err = b.prepare(ctx, aside, c); err != nil {
		return r, err
	}
	failpoint.Hit(failpoint.RestoreMarked)
	if r.Files, err = settle(aside); err != nil {
		return r, err
	}
	if err := os.Rename(aside, to); err != nil {
		return r, err
	}
	failpoint.Hit(failpoint.RestoreMade)
	r.Backup, r.To = b, to
	return r, disk.SyncFolder(filepath.Dir(to))
}

// leaveOut deletes files, and returns those that were there.
func leaveOut(folder string, names ...string) (gone []string, err error) {
	for _, name := range names {
		switch err := os.Remove(filepath.Join(folder, name)); {
		case err == nil:
			gone = append(gone, name)
		case !errors.Is(err, fs.ErrNotExist):
			return gone, err
		}
	}
	return gone, nil
}

// prepare applies the changes that followed the backup, and changes the database for its next run.
func (b Backup) prepare(ctx context.Context, in string, c RestoreConfig) (change uint64, at time.Time, err error) {
	st, err := store.Open(store.Config{Path: filepath.Join(in, parts.Database), LockTimeout: time.Second})
	if err != nil {
		return 0, at, err
	}
	defer func() { err = errors.Join(err, st.Close()) }()
	applied, err := b.apply(ctx, st, filepath.Join(in, parts.Archive), c)
	if err != nil {
		return 0, at, err
	}
	if applied > 0 && c.Moved {
		return 0, at, errors.New("the keys and the login are of the backup, and older than the changes that followed it; " +
			"make a backup of the bot that was stopped, and restore that as moved")
	}
	change = st.Change()
	err = st.View(func(tx *store.Tx) error {
		at = tx.Now()
		_, err := events.Examine(filepath.Join(in, parts.Archive), events.Committed(tx))
		return err
	})
	if err == nil {
		err = beginLife(st, at)
	}
	if err == nil && c.Mark != nil {
		err = c.Mark(st)
	}
	return change, at, err
}

// lives has what tells the lives of a database apart, whose changes have the same numbers: it is of the last
// restore.
var lives = store.SharedBucket("lives")

const lifeKey = "life"

// Life tells apart the lives of a database, whose changes have the same numbers: each restore begins another. It is
// empty before the first.
func Life(tx *store.Tx) string { return string(tx.Get(lives, lifeKey)) }

func beginLife(st *store.Store, at time.Time) error {
	return st.Commit(at, func(c *store.Commit) error {
		return c.Run("", protocol.Ref{}, func(tx *store.Tx) error {
			tx.Put(lives, lifeKey, []byte(rand.Text()))
			return nil
		})
	})
}
