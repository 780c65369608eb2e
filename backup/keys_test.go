//go:build goolm

package backup

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"moot/internal/parts"
	"moot/protocol"
	"moot/protocol/matrix/crypto"
	"moot/store"
)

// setPair gives a database the mark that it has in common with the keys.
func setPair(st *store.Store, b *bot, pair string) error {
	return st.Commit(b.now, func(c *store.Commit) error {
		return c.Run("", protocol.Ref{}, func(tx *store.Tx) error {
			parts.SetPair(tx, pair)
			return nil
		})
	})
}

// TestKeys: keys are backed up while the bot uses them, and belong to the database beside them. A bot that moved
// goes on with them; one that was restored begins with new ones. Keys that do not belong are noticed.
func TestKeys(t *testing.T) {
	b := newBot(t)
	b.commits(3)
	if err := os.Remove(filepath.Join(b.Folder, "matrix-login.json")); err != nil { // of nobody
		t.Fatal(err)
	}
	open := func(folder, pair string, st *store.Store) (*crypto.Store, error) {
		return crypto.Open(t.Context(), crypto.Config{
			Folder: folder, Pair: pair, SetPair: func(id string) error { return setPair(st, b, id) }, Secret: make([]byte, 32),
		})
	}
	keys, err := open(b.Folder, "", b.Store)
	if err != nil {
		t.Fatal(err)
	}
	defer keys.Close()
	made := b.backUp(Request{Dir: filepath.Join(t.TempDir(), "backups")})
	if made.Pair == "" {
		t.Error("the backup has no pair")
	}
	if opened, err := made.Check(t.Context(), nil); err != nil || !opened {
		t.Errorf("opened %v, %v", opened, err)
	}
	for _, moved := range []bool{true, false} {
		to := filepath.Join(t.TempDir(), "data")
		c := RestoreConfig{To: to, Moved: moved}
		pair := made.Pair
		if !moved {
			pair, c.Mark = "", func(st *store.Store) error { return setPair(st, b, "") }
		}
		if _, err := made.Restore(t.Context(), c); err != nil {
			t.Fatal(err)
		}
		if _, err := os.Stat(filepath.Join(to, crypto.File)); (err == nil) != moved {
			t.Errorf("moved %v: there are keys: %v", moved, err == nil)
		}
		if err := parts.Examine(t.Context(), parts.Config{Folder: to}).Err(); err != nil {
			t.Errorf("moved %v: %v", moved, err)
		}
		st, err := store.Open(store.Config{Path: filepath.Join(to, parts.Database)})
		if err != nil {
			t.Fatal(err)
		}
		again, err := open(to, pair, st)
		if err != nil {
			t.Errorf("moved %v: the keys do not open: %v", moved, err)
		} else if err := again.Close(); err != nil {
			t.Error(err)
		}
		if err := st.Close(); err != nil {
			t.Error(err)
		}
	}
	if err := setPair(b.Store, b, "another"); err != nil {
		t.Fatal(err)
	}
	bad := b.backUp(Request{Dir: filepath.Join(t.TempDir(), "backups")})
	if _, err := bad.Check(t.Context(), nil); !errors.Is(err, ErrDamaged) || !strings.Contains(err.Error(), "do not belong together") {
		t.Errorf("keys of another: %v", err)
	}
}
