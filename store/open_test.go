package store

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.etcd.io/bbolt"
)

func TestOpenNew(t *testing.T) {
	for name, before := range map[string]func(path string){
		"nothing there": func(string) {},
		"an empty file": func(path string) { writeFile(t, path, nil) },
		"half a new file is left": func(path string) {
			writeFile(t, path+".new", []byte("half"))
			writeFile(t, path+".new123", make([]byte, 10_000))
		},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "moot.db")
			before(path)
			b := openBox(t, path)
			defer func() { b.Close() }()
			info, err := os.Stat(path)
			if err != nil || info.Mode() != 0o600 {
				t.Errorf("the new file is %v (%v)", info.Mode(), err)
			}
			id, secret, err := b.Instance()
			if err != nil || b.Path() != path || b.Size() != info.Size() {
				t.Errorf("%s has %d bytes (%v)", b.Path(), b.Size(), err)
			}
			b.reopen()
			if id2, secret2, _ := b.Instance(); id2 != id || string(secret2) != string(secret) {
				t.Error("the instance has changed")
			}
			other := newBox(t)
			if id2, secret2, _ := other.Instance(); id2 == id || string(secret2) == string(secret) {
				t.Error("two files are the same instance")
			}
			if name != "half a new file is left" {
				if files, _ := os.ReadDir(filepath.Dir(path)); len(files) != 2 { // with the log of commits
					t.Errorf("files: %q", files)
				}
			}
		})
	}
}

