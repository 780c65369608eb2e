package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"moot/internal/effort"
	"moot/internal/failpoint"
	"moot/internal/parts"
	"moot/protocol/matrix/account"
	"moot/protocol/matrix/crypto"
	"moot/protocol/matrix/keys"
	"moot/protocol/matrix/matrixtest"
	"moot/store"
)

// A release leaves its data folders in testdata/released, one archive for each version:
//
//	console/    a data folder: rooms, votes that are closed and one that is open, an archive of facts, private conversations
//	backups/    a backup of it, which is followed by changes in the log of commits only
//	matrix/     the data folder of an account, with its login and its keys
//	log.json    what `moot log --json` of that version said of console/
//
// `go test -tags goolm ./cmd/bot -run TestReleased -cut VERSION` writes the one of a version when it is released. None of them is
// ever written again: people have such folders.
var cut = flag.String("cut", "", "write the data folders of the release with this `VERSION`")

const released = "testdata/released"

// TestReleased: this version opens the data folders and the backups of every version that was released, finds all in them that
// was there, and goes on with what had begun.
func TestReleased(t *testing.T) {
	t.Parallel()
	if *cut != "" {
		cutRelease(t, *cut)
	}
	archives, err := filepath.Glob(filepath.Join(released, "*.tar.gz"))
	if err != nil || len(archives) == 0 {
		t.Fatal("no version was released", err)
	}
	for _, archive := range archives {
		t.Run(strings.TrimSuffix(filepath.Base(archive), ".tar.gz"), func(t *testing.T) {
			dir := t.TempDir()
			unpack(t, archive, dir)
			restored := filepath.Join(dir, "restored")
			ends(t, exitOK, "backup", "check", filepath.Join(dir, "backups"))
			ends(t, exitOK, "restore", filepath.Join(dir, "backups"), "--data", restored)
			for _, data := range []string{filepath.Join(dir, "console"), restored} {
				ends(t, exitOK, "check", "--full", "--data", data)
				saysAsBefore(t, filepath.Join(dir, "log.json"), ends(t, exitOK, "log", "--json", "--limit", "100000", "--data", data))
				if out := ends(t, exitOK, "verify", "--data", data); strings.Contains(out, " 0 of them from the archive") {
					t.Errorf("nothing is in the archive: %s", out)
				}
				types(t, data, "2026-11-21T09:00:00Z", "/as cleo\n!moot vote cast 3 yes\n/wait 4d\n!moot ping\n")
				log := ends(t, exitOK, "log", "--json", "--vote", "3", "--key", "what=closed", "--data", data)
				if !strings.Contains(log, "passed") {
					t.Errorf("the open vote ends so: %s", log)
				}
				ends(t, exitOK, "verify", "--data", data)
			}
			t.Run("matrix", func(t *testing.T) { opensMatrix(t, filepath.Join(dir, "matrix")) })
		})
	}
}

// saysAsBefore compares the facts of a log with those that were said of it before; more may be said of each.
func saysAsBefore(t *testing.T, before, now string) {
	t.Helper()
	data, err := os.ReadFile(before)
	if err != nil {
		t.Fatal(err)
	}
	had, has := strings.Split(strings.TrimSpace(string(data)), "\n"), strings.Split(strings.TrimSpace(now), "\n")
	if len(had) > len(has) {
		t.Fatalf("of %d facts %d are left", len(had), len(has))
	}
	for i := range had {
		var old, new map[string]any
		if err := joined(json.Unmarshal([]byte(had[i]), &old), json.Unmarshal([]byte(has[i]), &new)); err != nil {
			t.Fatal(err)
		}
		delete(old, "text") // people's words may change
		for key, value := range old {
			if !reflect.DeepEqual(new[key], value) {
				t.Errorf("fact %d has %s %v, and had %v", i+1, key, new[key], value)
			}
		}
	}
}

