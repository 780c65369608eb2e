package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"moot/commands"
	"moot/events"
	"moot/internal/config"
	"moot/internal/control"
	"moot/internal/inspect"
	"moot/store"
)

// storeFile is the one file of the store.
func storeFile(cfg config.Config) string { return filepath.Join(cfg.Data, "moot.db") }

// at adds to an error what explain has to know.
func at(cfg config.Config, err error) error {
	var already *placed
	if err == nil || errors.As(err, &already) {
		return err
	}
	return &placed{err: err, file: storeFile(cfg), folder: cfg.Data}
}

// ask calls f with a client of the bot that the configuration is about.
func (a *app) ask(f func(*control.Client, config.Config) error) error {
	cfg, _, err := a.load()
	if err != nil {
		return err
	}
	return at(cfg, f(newClient(cfg), cfg))
}

func newClient(cfg config.Config) *control.Client {
	return control.NewClient(control.ClientConfig{
		Folder: cfg.Data,
		Files:  func(write bool) (*control.Handler, func() error, error) { return openFiles(cfg, write) },
		Busy:   func(err error) bool { return errors.Is(err, store.ErrLocked) },
	})
}

// openFiles opens the files of a bot that does not run. Only its orders need to write; and a bot that is about to start
// is not kept waiting longer than an answer takes.
func openFiles(cfg config.Config, write bool) (*control.Handler, func() error, error) {
	path := storeFile(cfg)
	if info, err := os.Stat(path); err != nil {
		return nil, nil, err
	} else if info.Size() == 0 { // a start makes it anew
		return nil, nil, &fs.PathError{Op: "open", Path: path, Err: fs.ErrNotExist}
	}
	if write {
		if err := alone(cfg.Data); err != nil {
			return nil, nil, err
		}
	}
	s, err := store.Open(store.Config{Path: path, ReadOnly: !write, LockTimeout: time.Millisecond})
	if err != nil {
		return nil, nil, err
	}
	h, release, err := answerFrom(cfg, s)
	if err != nil {
		return nil, nil, errors.Join(err, s.Close())
	}
	return h, func() error { return errors.Join(release(), s.Close()) }, nil
}

// answerFrom returns who answers from a store for which no bot runs, and what lets go of the rest.
func answerFrom(cfg config.Config, s *store.Store) (*control.Handler, func() error, error) {
	inspector := &inspect.Inspector{Store: s, Networks: allNetworks(cfg)}
	inspector.Bus, inspector.BusErr = events.Open(events.Config{Store: s, Kinds: kinds(), ReadOnly: true})
	if inspector.Bus != nil {
		guests, err := newInvites(cfg, inspector.Bus, nil)
		if err != nil {
			return nil, nil, errors.Join(err, inspector.Bus.Close())
		}
		inspector.Features = storeFindings(guests)
	}
	helpers, err := newServices(cfg, nobodyChallenged, func() *commands.Commands { return nil }) // nothing begins here
	if err != nil {
		return nil, nil, err
	}
	inspector.Shown = helpers.Shown
	release := func() error {
		if inspector.Bus != nil {
			return inspector.Bus.Close()
		}
		return nil
	}
	return &control.Handler{
		Inspector: inspector,
		Retry: func(_ context.Context, id uint64) (string, error) {
			return fmt.Sprintf("Dead letter %d is marked. The bot will try it again at its next start.", id), markRetry(s, id)
		},
		Drop:   func(_ context.Context, id uint64) error { return dropLetter(s, id) },
		Jobs:   jobsOf(s, helpers),
		Status: func() control.Status { return control.Status{Folder: cfg.Data, Reached: reached(s)} },
		Backup: makeBackup(newMaker(cfg, s)),
	}, release, nil
}

// reached returns the time of the last commit; zero where there was none.
func reached(s *store.Store) (at time.Time) {
	_ = s.View(func(tx *store.Tx) error { // what cannot be read a check says by itself
		at = tx.Now()
		return nil
	})
	return at
}

// noTime is the time of a commit that is made beside the loop: just after the one before it. Only the loop looks at whether
// the clock is right before it takes the store with it.
var noTime time.Time

func markRetry(s *store.Store, id uint64) error {
	return s.Commit(noTime, func(c *store.Commit) error {
		if err := inspect.Retryable(c.Read(), id); err != nil {
			return err
		}
		c.WantRetry(id)
		return nil
	})
}

func dropLetter(s *store.Store, id uint64) error {
	return s.Commit(noTime, func(c *store.Commit) error {
		if _, ok := c.Read().Letter(id); !ok {
			return inspect.NoLetter(id)
		}
		c.DropLetter(id)
		return nil
	})
}
