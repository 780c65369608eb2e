package powerloss

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// ErrUnable is the error of a machine on which nothing can be recorded.
var ErrUnable = errors.New("system calls cannot be recorded here")

// Able returns ErrUnable, with the reason, where nothing can be recorded.
func Able() error {
	if out, err := exec.Command("strace", "-f", "-e", "trace=none", "true").CombinedOutput(); err != nil {
		return fmt.Errorf("%w: strace: %w %s", ErrUnable, err, out)
	}
	return nil
}

// Recording is a folder in which Record has written down what a program did to another folder.
type Recording struct{ Folder string }

func (r Recording) path(name string) string { return filepath.Join(r.Folder, name) }

// Record runs a program until it ends, and writes down what it does to the folder data. What the program writes to its
// standard output counts as said, and goes nowhere. Nobody else may touch data meanwhile.
func Record(ctx context.Context, r Recording, data string, args ...string) error {
	root, err := filepath.EvalSymlinks(data)
	if err != nil {
		return err
	}
	if root, err = filepath.Abs(root); err != nil {
		return err
	}
	err = errors.Join(
		os.MkdirAll(r.Folder, 0o700),
		os.CopyFS(r.path("before"), os.DirFS(root)),
		os.WriteFile(r.path("root"), []byte(root), 0o600),
	)
	if err != nil {
		return err
	}
	strace := []string{
		"-f", "-qq", "-y", "-xx", "-s", fmt.Sprint(64 << 20), "-e", "signal=none",
		"-e", "trace=" + strings.Join(calls, ","), "-o", r.path("strace"),
	}
	cmd := exec.CommandContext(ctx, "strace", append(strace, args...)...)
	var errs strings.Builder
	cmd.Stdout, cmd.Stderr = io.Discard, &errs
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%s: %w: %s", args[0], err, errs.String())
	}
	return r.prove(root)
}

// prove returns an error unless what was recorded gives what is in the folder now.
func (r Recording) prove(root string) error {
	t, err := r.Trace()
	if err != nil {
		return err
	}
	there, err := folder(root)
	if err != nil {
		return err
	}
	seen := t.Whole(t.Length())
	if !maps.EqualFunc(there.Files, seen.Files, bytes.Equal) || !slices.Equal(there.Dirs, seen.Dirs) {
		return fmt.Errorf("%w: it does not give what is in the folder: %v %v, but %v %v", ErrTrace,
			seen.Dirs, slices.Sorted(maps.Keys(seen.Files)), there.Dirs, slices.Sorted(maps.Keys(there.Files)))
	}
	return nil
}

// Trace reads the recording.
func (r Recording) Trace() (*Trace, error) {
	root, err := os.ReadFile(r.path("root"))
	if err != nil {
		return nil, err
	}
	before, err := folder(r.path("before"))
	if err != nil {
		return nil, err
	}
	f, err := os.Open(r.path("strace"))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return Parse(f, string(root), before)
}
