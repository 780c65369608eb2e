package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"

	"moot/events"
	"moot/internal/bot"
	"moot/internal/config"
	"moot/internal/control"
	"moot/internal/inspect"
	"moot/protocol"
	"moot/protocol/matrix/crypto"
	"moot/store"
)

// run puts the bot together, from the bottom up, and runs it until the context or its terminal ends. What was made last is
// taken down first.
func (a *app) run(ctx context.Context, f runFlags) (err error) {
	cfg, src, err := a.load()
	if err != nil {
		return err
	}
	ran := false
	defer func() {
		err = at(cfg, err)
		if p := (*placed)(nil); errors.As(err, &p) {
			p.ran = ran
		}
	}()
	began := time.Now().UTC()
	if f.script != "" {
		script, err := os.Open(f.script)
		if err != nil {
			return fmt.Errorf("the script cannot be read: %w", err)
		}
		defer script.Close()
		a.in = script
	}

	// The folder, and the lock on the one file in it that decides who is alive.
	if err := os.MkdirAll(cfg.Data, 0o700); err != nil {
		return fmt.Errorf("the data folder cannot be made: %w", err)
	}
	st, err := store.Open(store.Config{Path: storeFile(cfg), LockTimeout: cfg.Store.LockTimeout})
	if err != nil {
		return inUse(ctx, cfg, err)
	}
	defer closing(&err, "close the store", st.Close)

	// The log, of which the person at a terminal sees nothing but where it is.
	log, closeLog, err := a.openLog(cfg, usesConsole(cfg, f) && a.isTerminal())
	if err != nil {
		return err
	}
	defer closing(&err, "close the log", closeLog)
	log.Info("the bot starts", "version", version(), "config", src.String(), "data", cfg.Data, "pid", os.Getpid())
	for _, w := range cfg.Warnings() {
		log.Warn("a secret is not safe", "detail", w)
	}
	for _, f := range inspect.Folder(cfg.Data) {
		if f.Status != inspect.OK {
			log.Warn("the data folder needs a look", "what", f.What, "detail", f.Text, "do", f.Do)
		}
	}

	// Facts, what is done about them, and the loop.
	key, err := hashKey(cfg)
	if err != nil {
		return err
	}
	bus, err := events.Open(events.Config{Store: st, Window: cfg.Events.Window, Kinds: kinds(), Secret: key})
	if err != nil {
		return err
	}
	defer closing(&err, "close the log of facts", bus.Close)
	features, err := newFeatures(cfg, st, bus)
	if err != nil {
		return err
	}
	if err := whenThereIsRoom(ctx, log, func() error { return features.votes.Start(st) }); err != nil {
		return err
	}
	machine, err := bot.NewMachine(bot.MachineConfig{
		Store: st, Bus: bus, Features: features.list(), Retention: cfg.Store.Retention, Log: log,
	})
	if err != nil {
		return err
	}

	// The networks.
	nets, err := a.openNetworks(ctx, cfg, f, st, features, log)
	if err != nil {
		return err
	}
	defer closing(&err, "close the networks", nets.close)
	runner, err := bot.NewRunner(bot.RunnerConfig{
		Machine: machine, Adapters: nets.adapters, Clock: nets.clock, StopTimeout: cfg.StopTimeout, Hurry: a.hurry, Log: log,
	})
	if err != nil {
		return err
	}

	// Those who look in: from this machine, and at the terminal.
	socket, err := control.Listen(cfg.Data, log)
	if err != nil {
		log.Warn("the bot cannot be asked anything while it runs", "err", err)
	} else {
		defer closing(&err, "close the socket", socket.Close)
	}
	term, err := a.openTerminal(nets, features, runner, cfg)
	if err != nil {
		return err
	}
	office := &control.Office{
		Desk:  &inspect.Desk{Store: st, Bus: bus, Features: invitationFindings(features.invites)},
		Retry: func(ctx context.Context, id uint64) (string, error) { return retryNow(ctx, runner, st, id) },
		Drop:  func(_ context.Context, id uint64) error { return dropNow(runner, st, id) },
		Status: func() control.Status {
			return control.Status{
				Running: true, PID: os.Getpid(), Version: version(), Started: began, Networks: nets.names(), Folder: cfg.Data,
			}
		},
	}
	ran = true
	err = together{runner, term, len(cfg.Networks()) == 0, socket, office}.run(ctx)
	log.Info("the bot has stopped")
	return err
}

