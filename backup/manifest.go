package backup

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Errors of backups.
var (
	// ErrDamaged says that a backup is not what was written: its words name the files.
	ErrDamaged = errors.New("the backup is damaged")
	// ErrNone says that there is no backup, or none of that time.
	ErrNone = errors.New("there is no backup")
	// ErrNewer says that a newer version of moot has made the backup.
	ErrNewer = errors.New("the backup was made by a newer version of moot")
	// ErrSealed says that no identity opens the backup.
	ErrSealed = errors.New("the backup is encrypted")
	// ErrOther says that a folder holds backups of another bot.
	ErrOther = errors.New("the folder holds backups of another bot")
	// ErrInUse says that the folder for a restore holds something.
	ErrInUse = errors.New("the folder holds something")
)

// Fault is why a backup could not be made or restored.
type Fault struct {
	Doing string
	Err   error
}

func (f *Fault) Error() string { return f.Doing + ": " + f.Err.Error() }
func (f *Fault) Unwrap() error { return f.Err }

// Manifest says what a backup is of.
type Manifest struct {
	Format   int       `json:"format"`
	Version  string    `json:"version"`        // of the program that made it
	Made     time.Time `json:"made"`           // by the clock of the machine
	Instance string    `json:"instance"`       // of the database
	Pair     string    `json:"pair,omitempty"` // of the file of keys, in backups of a folder that version 0.1 has left
	Life     string    `json:"life,omitempty"` // of the database: each restore begins another
	Change   uint64    `json:"change"`         // the last one that it holds
	At       time.Time `json:"at"`             // the time of that change
	Archive  int64     `json:"archive"`        // how many bytes of the archive count
	Sealed   bool      `json:"sealed"`         // whether its files are encrypted
	Files    []File    `json:"files"`          // by their names
	// Check is the SHA-256 of the manifest with an empty Check.
	Check string `json:"check"`
}

// File is a file of a backup, as it is on the disk.
type File struct {
	Name   string `json:"name"` // from the folder of the backup, with slashes
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256"`
}

const (
	format       = 1
	manifestName = "manifest.json"
	sealedSuffix = ".age"
	// nameLayout makes names of backups that sort by time.
	nameLayout = "2006-01-02T150405.000Z"
)

// Backup is a backup in a folder.
type Backup struct {
	Folder string `json:"folder"`
	Manifest
}

// Size returns how many bytes its files have.
func (m Manifest) Size() (size int64) {
	for _, f := range m.Files {
		size += f.Size
	}
	return size
}

func (m Manifest) encode() []byte {
	write := func() []byte {
		data, err := json.MarshalIndent(m, "", "  ")
		if err != nil {
			panic(err) // texts, numbers and times of this era can be encoded
		}
		return append(data, '\n')
	}
	m.Check = ""
	sum := sha256.Sum256(write())
	m.Check = hex.EncodeToString(sum[:])
	return write()
}

// Read reads the manifest of the backup in a folder.
func Read(folder string) (b Backup, err error) {
	path := filepath.Join(folder, manifestName)
	data, err := os.ReadFile(path)
	if err != nil {
		return b, err
	}
	b.Folder = folder
	err = json.Unmarshal(data, &b.Manifest)
	switch {
	case err == nil && b.Format > format:
		return b, fmt.Errorf("%w: %s has format %d, this version knows %d", ErrNewer, path, b.Format, format)
	case err != nil || !bytes.Equal(data, b.encode()):
		return b, fmt.Errorf("%w: %s is not as it was written", ErrDamaged, path)
	}
	for _, f := range b.Files {
		if !filepath.IsLocal(filepath.FromSlash(f.Name)) {
			return b, fmt.Errorf("%w: %s names %q", ErrDamaged, path, f.Name)
		}
	}
	return b, nil
}

