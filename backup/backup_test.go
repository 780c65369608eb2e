package backup

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"filippo.io/age"

	"moot/events"
	"moot/internal/effort"
	"moot/internal/parts"
	"moot/protocol"
	"moot/protocol/console"
	"moot/protocol/matrix/account"
	"moot/protocol/matrix/crypto"
	"moot/store"
)

// bot is a data folder in which something goes on: each commit publishes a fact and writes its own number to
// several rows, so that a state says which one it is.
type bot struct {
	testing.TB
	*Maker
	bus   *events.Bus
	now   time.Time
	first uint64 // the change before the first commit
	made  uint64 // commits
}

var rows = store.SharedBucket("rows")

const rowCount = 20

var noted = events.Kind{Name: "note", Version: 1}

func newBot(t testing.TB) *bot {
	t.Helper()
	b := &bot{TB: t, Maker: &Maker{Folder: filepath.Join(t.TempDir(), "data"), Version: "test"}, now: time.Date(2026, 11, 1, 8, 0, 0, 0, time.UTC)}
	if err := os.Mkdir(b.Folder, 0o700); err != nil {
		t.Fatal(err)
	}
	b.open()
	t.Cleanup(b.close)
	b.first = b.Store.Change()
	for name, text := range map[string]string{crypto.RecoveryFile: "EsT key\n", account.LoginFile: `{"version":1,"homeserver":"https://example.org","user":"@moot:example.org","device":"D"}`} {
		if err := os.WriteFile(filepath.Join(b.Folder, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return b
}

func (b *bot) open() {
	b.Helper()
	var err error
	if b.Store, err = store.Open(store.Config{Path: filepath.Join(b.Folder, parts.Database)}); err != nil {
		b.Fatal(err)
	}
	if b.bus, err = events.Open(events.Config{Store: b.Store, Kinds: []events.Kind{noted}, Window: time.Hour}); err != nil {
		b.Fatal(err)
	}
}

func (b *bot) close() {
	if err := errors.Join(b.bus.Close(), b.Store.Close()); err != nil {
		b.Error(err)
	}
}

// commit makes a commit, and reports its error.
func (b *bot) commit() error {
	b.made++
	b.now = b.now.Add(time.Second)
	n := b.made
	return b.Store.Commit(b.now, func(c *store.Commit) error {
		return c.Run("console:lobby", protocol.Ref{Room: "console:lobby", Event: protocol.EventID(fmt.Sprint(n))}, func(tx *store.Tx) error {
			for i := range rowCount {
				tx.Put(rows, fmt.Sprint("row ", i, " ", n%50), []byte(store.Number(n)))
			}
			return b.bus.Publish(tx, events.Draft{Kind: "note", Payload: strings.Repeat("x", int(n%200))})
		})
	})
}

func (b *bot) commits(n int) {
	b.Helper()
	for range n {
		if err := b.commit(); err != nil {
			b.Fatal(err)
		}
	}
}

// archive moves what is old enough to the archive.
func (b *bot) archive() error {
	_, _, err := b.bus.ArchiveStep(b.now, 64)
	return err
}

// make makes a backup.
func (b *bot) backUp(r Request) Backup {
	b.Helper()
	made, _, err := b.Make(b.Context(), r, nil)
	if err != nil {
		b.Fatal(err)
	}
	return made
}

// holds fails unless a folder holds exactly the state after so many commits, with all their facts.
func holds(t testing.TB, folder string, commits uint64) {
	t.Helper()
	st, err := store.Open(store.Config{Path: filepath.Join(folder, parts.Database), ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	err = st.View(func(tx *store.Tx) error {
		for i := range rowCount {
			for r := range uint64(50) {
				back := (commits + 50 - r) % 50
				if back >= commits {
					continue // no commit has written the row
				}
				want := commits - back
				if got := store.ParseNumber(string(tx.Get(rows, fmt.Sprint("row ", i, " ", r)))); got != want {
					return fmt.Errorf("after %d commits row %d %d is of commit %d instead of %d", commits, i, r, got, want)
				}
			}
		}
		if n := tx.NextFact() - 1; n != commits {
			return fmt.Errorf("%d facts after %d commits", n, commits)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	bus, err := events.Open(events.Config{Store: st, Kinds: []events.Kind{noted}, Window: time.Hour, ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	defer bus.Close()
	done, err := bus.Replay(t.Context(), t.TempDir(), false)
	if err != nil || uint64(done.Facts) != commits {
		t.Errorf("%d facts are replayed of %d commits: %v", done.Facts, commits, err)
	}
}

// TestUnderLoad: while commits go on, and facts move to the archive, each backup opens, is whole, and is the
// state at the change that it names.
func TestUnderLoad(t *testing.T) {
	rounds := 3
	if effort.Long() {
		rounds = 50
	}
	b := newBot(t)
	b.commits(100)
	dir := filepath.Join(t.TempDir(), "backups")
	ctx, stop := context.WithCancel(t.Context())
	var work sync.WaitGroup
	var mu sync.Mutex
	at := map[uint64]uint64{} // how many commits a change stands for
	note := func() { mu.Lock(); at[b.Store.Change()] = b.made; mu.Unlock() }
	note()
	work.Go(func() {
		for ctx.Err() == nil {
			err := b.commit()
			note()
			if err == nil && b.made%10 == 0 {
				err = b.archive()
				note()
			}
			if err != nil {
				t.Error(err)
				return
			}
		}
	})
	for i := range rounds {
		made := b.backUp(Request{Dir: dir, Keep: 2})
		if opened, err := made.Check(t.Context(), nil); err != nil || !opened {
			t.Fatalf("round %d: opened %v, %v", i, opened, err)
		}
		mu.Lock()
		commits, ok := at[made.Change]
		mu.Unlock()
		if !ok { // between a commit and its note
			continue
		}
		holds(t, made.Folder, commits)
	}
	stop()
	work.Wait()
	all, err := List(dir)
	if err != nil || len(all) != min(rounds, 2) {
		t.Errorf("there are %d backups, %v", len(all), err)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, ".*")); len(left) > 0 {
		t.Errorf("left are %q", left)
	}
}

// TestFlippedByte: a byte that changes anywhere in a backup is noticed and its file named, and nothing is
// restored from it.
func TestFlippedByte(t *testing.T) {
	b := newBot(t)
	b.now = b.now.Add(-2 * time.Hour)
	b.commits(20)
	b.now = b.now.Add(2 * time.Hour)
	b.commits(20)
	if err := b.archive(); err != nil {
		t.Fatal(err)
	}
	made := b.backUp(Request{Dir: filepath.Join(t.TempDir(), "backups")})
	names := []string{manifestName}
	for _, f := range made.Files {
		names = append(names, f.Name)
	}
	if got := strings.Join(names, " "); !strings.Contains(got, parts.Archive) || !strings.Contains(got, account.LoginFile) || !strings.Contains(got, crypto.RecoveryFile) {
		t.Fatalf("the backup has %s", got)
	}
	to := filepath.Join(t.TempDir(), "restored")
	for _, name := range names {
		path := filepath.Join(made.Folder, name)
		f, err := os.OpenFile(path, os.O_RDWR, 0)
		if err != nil {
			t.Fatal(err)
		}
		info, err := f.Stat()
		if err != nil {
			t.Fatal(err)
		}
		step := max(1, info.Size()/12)
		if name == manifestName {
			step = 1
		}
		flip := func(at int64) {
			var c [1]byte
			if _, err := f.ReadAt(c[:], at); err != nil {
				t.Fatal(err)
			}
			c[0] ^= 0x10
			if _, err := f.WriteAt(c[:], at); err != nil {
				t.Fatal(err)
			}
		}
		for at := int64(0); at < info.Size(); at += step {
			flip(at)
			read, err := Read(made.Folder)
			if err == nil {
				err = read.Sums()
			}
			if !errors.Is(err, ErrDamaged) && !errors.Is(err, ErrNewer) || !strings.Contains(err.Error(), name) {
				t.Errorf("byte %d of %s: %v", at, name, err)
			}
			if at == 0 && name != manifestName {
				if _, err := read.Restore(t.Context(), RestoreConfig{To: to}); !errors.Is(err, ErrDamaged) {
					t.Errorf("it is restored with another %s: %v", name, err)
				}
				if _, err := os.Stat(to); err == nil {
					t.Fatal("there is a folder")
				}
			}
			flip(at)
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Rename(filepath.Join(made.Folder, parts.Archive), filepath.Join(made.Folder, "other")); err != nil {
		t.Fatal(err)
	}
	for _, what := range []string{parts.Archive + " is missing", "other does not belong"} {
		if err := made.Sums(); !errors.Is(err, ErrDamaged) || !strings.Contains(err.Error(), what) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// TestRestore: what was backed up is restored, also encrypted; where something is nothing is changed; login and
// keys stay behind unless the bot has only moved.
func TestRestore(t *testing.T) {
	who, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	b := newBot(t)
	b.commits(30)
	for name, recipients := range map[string][]string{"in clear": nil, "encrypted": {who.Recipient().String()}} {
		t.Run(name, func(t *testing.T) {
			made := b.backUp(Request{Dir: filepath.Join(t.TempDir(), "backups"), Recipients: recipients})
			if staged, _ := filepath.Glob(filepath.Join(b.Folder, parts.Stage)); len(staged) > 0 {
				t.Errorf("left in the data folder are %q", staged)
			}
			var keys []age.Identity
			if recipients != nil {
				keys = []age.Identity{who}
				if opened, err := made.Check(t.Context(), nil); err != nil || opened {
					t.Errorf("without an identity: opened %v, %v", opened, err)
				}
				to := filepath.Join(t.TempDir(), "data")
				if _, err := made.Restore(t.Context(), RestoreConfig{To: to}); !errors.Is(err, ErrSealed) {
					t.Errorf("without an identity: %v", err)
				}
				for _, f := range made.Files {
					text, err := os.ReadFile(filepath.Join(made.Folder, f.Name))
					if err != nil || !strings.HasPrefix(string(text), "age-encryption.org/") {
						t.Errorf("%s is in clear (%v)", f.Name, err)
					}
				}
			}
			if opened, err := made.Check(t.Context(), keys); err != nil || !opened {
				t.Errorf("opened %v, %v", opened, err)
			}
			for _, moved := range []bool{false, true} {
				to := filepath.Join(t.TempDir(), "deep", "data")
				if err := os.MkdirAll(to+".restoring/moot.wal", 0o700); err != nil { // of one that was killed
					t.Fatal(err)
				}
				marked := false
				c := RestoreConfig{To: to, Keys: keys, Moved: moved, Mark: func(*store.Store) error { marked = true; return nil }}
				done, err := made.Restore(t.Context(), c)
				if err != nil || !marked {
					t.Fatalf("marked %v, %v", marked, err)
				}
				holds(t, to, b.made)
				if _, err := os.Stat(filepath.Join(to, account.LoginFile)); (err == nil) != moved || len(done.LeftOut) != map[bool]int{false: 1}[moved] {
					t.Errorf("moved %v: the login is there: %v; left out are %v", moved, err == nil, done.LeftOut)
				}
				if _, err := os.Stat(filepath.Join(to, crypto.RecoveryFile)); err != nil {
					t.Error(err)
				}
				if info, err := os.Stat(to); err != nil || info.Mode().Perm() != 0o700 {
					t.Errorf("others can look into it: %v, %v", info.Mode(), err)
				}
				if _, err := made.Restore(t.Context(), c); !errors.Is(err, ErrInUse) {
					t.Errorf("over another: %v", err)
				}
			}
		})
	}
}

// TestLast: the last backup of a time is taken; a folder of another bot is refused, and one inside of the data
// folder.
func TestLast(t *testing.T) {
	b := newBot(t)
	dir := filepath.Join(t.TempDir(), "backups")
	if _, err := Last(dir, time.Time{}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("without a folder: %v", err)
	}
	var all []Backup
	for range 3 {
		b.commits(5)
		all = append(all, b.backUp(Request{Dir: dir}))
	}
	for until, want := range map[time.Time]Backup{{}: all[2], all[1].At: all[1], all[1].At.Add(-time.Nanosecond): all[0]} {
		if got, err := Last(dir, until); err != nil || got.Folder != want.Folder {
			t.Errorf("until %v it is %s, %v", until, got.Folder, err)
		}
	}
	if got, err := Last(all[0].Folder, time.Time{}); err != nil || got.Change != all[0].Change {
		t.Errorf("of one backup: %+v, %v", got, err)
	}
	if _, err := Last(dir, all[0].At.Add(-1)); !errors.Is(err, ErrNone) {
		t.Errorf("before the first: %v", err)
	}
	if _, _, err := newBot(t).Make(t.Context(), Request{Dir: dir}, nil); !errors.Is(err, ErrOther) {
		t.Errorf("another bot: %v", err)
	}
	if _, _, err := b.Make(t.Context(), Request{Dir: filepath.Join(b.Folder, "backups")}, nil); err == nil {
		t.Error("it lies in the data folder")
	}
	if _, _, err := b.Make(t.Context(), Request{Dir: dir, Recipients: []string{"somebody"}}, nil); err == nil || !strings.Contains(err.Error(), "age1") {
		t.Errorf("a recipient that is none: %v", err)
	}
}

// TestConsoleWorld: the world of the console is part of a backup, and fits.
func TestConsoleWorld(t *testing.T) {
	b := newBot(t)
	w, err := console.Open(console.Config{Dir: b.Folder})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	made := b.backUp(Request{Dir: filepath.Join(t.TempDir(), "backups")})
	if _, err := made.Check(t.Context(), nil); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(filepath.Join(made.Folder, console.FileName)); err != nil {
		t.Error(err)
	}
}
