package backup

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"filippo.io/age"
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
	return each(from, to, func(name string) string { return name + sealedSuffix }, func(out io.Writer, in io.Reader) error {
		w, err := age.Encrypt(out, seals...)
		if err != nil {
			return err
		}
		_, err = io.Copy(w, reader{ctx, in})
		return errors.Join(err, w.Close())
	})
}

// openAll puts the files of a backup into a folder, in clear.
func (b Backup) openAll(ctx context.Context, to string, keys []age.Identity) error {
	plain := func(name string) string {
		if _, ok := parseChangeName(name); ok || name == manifestName {
			return ""
		}
		return strings.TrimSuffix(name, sealedSuffix)
	}
	if b.Sealed && keys == nil {
		return fmt.Errorf("%w: name the file of its identity with --identity", ErrSealed)
	}
	return each(b.Folder, to, plain, func(out io.Writer, in io.Reader) (err error) {
		if b.Sealed {
			if in, err = age.Decrypt(in, keys...); err != nil {
				return fmt.Errorf("%w, and not for this identity: %w", ErrSealed, err)
			}
		}
		_, err = io.Copy(out, reader{ctx, in})
		return err
	})
}

// each writes each file of a folder anew into another one, where it has the name that named gives it; none where
// that is zero.
func each(from, to string, named func(string) string, write func(io.Writer, io.Reader) error) error {
	names, err := filesIn(from)
	if err != nil {
		return err
	}
	for _, name := range names {
		other := named(name)
		if other == "" {
			continue
		}
		if err := rewrite(filepath.Join(from, filepath.FromSlash(name)), filepath.Join(to, filepath.FromSlash(other)), write); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}

func rewrite(from, to string, write func(io.Writer, io.Reader) error) (err error) {
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
	defer func() { err = errors.Join(err, out.Close()) }()
	return errors.Join(write(out, in), out.Sync())
}
