package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"moot/internal/config"
)

// logFile is the log in the data folder, where it must not disturb a chat.
const logFile = "moot.log"

// maxLogFile is how long it may be at a start; a longer one is put aside, in the place of the one before.
const maxLogFile = 10 << 20

// openLog returns the logger of a bot: on stderr, in the file of the configuration, or in one of the data folder where a person
// chats in the terminal.
func (a *app) openLog(cfg config.Config, toFile bool) (*slog.Logger, func() error, error) {
	path := cfg.Log.File
	if path == "" && toFile {
		path = filepath.Join(cfg.Data, logFile)
		switch info, err := os.Stat(path); {
		case err == nil && info.Size() > maxLogFile:
			if err := os.Rename(path, path+".1"); err != nil {
				return nil, nil, fmt.Errorf("rename the old log: %w", err)
			}
		case err != nil && !errors.Is(err, fs.ErrNotExist):
			return nil, nil, fmt.Errorf("open the log: %w", err)
		}
	}
	a.logged = &logOutput{otherwise: a.errs}
	if err := a.logged.open(path); err != nil {
		return nil, nil, err
	}
	var w io.Writer = a.logged
	if a.tail != nil {
		w = io.MultiWriter(w, a.tail)
	}
	return slog.New(newHandler(w, cfg.Log, &a.level)), a.logged.Close, nil
}

// sayLog says where the log is, for a person who does not see it.
func (a *app) sayLog(cfg config.Config) {
	fmt.Fprintf(a.errs, "The log of this run is in %s.\n", cmp.Or(cfg.Log.File, filepath.Join(cfg.Data, logFile)))
}

// logOutput is where the log goes. Its methods may be called concurrently.
type logOutput struct {
	otherwise io.Writer // where there is no file

	mu   sync.Mutex
	file *os.File // nil for none; guarded by mu
}

// Write implements io.Writer.
func (o *logOutput) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.file == nil {
		return o.otherwise.Write(p)
	}
	return o.file.Write(p)
}

func (o *logOutput) isFile() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.file != nil
}

// open goes on in a file, which is opened anew; zero means without one. Where it cannot be opened, all stays as it is.
func (o *logOutput) open(path string) error {
	var file *os.File
	if path != "" {
		var err error
		if file, err = os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600); err != nil {
			return fmt.Errorf("open the log: %w", err)
		}
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	before := o.file
	o.file = file
	if before != nil {
		_ = before.Close() // nothing of it is buffered
	}
	return nil
}

// Close closes the file, where there is one.
func (o *logOutput) Close() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.file == nil {
		return nil
	}
	err := o.file.Close()
	o.file = nil
	return err
}

// logEnd logs why a bot ends where nobody would find it otherwise: the person who started the program reads it in plain text, unless
// that would stand among the JSON of the log.
func (a *app) logEnd(log *slog.Logger, err error) {
	json, file := a.level.asJSON.Load(), a.logged.isFile()
	if err != nil && (json || file) {
		log.Error("the bot ends", "why", explain(err))
		a.saidWhy = !file
	}
}

// reloadLog reads [log] again and opens the file anew, for SIGHUP. What is wrong with the configuration changes nothing.
func (a *app) reloadLog(log *slog.Logger) {
	cfg, _, err := a.load()
	if err == nil {
		err = a.logged.open(cfg.Log.File)
	}
	if err != nil {
		log.Error("the log goes on as before: the configuration cannot be read again", "err", err)
		return
	}
	a.level.settle(cfg.Log)
	log.Info("the log goes on as the configuration says now", "least", cfg.Log.Level, "format", cfg.Log.Format)
}

// logLevel is how a bot logs: how much, as its configuration says or something else for a while, and in what format.
type logLevel struct {
	slog.LevelVar
	asJSON atomic.Bool

	mu    sync.Mutex
	usual slog.Level  // guarded by mu
	back  *time.Timer // returns to what is usual; nil while that holds; guarded by mu
}

// settle makes what a configuration says the usual. What holds for a while goes on.
func (l *logLevel) settle(cfg config.Log) {
	usual, err := readLevel(cfg.Level)
	if err != nil {
		panic(err) // the configuration was checked
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.asJSON.Store(cfg.Format == "json")
	l.usual = usual
	if l.back == nil {
		l.Set(usual)
	}
}

// change changes the level for a while, and returns the usual one.
func (l *logLevel) change(to slog.Level, during time.Duration) slog.Level {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.back != nil {
		l.back.Stop() // where it is late, the level is back a little early
	}
	l.Set(to)
	l.back = time.AfterFunc(during, func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.back = nil
		l.Set(l.usual)
	})
	return l.usual
}

// readLevel reads the name of a level.
func readLevel(name string) (level slog.Level, err error) {
	return level, level.UnmarshalText([]byte(name))
}

func newHandler(w io.Writer, cfg config.Log, level *logLevel) slog.Handler {
	level.settle(cfg)
	options := &slog.HandlerOptions{Level: level}
	return &eitherHandler{slog.NewTextHandler(w, options), slog.NewJSONHandler(w, options), &level.asJSON}
}

// eitherHandler writes in the one or the other format, as is wanted at the moment.
type eitherHandler struct {
	text, json slog.Handler
	asJSON     *atomic.Bool
}

func (h *eitherHandler) now() slog.Handler {
	if h.asJSON.Load() {
		return h.json
	}
	return h.text
}

// Enabled implements slog.Handler.
func (h *eitherHandler) Enabled(ctx context.Context, l slog.Level) bool {
	return h.now().Enabled(ctx, l)
}

// Handle implements slog.Handler.
func (h *eitherHandler) Handle(ctx context.Context, r slog.Record) error {
	return h.now().Handle(ctx, r)
}

// WithAttrs implements slog.Handler.
func (h *eitherHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return &eitherHandler{h.text.WithAttrs(attrs), h.json.WithAttrs(attrs), h.asJSON}
}

// WithGroup implements slog.Handler.
func (h *eitherHandler) WithGroup(name string) slog.Handler {
	return &eitherHandler{h.text.WithGroup(name), h.json.WithGroup(name), h.asJSON}
}