// TestOpenNewAtOnce: of several who start on an empty folder none makes a file in place of
// another's.
func TestOpenNewAtOnce(t *testing.T) {
	t.Parallel()
	for round := range 10 {
		path := filepath.Join(t.TempDir(), "moot.db")
		if round%5 == 4 {
			path = filepath.Join(t.TempDir(), "r[a-b]*.db")
		}
		var all sync.WaitGroup
		for i := range 6 {
			all.Go(func() {
				s, err := Open(Config{Path: path})
				if err != nil {
					t.Error(err)
					return
				}
				err = s.Commit(start, func(c *Commit) error {
					return c.Run("s", none, func(tx *Tx) error { tx.Put(plainA, fmt.Sprint(i), nil); return nil })
				})
				if err := errors.Join(err, s.Close()); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		b := openBox(t, path)
		for i := range 6 {
			b.view(func(tx *Tx) {
				if !tx.Has(plainA, fmt.Sprint(i)) {
					t.Errorf("what opener %d wrote is lost", i)
				}
			})
		}
		b.Close()
		if files, _ := os.ReadDir(filepath.Dir(path)); len(files) != 2 {
			t.Errorf("files: %v", files)
		}
	}
}

// holdFile is a child that keeps the file open until its standard input ends.
func holdFile(args []string) {
	s, err := Open(Config{Path: args[0], ReadOnly: args[1] == "true", limits: tinyLimits})
	fmt.Println("open", err)
	_, _ = io.Copy(io.Discard, os.Stdin)
	if err == nil {
		s.Close()
	}
}

func TestLocked(t *testing.T) {
	t.Parallel()
	path := filled(t).path(t)
	for _, c := range []struct{ holder, opener, free bool }{
		{false, false, false}, {false, true, false}, {true, false, false}, {true, true, true},
	} {
		t.Run(fmt.Sprintf("holder reads %v, opener reads %v", c.holder, c.opener), func(t *testing.T) {
			cmd := child("hold", path, fmt.Sprint(c.holder))
			in, _ := cmd.StdinPipe()
			out, _ := cmd.StdoutPipe()
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			defer func() { in.Close(); _ = cmd.Wait() }()
			if line, err := bufio.NewReader(out).ReadString('\n'); line != "open <nil>\n" {
				t.Fatalf("the child says %q (%v)", line, err)
			}
			before, began := hash(path), time.Now()
			s, err := Open(Config{Path: path, ReadOnly: c.opener, LockTimeout: 200 * time.Millisecond})
			if took := time.Since(began); took > 3*time.Second {
				t.Errorf("it took %v", took)
			}
			if c.free {
				if err != nil {
					t.Fatal(err)
				}
				s.Close()
			} else if !errors.Is(err, ErrLocked) {
				t.Errorf("got %v", err)
			}
			if after := hash(path); after != before {
				t.Errorf("the file was %s and is %s", before, after)
			}
			// The holder goes away while somebody waits.
			waited := make(chan error)
			go func() {
				s, err := Open(Config{Path: path, ReadOnly: c.opener})
				if err == nil {
					err = s.Close()
				}
				waited <- err
			}()
			in.Close()
			if err := <-waited; err != nil {
				t.Errorf("after it was let go: %v", err)
			}
		})
	}
}

func TestReadOnly(t *testing.T) {
	path := filepath.Join(t.TempDir(), "moot.db")
	if _, err := Open(Config{Path: path, ReadOnly: true}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a file that is not there: %v", err)
	}
	if _, err := os.Stat(path); err == nil {
		t.Error("it was made")
	}
	k := filled(t)
	k.at(t, path, k.data)
	before := hash(path)
	s, err := Open(Config{Path: path, ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	checkInvariants(t, s)
	err = s.Commit(start, func(c *Commit) error { t.Error("it ran"); return nil })
	if err == nil || errors.Is(err, ErrBroken) {
		t.Errorf("a commit: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if after := hash(path); after != before {
		t.Errorf("the file was %s and is %s", before, after)
	}
}

// refused fails unless Open refuses the path in both manners with the error and leaves it as it is.
func refused(t *testing.T, path string, want ...error) {
	t.Helper()
	before := hash(path)
	for _, readOnly := range []bool{false, true} {
		s, err := Open(Config{Path: path, ReadOnly: readOnly, LockTimeout: 100 * time.Millisecond})
		if err == nil {
			s.Close()
		}
		ok := false
		for _, e := range want {
			ok = ok || errors.Is(err, e)
		}
		if !ok || !strings.Contains(err.Error(), path) {
			t.Errorf("read only %v: got %v, want %v", readOnly, err, want)
		}
	}
	if after := hash(path); after != before {
		t.Errorf("the file was %s and is %s", before, after)
	}
}

func TestForeign(t *testing.T) {
	text := "This is not the file that you are looking for.\n"
	sqlite := "SQLite format 3\x00\x10\x00\x01\x01\x00\x40\x20\x20" + strings.Repeat("\x00", 4096*3)
	for name, data := range map[string]string{
		"one byte": "x", "text": text, "long text": strings.Repeat(text, 1000), "sqlite": sqlite,
		"zeros": strings.Repeat("\x00", 64<<10),
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "moot.db")
			writeFile(t, path, []byte(data))
			refused(t, path, ErrForeign)
		})
	}
	for _, synced := range []bool{false, true} {
		t.Run(fmt.Sprintf("bbolt, synced freelist %v", synced), func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "moot.db")
			db, err := bbolt.Open(path, 0o600, &bbolt.Options{NoFreelistSync: !synced})
			if err != nil {
				t.Fatal(err)
			}
			refused(t, path, ErrLocked)
			err = db.Update(func(tx *bbolt.Tx) error {
				b, err := tx.CreateBucket([]byte(meta.name)) // even with one of our names
				return errors.Join(err, b.Put([]byte(metaApp), []byte("etcd")))
			})
			if err := errors.Join(err, db.Close()); err != nil {
				t.Fatal(err)
			}
			refused(t, path, ErrForeign)
		})
	}
}

// TestNotAFile: what is not a regular file is refused, and not replaced.
func TestNotAFile(t *testing.T) {
	dir := t.TempDir()
	pipe := filepath.Join(dir, "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(dir, "link")
	if err := os.Symlink("/dev/null", link); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{dir, pipe, link} {
		before, _ := os.Lstat(path)
		for _, readOnly := range []bool{false, true} {
			if _, err := Open(Config{Path: path, ReadOnly: readOnly}); !errors.Is(err, ErrForeign) {
				t.Errorf("%v: %v", before.Mode(), err)
			}
		}
		if after, err := os.Lstat(path); err != nil || after.Mode() != before.Mode() || !os.SameFile(before, after) {
			t.Errorf("%v became %v (%v)", before.Mode(), after, err)
		}
	}
	if files, _ := os.ReadDir(dir); len(files) != 2 {
		t.Errorf("files: %v", files)
	}
	// A folder that is not there, and a file as a folder.
	for _, path := range []string{filepath.Join(dir, "none", "moot.db"), filepath.Join("/dev/null", "moot.db")} {
		if _, err := Open(Config{Path: path}); err == nil || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: %v", path, err)
		}
	}
}

func TestOpenThroughALink(t *testing.T) {
	dir := t.TempDir()
	target, link := filepath.Join(dir, "target.db"), filepath.Join(dir, "moot.db")
	k := filled(t)
	k.at(t, target, k.data)
	if err := os.Symlink(target, link); err != nil {
		t.Fatal(err)
	}
	b := openBox(t, link)
	b.run("s", func(tx *Tx) { tx.Put(plainA, "k", nil) })
	b.Close()
	if info, err := os.Lstat(link); err != nil || info.Mode()&os.ModeSymlink == 0 {
		t.Errorf("the link became %v (%v)", info, err)
	}
}

// TestOtherFormats: files of builds from before the first release, and of newer ones, are refused
// with a sentence.
func TestOtherFormats(t *testing.T) {
	for name, c := range map[string]struct {
		key    string
		number uint64
		want   error
		says   string
	}{
		"before the first release": {metaSchema, 3, ErrOlder, "before the first release, which this one cannot read"},
		"newer":                    {metaFormat, 2, ErrNewer, "it has format 2, this version knows 1"},
		"neither":                  {"other", 1, ErrForeign, ""},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "moot.db")
			db, err := bbolt.Open(path, 0o600, &bbolt.Options{NoFreelistSync: true})
			if err != nil {
				t.Fatal(err)
			}
			err = db.Update(func(tx *bbolt.Tx) error {
				b, err := tx.CreateBucket([]byte(meta.name))
				return errors.Join(
					err, b.Put([]byte(metaApp), []byte(application)),
					b.Put([]byte(c.key), []byte(Number(c.number))),
				)
			})
			if err := errors.Join(err, db.Close()); err != nil {
				t.Fatal(err)
			}
			refused(t, path, c.want)
			if _, err := Open(Config{Path: path}); !strings.Contains(err.Error(), c.says) {
				t.Errorf("it says %v", err)
			}
		})
	}
}