// opensMatrix starts a bot with the login and the keys of a data folder.
func opensMatrix(t *testing.T, dir string) {
	if !crypto.Able {
		t.Skip("it needs -tags goolm")
	}
	_, err := os.Stat(filepath.Join(dir, crypto.File))
	older := err == nil // it has a file of keys, which is carried over
	m := releasedMatrix(t, dir)
	if out := ends(t, exitOK, "check", "--full", "--data", dir, "--config", m.config); older != strings.Contains(out, "carries the keys of") {
		t.Errorf("check says\n%s", out)
	}
	m.missed(t, older)
	m.missed(t, older) // it goes on with what it has
}

// TestCrashWhileKeysAreCarriedOver: the bot is killed when all keys of a file are in the database, which does not say so yet. The next
// start does the rest.
func TestCrashWhileKeysAreCarriedOver(t *testing.T) {
	if !crypto.Able {
		t.Skip("it needs -tags goolm")
	}
	effort.Proof(t)
	dir := t.TempDir()
	unpack(t, filepath.Join(released, "0.1.0.tar.gz"), dir)
	m := releasedMatrix(t, filepath.Join(dir, "matrix"))
	cmd := exec.Command(failpointBot(t), "run", "--data", m.dir, "--config", m.config)
	cmd.Env = append(os.Environ(), "MOOT_FAILPOINT="+string(failpoint.KeysCarried)+":1")
	struck(t, failpoint.KeysCarried)
	if out, err := cmd.CombinedOutput(); err == nil || cmd.ProcessState.Exited() {
		t.Fatalf("it was not killed: %v\n%s", err, out)
	}
	if kept := keptIn(t, m.dir); !kept.Any || kept.Pair == "" || kept.Carried != "" {
		t.Errorf("when it was killed the database says %+v", kept)
	}
	if _, err := os.Stat(filepath.Join(m.dir, crypto.File)); err != nil {
		t.Errorf("the file is gone: %v", err)
	}
	m.missed(t, true)
	tell(os.Stdout, "%-16s a file of keys of version 0.1.0: carried over by the next start", failpoint.KeysCarried)
}

