package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"sync"
	"time"

	"moot/events"
	"moot/internal/bot"
	"moot/internal/config"
	"moot/internal/control"
	"moot/internal/finding"
	"moot/internal/inspect"
	"moot/internal/page"
	"moot/internal/parts"
	"moot/internal/pause"
	"moot/internal/watch"
	"moot/protocol"
	"moot/protocol/console/apart"
	"moot/protocol/matrix/crypto"
	"moot/replica"
	"moot/sealed"
	"moot/store"
	"moot/store/disk"
)

// run runs the bot until the context or its terminal ends. A machine of several that leads no more stands by from then on.
func (a *app) run(ctx context.Context, f runFlags) (err error) {
	defer func() {
		if a.letGo != nil {
			closing(&err, "unlock the data folder", a.letGo)
			a.letGo = nil
		}
	}()
	for {
		err = a.runOnce(ctx, f)
		if !errors.Is(err, replica.ErrLost) || ctx.Err() != nil {
			return err
		}
		a.saidWhy = false
	}
}

// runOnce puts the bot together, from the bottom up, and runs it. What was made last is taken down first.
func (a *app) runOnce(ctx context.Context, f runFlags) (err error) {
	cfg, src, err := a.load()
	if err != nil {
		return err
	}
	if err := cfg.Secrets(); err != nil {
		return err
	}
	if !f.start.IsZero() && len(cfg.Networks()) > 0 {
		return usageErrorf("--clock is for the console alone, and %s, which is switched on, goes by the real clock.", cfg.Networks()[0])
	}
	if usesConsole(cfg, f) && len(cfg.Networks()) == 0 && f.script == "" && !f.apart && nobody(a.in) {
		return errors.New("no network is switched on, and nobody can type here, because the standard input is neither a terminal nor a script; configure [matrix] or [discord], or run the bot in a terminal")
	}
	if a.isApart(cfg, f) {
		return a.runApart(ctx, cfg, f)
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

	// Nothing is made or changed before all parts are known to belong together.
	if err := parts.Examine(ctx, partsOf(cfg, usesConsole(cfg, f))).Err(); err != nil {
		return inUse(ctx, cfg, err)
	}

	// The folder, and the lock on the one file in it that decides who is alive.
	if err := disk.MakeFolder(cfg.Data); err != nil {
		return fmt.Errorf("the data folder cannot be made: %w", err)
	}
	several, lease, err := a.join(ctx, cfg)
	if err != nil {
		return inUse(ctx, cfg, err)
	}
	if several != nil {
		defer closing(&err, "close the log of several machines", several.Log.Close)
	}
	st, err := store.Open(store.Config{Path: storeFile(cfg), LockTimeout: cfg.Store.LockTimeout})
	if err != nil {
		return inUse(ctx, cfg, err)
	}
	defer closing(&err, "close the store", st.Close)
	if f.apart {
		f.parent = apart.Serve(a.in, a.out)
	}

	// The log, of which the person at a terminal sees nothing but where it is.
	if cfg.HTTP.Page && a.tail == nil {
		a.tail = &page.Tail{}
	}
	log := f.log
	if log == nil {
		toFile := usesConsole(cfg, f) && a.isTerminal()
		var closeLog func() error
		if log, closeLog, err = a.openLog(cfg, toFile || f.apart); err != nil {
			return err
		}
		if toFile {
			a.sayLog(cfg)
		}
		defer closing(&err, "close the log", closeLog)
		defer func() { a.logEnd(log, at(cfg, err)) }()
	}
	st.LogTo(log)
	if !a.isTerminal() && !f.apart {
		reload := func() { a.reloadLog(log) }
		a.reload.Store(&reload)
		defer a.reload.Store(nil)
	}
	log.Info("the bot starts", "version", version(), "config", src.String(), "data", cfg.Data, "pid", os.Getpid())
	if err := parts.Clear(cfg.Data, log); err != nil {
		return err
	}
	for _, w := range cfg.Warnings() {
		log.Warn("the configuration is odd", "detail", w)
	}
	for _, f := range inspect.Folder(cfg.Data) {
		if f.Status != finding.OK {
			log.Warn("the data folder has a problem", "what", f.What, "detail", f.Text, "do", f.Do)
		}
	}

	// Where several machines share the bot this is where the others wait.
	if several != nil {
		several.Logger = log
		if lease, err = a.standBy(ctx, cfg, several, st, lease, began); err != nil {
			if ctx.Err() != nil {
				log.Info("the bot has stopped")
				err = nil
			}
			return err
		}
		defer closing(&err, "give the lease back", func() error { return giveBack(ctx, lease) })
		st.Ship(lease.Ship)
		var unhook func()
		ctx, unhook = lose(ctx, lease)
		defer unhook()
	}

	// Facts, what is done about them, and the loop.
	key, err := hashKey(cfg)
	if err != nil {
		return err
	}
	bus, err := events.Open(events.Config{Store: st, Window: cfg.Events.Window, Kinds: kinds(), Secret: key, Log: log})
	if err != nil {
		return err
	}
	defer closing(&err, "close the log of facts", bus.Close)
	features, err := newFeatures(cfg, bus)
	if err != nil {
		return err
	}
	machine, err := bot.NewMachine(bot.MachineConfig{
		Store: st, Bus: bus, Features: features.list(), Retention: cfg.Store.Retention, Log: log,
		Trust: sealed.Trust{
			Unsigned: cfg.Matrix.Trust == "sealed", NoReactions: !cfg.Matrix.ReactionBallots, Meant: features.commands.Meant, Polled: features.votes.Polled,
		},
	})
	if err != nil {
		return err
	}

	// The networks.
	nets, err := a.openNetworks(ctx, cfg, f, st, features, log)
	if err != nil {
		if f.apart && ctx.Err() != nil { // who sees the first screen may leave before there is a bot behind it
			log.Info("the bot has stopped")
			err = nil
		}
		return err
	}
	defer closing(&err, "close the networks", nets.close)
	metrics := watch.NewMetrics()
	var leads func() bool
	if lease != nil {
		leads = lease.Holds
	}
	runner, err := bot.NewRunner(bot.RunnerConfig{
		Machine: machine, Adapters: nets.adapters, Clock: nets.clock, Servers: nets.servers, StopTimeout: cfg.StopTimeout, Hurry: a.hurry,
		Leads: leads, Meter: metrics, Log: log,
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
	maker := newMaker(cfg, st)
	metrics.Watch(watched(cfg, st, runner, maker, features.services))
	listener, err := openWatch(cfg)
	if err != nil {
		return err
	}
	sd := service{runner.Live, log}
	beside := []func(context.Context) error{sd.run}
	defer context.AfterFunc(ctx, sd.stopping)()
	in := newInsight(st, bus, features, spoken(cfg))
	if nets.remote != nil {
		quit := make(chan struct{})
		defer close(quit)
		serveLook(nets.remote, in, runner, quit)
	}
	term, err := a.openTerminal(nets, in, runner, cfg, f, log)
	if err != nil {
		return err
	}
	handler := &control.Handler{
		Inspector: &inspect.Inspector{
			Store: st, Networks: allNetworks(cfg), Bus: bus,
			Features: storeFindings(features.invites), Shown: features.services.Shown, Running: true,
		},
		Retry: func(ctx context.Context, id uint64) (string, error) { return retryNow(ctx, runner, st, id) },
		Drop:  func(ctx context.Context, id uint64) error { return dropNow(ctx, runner, st, id) },
		Jobs:  jobsOf(st, features.services), Service: nets.order(st, features.services),
		Backup: makeBackup(maker), FollowBackup: maker.Follow, LogLevel: a.changeLevel,
		Status: func() control.Status {
			return control.Status{
				Running: true, PID: os.Getpid(), Version: version(), Started: began, Networks: runner.Networks(), Folder: cfg.Data, Reached: runner.Reached(),
			}
		},
	}
	if listener != nil {
		defer listener.Close()
		log.Info("the bot can be watched", "at", listener.Addr(), "page", cfg.HTTP.Page)
		var web http.Handler
		handler.Web = func() (string, error) { return "", errNoPage }
		if cfg.HTTP.Page {
			p := a.newPage(cfg, handler, maker, nets, began, nil, log)
			web, handler.Web = p, func() (string, error) { return "http://" + listener.Addr().String() + p.Link(), nil }
		}
		hooks, err := nets.hooks(cfg, log)
		if err != nil {
			return err
		}
		metrics.Hooks(hooks)
		beside = append(beside, func(ctx context.Context) error { return metrics.Serve(ctx, listener, web, log) })
	}
	if several != nil {
		beside = append(beside, func(ctx context.Context) error { return several.Keep(ctx, st, lease) })
	}
	ran = true
	err = together{runner, term, len(cfg.Networks()) == 0, socket, handler, beside, log}.run(ctx)
	log.Info("the bot has stopped")
	if lost := context.Cause(ctx); errors.Is(lost, replica.ErrLost) {
		err = errors.Join(err, lost)
	}
	return err
}

// partsOf says which parts of the data folder are used.
func partsOf(cfg config.Config, console bool) parts.Config {
	c := parts.Config{Folder: cfg.Data, Console: console, Real: len(cfg.Networks()) > 0, LockTimeout: cfg.Store.LockTimeout}
	if cfg.Matrix.Enabled() {
		acc := accountOf(cfg)
		c.Matrix = &acc
	}
	return c
}

// whenThereIsSpace does what needs a commit before the loop runs, as soon as the disk has space for it.
func whenThereIsSpace(ctx context.Context, log *slog.Logger, do func() error) error {
	for said := false; ; {
		err := do()
		if !errors.Is(err, store.ErrFull) && !errors.Is(err, crypto.ErrFull) {
			if said {
				log.Info("there is space on the disk again: the bot goes on")
			}
			return err
		}
		if !said {
			log.Error("the disk is full: the bot starts when there is space", "err", err)
			said = true
		}
		if pause.Sleep(ctx, time.Second) != nil {
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
	runner  *bot.Runner
	term    terminal // nil where there is none
	ends    bool     // whether the end of the terminal is that of the bot
	socket  *control.Server
	handler *control.Handler
	beside  []func(context.Context) error // what else serves it
	log     *slog.Logger
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
			termErr = t.term.Run(others)
			if t.ends {
				stop()
			} else if termErr != nil && !errors.Is(termErr, bot.ErrStopping) {
				t.log.Error("the console has ended; the networks go on", "err", termErr)
				termErr = nil
			}
		})
	}
	if t.socket != nil {
		wg.Go(func() { socketErr = t.socket.Serve(others, t.handler) })
	}
	failed := make([]error, len(t.beside))
	for i, f := range t.beside {
		wg.Go(func() { failed[i] = f(others) })
	}
	err := t.runner.Run(ctx)
	stopOthers()
	wg.Wait()
	if errors.Is(termErr, bot.ErrStopping) {
		termErr = nil // a script that a signal, or the error of the bot, has cut short
	}
	return errors.Join(append(failed, err, termErr, socketErr)...)
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
		Files: func(bool) (*control.Handler, func() error, error) { return nil, nil, store.ErrLocked },
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
	if err != nil || key == "" {
		return nil, err
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
	if err := st.View(func(tx *store.Tx) error { return inspect.Retryable(tx, id) }); err != nil {
		return "", err
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
	return fmt.Sprintf("Dead letter %d will be tried again soon; the bot is busy.", id), nil
}

// dropNow has a dead letter forgotten, and waits a moment for that.
func dropNow(ctx context.Context, runner *bot.Runner, st *store.Store, id uint64) error {
	err := st.View(func(tx *store.Tx) error {
		if _, ok := tx.Letter(id); !ok {
			return inspect.NoLetter(id)
		}
		return nil
	})
	if err != nil {
		return err
	}
	if err := runner.DropDead(id); err != nil {
		return err
	}
	wait, cancel := context.WithTimeout(ctx, retryPatience)
	defer cancel()
	if err := runner.Settle(wait); err != nil && wait.Err() == nil {
		return err
	}
	return nil
}

// retryPatience is how long an answer may take that waits for the bot.
const retryPatience = 5 * time.Second
