package backup

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"moot/events"
	"moot/internal/failpoint"
	"moot/internal/files"
	"moot/internal/parts"
	"moot/protocol/console"
	"moot/protocol/matrix/account"
	"moot/protocol/matrix/crypto"
	"moot/protocol/matrix/keys"
	"moot/store"
	"moot/store/disk"
)

// Maker makes backups of one data folder. Its methods may be called concurrently.
type Maker struct {
	// Store is the database of the folder. It is open for writing, so that nobody else changes the folder.
	Store *store.Store
	// Folder is the data folder.
	Folder string
	// Version is that of the program.
	Version string

	making    sync.Mutex
	last      atomic.Int64  // when this process last made a backup, or sealed changes
	sealEvery time.Duration // tests are in a hurry; zero means the constant

	past   sync.Mutex
	recent []Backup // the last ones, in order; guarded by past
}

// mostRecent is how many backups a Maker remembers.
const mostRecent = 20

// Recent returns the last backups that this Maker has made, the last first.
func (m *Maker) Recent() []Backup {
	m.past.Lock()
	defer m.past.Unlock()
	recent := slices.Clone(m.recent)
	slices.Reverse(recent)
	return recent
}

// Last returns when the last backup was made, or changes were sealed, by this Maker; zero where none was.
func (m *Maker) Last() time.Time {
	if n := m.last.Load(); n != 0 {
		return time.Unix(0, n)
	}
	return time.Time{}
}

// Request says what is wanted.
type Request struct {
	// Dir is the folder of backups. It is made if it is not there.
	Dir string `json:"dir"`
	// Recipients are for whom the backup is encrypted, as age writes them; nil for nobody.
	Recipients []string `json:"recipients,omitempty"`
	// Keep is how many backups stay, this one included; zero means all.
	Keep int `json:"keep,omitempty"`
}

// Progress is how far the making of a backup is. The last one has Made.
type Progress struct {
	What  string  `json:"what,omitempty"`
	Done  int64   `json:"done,omitempty"` // bytes
	Total int64   `json:"total,omitempty"`
	Made  *Backup `json:"made,omitempty"`
	// Gone are the older backups that were removed.
	Gone []string `json:"gone,omitempty"`
}

// Make makes a backup. It tells say how far it is, at times; nil is told nothing.
func (m *Maker) Make(ctx context.Context, r Request, say func(Progress)) (made Backup, gone []string, err error) {
	m.making.Lock()
	defer m.making.Unlock()
	if say == nil {
		say = func(Progress) {}
	}
	made, gone, err = m.make(ctx, r, say)
	if err != nil {
		return made, nil, &Fault{"make a backup in " + r.Dir, err}
	}
	return made, gone, nil
}

