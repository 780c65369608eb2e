package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"

	"moot/internal/config"
)

// logFile is the log in the data folder, where it must not disturb a chat.
const logFile = "moot.log"

// maxLogFile is how long it may be at a start; a longer one is put aside, in the place of the one before.
const maxLogFile = 10 << 20

// openLog returns the logger of a bot: on stderr, or in a file where a person chats in the terminal.
func (a *app) openLog(cfg config.Config, toFile bool) (*slog.Logger, func() error, error) {
	if !toFile {
		return slog.New(newHandler(a.errs, cfg.Log)), func() error { return nil }, nil
	}
	path := filepath.Join(cfg.Data, logFile)
	switch info, err := os.Stat(path); {
	case err == nil && info.Size() > maxLogFile:
		if err := os.Rename(path, path+".1"); err != nil {
			return nil, nil, fmt.Errorf("put the old log aside: %w", err)
		}
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return nil, nil, fmt.Errorf("open the log: %w", err)
	}
	file, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, nil, fmt.Errorf("open the log: %w", err)
	}
	fmt.Fprintf(a.errs, "The log of this run is in %s.\n", path)
	return slog.New(newHandler(file, cfg.Log)), file.Close, nil
}

func newHandler(w io.Writer, cfg config.Log) slog.Handler {
	var level slog.Level
	if err := level.UnmarshalText([]byte(cfg.Level)); err != nil {
		panic(err) // the configuration was checked
	}
	options := &slog.HandlerOptions{Level: level}
	if cfg.Format == "json" {
		return slog.NewJSONHandler(w, options)
	}
	return slog.NewTextHandler(w, options)
}
