package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"moot/internal/config"
)

// logFile is the log in the data folder, where it must not disturb a chat.
const logFile = "moot.log"

// maxLogFile is how long it may be at a start; a longer one is put aside, in the place of the one before.
const maxLogFile = 10 << 20

// openLog returns the logger of a bot: on stderr, or in a file where a person chats in the terminal.
func (a *app) openLog(cfg config.Config, toFile bool) (*slog.Logger, func() error, error) {
	if !toFile {
		return slog.New(newHandler(a.logTo(a.errs), cfg.Log, &a.level)), func() error { return nil }, nil
	}
	path := filepath.Join(cfg.Data, logFile)
	switch info, err := os.Stat(path); {
	case err == nil && info.Size() > maxLogFile:
		if err := os.Rename(path, path+".1"); err != nil {
			return nil, nil, fmt.Errorf("rename the old log: %w", err)
		}
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return nil, nil, fmt.Errorf("open the log: %w", err)
	}
	file, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, nil, fmt.Errorf("open the log: %w", err)
	}
	return slog.New(newHandler(a.logTo(file), cfg.Log, &a.level)), file.Close, nil
}

// logTo is where lines of the log go: to w, and to the page where there is one.
func (a *app) logTo(w io.Writer) io.Writer {
	if a.tail == nil {
		return w
	}
	return io.MultiWriter(w, a.tail)
}

// sayLog says where the log is, for a person who does not see it.
func (a *app) sayLog(cfg config.Config) {
	fmt.Fprintf(a.errs, "The log of this run is in %s.\n", filepath.Join(cfg.Data, logFile))
}

// logLevel is how much a bot logs: what its configuration says, or something else for a while.
type logLevel struct {
	slog.LevelVar
	usual slog.Level

	mu   sync.Mutex
	back *time.Timer // returns to what is usual; nil before anything else was wanted; guarded by mu
}

// change changes the level for a while.
func (l *logLevel) change(to slog.Level, during time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.back != nil {
		l.back.Stop() // where it is late, the level is back a little early
	}
	l.Set(to)
	l.back = time.AfterFunc(during, func() { l.Set(l.usual) })
}

// readLevel reads the name of a level.
func readLevel(name string) (level slog.Level, err error) {
	return level, level.UnmarshalText([]byte(name))
}

func newHandler(w io.Writer, cfg config.Log, level *logLevel) slog.Handler {
	usual, err := readLevel(cfg.Level)
	if err != nil {
		panic(err) // the configuration was checked
	}
	level.usual = usual
	level.Set(usual)
	options := &slog.HandlerOptions{Level: level}
	if cfg.Format == "json" {
		return slog.NewJSONHandler(w, options)
	}
	return slog.NewTextHandler(w, options)
}
