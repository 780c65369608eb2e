package events

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"moot/events/docbuf"
	"moot/store"
)

func TestExamine(t *testing.T) {
	w := newWorld(t)
	w.crowd(100)
	w.age()
	w.archive()
	var c Commitment
	w.view(func(tx *store.Tx) { c = Committed(tx) })
	w.close()
	whole, err := os.ReadFile(w.archivePath())
	if err != nil || !c.Begun || c.End != int64(len(whole)) {
		t.Fatalf("%+v, %d bytes, %v", c, len(whole), err)
	}
	broken := bytes.Clone(whole)
	broken[len(broken)-20] ^= 1
	other := alike(t, whole)
	dir := t.TempDir()
	for name, test := range map[string]struct {
		content []byte // nil means that there is no file
		c       Commitment
		want    Condition
		err     error
	}{
		"a new folder":             {nil, Commitment{}, ArchiveAbsent, nil},
		"a new database":           {[]byte{}, Commitment{}, ArchiveEmpty, nil},
		"a new one by an old file": {whole, Commitment{}, ArchiveStray, ErrStray},
		"or by any other":          {[]byte("x"), Commitment{}, ArchiveStray, ErrStray},
		"begun":                    {[]byte{}, Commitment{Begun: true}, ArchiveEmpty, nil},
		"begun, and the file lost": {nil, Commitment{Begun: true}, ArchiveAbsent, nil},
		"a crash at the first":     {whole[:20], Commitment{Begun: true}, ArchiveLonger, nil},
		"whole":                    {whole, c, ArchiveWhole, nil},
		"a crash":                  {append(bytes.Clone(whole), "torn"...), c, ArchiveLonger, nil},
		"no file":                  {nil, c, ArchiveMissing, ErrArchive},
		"an empty file":            {[]byte{}, c, ArchiveShort, ErrArchive},
		"half a file":              {whole[:len(whole)/2], c, ArchiveShort, ErrArchive},
		"a broken file":            {broken, c, ArchiveForeign, ErrArchive},
		"that of another bot":      {other, c, ArchiveForeign, ErrArchive},
		"something else":           {bytes.Repeat([]byte("no"), len(whole)), c, ArchiveForeign, ErrArchive},
	} {
		path := filepath.Join(dir, "archive")
		if err := os.RemoveAll(path); err != nil {
			t.Fatal(err)
		}
		if test.content != nil {
			if err := os.WriteFile(path, test.content, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		got, err := Examine(path, test.c)
		if got != test.want || !errors.Is(err, test.err) || err != nil && !strings.Contains(err.Error(), path) {
			t.Errorf("%s: %q, %v", name, got, err)
		}
		if now, err := os.ReadFile(path); test.content == nil != os.IsNotExist(err) || !bytes.Equal(now, test.content) {
			t.Errorf("%s: it was changed, %v", name, err)
		}
	}
	if got, err := Examine(dir, c); got != ArchiveForeign || !errors.Is(err, ErrArchive) {
		t.Errorf("a folder: %q, %v", got, err)
	}
	if got, err := Examine(filepath.Join(w.archivePath(), "below"), c); got != "" || err == nil {
		t.Errorf("a path through a file: %q, %v", got, err)
	}
}

// A database that is lost, or that a slip has emptied, takes no archive with it.
func TestALostDatabaseLeavesTheArchive(t *testing.T) {
	for _, how := range []string{"lost with its log of commits", "lost", "emptied"} {
		t.Run(how, func(t *testing.T) {
			w := newWorld(t)
			w.crowd(100)
			w.age()
			w.archive()
			w.close()
			whole, err := os.ReadFile(w.archivePath())
			if err != nil || len(whole) == 0 {
				t.Fatal(err)
			}
			path, backup := filepath.Join(w.dir, "moot.db"), filepath.Join(t.TempDir(), "backup")
			err = os.CopyFS(backup, os.DirFS(w.dir))
			want := store.ErrDamaged // the log of commits is there without it
			switch how {
			case "lost":
				err = errors.Join(err, os.Remove(path))
			case "emptied":
				err = errors.Join(err, os.Truncate(path, 0))
			default:
				want = ErrStray
				err = errors.Join(err, os.Remove(path), os.RemoveAll(filepath.Join(w.dir, "moot.wal")))
			}
			if err != nil {
				t.Fatal(err)
			}
			for range 2 { // the second time the database is there already
				if err := w.tryOpen(); !errors.Is(err, want) {
					t.Errorf("%v", err)
					w.close()
				}
				if now, err := os.ReadFile(w.archivePath()); err != nil || !bytes.Equal(now, whole) {
					t.Fatalf("the archive has %d bytes of %d, %v", len(now), len(whole), err)
				}
			}
			if err := errors.Join(os.RemoveAll(w.dir), os.CopyFS(w.dir, os.DirFS(backup))); err != nil {
				t.Fatal(err)
			}
			w.open()
			if n := len(w.all()); n < 50 {
				t.Errorf("%d facts are left", n)
			}
		})
	}
}

// alike returns an archive that is as long as another, with the same blocks but for a byte of the newest one, and as good.
func alike(t *testing.T, archive []byte) []byte {
	t.Helper()
	from, err := docbuf.Open(docbuf.NewReadWriteSeekString(string(archive)), docbuf.Bytes{}, int64(len(archive)), 0)
	if err != nil {
		t.Fatal(err)
	}
	var docs [][]byte
	for entry, err := range from.Scan(0) {
		if err != nil {
			t.Fatal(err)
		}
		docs = append(docs, bytes.Clone(entry.Doc))
	}
	newest := docs[len(docs)-1]
	newest[len(newest)-1] ^= 1
	out := docbuf.NewReadWriteSeekString("")
	to, err := docbuf.Open(out, docbuf.Bytes{}, 0, 0)
	if err == nil {
		err = to.Push(docs...)
	}
	if err == nil {
		_, err = to.Close()
	}
	if err != nil || len(out.String()) != len(archive) {
		t.Fatalf("%d bytes, and not %d: %v", len(out.String()), len(archive), err)
	}
	return []byte(out.String())
}
