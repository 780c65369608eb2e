package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

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
		Files:  func(write bool) (*control.Office, func() error, error) { return openFiles(cfg, write) },
		Busy:   func(err error) bool { return errors.Is(err, store.ErrLocked) },
	})
}

// openFiles opens the files of a bot that does not run. Only its orders need to write; and a bot that is about to start
// is not kept waiting longer than an answer takes.
func openFiles(cfg config.Config, write bool) (*control.Office, func() error, error) {
	path := storeFile(cfg)
	if _, err := os.Stat(path); err != nil {
		return nil, nil, err
	}
	s, err := store.Open(store.Config{Path: path, ReadOnly: !write, LockTimeout: time.Millisecond})
	if err != nil {
		return nil, nil, err
	}
	desk := &inspect.Desk{Store: s}
	desk.Bus, desk.BusErr = events.Open(events.Config{Store: s, Kinds: kinds(), ReadOnly: true})
	if desk.Bus != nil {
		guests, err := newInvites(cfg, desk.Bus)
		if err != nil {
			return nil, nil, errors.Join(err, desk.Bus.Close(), s.Close())
		}
		desk.Features = invitationFindings(guests)
	}
	release := func() error {
		if desk.Bus != nil {
			return errors.Join(desk.Bus.Close(), s.Close())
		}
		return s.Close()
	}
	return &control.Office{
		Desk: desk,
		Retry: func(_ context.Context, id uint64) (string, error) {
			return fmt.Sprintf("Dead letter %d is marked. The bot tries it again when it next starts.", id), markRetry(s, id)
		},
		Drop:   func(_ context.Context, id uint64) error { return dropLetter(s, time.Now(), id) },
		Status: func() control.Status { return control.Status{Folder: cfg.Data} },
	}, release, nil
}

func markRetry(s *store.Store, id uint64) error {
	return s.Commit(time.Now(), func(c *store.Commit) error {
		if !c.WantRetry(id) {
			return inspect.NoLetter(id)
		}
		return nil
	})
}

func dropLetter(s *store.Store, now time.Time, id uint64) error {
	return s.Commit(now, func(c *store.Commit) error {
		if _, ok := c.Read().Letter(id); !ok {
			return inspect.NoLetter(id)
		}
		c.DropLetter(id)
		return nil
	})
}
