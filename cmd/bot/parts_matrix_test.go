package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"moot/internal/parts"
	"moot/protocol"
	"moot/protocol/matrix"
	"moot/protocol/matrix/account"
	"moot/protocol/matrix/crypto"
	"moot/protocol/matrix/matrixtest"
	"moot/store"
)

// matrixFolder is a data folder of Matrix, and the configuration with which the bot has used it.
type matrixFolder struct{ dir, config string }

// newMatrixFolder lets a bot log in by password and stops it once it has connected.
func newMatrixFolder(t *testing.T, s *matrixtest.Server, name string) matrixFolder {
	t.Helper()
	self := s.Account(name, name)
	above := t.TempDir()
	m := matrixFolder{filepath.Join(above, "data"), filepath.Join(above, "config.toml")}
	text := fmt.Sprintf("[matrix]\nuser = %q\nhomeserver = %q\npassword = { file = \"password\" }\n", self, s.URL)
	err := joined(os.WriteFile(m.config, []byte(text), 0o600), os.WriteFile(filepath.Join(above, "password"), []byte("secret-"+name), 0o600))
	if err != nil {
		t.Fatal(err)
	}
	if code, out := m.run(t, m.dir); code != exitOK {
		t.Fatalf("the first run: %d\n%s", code, out)
	}
	return m
}

// run runs the bot with a data folder until it has connected or has ended.
func (m matrixFolder) run(t *testing.T, dir string, args ...string) (code int, out string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	said, signals, ended := &watchedLog{}, make(chan os.Signal, 1), make(chan int, 1)
	go func() {
		ended <- run(t.Context(), signals, append(args, "--data", dir, "--config", m.config), strings.NewReader(""), said, said)
	}()
	connected := make(chan error, 1)
	go func() { connected <- said.await(ctx, "connected to the homeserver", 1) }()
	select {
	case code = <-ended:
	case err := <-connected:
		if err != nil {
			t.Fatalf("it neither connects nor ends: %v\n%s", err, said)
		}
		signals <- os.Interrupt
		code = <-ended
	}
	return code, said.String()
}

// Whatever has become of the login and of the keys for Matrix: check and run agree, and a run that is refused has changed
// nothing.
func TestPartsForMatrix(t *testing.T) {
	t.Parallel()
	s := matrixtest.New()
	t.Cleanup(s.Close)
	whole, other := newMatrixFolder(t, s, "moot"), newMatrixFolder(t, s, "twin")
	faults := map[string][]partFault{
		account.LoginFile: append([]partFault{
			{"missing", os.Remove, true, ""},
			{"empty", content(""), false, "does not hold a login"},
			{"older", loginOf(0), false, "it is of version 0"},
			{"newer", loginOf(2), false, "it is of version 2"},
		}, every(other.dir)...),
		".": {{"whole", func(string) error { return nil }, true, ""}},
	}
	if crypto.Able {
		foreign := func(path string) error { // of an older version, beside a database that has its keys
			return os.WriteFile(path, bytes.Repeat([]byte("no database of keys"), 500), 0o600)
		}
		faults[crypto.File] = []partFault{
			{"there again", foreign, false, "is damaged"},
			{"empty", content(""), true, ""},
			{"a folder", func(path string) error { return os.Mkdir(path, 0o700) }, false, "is not a regular file"},
		}
		faults[crypto.RecoveryFile] = []partFault{
			{"missing", os.Remove, true, ""},
			{"empty", content(""), true, ""},
			{"a folder", func(path string) error { return joined(os.Remove(path), os.Mkdir(path, 0o700)) }, false, "is not a regular file"},
			withheld(),
		}
		faults["moot.db"] = []partFault{{"that of another bot", func(path string) error {
			dir := filepath.Dir(path)
			return joined(os.RemoveAll(filepath.Join(dir, "moot.wal")), os.CopyFS(filepath.Join(dir, "moot.wal"), os.DirFS(filepath.Join(other.dir, "moot.wal"))),
				every(other.dir)[3].do(path))
		}, false, "keys in the data folder are those of"}}
		faults["login and keys"] = []partFault{{"of two bots", func(path string) error {
			// A login of the right account on another device.
			return edit(filepath.Join(filepath.Dir(path), account.LoginFile), func(l map[string]any) { l["device"] = "ANOTHER" })
		}, false, "on device ANOTHER"}}
	}
	for part, all := range faults {
		for _, f := range all {
			t.Run(part+" "+f.name, func(t *testing.T) {
				dir := f.folder(t, whole.dir, part)
				s.DropData(matrixtest.ID("moot"), matrix.GenerationData) // the copies of before are none
				f.compare(t, dir, func(args ...string) (int, string) { return whole.run(t, dir, args...) })
			})
		}
	}
}

