package backup

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"filippo.io/age"

	"moot/store/disk"
)

// recipients reads for whom a backup is encrypted; nil for nobody.
func recipients(texts []string) (all []age.Recipient, err error) {
	for _, text := range texts {
		r, err := age.ParseX25519Recipient(strings.TrimSpace(text))
		if err != nil {
			return nil, fmt.Errorf("a recipient looks like age1…, as `age-keygen` prints it: %w", err)
		}
		all = append(all, r)
	}
	return all, nil
}

// Identities reads a file as age-keygen writes it, with which a backup is opened.
func Identities(path string) ([]age.Identity, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	all, err := age.ParseIdentities(io.LimitReader(f, 1<<20))
	if err != nil {
		return nil, fmt.Errorf("%s is not a file of identities as age-keygen writes it: %w", path, err)
	}
	return all, nil
}

// sealAll encrypts all files of a folder into another one.
func sealAll(ctx context.Context, from, to string, seals []age.Recipient) error {
	var under syncs
	named := func(name string) string { return name + sealedSuffix }
	_, err := each(from, to, named, func(out io.Writer, in io.Reader) error {
		w, err := age.Encrypt(out, seals...)
		if err != nil {
			return err
		}
		_, err = io.Copy(w, reader{ctx, in})
		return errors.Join(err, w.Close())
	}, &under)
	return errors.Join(err, under.wait())
}

// openAll puts the files of a backup into a folder, in clear, and returns what they are in the backup, by their names there: of
// all that were read. The caller waits for what is under way; where that is nil nothing is synced.
func (b Backup) openAll(
	ctx context.Context, to string, keys []age.Identity, under *syncs,
) (read map[string]File, err error) {
	plain := func(name string) string {
		if _, ok := parseChangeName(name); ok || name == manifestName {
			return ""
		}
		return strings.TrimSuffix(name, sealedSuffix)
	}
	if b.Sealed && keys == nil {
		return nil, fmt.Errorf("%w: name the file of its identity with --identity", ErrSealed)
	}
	return each(b.Folder, to, plain, func(out io.Writer, in io.Reader) (err error) {
		if b.Sealed {
			if in, err = age.Decrypt(in, keys...); err != nil {
				return fmt.Errorf("%w, and not for this identity: %w", ErrSealed, err)
			}
		}
		_, err = io.Copy(out, reader{ctx, in})
		return err
	}, under)
}

// each writes each file of a folder anew into another one, where it has the name that named gives it; none where
// that is zero. It returns what the files are that were read, by their names; of those at which writing ended, nothing.
func each(
	from, to string, named func(string) string, write func(io.Writer, io.Reader) error, under *syncs,
) (read map[string]File, err error) {
	names, err := filesIn(from)
	if err != nil {
		return nil, err
	}
	read = map[string]File{}
	for _, name := range names {
		other := named(name)
		if other == "" {
			continue
		}
		s := newSummed()
		source, target := filepath.Join(from, filepath.FromSlash(name)), filepath.Join(to, filepath.FromSlash(other))
		if err := rewrite(source, target, s, write, under); err != nil {
			return read, fmt.Errorf("%s: %w", name, err)
		}
		read[name] = s.file(name)
	}
	return read, nil
}

// rewrite writes one file, and also what it has read.
func rewrite(from, to string, also io.Writer, write func(io.Writer, io.Reader) error, under *syncs) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	if err := os.MkdirAll(filepath.Dir(to), 0o700); err != nil {
		return err
	}
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	all := io.TeeReader(in, also)
	if under == nil {
		err = write(out, all)
		err = errors.Join(err, out.Close())
	} else {
		flushed := disk.NewFlushed(out)
		err = write(flushed, all)
		under.begin(flushed, out)
	}
	if err == nil {
		_, err = io.Copy(io.Discard, all) // what stands behind the end of what is encrypted
	}
	return err
}

// syncs are files that are brought to the disk while others are written, or read.
type syncs struct {
	under sync.WaitGroup
	mu    sync.Mutex
	err   error // guarded by mu
}

// begin has a file synced and closed.
func (s *syncs) begin(w *disk.Flushed, f *os.File) {
	s.under.Go(func() {
		err := errors.Join(w.Sync(), f.Close())
		s.mu.Lock()
		defer s.mu.Unlock()
		s.err = errors.Join(s.err, err)
	})
}

// wait returns when all are on the disk.
func (s *syncs) wait() error {
	s.under.Wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}
