package parts

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"

	"moot/events"
	"moot/protocol/console"
	"moot/protocol/matrix/account"
	"moot/protocol/matrix/crypto"
)

// leftover reports whether a name is that of something that a run has left which was killed: a database that was being made,
// compacted or replayed into, or a file that was to be put in its place.
func leftover(name string) bool {
	for _, p := range []string{
		tried, events.ScratchPattern, Stage, Database + ".new*", Database + ".compact*", console.FileName + ".new",
		"." + account.LoginFile + "-*", "." + crypto.RecoveryFile + "-*",
	} {
		if ok, _ := filepath.Match(p, name); ok {
			return true
		}
	}
	return false
}

func leftovers(folder string) (names []string) {
	entries, err := os.ReadDir(folder)
	if err != nil {
		return nil // access has said so
	}
	for _, e := range entries {
		if leftover(e.Name()) {
			names = append(names, e.Name())
		}
	}
	return names
}

// leftovers says what the next start clears away.
func (f *Found) leftovers(folder string) {
	if names := leftovers(folder); len(names) > 0 {
		f.Will = append(f.Will, fmt.Sprintf("%s left over from a run that was killed; the next start deletes it", strings.Join(names, ", ")))
	}
}

// Leftovers returns the names of what runs have left in a data folder that were killed.
func Leftovers(folder string) []string { return leftovers(folder) }

// Clear clears away what killed runs have left. The caller holds the lock on the folder.
func Clear(folder string, log *slog.Logger) error {
	var errs []error
	for _, name := range leftovers(folder) {
		err := os.RemoveAll(filepath.Join(folder, name))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, fmt.Errorf("delete what a killed run has left: %w", err))
			continue
		}
		log.Info("deleted what a killed run had left", "file", name)
	}
	return errors.Join(errs...)
}