func (m *Maker) make(ctx context.Context, r Request, say func(Progress)) (made Backup, gone []string, err error) {
	seals, err := recipients(r.Recipients)
	if err != nil {
		return made, nil, err
	}
	instance, _, err := m.Store.Instance()
	if err != nil {
		return made, nil, err
	}
	before, err := m.before(r.Dir, instance)
	if err != nil {
		return made, nil, err
	}
	if err := m.space(r.Dir, seals != nil); err != nil {
		return made, nil, err
	}
	aside := filepath.Join(r.Dir, ".new-"+instance) // of this bot, of which one backup at a time is made
	if err := errors.Join(disk.Remove(aside), os.Mkdir(aside, 0o700)); err != nil {
		return made, nil, err
	}
	defer disk.Remove(aside) //nolint:errcheck // it is there only after an error
	in := aside
	if seals != nil {
		if in, err = os.MkdirTemp(m.Folder, parts.Stage); err != nil {
			return made, nil, err
		}
		defer disk.Remove(in) //nolint:errcheck // the next start clears it away
	}
	made.Manifest = Manifest{Format: format, Version: m.Version, Made: time.Now().UTC().Truncate(time.Millisecond), Sealed: seals != nil}
	known, err := m.copyAll(ctx, in, &made.Manifest, say)
	if err != nil {
		return made, nil, err
	}
	if seals != nil {
		known = nil
		say(Progress{What: "encrypting"})
		if err := sealAll(ctx, in, aside, seals); err != nil {
			return made, nil, err
		}
	}
	say(Progress{What: "reading it back"})
	if made.Files, err = sums(ctx, aside, known); err != nil {
		return made, nil, err
	}
	for made.Folder == "" || exists(made.Folder) {
		made.Made = made.Made.Add(time.Millisecond)
		made.Folder = filepath.Join(r.Dir, made.Made.Format(nameLayout))
	}
	if err := files.Write(filepath.Join(aside, manifestName), made.encode()); err != nil {
		return made, nil, err
	}
	failpoint.Hit(failpoint.BackupWhole)
	if err := errors.Join(os.Rename(aside, made.Folder), disk.SyncFolder(r.Dir)); err != nil {
		return made, nil, err
	}
	failpoint.Hit(failpoint.BackupMade)
	m.last.Store(time.Now().UnixNano())
	m.past.Lock()
	m.recent = append(m.recent, made)
	m.recent = m.recent[max(0, len(m.recent)-mostRecent):]
	m.past.Unlock()
	if r.Keep > 0 && len(before) >= r.Keep {
		for _, b := range before[:len(before)+1-r.Keep] {
			if err := remove(b); err != nil {
				return made, gone, fmt.Errorf("remove an older backup: %w", err)
			}
			gone = append(gone, b.Folder)
		}
	}
	return made, gone, nil
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

// remove takes a backup away. The manifest goes first, so that half of one is none.
func remove(b Backup) error {
	return errors.Join(os.Remove(filepath.Join(b.Folder, manifestName)), disk.SyncFolder(b.Folder), disk.Remove(b.Folder))
}

// before makes the folder, and returns the backups that are in it.
func (m *Maker) before(dir, instance string) (all []Backup, err error) {
	if inside(m.Folder, dir) {
		return nil, fmt.Errorf("it lies in the data folder %s, with which it would be lost", m.Folder)
	}
	if err := disk.MakeFolder(dir); err != nil {
		return nil, err
	}
	if _, err := os.Stat(filepath.Join(dir, manifestName)); err == nil {
		return nil, errors.New("it is a backup itself; name the folder that it is in")
	}
	all, err = List(dir)
	if err != nil && !errors.Is(err, ErrDamaged) && !errors.Is(err, fs.ErrNotExist) { // of a backup that is half removed
		return nil, err
	}
	for _, b := range all {
		if b.Instance != instance {
			return nil, fmt.Errorf("%w (%s)", ErrOther, filepath.Base(b.Folder))
		}
	}
	return all, nil
}

// inside reports whether a path is a folder, or in it.
func inside(folder, path string) bool {
	real := func(p string) string {
		if abs, err := filepath.Abs(p); err == nil {
			p = abs
		}
		for rest := ""; ; {
			if r, err := filepath.EvalSymlinks(p); err == nil {
				return filepath.Join(r, rest)
			}
			if filepath.Dir(p) == p {
				return filepath.Join(p, rest)
			}
			rest, p = filepath.Join(filepath.Base(p), rest), filepath.Dir(p)
		}
	}
	rel, err := filepath.Rel(real(folder), real(path))
	return err == nil && rel != ".." && !strings.HasPrefix(rel, ".."+string(filepath.Separator))
}

// space fails where there is less space than a backup takes.
func (m *Maker) space(dir string, staged bool) error {
	needs, err := sizeOf(m.Folder)
	if err != nil {
		return err
	}
	for _, at := range []string{dir, m.Folder} {
		if free, ok := files.Free(at); ok && free < needs+spare && (at == dir || staged) {
			return fmt.Errorf("%w: a backup takes up to %d MiB, and %s has %d MiB left", store.ErrFull, (needs+spare)>>20, at, free>>20)
		}
	}
	return nil
}

// spare is how much space a backup leaves on a disk.
const spare = 32 << 20

func sizeOf(folder string) (size int64, err error) {
	err = filepath.WalkDir(followed(folder), func(_ string, e fs.DirEntry, err error) error {
		if err != nil {
			return ignore(err, fs.ErrNotExist)
		}
		if info, err := e.Info(); err == nil && info.Mode().IsRegular() {
			size += info.Size()
		}
		return nil
	})
	return size, err
}

func ignore(err, target error) error {
	if errors.Is(err, target) {
		return nil
	}
	return err
}

// copyAll copies the parts of the data folder, in the order that doc.go says, and fills in what the manifest
// says of them. It returns what the large files are, by what was written to them.
func (m *Maker) copyAll(ctx context.Context, to string, of *Manifest, say func(Progress)) (large []File, err error) {
	db, err := m.copyStore(ctx, to, say)
	if err != nil {
		return nil, err
	}
	large = append(large, db)
	failpoint.Hit(failpoint.BackupStore)
	say(Progress{What: "the keys"})
	if err := crypto.Copy(ctx, m.Folder, filepath.Join(to, crypto.File)); err != nil {
		return nil, err
	}
	failpoint.Hit(failpoint.BackupKeys)
	known, err := look(filepath.Join(to, parts.Database), false)
	if err != nil {
		return nil, err
	}
	of.Instance, of.Life, of.Pair = known.instance, known.life, known.keys.Pair
	of.Change, of.At, of.Archive = known.change, known.at, known.archive.End
	if known.archive.End > 0 {
		say(Progress{What: "the archive", Total: known.archive.End})
		archive, err := copyFile(ctx, to, m.Folder, parts.Archive, known.archive.End)
		if err != nil {
			return nil, err
		}
		large = append(large, archive)
		if _, err := events.Examine(filepath.Join(to, parts.Archive), known.archive); err != nil {
			return nil, err
		}
	}
	for _, name := range []string{console.FileName, account.LoginFile, crypto.RecoveryFile} {
		if _, err := copyFile(ctx, to, m.Folder, name, -1); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
	}
	failpoint.Hit(failpoint.BackupRest)
	return large, nil
}

// copyStore makes a base of the store, and says how long the file is by then.
func (m *Maker) copyStore(ctx context.Context, to string, say func(Progress)) (File, error) {
	path := filepath.Join(to, parts.Database)
	done := make(chan struct{})
	var watch sync.WaitGroup
	defer watch.Wait()
	defer close(done)
	watch.Go(func() {
		for tick := time.NewTicker(200 * time.Millisecond); ; {
			p := Progress{What: "the database", Total: m.Store.Size()}
			if info, err := os.Stat(path + ".new"); err == nil {
				p.Done = min(info.Size(), p.Total)
			}
			say(p)
			select {
			case <-done:
				tick.Stop()
				return
			case <-tick.C:
			}
		}
	})
	s := newSummed()
	_, err := m.Store.Base(ctx, path, s)
	return s.file(parts.Database), err
}

// known is what a copied database says of itself and of the other parts.
type known struct {
	instance, life string
	change         uint64
	at             time.Time
	archive        events.Commitment
	keys           keys.Kept
}

// look reads the database of a backup; whole reads every page of it.
func look(path string, whole bool) (k known, err error) {
	st, err := store.Open(store.Config{Path: path, ReadOnly: true, LockTimeout: time.Second})
	if err != nil {
		return k, err
	}
	k.change = st.Change()
	k.instance, _, err = st.Instance()
	if err == nil {
		err = st.View(func(tx *store.Tx) (err error) {
			k.at, k.life, k.archive = tx.Now(), Life(tx), events.Committed(tx)
			k.keys, err = keys.Look(tx)
			return err
		})
	}
	if err == nil && whole {
		err = st.Check()
	}
	return k, errors.Join(err, st.Close())
}

// copyFile copies the first bytes of a file from one folder to another, all where size is negative, syncs the copy,
// and says what it is.
func copyFile(ctx context.Context, to, from, name string, size int64) (is File, err error) {
	in, err := os.Open(filepath.Join(from, name))
	if err != nil {
		return is, err
	}
	defer in.Close()
	out, err := os.OpenFile(filepath.Join(to, name), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return is, err
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	var r io.Reader = reader{ctx, in}
	if size >= 0 {
		r = io.LimitReader(r, size)
	}
	flushed, s := disk.NewFlushed(out), newSummed()
	n, err := io.Copy(io.MultiWriter(flushed, s), r)
	if err == nil && size >= 0 && n < size {
		err = fmt.Errorf("%w: %s has %d bytes, where %d were committed", events.ErrArchive, in.Name(), n, size)
	}
	return s.file(name), errors.Join(err, flushed.Sync())
}

// reader is a reader that ends with a context.
type reader struct {
	ctx context.Context
	io.Reader
}

func (r reader) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.Reader.Read(p)
}

// sums returns what the files of a folder are, in the order of their names, and makes their names durable. Those that are
// known are not read again.
func sums(ctx context.Context, folder string, known []File) (all []File, err error) {
	names, err := settle(folder)
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if i := slices.IndexFunc(known, func(f File) bool { return f.Name == name }); i >= 0 {
			all = append(all, known[i])
			continue
		}
		f, err := sum(folder, name)
		if err != nil {
			return nil, err
		}
		all = append(all, f)
	}
	return all, nil
}

// settle returns the names of the files in a folder, in their order, and makes them durable.
func settle(folder string) (names []string, err error) {
	if names, err = filesIn(folder); err != nil {
		return nil, err
	}
	folders := []string{folder}
	for _, name := range names {
		folders = append(folders, filepath.Dir(filepath.Join(folder, filepath.FromSlash(name))))
	}
	for _, f := range slices.Compact(slices.Sorted(slices.Values(folders))) {
		if err := disk.SyncFolder(f); err != nil {
			return nil, err
		}
	}
	return names, nil
}