// A data folder that was copied, and both run: the older one is refused, by run and by check, and does what it is told to.
func TestACopyOfTheDataFolder(t *testing.T) {
	t.Parallel()
	s := matrixtest.New()
	t.Cleanup(s.Close)
	m := newMatrixFolder(t, s, "moot")
	runs := func(want int, args ...string) string {
		t.Helper()
		var out strings.Builder
		code := run(t.Context(), nil, append(args, "--config", m.config), strings.NewReader(""), &out, &out)
		if code != want {
			t.Fatalf("%s ends with %d:\n%s", args, code, out.String())
		}
		return out.String()
	}
	copied := filepath.Join(t.TempDir(), "copied")
	if err := os.CopyFS(copied, os.DirFS(m.dir)); err != nil {
		t.Fatal(err)
	}
	if code, out := m.run(t, copied); code != exitOK {
		t.Fatalf("the copy ends with %d:\n%s", code, out)
	}
	if code, out := m.run(t, m.dir); code != exitPerson || !strings.Contains(out, "nother copy of this data folder") {
		t.Fatalf("the older one ends with %d:\n%s", code, out)
	}
	if out := runs(exitFailed, "check", "--data", m.dir); !strings.Contains(out, "another copy of this data folder") || !strings.Contains(out, "→ run only the other one") {
		t.Errorf("check says\n%s", out)
	}
	backups, fresh := filepath.Join(t.TempDir(), "backups"), filepath.Join(t.TempDir(), "fresh")
	runs(exitOK, "backup", backups, "--data", m.dir)
	runs(exitOK, "restore", backups, "--data", fresh)
	for range 2 {
		if code, out := m.run(t, fresh); code != exitOK {
			t.Fatalf("the one that was restored ends with %d:\n%s", code, out)
		}
	}
	if code, out := m.run(t, copied); code != exitPerson {
		t.Errorf("the copy ends with %d then:\n%s", code, out)
	}
}

// TestKeysThatWerePutBack: check tells of them, also while the bot runs, when it alone can read its database.
func TestKeysThatWerePutBack(t *testing.T) {
	t.Parallel()
	s := matrixtest.New()
	t.Cleanup(s.Close)
	m := newMatrixFolder(t, s, "moot")
	st, err := store.Open(store.Config{Path: filepath.Join(m.dir, parts.Database)})
	if err != nil {
		t.Fatal(err)
	}
	err = st.Commit(noTime, func(c *store.Commit) error {
		return c.Run("", protocol.Ref{}, func(tx *store.Tx) error {
			tx.Put(store.SharedBucket("matrix-keys"), "restored", []byte("2026-11-30T00:00:00Z"))
			return nil
		})
	})
	if err := joined(err, st.Close()); err != nil {
		t.Fatal(err)
	}
	if !crypto.Able {
		var out strings.Builder // this program cannot have keys
		if code := run(t.Context(), nil, []string{"check", "--data", m.dir, "--config", m.config}, strings.NewReader(""), &out, &out); code != exitFailed || !strings.Contains(out.String(), "built without encryption") {
			t.Errorf("check says\n%s", out.String())
		}
		return
	}
	told := func() {
		t.Helper()
		if out := ends(t, exitOK, "check", "--data", m.dir, "--config", m.config); strings.Count(out, "was put back from a backup") != 1 {
			t.Errorf("check says\n%s", out)
		}
	}
	told()
	said, signals, ended := &watchedLog{}, make(chan os.Signal, 1), make(chan int, 1)
	go func() {
		ended <- run(t.Context(), signals, []string{"--data", m.dir, "--config", m.config}, strings.NewReader(""), said, said)
	}()
	if err := said.await(t.Context(), "connected to the homeserver", 1); err != nil {
		t.Fatalf("%v\n%s", err, said)
	}
	told()
	signals <- os.Interrupt
	if code := <-ended; code != exitOK {
		t.Errorf("it ends with %d", code)
	}
}

// edit changes a file of JSON.
func edit(path string, change func(map[string]any)) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	var v map[string]any
	if err := json.Unmarshal(data, &v); err != nil {
		return err
	}
	change(v)
	data, err = json.Marshal(v)
	return joined(err, os.WriteFile(path, data, 0o600))
}

func loginOf(version int) func(path string) error {
	return func(path string) error { return edit(path, func(l map[string]any) { l["version"] = version }) }
}