// TestParts: a file without the log of commits that it needs is refused, and a log without its
// file.
func TestParts(t *testing.T) {
	path := filepath.Join(t.TempDir(), "moot.db")
	b := openBoxWith(t, Config{Path: path, limits: tinyLimits})
	b.commit(func(c *Commit) { fillStep(t, c, 0) })
	whole := keep(t, crashed(t, b.Store, t.TempDir()))
	b.commit(func(c *Commit) { fillStep(t, c, 1) })
	b.Close()
	later := keep(t, path)

	part := func(data []byte, log map[string][]byte) string {
		path := filepath.Join(t.TempDir(), "moot.db")
		kept{log: log}.at(t, path, data)
		return path
	}
	refused(t, part(later.data, nil), ErrDamaged)
	none := part(later.data, nil)
	os.RemoveAll(logOf(none))
	refused(t, none, ErrDamaged)
	refused(t, part(later.data, whole.log), ErrDamaged) // the log of an earlier day
	other := filled(t)
	refused(t, part(later.data, other.log), ErrForeign)
	for _, data := range [][]byte{nil, {}} { // the file is lost, or empty
		lost := part(data, whole.log)
		if data == nil {
			os.Remove(lost)
		}
		log := keep(t, whole.path(t)).log
		if _, err := Open(Config{Path: lost}); !errors.Is(err, ErrDamaged) || !strings.Contains(
			err.Error(), logOf(lost),
		) {
			t.Errorf("a log without its file: %v", err)
		}
		now := map[string][]byte{}
		for name := range log {
			now[name] = readFile(t, filepath.Join(logOf(lost), name))
		}
		if !reflect.DeepEqual(now, log) {
			t.Error("the log was changed")
		}
	}
}

// path writes the store somewhere.
func (k kept) path(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "moot.db")
	k.at(t, path, k.data)
	return path
}
