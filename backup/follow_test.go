package backup

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"filippo.io/age"

	"moot/events"
	"moot/internal/parts"
	"moot/store"
)

// follower follows a backup beside the test.
type follower struct {
	t    testing.TB
	at   chan Followed
	stop func() error
}

func (b *bot) follows(r Request) *follower {
	b.sealEvery = time.Millisecond
	ctx, cancel := context.WithCancel(b.Context())
	f := &follower{t: b, at: make(chan Followed)}
	ended := make(chan error, 1)
	go func() {
		ended <- b.Follow(ctx, r, func(f2 Followed) {
			select {
			case f.at <- f2:
			case <-ctx.Done():
			}
		})
	}()
	f.stop = func() error { cancel(); return <-ended }
	return f
}

// until waits until a change is on the disk, and returns the backup that was begun meanwhile, if any.
func (f *follower) until(change uint64) (begun string) {
	f.t.Helper()
	for {
		select {
		case at := <-f.at:
			if at.Backup != "" {
				begun = at.Backup
			}
			if at.Change >= change {
				return begun
			}
		case <-time.After(time.Minute):
			f.t.Fatalf("change %d is never sealed", change)
		}
	}
}

// TestFollow: from a backup that is followed each state can be restored that was committed while it was, with
// what moved to the archive; what is missing or has changed is named. After a restore it does not go on with the
// changes of the other life.
func TestFollow(t *testing.T) {
	who, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	for name, r := range map[string]Request{"in clear": {}, "encrypted": {Recipients: []string{who.Recipient().String()}}} {
		t.Run(name, func(t *testing.T) {
			keys := []age.Identity{who}
			b := newBot(t)
			b.commits(10)
			r.Dir = filepath.Join(t.TempDir(), "backups")
			f := b.follows(r)
			folder := f.until(b.Store.Change())
			var middle time.Time
			var then uint64
			for range 4 {
				b.commits(5)
				b.now = b.now.Add(2 * time.Hour)
				if err := b.archive(); err != nil {
					t.Fatal(err)
				}
				b.commits(5)
				f.until(b.Store.Change())
				if middle.IsZero() {
					middle, then = b.now, b.made
				}
			}
			if err := f.stop(); err != nil {
				t.Fatal(err)
			}
			base, err := Last(r.Dir, time.Time{})
			if err != nil || base.Folder != folder {
				t.Fatalf("the last backup is %s, %v", base.Folder, err)
			}
			if opened, err := base.Check(t.Context(), keys); err != nil || !opened {
				t.Errorf("opened %v, %v", opened, err)
			}
			restored := filepath.Join(t.TempDir(), "data")
			for until, commits := range map[time.Time]uint64{{}: b.made, middle: then, base.At: 10} {
				to := restored + until.Format("150405")
				if _, err := base.Restore(t.Context(), RestoreConfig{To: to, Keys: keys, Until: until}); err != nil {
					t.Fatal(err)
				}
				holds(t, to, commits)
			}
			other := &bot{TB: t, Maker: &Maker{Folder: restored + time.Time{}.Format("150405")}, now: b.now}
			other.open()
			defer other.close()
			f = other.follows(r)
			if begun := f.until(other.Store.Change()); begun == folder || begun == "" {
				t.Errorf("after a restore it goes on in %q", begun)
			}
			if err := f.stop(); err != nil {
				t.Error(err)
			}
			b.spoils(base, keys)
		})
	}
}

// spoils changes and removes files of changes.
func (b *bot) spoils(base Backup, keys []age.Identity) {
	b.Helper()
	_, names, err := base.spans()
	if err != nil || len(names) < 3 {
		b.Fatalf("there are %d files, %v", len(names), err)
	}
	path := filepath.Join(base.Folder, names[1])
	whole, err := os.ReadFile(path)
	if err != nil {
		b.Fatal(err)
	}
	for at := range whole {
		if at > 200 && at%(1+len(whole)/40) != 0 { // the heads byte by byte
			continue
		}
		bad := append([]byte{}, whole...)
		bad[at] ^= 0x10
		if err := os.WriteFile(path, bad, 0o600); err != nil {
			b.Fatal(err)
		}
		if _, err := base.Check(b.Context(), keys); !errors.Is(err, ErrDamaged) && !errors.Is(err, ErrSealed) || !strings.Contains(err.Error(), names[1]) {
			b.Errorf("byte %d: %v", at, err)
		}
	}
	if err := os.Remove(path); err != nil {
		b.Fatal(err)
	}
	for _, k := range [][]age.Identity{keys, nil} {
		if k == nil && !base.Sealed {
			continue
		}
		if _, err := base.Check(b.Context(), k); !errors.Is(err, ErrDamaged) || !strings.Contains(err.Error(), "are missing") {
			b.Errorf("without a file: %v", err)
		}
	}
	to := filepath.Join(b.TempDir(), "data")
	if _, err := base.Restore(b.Context(), RestoreConfig{To: to, Keys: keys}); !errors.Is(err, ErrDamaged) {
		b.Errorf("without a file it is restored: %v", err)
	}
	if _, err := os.Stat(to); err == nil {
		b.Error("there is a folder")
	}
}

// TestShelved: what a change says that it has added to the archive is what stands there.
func TestShelved(t *testing.T) {
	b := newBot(t)
	b.commits(100)
	b.now = b.now.Add(2 * time.Hour)
	before := b.Store.Change()
	if err := b.archive(); err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile(filepath.Join(b.Folder, parts.Archive))
	if err != nil {
		t.Fatal(err)
	}
	for ch, err := range b.Store.Follow(t.Context(), before) {
		if err != nil {
			t.Fatal(err)
		}
		s, ok, err := events.ShelvedIn(store.Change{Number: ch.Number, Body: ch.Body})
		if err != nil {
			t.Fatal(err)
		}
		if ok {
			if s.At != 0 || string(s.Data) != string(whole) {
				t.Errorf("%d bytes at %d instead of %d", len(s.Data), s.At, len(whole))
			}
			return
		}
	}
}
