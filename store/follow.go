package store

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"path/filepath"
	"time"

	"moot/store/bolt"
	"moot/store/disk"
	"moot/store/wal"
)

// Errors of those who keep a copy.
var (
	// ErrGone says that the changes asked for are no longer kept: the copy needs a new base.
	ErrGone = wal.ErrGone
	// ErrAhead says that the copy has changes that the store does not have.
	ErrAhead = wal.ErrAhead
	// ErrOrder says that a change is not the one after the last.
	ErrOrder = errors.New("the change is not the next one")
)

// Change returns the number of the last change.
func (s *Store) Change() uint64 { return s.state.Load().change }

// Last returns the time of the last change; 1970 where there was none.
func (s *Store) Last() time.Time { return s.state.Load().at }

// Follow goes through the changes after the given number, in order, those that are made meanwhile
// too, until ctx ends or the store is closed. What it gives is durable here, and is valid until the
// next one. It ends with an error: ErrGone where the changes are no longer kept, ErrAhead where
// they were never made.
//
// While it runs the store keeps what it has not come to yet, up to 256 MiB of the disk. One that is
// further behind is left behind: it ends with ErrGone, the store logs it (see LogTo), and the copy
// needs a new base.
func (s *Store) Follow(ctx context.Context, after uint64) iter.Seq2[Change, error] {
	return func(yield func(Change, error) bool) {
		if s.log == nil || s.cfg.ReadOnly {
			yield(Change{}, ErrReadOnly)
			return
		}
		r, err := s.log.Reader(after)
		if err != nil {
			yield(Change{}, err)
			return
		}
		defer r.Close() //nolint:errcheck // it was only read
		for {
			s.publishing.Lock()
			news := s.news
			s.publishing.Unlock()
			number, body, err := r.Next()
			switch {
			case err == io.EOF:
				select {
				case <-news:
				case <-s.quit:
					yield(Change{}, os.ErrClosed)
					return
				case <-ctx.Done():
					yield(Change{}, ctx.Err())
					return
				}
			case err != nil:
				yield(Change{}, err)
				return
			case !yield(Change{number, body}, nil):
				return
			}
		}
	}
}

// Ship has each later Commit hand its change to f before it makes it durable here. What f has taken may come back by
// Apply, and nothing else may: an error, after which nobody knows whether the change was taken, breaks the store
// (ErrShip). The change is valid until f returns. A change that is applied is not shipped again.
func (s *Store) Ship(f func(Change) error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ship = f
}

// Apply applies a change that was made elsewhere, as its commit did there, and makes it durable. It
// must be the one after the last: ErrOrder. A change that cannot be read is ErrDamaged, and one of
// a newer version ErrNewer; nothing has happened then. Its other errors are those of Commit.
func (s *Store) Apply(ch Change) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	d, err := ch.decode()
	if err == nil {
		err = d.readRecords(s.seen, ch.Number)
	}
	if err != nil {
		return fmt.Errorf("apply change %d: %w", ch.Number, err)
	}
	if err := s.ready(); err != nil {
		return fmt.Errorf("apply change %d: %w", ch.Number, err)
	}
	if next := s.state.Load().change + 1; ch.Number != next {
		return fmt.Errorf("apply change %d: %w: %d is", ch.Number, ErrOrder, next)
	}
	s.last = d.at // also where the clock was turned back there
	return s.apply(&d.content, ch.Body)
}

// Base writes a copy of the store, as of some change, to a new file with a log of its own, and
// returns the number of that change. Open takes it, and Apply goes on from there. Commits go on
// meanwhile. What is written to the file is written to also as well, where that is not nil.
func (s *Store) Base(ctx context.Context, path string, also io.Writer) (uint64, error) {
	n, err := s.base(ctx, path, also)
	if err != nil {
		return 0, fmt.Errorf("copy %s to %s: %w", s.Path(), path, err)
	}
	return n, nil
}

func (s *Store) base(ctx context.Context, path string, also io.Writer) (uint64, error) {
	if s.log == nil {
		return 0, ErrReadOnly
	}
	if missing, err := bolt.Missing(path); err != nil || !missing {
		return 0, errors.Join(err, os.ErrExist)
	}
	v, h, err := s.between(ctx)
	if err != nil {
		return 0, err
	}
	defer v.Close() //nolint:errcheck // it was only read
	folder, err := logFolder(path)
	if err != nil {
		return 0, err
	}
	if err := wal.Create(
		wal.Config{Folder: folder, Instance: h.instance, Segment: s.cfg.limits.Segment}, h.from,
	); err != nil {
		return 0, err
	}
	f, err := os.OpenFile(path+".new", os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return 0, err
	}
	defer os.Remove(f.Name()) //nolint:errcheck // it is there only after an error
	flushed := disk.NewFlushed(f)
	to := io.Writer(flushed)
	if also != nil {
		to = io.MultiWriter(flushed, also)
	}
	_, err = v.WriteTo(to)
	if err := errors.Join(err, flushed.Sync(), f.Close()); err != nil {
		return 0, err
	}
	return h.from.Change, errors.Join(os.Rename(f.Name(), path), disk.SyncFolder(filepath.Dir(path)))
}

// between returns a view of the file between two checkpoints, when it holds everything up to a
// change and nothing beyond.
func (s *Store) between(ctx context.Context) (v *bolt.View, h header, err error) {
	if !s.cfg.ReadOnly {
		if err := s.Checkpoint(ctx); err != nil {
			return nil, h, err
		}
	}
	s.writing.Lock()
	defer s.writing.Unlock()
	for st := s.state.Load(); st.upTo != 0; st = s.state.Load() {
		if err := s.checkpointSlice(st); err != nil {
			return nil, h, err
		}
	}
	if v, err = s.file.View(); err != nil {
		return nil, h, err
	}
	err = disk.Guard(func() error {
		h, err = readHeader(fileReader{v})
		return err
	})
	if err != nil {
		v.Close() //nolint:errcheck // it was only read
	}
	return v, h, err
}
