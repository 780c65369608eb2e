package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"moot/backup"
	"moot/internal/bot"
	"moot/internal/config"
	"moot/internal/control"
	"moot/internal/files"
	"moot/internal/finding"
	"moot/internal/pause"
	"moot/internal/watch"
	"moot/replica"
	"moot/replica/postgres"
	"moot/replica/redis"
	"moot/store"
	"moot/votes"
)

// shared is this machine as one of several; nil where it is alone.
type shared struct {
	*replica.Node
	where string // the server, without its password
}

// leaseTTL is for how long the lease of a machine runs; zero means replica.TTL. Only tests have another one.
var leaseTTL time.Duration

// openReplica makes a machine of several of what the configuration says, and looks at the server; nil where this
// machine is alone.
func openReplica(ctx context.Context, cfg config.Config, log *slog.Logger) (*shared, error) {
	if !cfg.Replica.Enabled() {
		return nil, nil
	}
	if cfg.UseConsole() {
		return nil, errors.New("[replica] is for a bot on a network, and none is switched on: the console is on one machine")
	}
	if cfg.Matrix.Enabled() && cfg.Matrix.AccessToken.IsZero() {
		return nil, errors.New("[replica] takes an access_token in [matrix]: with a password each machine would log in by itself, on a device of its own, and the keys are those of one device")
	}
	l, where, err := openLogOf(ctx, cfg.Replica)
	if err != nil {
		return nil, err
	}
	name, err := machineName(cfg.Replica)
	if err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return &shared{&replica.Node{Log: l, Name: name, Folder: cfg.Data, Version: version(), TTL: leaseTTL, Logger: log}, where}, nil
}

// machineName returns what this machine is called among several; empty where it is alone.
func machineName(c config.Replica) (string, error) {
	if !c.Enabled() || c.Node != "" {
		return c.Node, nil
	}
	name, err := os.Hostname()
	if err != nil {
		return "", fmt.Errorf("node in [replica] is not set, and this machine has no name: %w", err)
	}
	return name, nil
}

// openLogOf opens the log that the configuration names, and returns where it is, without its password.
func openLogOf(ctx context.Context, c config.Replica) (l replica.Log, where string, err error) {
	address, err := c.URL.Reveal()
	if err != nil {
		return nil, "", fmt.Errorf("url in [replica]: %w", err)
	}
	scheme, _, _ := strings.Cut(address, "://")
	switch scheme {
	case "postgres", "postgresql":
		l, err = postgres.Open(ctx, address, c.Name)
	case "redis", "rediss", "sentinel", "redis+sentinel", "rediss+sentinel":
		l, err = redis.Open(address, c.Name)
	default:
		err = errors.New(`it has to begin with "postgres://", "redis://", "rediss://" or "sentinel://"`)
	}
	if err != nil {
		return nil, "", fmt.Errorf("url in [replica]: %w", err)
	}
	return l, withoutSecrets(scheme, address), nil
}

// withoutSecrets returns the address of a server to show. Where it is not plain which part is a password, as with an @ that
// is not written as %40, it shows none.
func withoutSecrets(scheme, address string) string {
	u, err := url.Parse(address)
	if err != nil || strings.Contains(u.Host+u.Path, "@") || u.User == nil && strings.Contains(address, "@") {
		return scheme + "://…"
	}
	return scheme + "://" + u.Host + u.Path
}