// List returns the backups in a folder, the oldest first; a folder that is itself a backup holds that one. A
// manifest that cannot be read is an error, beside those that can.
func List(dir string) (all []Backup, err error) {
	if _, err := os.Stat(filepath.Join(dir, manifestName)); err == nil {
		b, err := Read(dir)
		if err != nil {
			return nil, err
		}
		return []Backup{b}, nil
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var errs []error
	for _, e := range entries { // by their names
		if _, err := time.Parse(nameLayout, e.Name()); err != nil || !e.IsDir() {
			continue
		}
		b, err := Read(filepath.Join(dir, e.Name()))
		if err != nil {
			errs = append(errs, err)
			continue
		}
		all = append(all, b)
	}
	return all, errors.Join(errs...)
}

// Sums compares the files of a backup with its manifest. Its error is ErrDamaged and names all that differ, are
// missing, or do not belong there.
func (b Backup) Sums() error { return b.compare(nil) }

// compare is Sums where it is known of some files what they are, by their names.
func (b Backup) compare(read map[string]File) error {
	var wrong []string
	known := map[string]bool{manifestName: true}
	for _, f := range b.Files {
		known[f.Name] = true
		got, ok := read[f.Name]
		var err error
		if !ok {
			got, err = sum(b.Folder, f.Name)
		}
		switch {
		case errors.Is(err, fs.ErrNotExist):
			wrong = append(wrong, f.Name+" is missing")
		case err != nil:
			return err
		case got.Size != f.Size:
			wrong = append(wrong, fmt.Sprintf("%s has %d bytes instead of %d", f.Name, got.Size, f.Size))
		case got.SHA256 != f.SHA256:
			wrong = append(wrong, f.Name+" has another SHA-256")
		}
	}
	names, err := filesIn(b.Folder)
	if err != nil {
		return err
	}
	for _, name := range names {
		if _, ok := parseChangeName(name); !known[name] && !ok {
			wrong = append(wrong, name+" does not belong to it")
		}
	}
	if wrong != nil {
		return fmt.Errorf("%w: in %s, %s", ErrDamaged, b.Folder, strings.Join(wrong, ", "))
	}
	return nil
}

// followed is the path of a folder by which filepath.WalkDir goes into it also where it is a link, as systemd makes one of
// /var/lib/moot.
func followed(folder string) string { return folder + string(filepath.Separator) }

// filesIn returns the names of all files below a folder, with slashes, in order.
func filesIn(folder string) (names []string, err error) {
	err = filepath.WalkDir(followed(folder), func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		name, err := filepath.Rel(folder, path)
		names = append(names, filepath.ToSlash(name))
		return err
	})
	slices.Sort(names)
	return names, err
}

// sum reads a file, and says what it is.
func sum(folder, name string) (f File, err error) {
	in, err := os.Open(filepath.Join(folder, filepath.FromSlash(name)))
	if err != nil {
		return f, err
	}
	defer in.Close()
	s := newSummed()
	_, err = io.Copy(s, in)
	return s.file(name), err
}

// summed says of what is written to it what file it is.
type summed struct {
	hash hash.Hash
	size int64
}

func newSummed() *summed { return &summed{hash: sha256.New()} }

// Write implements io.Writer.
func (s *summed) Write(p []byte) (int, error) {
	s.size += int64(len(p))
	return s.hash.Write(p)
}

func (s *summed) file(name string) File {
	return File{Name: name, Size: s.size, SHA256: hex.EncodeToString(s.hash.Sum(nil))}
}

// Last returns the last backup in a folder; that of the last change not after a time, where that is not zero.
// Where there is none the error is ErrNone. A backup whose manifest is damaged is an error only where there is
// no other.
func Last(dir string, until time.Time) (b Backup, err error) {
	all, err := List(dir)
	if len(all) == 0 && err != nil {
		return b, err
	}
	for _, b := range slices.Backward(all) {
		if until.IsZero() || !b.At.After(until) {
			return b, nil
		}
	}
	if len(all) == 0 || until.IsZero() {
		return b, ErrNone
	}
	return b, fmt.Errorf("%w of that time; the first is of %s", ErrNone, all[0].At.UTC().Format(time.RFC3339))
}
