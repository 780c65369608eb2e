package backup

import (
	"cmp"
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"time"

	"filippo.io/age"
	"github.com/klauspost/compress/zstd"

	"moot/protocol/console"
	"moot/store"
)

const (
	// sealEvery is after what time changes are sealed at the latest, and sealAt after how many bytes.
	sealEvery = time.Second
	sealAt    = 1 << 20
	// baseEvery is after what time another backup is made, behind which the changes go on.
	baseEvery = 24 * time.Hour
)

// Followed is how far a backup is that is followed.
type Followed struct {
	Backup string `json:"backup,omitempty"` // the folder of one that was made, or found
	Change uint64 `json:"change"`           // the last one that is on the disk there
}

// ErrConsole says that the world of the console is not part of the changes.
var ErrConsole = errors.New("the world of the console cannot be followed: only the bot writes to its database, and people to that world; make backups instead")

// Follow makes a backup, unless there is one of today that it can go on from, and writes the changes that follow
// it to files, each second or MiB, until the context ends, which is no error. Another backup is made each day.
// What is lost when the disk of the bot is lost is what was not sealed: a second at most.
func (m *Maker) Follow(ctx context.Context, r Request, say func(Followed)) error {
	if _, err := os.Stat(filepath.Join(m.Folder, console.FileName)); err == nil {
		return &Fault{"follow " + m.Folder, ErrConsole}
	}
	seals, err := recipients(r.Recipients)
	if err != nil {
		return err
	}
	b, err := m.goOn(r)
	for err == nil && ctx.Err() == nil {
		if b.Folder == "" {
			b, _, err = m.Make(ctx, r, nil)
		}
		if err == nil {
			err = m.follow(ctx, b, seals, say)
		}
		if errors.Is(err, errAnew) {
			b, err = Backup{}, nil
		}
	}
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// errAnew says that another backup is to be made.
var errAnew = errors.New("another backup is due")

// goOn returns the backup from which the changes can go on; the zero one where there is none.
func (m *Maker) goOn(r Request) (b Backup, err error) {
	instance, _, err := m.Store.Instance()
	if err != nil {
		return b, err
	}
	all, err := m.before(r.Dir, instance)
	if err != nil || len(all) == 0 {
		return b, err
	}
	err = m.Store.View(func(tx *store.Tx) error {
		last := all[len(all)-1]
		if last.Life == Life(tx) && last.Sealed == (r.Recipients != nil) && time.Since(last.Made) < baseEvery {
			b = last
		}
		return nil
	})
	return b, err
}

// follow writes the changes that follow a backup. It is errAnew where another one is due, or the changes are gone.
func (m *Maker) follow(ctx context.Context, b Backup, seals []age.Recipient, say func(Followed)) error {
	last, err := b.followed()
	if err != nil {
		return err
	}
	enc, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithEncoderCRC(true))
	if err != nil {
		return err
	}
	defer enc.Close() //nolint:errcheck // it holds nothing
	say(Followed{Backup: b.Folder, Change: last})

	changes, ended, stop := m.changes(ctx, last)
	defer stop()
	var c collector
	var due <-chan time.Time
	seal := func() error {
		due = nil
		err := c.seal(b, enc, seals)
		if err == nil {
			m.last.Store(time.Now().UnixNano())
			say(Followed{Change: last})
		}
		return err
	}
	anew := time.NewTimer(time.Until(b.Made.Add(baseEvery)))
	defer anew.Stop()
	for {
		select {
		case ch := <-changes:
			c.add(ch)
			if last = ch.Number; due == nil {
				due = time.After(cmp.Or(m.sealEvery, sealEvery))
			}
			if len(c.bodies) >= sealAt {
				if err := seal(); err != nil {
					return err
				}
			}
		case <-due:
			if err := seal(); err != nil {
				return err
			}
		case <-anew.C:
			return errors.Join(seal(), errAnew)
		case err := <-ended: // by the context, or the store
			if failed := seal(); failed != nil {
				return failed
			}
			if errors.Is(err, store.ErrGone) || errors.Is(err, store.ErrAhead) {
				return errAnew
			}
			return err
		}
	}
}

// changes follows the store beside the one who writes, to whom it hands copies, and says at the end why it ended.
func (m *Maker) changes(ctx context.Context, after uint64) (changes chan store.Change, ended chan error, stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	changes, ended = make(chan store.Change), make(chan error, 1)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for ch, err := range m.Store.Follow(ctx, after) {
			if err != nil {
				ended <- err
				return
			}
			ch.Body = slices.Clone(ch.Body)
			select {
			case changes <- ch:
			case <-ctx.Done():
				ended <- ctx.Err()
				return
			}
		}
	}()
	return changes, ended, func() { cancel(); <-done }
}
