package console

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"moot/internal/files"
	"moot/protocol"
)

// FilesName is the folder, beside the log, that holds the files which the bot has sent: each in one of its own, which is called by
// the key of its message. Whoever may read the log may read them, and nobody else.
const FilesName = "files"

// keep puts a file into the folder and returns where it lies. What is sent again lies there once.
func (w *World) keep(key protocol.Key, file *protocol.File) (string, error) {
	if err := file.Check(); err != nil {
		return "", final(err)
	}
	if w.dir == "" {
		return "", final(errors.New("this console keeps nothing on disk, and so no files"))
	}
	if name := string(key); name == "" || filepath.Base(name) != name || name[0] == '.' {
		return "", final(fmt.Errorf("%q is no name for a folder", name))
	}
	folder := filepath.Join(w.dir, FilesName, string(key))
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return "", fmt.Errorf("make a folder for a file: %w", err)
	}
	path := filepath.Join(folder, file.Name)
	if err := files.Write(path, file.Data); err != nil {
		return "", fmt.Errorf("write a file: %w", err)
	}
	// The folders too are there before the message says so.
	for _, parent := range []string{filepath.Dir(folder), w.dir} {
		if err := files.SyncFolder(parent); err != nil {
			return "", fmt.Errorf("write a file: %w", err)
		}
	}
	if abs, err := filepath.Abs(path); err == nil {
		path = abs
	}
	return path, nil
}
