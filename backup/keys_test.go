//go:build goolm

package backup

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"moot/internal/parts"
	"moot/protocol"
	"moot/protocol/matrix/crypto"
	"moot/protocol/matrix/keys"
	"moot/store"
)

// edit changes what a database has of keys.
func (b *bot) edit(st *store.Store, f func(tx *store.Tx)) error {
	return st.Commit(b.now, func(c *store.Commit) error {
		return c.Run("", protocol.Ref{}, func(tx *store.Tx) error {
			f(tx)
			return nil
		})
	})
}

// keysOf returns what a database says of its keys.
func keysOf(t *testing.T, st *store.Store) (kept keys.Kept) {
	t.Helper()
	if err := st.View(func(tx *store.Tx) (err error) {
		kept, err = keys.Look(tx)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	return kept
}

// TestKeys: keys are in the database, and in its backups with it, also while the bot uses them. A bot that moved goes on with them; one
// that was restored begins with none.
func TestKeys(t *testing.T) {
	b := newBot(t)
	b.commits(3)
	if err := os.Remove(filepath.Join(b.Folder, "matrix-login.json")); err != nil { // of nobody
		t.Fatal(err)
	}
	open := func(folder string, st *store.Store) (*crypto.Store, error) {
		return crypto.Open(t.Context(), crypto.Config{Folder: folder, Store: st, Secret: make([]byte, 32)})
	}
	used, err := open(b.Folder, b.Store)
	if err != nil {
		t.Fatal(err)
	}
	defer used.Close()
	owner := []byte(`{"user":"@moot:example.org","device":"DEVICE"}`)
	if err := b.edit(b.Store, func(tx *store.Tx) { tx.Put(store.SharedBucket("matrix-keys"), "owner", owner) }); err != nil {
		t.Fatal(err)
	}
	made := b.backUp(Request{Dir: filepath.Join(t.TempDir(), "backups")})
	if opened, err := made.Check(t.Context(), nil); err != nil || !opened {
		t.Errorf("opened %v, %v", opened, err)
	}
	for _, moved := range []bool{true, false} {
		to := filepath.Join(t.TempDir(), "data")
		c := RestoreConfig{To: to, Moved: moved}
		if !moved {
			c.Mark = func(st *store.Store) error { return b.edit(st, keys.Forget) }
		}
		if _, err := made.Restore(t.Context(), c); err != nil {
			t.Fatal(err)
		}
		if err := parts.Examine(t.Context(), parts.Config{Folder: to}).Err(); err != nil {
			t.Errorf("moved %v: %v", moved, err)
		}
		st, err := store.Open(store.Config{Path: filepath.Join(to, parts.Database)})
		if err != nil {
			t.Fatal(err)
		}
		if kept := keysOf(t, st); kept.Any != moved || kept.Owner.Device != map[bool]keys.Owner{true: {Device: "DEVICE"}}[moved].Device {
			t.Errorf("moved %v: it has %+v", moved, kept)
		}
		again, err := open(to, st)
		if err != nil {
			t.Errorf("moved %v: the keys do not open: %v", moved, err)
		} else if err := again.Close(); err != nil {
			t.Error(err)
		}
		if err := st.Close(); err != nil {
			t.Error(err)
		}
	}
}

// TestAFileOfKeys: of a folder that an older version has left, the file of keys is in the backup, where it belongs to the database.
func TestAFileOfKeys(t *testing.T) {
	b := newBot(t)
	b.commits(3)
	if err := b.edit(b.Store, func(tx *store.Tx) { keys.SetPair(tx, "PAIR") }); err != nil {
		t.Fatal(err)
	}
	made := b.backUp(Request{Dir: filepath.Join(t.TempDir(), "backups")})
	if _, err := made.Check(t.Context(), nil); !errors.Is(err, ErrDamaged) || !strings.Contains(err.Error(), "is missing, and the bot has used it") {
		t.Errorf("without the file: %v", err)
	}
	if err := os.WriteFile(filepath.Join(b.Folder, crypto.File), bytes.Repeat([]byte("no database"), 1000), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, _, err := b.Maker.Make(t.Context(), Request{Dir: filepath.Join(t.TempDir(), "backups")}, func(Progress) {}); err == nil || !strings.Contains(err.Error(), "not a database") {
		t.Errorf("with one that is none: %v", err)
	}
}