// fit waits until the server answers, and refuses one that refuses this machine, or would lose what it has acknowledged. A machine
// that was at work already waits for that to pass too: a password may be about to be changed, or another server to become the primary.
func (s *shared) fit(ctx context.Context, atWork bool) error {
	for said := (time.Time{}); ; {
		trial, cancel := context.WithTimeout(ctx, 5*time.Second)
		found, err := s.Log.Check(trial)
		if err == nil {
			_, err = s.Log.Stand(trial)
		}
		cancel()
		says := errors.Is(err, replica.ErrUnfit) || errors.Is(err, replica.ErrRefused)
		switch {
		case err == nil:
			for _, f := range found {
				if f.Status != finding.OK {
					s.Logger.Warn("the server of the log risks something", "detail", f.Text, "do", f.Do)
				}
			}
			return nil
		case ctx.Err() != nil:
			return err
		case says && !atWork:
			return fmt.Errorf("%s: %w", s.where, err)
		case time.Since(said) >= time.Minute:
			said = time.Now()
			text := "the server of the log does not answer; the bot starts when it does"
			if says {
				text = "the server of the log cannot be used; the bot goes on when it can"
			}
			s.Logger.Warn(text, "server", s.where, "err", err)
		}
		select {
		case <-time.After(time.Second):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// markName is the file that says that a data folder belongs to a log: what is written without the log would be lost, or
// part the machines.
const markName = "replica.txt"

// mark writes the file.
func (s *shared) mark(folder string) error {
	path := filepath.Join(folder, markName)
	text := "This folder follows a log of changes that several machines share: " + s.where + "\n" +
		"moot writes to it with [replica] in its configuration, and not without. To use it alone, stop moot on all\nmachines and delete this file; the log is of no use then. A new one takes another name in [replica], and\nempty folders on the other machines.\n"
	if was, err := os.ReadFile(path); err == nil && string(was) == text {
		return nil
	}
	return os.WriteFile(path, []byte(text), 0o600)
}

// errFollows is the error of who wants to write to a folder of several machines without the log.
var errFollows = errors.New("this data folder belongs to a bot of several machines, and is written only by a bot that runs with [replica] in its configuration; " + markName + " in it says more")

// alone fails where a folder belongs to a log.
func alone(folder string) error {
	if _, err := os.Stat(filepath.Join(folder, markName)); err == nil {
		return errFollows
	}
	return nil
}

// lockName is the file that a machine of several keeps locked for as long as its process lives: also while there is no database in the
// folder, or another one is put there.
const lockName = "replica.lock"

// lockFolder locks the data folder, and waits for as long for another process as the store does.
func lockFolder(ctx context.Context, cfg config.Config) (letGo func() error, err error) {
	for began := time.Now(); ; {
		letGo, err = files.Lock(filepath.Join(cfg.Data, lockName))
		if !errors.Is(err, files.ErrHeld) {
			return letGo, err
		}
		if time.Since(began) >= cfg.Store.LockTimeout {
			return nil, fmt.Errorf("%w: %w", store.ErrLocked, err)
		}
		if err := pause.Sleep(ctx, 50*time.Millisecond); err != nil {
			return nil, err
		}
	}
}

// join makes a machine of several, and sees to it that it has a store to open; nil where this machine is alone. The lease
// is that of the first of all.
func (a *app) join(ctx context.Context, cfg config.Config) (*shared, *replica.Lease, error) {
	early := slog.New(slog.NewTextHandler(a.errs, nil)) // nobody holds the log yet
	s, err := openReplica(ctx, cfg, early)
	if s == nil && err == nil {
		err = alone(cfg.Data)
	}
	if s == nil || err != nil {
		return nil, nil, err
	}
	if a.letGo == nil {
		a.letGo, err = lockFolder(ctx, cfg)
	}
	if err == nil {
		err = s.fit(ctx, a.atWork)
	}
	if err == nil && a.needsBase {
		err = s.TakeBase(ctx)
	}
	a.atWork, a.needsBase = true, false
	var l *replica.Lease
	if err == nil {
		l, err = s.Prepare(ctx)
	}
	if err != nil {
		return nil, nil, errors.Join(err, s.Log.Close())
	}
	return s, l, nil
}

// giveBack lets another machine lead at once.
func giveBack(ctx context.Context, l *replica.Lease) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	return l.Release(ctx)
}

// standBy follows the log until this machine leads. Meanwhile it answers those who look in.
func (a *app) standBy(ctx context.Context, cfg config.Config, s *shared, st *store.Store, l *replica.Lease, began time.Time) (*replica.Lease, error) {
	if err := s.mark(cfg.Data); err != nil {
		return nil, err
	}
	looked, stop := context.WithCancel(ctx)
	done := make(chan error, 1)
	go func() { done <- a.serveStandby(looked, cfg, s, st, began) }()
	l, err := s.Stand(ctx, st, l)
	stop()
	if failed := <-done; failed != nil {
		s.Logger.Warn("the standby cannot be asked anything", "err", failed)
	}
	if errors.Is(err, store.ErrGone) { // the log begins behind what this machine has
		a.needsBase = true
		err = fmt.Errorf("%w: %w", replica.ErrLost, err)
	}
	return l, err
}

// serveStandby answers the commands of this machine while another one leads.
func (a *app) serveStandby(ctx context.Context, cfg config.Config, s *shared, st *store.Store, began time.Time) error {
	handler, release, err := answerFrom(cfg, st)
	if err != nil {
		return err
	}
	defer release() //nolint:errcheck // it was only read
	leader := func() string {
		if now := s.Seen(); now.Held {
			return now.Leader
		}
		return "another machine"
	}
	refuse := func() error { return fmt.Errorf("this machine stands by; ask %s, which leads", leader()) }
	handler.Inspector.Running = true
	handler.Retry = func(context.Context, uint64) (string, error) { return "", refuse() }
	handler.Drop = func(context.Context, uint64) error { return refuse() }
	handler.Service = func(context.Context, control.ServiceOrder) (string, error) { return "", refuse() }
	handler.FollowBackup = func(context.Context, backup.Request, func(backup.Followed)) error { return refuse() }
	handler.LogLevel, handler.Web = a.changeLevel, func() (string, error) { return "", errNoPage }
	handler.Status = func() control.Status {
		return control.Status{
			Running: true, PID: os.Getpid(), Version: version(), Started: began, Folder: cfg.Data, Reached: reached(st), Standby: true,
		}
	}
	maker := newMaker(cfg, st)
	metrics := watch.NewMetrics()
	metrics.Hooks(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { // who posts tries again, or elsewhere
		http.Error(w, "This machine stands by.", http.StatusServiceUnavailable)
	}))
	metrics.Watch(watch.Sources{
		Store: st, Folder: cfg.Data, Version: version(), Networks: func() []bot.NetworkStatus { return nil }, Live: standsBy,
		Votes: votes.CountOpen, Backup: maker.Last, Standby: func() watch.Standby {
			now := s.Seen()
			return watch.Standby{Leader: now.Leader, Behind: now.Behind(st.Change()), Seen: now.At}
		},
	})
	listener, err := openWatch(cfg)
	if err != nil {
		return err
	}
	var web http.Handler
	if listener != nil {
		s.Logger.Info("the standby can be watched", "at", listener.Addr(), "page", cfg.HTTP.Page)
		handler.Web = func() (string, error) { return "", errNoPage }
		if cfg.HTTP.Page {
			p := a.newPage(cfg, handler, maker, &networks{}, began, leader, s.Logger)
			web, handler.Web = p, func() (string, error) { return "http://" + listener.Addr().String() + p.Link(), nil }
		}
	}
	socket, err := control.Listen(cfg.Data, s.Logger)
	if err != nil {
		if listener != nil {
			err = errors.Join(err, listener.Close())
		}
		return err
	}
	sd := service{standsBy, s.Logger}
	others := []func(context.Context) error{sd.run, func(ctx context.Context) error { return socket.Serve(ctx, handler) }}
	if listener != nil {
		others = append(others, func(ctx context.Context) error { return metrics.Serve(ctx, listener, web, s.Logger) })
	}
	var all sync.WaitGroup
	failed := make([]error, len(others))
	for i, serve := range others {
		all.Go(func() { failed[i] = serve(ctx) })
	}
	all.Wait()
	return errors.Join(failed...)
}

// errStandsBy is why a standby, which lives, makes no step.
var errStandsBy = errors.New("this machine stands by")

// standsBy is that of a Runner where none runs.
func standsBy(context.Context) (held, err error) { return errStandsBy, nil }

// lose returns a context that ends when the machine leads no more.
func lose(ctx context.Context, l *replica.Lease) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	unhook := context.AfterFunc(l.Context(), func() { cancel(context.Cause(l.Context())) })
	return ctx, func() { unhook(); cancel(nil) }
}

