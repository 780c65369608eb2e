package main

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"moot/protocol"
	"moot/store"
)

// sayAll runs the program in this process, with something on its standard input.
func sayAll(t *testing.T, stdin string, args ...string) (code int, out string) {
	t.Helper()
	var said bytes.Buffer
	code = run(t.Context(), nil, args, strings.NewReader(stdin), &said, &said)
	return code, said.String()
}

// aged makes a data folder of the console in which everything holds something: facts of days, and an archive.
func aged(t *testing.T, first string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "data")
	if code, out := sayAll(t, first+"\n/wait 3d\n/wait 15d\n/wait 15d\n!moot ping\n", "--data", dir); code != exitOK {
		t.Fatalf("an aged folder: %d\n%s", code, out)
	}
	if info, err := os.Stat(filepath.Join(dir, "facts.archive")); err != nil || info.Size() == 0 {
		t.Fatalf("the archive: %v, %v", info, err)
	}
	return dir
}

// hashes returns a hash of each file below a folder, with its mode. A socket has none.
func hashes(t *testing.T, dir string) string {
	t.Helper()
	var b strings.Builder
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil || !info.Mode().IsRegular() {
			fmt.Fprintln(&b, path, d.Type())
			return err
		}
		data, err := os.ReadFile(path)
		fmt.Fprintf(&b, "%s %s %x\n", path, info.Mode(), sha256.Sum256(data))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// Whatever has become of whichever part of a data folder: check and run agree, and a run that is refused has changed nothing.
func TestPartsOfTheFolder(t *testing.T) {
	t.Parallel()
	whole, other := aged(t, "!moot vote motion tea"), aged(t, "!moot vote motion coffee\n/as ben\n!moot vote motion cake\n!moot vote show 1")
	faults := map[string][]partFault{
		"moot.db": {
			{"missing", os.Remove, false, "moot.db is missing, and moot.wal beside it is not"},
			{"empty", content(""), false, "moot.db is empty, and moot.wal beside it is not"},
			{"newer", ofVersion(99), false, "was written by a newer version of moot"},
		},
		"facts.archive": {
			{"missing", os.Remove, false, "there is no such file"},
			{"empty", content(""), false, "it has 0 bytes"},
			{"longer", func(path string) error {
				data, err := os.ReadFile(path)
				return joined(err, os.WriteFile(path, append(data, "left by a crash"...), 0o600))
			}, true, ""},
		},
		"console.jsonl": {
			{"missing", os.Remove, false, "there is none"},
			{"empty", content(""), false, "the bot has read another console world"},
			{"newer", content(`{"moot":"console","version":99,"world":"x","at":"2026-11-21T08:00:00Z"}` + "\n"), false, "written by a newer version"},
			{"torn", func(path string) error {
				data, err := os.ReadFile(path)
				return joined(err, os.WriteFile(path, append(data, `{"pos":`...), 0o600))
			}, true, ""},
		},
		"moot.sock": {{"left over", content(""), true, ""}},
		".": {
			{"whole", func(string) error { return nil }, true, ""},
			{"an empty database alone", func(dir string) error {
				return joined(os.RemoveAll(dir), os.Mkdir(dir, 0o700), content("")(filepath.Join(dir, "moot.db")))
			}, true, ""},
		},
	}
	for part, own := range faults {
		if part == "moot.db" || part == "facts.archive" || part == "console.jsonl" {
			own = append(own, every(other)...)
		}
		for _, f := range own {
			t.Run(part+" "+f.name, func(t *testing.T) {
				dir := f.folder(t, whole, part)
				f.compare(t, dir, func(args ...string) (int, string) {
					return sayAll(t, "!moot ping\n", append(args, "--data", dir)...)
				})
			})
		}
	}
}

// partFault is what may have become of a part of a data folder.
type partFault struct {
	name string
	do   func(path string) error
	fine bool   // whether the bot starts with it
	says string // what check and run both say where it does not
}

// every is what may have become of any part; other is the folder of another bot.
func every(other string) []partFault {
	return []partFault{
		{"foreign", content(strings.Repeat("This is something else. ", 1000)), false, ""},
		{"a folder", func(path string) error {
			return joined(os.Remove(path), os.Mkdir(path, 0o700))
		}, false, "is not a regular file"},
		{"cut short", func(path string) error {
			info, err := os.Stat(path)
			return joined(err, os.Truncate(path, min(1000, info.Size()/2)))
		}, false, ""},
		{"that of another bot", func(path string) error {
			data, err := os.ReadFile(filepath.Join(other, filepath.Base(path)))
			return joined(err, os.WriteFile(path, data, 0o600))
		}, false, ""},
		withheld(),
	}
}

// withheld is a part that the user of the bot may not write to.
func withheld() partFault {
	if os.Getuid() == 0 {
		return partFault{"of another owner", func(path string) error { return os.Chown(path, 12345, 12345) }, false, "belongs to another user"}
	}
	return partFault{"not writable", func(path string) error { return os.Chmod(path, 0o400) }, false, "cannot be written to"}
}

func content(data string) func(path string) error {
	return func(path string) error { return os.WriteFile(path, []byte(data), 0o600) }
}

// folder returns a copy of a folder in which the fault has befallen a part.
func (f partFault) folder(t *testing.T, whole, part string) (dir string) {
	t.Helper()
	dir = filepath.Join(t.TempDir(), "data")
	if err := joined(os.CopyFS(dir, os.DirFS(whole)), os.Chmod(dir, 0o700)); err != nil {
		t.Fatal(err)
	}
	if err := f.do(filepath.Join(dir, part)); err != nil {
		t.Fatal(err)
	}
	return dir
}

// compare fails where check and run do not say the same of a folder, or a run that was refused has changed it.
func (f partFault) compare(t *testing.T, dir string, run func(args ...string) (code int, out string)) {
	t.Helper()
	before := hashes(t, dir)
	checked, checkText := run("check")
	ran, runText := run()
	if (checked == exitOK) != f.fine || (ran == exitOK) != f.fine {
		t.Errorf("check ends with %d, run with %d:\n%s\n%s", checked, ran, checkText, runText)
	}
	if f.fine {
		return
	}
	if !strings.Contains(checkText, f.says) || !strings.Contains(runText, f.says) {
		t.Errorf("%q is not in what both say:\n%s\n%s", f.says, checkText, runText)
	}
	if after := hashes(t, dir); after != before {
		t.Errorf("a run that was refused has changed\n%s\nto\n%s", before, after)
	}
}

// A place in which nothing can be made is refused by check as by run, though its mode lets the bot in.
func TestNoPlaceForAFolder(t *testing.T) {
	t.Parallel()
	if _, err := os.Stat("/proc/self"); err != nil {
		t.Skip("it takes /proc")
	}
	for _, dir := range []string{"/proc/moot", "/proc/moot/data", "/proc"} {
		checked, checkText := sayAll(t, "", "check", "--data", dir)
		ran, runText := sayAll(t, "!moot ping\n", "--data", dir)
		if checked != exitFailed || ran != exitFailed || !strings.Contains(checkText, "name another folder with --data") || !strings.Contains(runText, "ame another folder with --data") {
			t.Errorf("%s: check ends with %d, run with %d:\n%s\n%s", dir, checked, ran, checkText, runText)
		}
	}
}

func joined(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// ofVersion makes a database one of another version.
func ofVersion(n uint64) func(path string) error {
	return func(path string) error {
		s, err := store.Open(store.Config{Path: path})
		if err != nil {
			return err
		}
		return joined(s.Commit(time.Now(), func(c *store.Commit) error {
			return c.Run("", protocol.Ref{}, func(tx *store.Tx) error {
				tx.Put(store.SharedBucket("meta"), "format", []byte(store.Number(n)))
				return nil
			})
		}), s.Close())
	}
}

// What a run leaves that is killed at the wrong moment is named by check and cleared away by the next start.
func TestLeftovers(t *testing.T) {
	t.Parallel()
	dir := aged(t, "!moot vote motion tea")
	names := []string{"moot-verify-123", "moot.db.new77", "console.jsonl.new", ".matrix-login.json-5"}
	for _, name := range names {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if code, out := sayAll(t, "", "check", "--data", dir); code != exitOK || !strings.Contains(out, "moot-verify-123") || !strings.Contains(out, "left over") {
		t.Errorf("check: %d\n%s", code, out)
	}
	if code, out := sayAll(t, "!moot ping\n", "--data", dir); code != exitOK {
		t.Fatalf("run: %d\n%s", code, out)
	}
	for _, name := range names {
		if _, err := os.Stat(filepath.Join(dir, name)); err == nil {
			t.Errorf("%s is still there", name)
		}
	}
	if code, out := sayAll(t, "", "check", "--data", dir); code != exitOK || strings.Contains(out, "left over") {
		t.Errorf("check: %d\n%s", code, out)
	}
}
