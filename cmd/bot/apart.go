package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"sync"
	"time"

	"moot/internal/bot"
	"moot/internal/config"
	"moot/internal/say"
	"moot/protocol"
	"moot/protocol/console"
	"moot/protocol/console/apart"
	"moot/protocol/console/screen"
	"moot/protocol/remote"
	"moot/store"
)

// A person at a terminal has a bot in a process of its own, so that they can kill it. A script has one within this process,
// which makes what it shows the same each time.

// isApart reports whether this process is to be that of the person, and the bot another one.
func (a *app) isApart(cfg config.Config, f runFlags) bool {
	return !f.apart && a.isTerminal() && usesConsole(cfg, f) && f.script == "" && f.start.IsZero() && len(cfg.Networks()) == 0
}

// runApart runs the console in this process and the bot in another one.
func (a *app) runApart(ctx context.Context, cfg config.Config, f runFlags) (err error) {
	exe, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find the program: %w", err)
	}
	args := []string{"run", "--apart", "--data", cfg.Data}
	if a.configFile != "" {
		args = append(args, "--config", a.configFile)
	}
	notices := make(chan string, 64)
	k := apart.NewKeeper(apart.KeeperConfig{
		Command: func() *exec.Cmd {
			cmd := exec.Command(exe, args...)
			cmd.Args[0] = os.Args[0]
			return cmd
		},
		Language: spoken(cfg),
		Tell: func(sentence string) {
			select {
			case notices <- sentence:
			default: // nobody reads
			}
		},
	})
	if err := k.Start(ctx); err != nil {
		return err
	}
	world, err := console.Open(console.Config{Dir: cfg.Data, Language: spoken(cfg)})
	if err != nil {
		return errors.Join(fmt.Errorf("open the console: %w", err), k.Abandon())
	}
	defer closing(&err, "close the console", world.Close)
	a.sayLog(cfg)
	look := &remoteLook{keeper: k, language: spoken(cfg)}
	adapter := console.NewAdapter(world)
	term, err := a.newTerminal(console.TerminalConfig{World: world, Adapter: adapter, Crash: k.Asked, Notices: notices}, look, cfg, f)
	if err != nil {
		return errors.Join(err, k.Abandon())
	}

	ctx, stop := context.WithCancel(ctx)
	defer stop()
	var wg sync.WaitGroup
	var termErr error
	wg.Go(func() {
		defer stop()
		termErr = term.Run(ctx)
	})
	err = k.Run(ctx, world, adapter)
	stop()
	wg.Wait()
	return errors.Join(err, termErr)
}

// What the console asks a bot in another process.
const (
	lookComplete  = "complete"
	lookCards     = "cards"
	lookInside    = "inside"
	lookCommitted = "committed"
)

// serveLook lets the console of a bot in a process of its own look into it, until the bot stops.
func serveLook(r *apart.Remote, in *insight, runner *bot.Runner, quit <-chan struct{}) {
	r.Register(lookComplete, remote.Answer(func(_ context.Context, t console.Typing) ([]console.Suggestion, error) { return in.complete(t), nil }))
	r.Register(lookCards, remote.Answer(func(context.Context, struct{}) ([]screen.Card, error) { return in.cards(), nil }))
	r.Register(lookInside, remote.Answer(func(_ context.Context, ref protocol.Ref) ([]screen.Step, error) { return in.steps(ref), nil }))
	r.Register(apart.Settled, remote.Answer(func(ctx context.Context, _ struct{}) (struct{}, error) { return struct{}{}, runner.Settle(ctx) }))
	r.Register(lookCommitted, remote.Answer(func(ctx context.Context, after uint64) (uint64, error) {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		go func() {
			select {
			case <-quit:
				cancel()
			case <-ctx.Done():
			}
		}()
		return in.committed(ctx, after)
	}))
}

// committed returns the number of the last commit when there is one behind the given number.
func (in *insight) committed(ctx context.Context, after uint64) (uint64, error) {
	if last := in.store.Change(); last > after {
		return last, nil
	}
	for c, err := range in.store.Follow(ctx, after) {
		return c.Number, err
	}
	return after, nil
}

// remoteLook asks a bot in another process. What it shows while that one is dead, or busy, is what it last knew.
type remoteLook struct {
	keeper   *apart.Keeper
	language say.Language

	mu    sync.Mutex
	known []screen.Card
}

// lookPatience is how long a key waits for the bot.
const lookPatience = 300 * time.Millisecond

func ask[A, R any](l *remoteLook, name string, args A) (R, error) {
	ctx, cancel := context.WithTimeout(context.Background(), lookPatience)
	defer cancel()
	reply := new(R)
	if err := l.keeper.Call(ctx, name, args, reply); err != nil {
		var none R // the reply may still be written to
		return none, err
	}
	return *reply, nil
}

func (l *remoteLook) complete(t console.Typing) []console.Suggestion {
	found, _ := ask[console.Typing, []console.Suggestion](l, lookComplete, t) // a bot that is dead suggests nothing
	return found
}

func (l *remoteLook) cards() []screen.Card {
	cards, err := ask[struct{}, []screen.Card](l, lookCards, struct{}{})
	l.mu.Lock()
	defer l.mu.Unlock()
	if err == nil {
		l.known = cards
	}
	return l.known
}

func (l *remoteLook) steps(ref protocol.Ref) []screen.Step {
	steps, err := ask[protocol.Ref, []screen.Step](l, lookInside, ref)
	if err != nil {
		return screen.UnknownSteps(l.language, ref)
	}
	return steps
}

func (l *remoteLook) dead() bool { return l.keeper.Dead() }

// follow has f called after each commit, or less often, until the context ends.
func (l *remoteLook) follow(ctx context.Context, f func()) error {
	for last := uint64(0); ctx.Err() == nil; {
		var now uint64
		switch err := l.keeper.Call(ctx, lookCommitted, last, &now); {
		case err == nil:
			last = now
		default: // it is dead, or not there yet
			select {
			case <-ctx.Done():
			case <-time.After(100 * time.Millisecond):
			}
		}
		f()
	}
	return nil
}

// localLook is an insight of the bot in this process.
type localLook struct {
	*insight
	log *slog.Logger
}

func (l localLook) dead() bool { return false }

// follow has f called after each commit, until the context ends.
func (l localLook) follow(ctx context.Context, f func()) error {
	for _, err := range l.store.Follow(ctx, l.store.Change()) {
		if err != nil {
			if ctx.Err() == nil && !errors.Is(err, store.ErrReadOnly) {
				l.log.Warn("the screen no longer follows the commits", "err", err)
			}
			return err
		}
		f()
	}
	return nil
}
