package replica

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/klauspost/compress/zstd"

	"moot/backup"
	"moot/internal/parts"
	"moot/internal/pause"
	"moot/store"
	"moot/store/disk"
)

// A base is a backup, as a tar archive that zstd has compressed. The manifest of the backup has the sums of its files.

// MakeBase puts a backup of the store beside the log.
func (n *Node) MakeBase(ctx context.Context, st *store.Store, l *Lease) (uint64, error) {
	dir, err := os.MkdirTemp("", parts.Stage)
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(dir) //nolint:errcheck // it is in the folder for such files
	id, err := Identity(st)
	if err != nil {
		return 0, err
	}
	m := &backup.Maker{Store: st, Folder: n.Folder, Version: n.Version}
	b, _, err := m.Make(ctx, backup.Request{Dir: dir}, nil)
	if err != nil {
		return 0, err
	}
	r, w := io.Pipe()
	go func() { w.CloseWithError(pack(w, b.Folder)) }()
	err = n.Log.PutBase(ctx, l.Term, id, b.Change, r)
	r.CloseWithError(err) // who packs does not wait for ever
	return b.Change, err
}

func pack(to io.Writer, folder string) error {
	z, err := zstd.NewWriter(to, zstd.WithEncoderConcurrency(1))
	if err != nil {
		return err
	}
	t := tar.NewWriter(z)
	err = t.AddFS(os.DirFS(folder))
	return errors.Join(err, t.Close(), z.Close())
}

// TakeBase puts the store of the base into the folder, in place of one that is there: of that the log has all. Where the log cannot be
// reached, or another base is put meanwhile, it is tried again until ctx ends. Nobody else may have the folder.
func (n *Node) TakeBase(ctx context.Context) error {
	fails := outage{logger: n.Logger}
	for {
		passes, err := n.takeBase(ctx)
		if !passes || ctx.Err() != nil {
			return err
		}
		fails.warn("the base could not be read; it is tried again", err)
		if err := pause.Sleep(ctx, standEvery); err != nil {
			return err
		}
	}
}

// source reads a base, and keeps what goes wrong with it.
type source struct {
	from io.Reader
	err  error
}

func (s *source) Read(b []byte) (int, error) {
	n, err := s.from.Read(b)
	if err != nil && err != io.EOF {
		s.err = err
	}
	return n, err
}

// takeBase tries it once, and reports whether an error passes.
func (n *Node) takeBase(ctx context.Context) (passes bool, err error) {
	aside := filepath.Join(n.Folder, ".base.new")
	if err := errors.Join(os.RemoveAll(aside), os.MkdirAll(aside, 0o700)); err != nil {
		return false, err
	}
	defer os.RemoveAll(aside) //nolint:errcheck // it is there only after an error
	number, r, err := n.Log.Base(ctx)
	if err != nil {
		return !errors.Is(err, ErrNoBase), err
	}
	var b backup.Backup
	from := &source{from: r}
	if err = errors.Join(unpack(from, aside), r.Close()); err == nil {
		b, err = backup.Read(aside)
	}
	if err == nil && b.Change != number {
		err = fmt.Errorf("%w: the base of change %d has change %d", backup.ErrDamaged, number, b.Change)
	}
	if err == nil {
		_, err = b.Check(ctx, nil)
	}
	if err != nil {
		s, later := n.Log.Stand(ctx)
		return from.err != nil || later != nil || s.Base != number, fmt.Errorf("read the base: %w", err)
	}
	n.Logger.Info("the base was taken", "change", number, "at", b.At)
	return false, n.settle(aside, b)
}

// settle moves the files of a base into the folder. The database goes first and comes last: without it the folder has
// none, and the base is taken again.
func (n *Node) settle(aside string, b backup.Backup) error {
	database := filepath.Join(n.Folder, parts.Database)
	if err := errors.Join(os.RemoveAll(database), disk.SyncFolder(n.Folder)); err != nil {
		return err
	}
	moved := map[string]bool{parts.Database: true}
	for _, f := range b.Files {
		name, _, _ := strings.Cut(f.Name, "/")
		if moved[name] {
			continue
		}
		moved[name] = true
		to := filepath.Join(n.Folder, name)
		if err := errors.Join(os.RemoveAll(to), os.Rename(filepath.Join(aside, name), to)); err != nil {
			return err
		}
	}
	err := errors.Join(disk.SyncFolder(n.Folder), os.Rename(filepath.Join(aside, parts.Database), database))
	return errors.Join(err, disk.SyncFolder(n.Folder))
}

// unpack reads a base into an empty folder.
func unpack(from io.Reader, to string) error {
	z, err := zstd.NewReader(from, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(64<<20))
	if err != nil {
		return err
	}
	defer z.Close()
	root, err := os.OpenRoot(to)
	if err != nil {
		return err
	}
	defer root.Close() //nolint:errcheck // what was written is synced
	for t := tar.NewReader(z); ; {
		h, err := t.Next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		if h.Typeflag == tar.TypeDir {
			if err := root.Mkdir(strings.TrimSuffix(h.Name, "/"), 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
				return err
			}
			continue
		}
		f, err := root.OpenFile(h.Name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
		if err != nil {
			return err
		}
		_, err = io.Copy(f, t)
		if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
			return err
		}
	}
}