// releasedMatrix gives the data folder of an account another homeserver, which knows its account and nothing of its device.
func releasedMatrix(t *testing.T, dir string) matrixFolder {
	t.Helper()
	s := matrixtest.New()
	t.Cleanup(s.Close)
	self := s.Account("moot", "moot")
	m := matrixFolder{dir, filepath.Join(t.TempDir(), "config.toml")}
	err := joined(
		edit(filepath.Join(dir, account.LoginFile), func(l map[string]any) { l["homeserver"] = s.URL }),
		os.WriteFile(m.config, fmt.Appendf(nil, "[matrix]\nuser = %q\nhomeserver = %q\n", self, s.URL), 0o600),
	)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// missed starts a bot whose device the server does not know: only who has read the login and the keys misses it. Then all keys are in
// the database.
func (m matrixFolder) missed(t *testing.T, carried bool) {
	t.Helper()
	if _, out := m.run(t, m.dir); !strings.Contains(out, "the homeserver has lost the keys of device DEVICE") {
		t.Errorf("it says\n%s", out)
	}
	if left, _ := filepath.Glob(filepath.Join(m.dir, crypto.File+"*")); len(left) > 0 {
		t.Errorf("left are %q", left)
	}
	if kept := keptIn(t, m.dir); kept.Owner.Device != "DEVICE" || (kept.Carried != "") != carried || kept.Pair != "" {
		t.Errorf("the database says %+v", kept)
	}
}

// keptIn returns what the database in a folder says of the keys for Matrix.
func keptIn(t *testing.T, dir string) (kept keys.Kept) {
	t.Helper()
	st, err := store.Open(store.Config{Path: filepath.Join(dir, parts.Database), ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	err = st.View(func(tx *store.Tx) (err error) {
		kept, err = keys.Look(tx)
		return err
	})
	if err := joined(err, st.Close()); err != nil {
		t.Fatal(err)
	}
	return kept
}

// ends runs a command to its end.
func ends(t *testing.T, want int, args ...string) string {
	t.Helper()
	var out strings.Builder
	if code := run(t.Context(), nil, args, strings.NewReader(""), &out, &out); code != want {
		t.Fatalf("%s ends with %d:\n%s", args, code, out.String())
	}
	return out.String()
}

// types lets people type on the console.
func types(t *testing.T, data, clock, lines string) {
	t.Helper()
	var out strings.Builder
	args := []string{"run", "--data", data, "--clock", clock}
	if code := run(t.Context(), nil, args, strings.NewReader(lines), &out, io.Discard); code != exitOK {
		t.Fatalf("the console ends with %d:\n%s", code, out.String())
	}
	t.Log(out.String())
}

// cutRelease writes the archive of a version.
func cutRelease(t *testing.T, version string) {
	t.Helper()
	path := filepath.Join(released, version+".tar.gz")
	if _, err := os.Stat(path); err == nil {
		t.Fatalf("%s is there, and people have such folders", path)
	}
	if !crypto.Able {
		t.Fatal("it needs -tags goolm")
	}
	stamp = version
	t.Cleanup(func() { stamp = "" })
	dir := t.TempDir()
	data := filepath.Join(dir, "console")
	types(t, data, "2026-11-01T08:00:00Z", `!moot vote challenge @finn floods the room
/as ben
!moot vote cast yes
/as cleo
!moot vote cast yes
/as dan
!moot vote cast no because he said sorry
/wait 25h
!moot vote poll "Which day?" Monday Tuesday --secret
/dm
vote cast 2 Monday --in lobby
/in lobby
/wait 15d
good morning
/as ann
good morning
/as ben
good morning
/wait 1d
/as eve
good morning
/wait 1d
`)
	types(t, data, "2026-11-19T12:00:00Z", `/as ann
!moot vote motion we sing on Fridays
!moot vote cast 3 yes
/as ben
!moot vote cast 3 yes
`)
	ends(t, exitOK, "backup", filepath.Join(dir, "backups"), "--data", data)
	if err := os.WriteFile(filepath.Join(dir, "log.json"), []byte(ends(t, exitOK, "log", "--json", "--limit", "100000", "--data", data)), 0o600); err != nil {
		t.Fatal(err)
	}
	s := matrixtest.New()
	t.Cleanup(s.Close)
	m := newMatrixFolder(t, s, "moot")
	if err := os.CopyFS(filepath.Join(dir, "matrix"), os.DirFS(m.dir)); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(released, 0o755); err != nil {
		t.Fatal(err)
	}
	var packed bytes.Buffer
	zip, err := gzip.NewWriterLevel(&packed, gzip.BestCompression)
	if err != nil {
		t.Fatal(err)
	}
	w := tar.NewWriter(zip)
	if err := joined(w.AddFS(os.DirFS(dir)), w.Close(), zip.Close(), os.WriteFile(path, packed.Bytes(), 0o644)); err != nil {
		t.Fatal(err)
	}
}

// unpack puts what is in an archive into a folder, for nobody else to read.
func unpack(t *testing.T, archive, dir string) {
	t.Helper()
	f, err := os.Open(archive)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	zip, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	for r := tar.NewReader(zip); ; {
		h, err := r.Next()
		if err == io.EOF {
			return
		}
		var data []byte
		if err == nil {
			data, err = io.ReadAll(r)
		}
		to := filepath.Join(dir, filepath.FromSlash(filepath.Clean("/"+h.Name)))
		if h.Typeflag == tar.TypeDir {
			err = joined(err, os.MkdirAll(to, 0o700))
		} else {
			err = joined(err, os.MkdirAll(filepath.Dir(to), 0o700), os.WriteFile(to, data, 0o600))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}