// whenThereIsRoom does what needs a commit before the loop runs, as soon as the disk has room for it.
func whenThereIsRoom(ctx context.Context, log *slog.Logger, do func() error) error {
	for said := false; ; {
		err := do()
		if !errors.Is(err, store.ErrFull) && !errors.Is(err, crypto.ErrFull) {
			if said {
				log.Info("there is room on the disk again: the bot goes on")
			}
			return err
		}
		if !said {
			log.Error("the disk is full: the bot starts when there is room", "err", err)
			said = true
		}
		select {
		case <-time.After(time.Second):
		case <-ctx.Done():
			return err
		}
	}
}

// terminal is what a person or a script speaks through; nil where there is none.
type terminal interface {
	Run(ctx context.Context) error
}

// together is what runs at the same time.
type together struct {
	runner *bot.Runner
	term   terminal // nil where there is none
	ends   bool     // whether the end of the terminal is that of the bot
	socket *control.Server
	office *control.Office
}

// run runs all until the context ends. The bot stops in good order; the others serve it until it has.
func (t together) run(ctx context.Context) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	others, stopOthers := context.WithCancel(context.WithoutCancel(ctx))
	defer stopOthers()

	var wg sync.WaitGroup
	var termErr, socketErr error
	if t.term != nil {
		wg.Go(func() {
			if termErr = t.term.Run(others); t.ends || termErr != nil {
				stop()
			}
		})
	}
	if t.socket != nil {
		wg.Go(func() { socketErr = t.socket.Serve(others, t.office) })
	}
	err := t.runner.Run(ctx)
	stopOthers()
	wg.Wait()
	if errors.Is(termErr, bot.ErrStopping) {
		termErr = nil // a script that a signal, or the error of the bot, has cut short
	}
	return errors.Join(err, termErr, socketErr)
}

// closing closes something at the end of a function and adds what went wrong to its error.
func closing(err *error, what string, close func() error) {
	if cerr := close(); cerr != nil {
		*err = errors.Join(*err, fmt.Errorf("%s: %w", what, cerr))
	}
}

// inUse says who holds the file of the store, where that is why it could not be opened.
func inUse(ctx context.Context, cfg config.Config, err error) error {
	if !errors.Is(err, store.ErrLocked) {
		return err
	}
	p := &placed{err: err, file: storeFile(cfg), folder: cfg.Data}
	c := control.NewClient(control.ClientConfig{
		Folder: cfg.Data, Wait: time.Millisecond,
		Files: func(bool) (*control.Office, func() error, error) { return nil, nil, store.ErrLocked },
		Busy:  func(error) bool { return true },
	})
	if status, serr := c.Status(ctx); serr == nil {
		p.holder = status.PID
	}
	return p
}

// hashKey reads the secret of [privacy]; nil means the one in the store.
func hashKey(cfg config.Config) ([]byte, error) {
	key, err := cfg.Privacy.HashKey.Reveal()
	switch {
	case err != nil:
		return nil, fmt.Errorf("hash_key in [privacy]: %w", err)
	case key == "":
		return nil, nil
	case len(key) < 16:
		return nil, fmt.Errorf("hash_key in [privacy] has %d characters, and a secret needs at least 16; `openssl rand -hex 32` makes a good one", len(key))
	}
	return []byte(key), nil
}

// retryNow has a dead letter tried again, waits a moment for that, and says what came of it.
func retryNow(ctx context.Context, runner *bot.Runner, st *store.Store, id uint64) (string, error) {
	letter := func() (l store.Letter, ok bool, err error) {
		err = st.View(func(tx *store.Tx) error {
			l, ok = tx.Letter(id)
			return nil
		})
		return l, ok, err
	}
	before, ok, err := letter()
	switch {
	case err != nil:
		return "", err
	case !ok:
		return "", inspect.NoLetter(id)
	}
	if err := runner.RetryDead(id); err != nil {
		return "", err
	}
	wait, cancel := context.WithTimeout(ctx, retryPatience)
	defer cancel()
	if err := runner.Settle(wait); err != nil && wait.Err() == nil {
		return "", err
	}
	after, ok, err := letter()
	switch {
	case err != nil:
		return "", err
	case !ok:
		return fmt.Sprintf("Dead letter %d was handled this time.", id), nil
	case after.Tries > before.Tries:
		return fmt.Sprintf("Dead letter %d failed again: %s", id, protocol.OneLine(after.Error)), nil
	}
	return fmt.Sprintf("Dead letter %d will be tried again soon; the bot has a lot to do.", id), nil
}

// dropNow has a dead letter forgotten.
func dropNow(runner *bot.Runner, st *store.Store, id uint64) error {
	err := st.View(func(tx *store.Tx) error {
		if _, ok := tx.Letter(id); !ok {
			return inspect.NoLetter(id)
		}
		return nil
	})
	if err != nil {
		return err
	}
	return runner.DropDead(id)
}

// retryPatience is how long an answer may take that waits for the bot.
const retryPatience = 5 * time.Second
