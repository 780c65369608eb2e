package store

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"moot/internal/failpoint"
	"moot/store/bolt"
	"moot/store/disk"
	"moot/store/seen"
	"moot/store/wal"
)

// Open opens the store, or makes it. What it refuses it leaves unchanged: ErrLocked, ErrForeign,
// ErrDamaged, ErrNewer, ErrOlder.
func Open(c Config) (*Store, error) {
	if c.LockTimeout == 0 {
		c.LockTimeout = 5 * time.Second
	}
	if c.limits == (limits{}) {
		if c.limits = defaultLimits(); failpoint.Enabled {
			c.limits = crashLimits()
		}
	}
	s, err := open(c)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", c.Path, err)
	}
	return s, nil
}

func open(c Config) (*Store, error) {
	if !c.ReadOnly {
		if err := create(c); err != nil {
			return nil, err
		}
	}
	file, err := bolt.Open(
		bolt.Config{Path: c.Path, LockTimeout: c.LockTimeout, ReadOnly: c.ReadOnly, NoSync: c.Scratch},
	)
	if err != nil {
		return nil, err
	}
	s := &Store{cfg: c, file: file, news: make(chan struct{})}
	s.progress.L = &s.publishing
	s.wake, s.quit = make(chan struct{}, 1), make(chan struct{})
	if err := s.load(); err != nil {
		return nil, errors.Join(err, file.Close())
	}
	file.Release() // bbolt has read all of it
	if !c.ReadOnly {
		s.stopped.Go(s.checkpoints)
		s.kick()
	}
	return s, nil
}

// create makes the file if there is none. One that was lost is not made anew beside its log of
// commits.
func create(c Config) error {
	if missing, err := bolt.Missing(c.Path); err != nil || !missing {
		return err
	}
	if folder, err := logFolder(c.Path); err != nil {
		return err
	} else if empty, err := wal.Empty(folder); err != nil || !empty && !c.Scratch {
		// Another start may have made both since the first look, the file before the log.
		if missing, again := bolt.Missing(c.Path); again == nil && !missing {
			return nil
		}
		return errors.Join(err, fmt.Errorf("%w: it is missing, and the log of commits beside it, %s, is not",
			ErrDamaged, folder))
	}
	err := bolt.Create(c.Path, func(tx *bolt.Tx) error {
		secret := make([]byte, 32+8)
		if _, err := rand.Read(secret); err != nil {
			return err
		}
		return errors.Join(
			seen.Create(tx.Bolt),
			tx.Put(meta.name, metaApp, []byte(application)),
			tx.Put(meta.name, metaFormat, []byte(Number(format))),
			tx.Put(meta.name, metaInstance, []byte(hex.EncodeToString(secret[32:]))),
			tx.Put(meta.name, metaSecret, secret[:32]),
		)
	})
	if errors.Is(err, syscall.EFBIG) || errors.Is(err, syscall.EIO) {
		err = fmt.Errorf("%w: %w", ErrWrite, err)
	}
	return err
}

// logFolder returns the folder of the log of commits: beside the file, and not beside a link to it.
func logFolder(path string) (string, error) {
	if missing, err := bolt.Missing(path); err != nil {
		return "", err
	} else if !missing {
		if path, err = filepath.EvalSymlinks(path); err != nil {
			return "", err
		}
	}
	return strings.TrimSuffix(path, ".db") + ".wal", nil
}

// load checks what the file is, and reads what the store keeps in memory: what the file says, and
// the changes behind it.
func (s *Store) load() error {
	v, err := s.file.View()
	if err != nil {
		return err
	}
	defer v.Close() //nolint:errcheck // it was only read
	var h header
	err = disk.Guard(func() (err error) {
		defer disk.Faulted()
		if h, err = readHeader(fileReader{v}); err != nil {
			return err
		}
		s.secret = h.secret
		if s.seen, err = seen.Load(v.Bolt, s.seenConfig(h.horizon)); err != nil && !errors.Is(err, ErrDamaged) {
			err = fmt.Errorf("%w: %w", ErrDamaged, err)
		}
		return err
	})
	if err != nil {
		return err
	}
	st := &state{change: h.from.Change, holds: h.from.Change, at: h.last, ahead: h.ahead, needs: v.ID()}
	if !s.cfg.Scratch && !(h.fresh && s.cfg.ReadOnly) {
		if st, err = s.replay(h, st); err != nil {
			return err
		}
	}
	st.seen = s.seen.State()
	s.last = st.at
	s.state.Store(st)
	return nil
}

// replay opens the log of commits, and applies the changes that the file does not hold.
func (s *Store) replay(h header, st *state) (*state, error) {
	folder, err := logFolder(s.cfg.Path)
	if err != nil {
		return nil, err
	}
	cfg := wal.Config{
		Folder: folder, Instance: h.instance, ReadOnly: s.cfg.ReadOnly, Keep: s.cfg.Keep,
		Segment: s.cfg.limits.Segment, Least: s.cfg.limits.Least, Ahead: s.cfg.limits.Ahead,
	}
	if h.fresh {
		h.from.Segment = 1
		if err := wal.Create(cfg, h.from); err != nil && !errors.Is(err, ErrDamaged) && !disk.IsFull(err) {
			return nil, fmt.Errorf("%w: %w", ErrWrite, err)
		} else if err != nil {
			return nil, err
		}
		if st.needs, err = s.file.Update(func(tx *bolt.Tx) error {
			return tx.Put(checkpoint, checkpointSegment, []byte(Number(1)))
		}); err != nil {
			return nil, err
		}
	}
	s.log, err = wal.Open(cfg, h.from, func(number uint64, body []byte) error {
		d, err := Change{number, body}.decode()
		if err == nil {
			err = d.readRecords(s.seen, number)
		}
		if err != nil {
			return err
		}
		st = s.add(&d.content, number, st)
		return nil
	})
	return st, err
}

// Close writes what is only in the log of commits to the file, so that the next start has nothing
// to do, and releases the file. It waits for views and for the commit that runs. Its error is one of
// the disk, also one from before that no commit has met.
func (s *Store) Close() error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return nil
	}
	s.closed = true
	s.mu.Unlock()
	err := s.stop()
	if s.log != nil {
		if failed := s.log.Close(); failed != nil && s.broken == nil {
			err = errors.Join(err, fmt.Errorf("%w: %w", ErrWrite, failed))
		}
	}
	if s.unsaid {
		err = errors.Join(err, fmt.Errorf("%w: %w", ErrBroken, s.broken))
	}
	return errors.Join(err, s.file.Close())
}