// replicaFindings is what check says of the log.
func replicaFindings(ctx context.Context, cfg config.Config) []finding.Finding {
	if !cfg.Replica.Enabled() {
		if err := alone(cfg.Data); err != nil {
			return []finding.Finding{finding.New(finding.Fail, "replica", err.Error(), "")}
		}
		return nil
	}
	fail := func(err error) []finding.Finding {
		return []finding.Finding{finding.New(finding.Fail, "replica", err.Error(), "")}
	}
	l, where, err := openLogOf(ctx, cfg.Replica)
	if err != nil {
		return fail(err)
	}
	defer l.Close() //nolint:errcheck // it was only asked
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	found, err := l.Check(ctx)
	if err != nil {
		return fail(fmt.Errorf("%s: %w", where, err))
	}
	now, err := l.Stand(ctx)
	if err != nil {
		return append(found, fail(fmt.Errorf("%s: %w", where, err))...)
	}
	text := "nobody leads"
	if now.Held {
		text = fmt.Sprintf("%s leads, in term %d", now.Leader, now.Term)
	}
	if now.Identity != "" {
		text += fmt.Sprintf("; the log ends at change %d, and its base is of change %d", now.Last, now.Base)
	}
	return append(found, finding.New(finding.OK, "replica", text, ""))
}
