package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"

	"github.com/mattn/go-isatty"

	"moot/internal/bot"
	"moot/internal/config"
	"moot/protocol"
	"moot/protocol/console"
	"moot/store"
)

// networks are the connections of a bot, and the world of the console where it is one of them.
type networks struct {
	adapters []protocol.Adapter
	clock    bot.Clock      // nil means the real one
	world    *console.World // nil means that there is no console
	console  *console.Adapter
	matrix   *matrixAccount // nil means that there is none
}

// openNetworks opens what is configured. The caller holds the lock on the data folder.
func (a *app) openNetworks(ctx context.Context, cfg config.Config, f runFlags, st *store.Store, feats *features, log *slog.Logger) (_ *networks, err error) {
	n := &networks{}
	defer func() {
		if err != nil {
			err = errors.Join(err, n.close())
		}
	}()
	if f.pipe {
		pipe := console.NewPipe(a.in, a.out)
		n.adapters, n.clock = append(n.adapters, pipe), pipe.Clock()
		return n, nil
	}
	if cfg.Matrix.Enabled() {
		if n.matrix, err = a.openAccount(ctx, cfg, st, log); err != nil {
			return nil, err
		}
		n.adapters = append(n.adapters, n.matrix.adapter(st))
	}
	if cfg.Discord.Enabled() {
		d, err := a.openDiscord(cfg, st, feats, log)
		if err != nil {
			return nil, fmt.Errorf("token in [discord]: %w", err)
		}
		n.adapters = append(n.adapters, d)
	}
	if !usesConsole(cfg, f) {
		return n, nil
	}
	world, err := console.Open(console.Config{Dir: cfg.Data, Frozen: !f.start.IsZero(), Start: f.start})
	if err != nil {
		return nil, fmt.Errorf("open the console: %w", err)
	}
	n.world, n.clock, n.console = world, world.Clock(), console.NewAdapter(world)
	n.adapters = append(n.adapters, n.console)
	return n, nil
}

func (n *networks) close() error {
	err := n.matrix.close()
	if n.world != nil {
		err = errors.Join(err, n.world.Close())
	}
	return err
}

func (n *networks) names() []string {
	var names []string
	for _, a := range n.adapters {
		names = append(names, string(a.Network()))
	}
	return names
}

func usesConsole(cfg config.Config, f runFlags) bool {
	return !f.pipe && (f.console || cfg.UseConsole())
}

// isTerminal tells whether a person sits there.
func (a *app) isTerminal() bool {
	in, ok := a.in.(*os.File)
	out, ok2 := a.out.(*os.File)
	return ok && ok2 && isatty.IsTerminal(in.Fd()) && isatty.IsTerminal(out.Fd())
}
