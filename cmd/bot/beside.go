package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"

	"moot/backup"
	"moot/internal/bot"
	"moot/internal/config"
	"moot/internal/watch"
	"moot/services"
	"moot/store"
	"moot/votes"
)

// openWatch listens where the configuration says that the bot can be watched; nil where it does not.
func openWatch(cfg config.Config) (net.Listener, error) {
	if cfg.HTTP.Listen == "" {
		return nil, nil
	}
	l, err := watch.Listen(cfg.HTTP.Listen)
	if err != nil {
		return nil, fmt.Errorf("listen in [http]: the bot cannot listen on %s: %w", cfg.HTTP.Listen, err)
	}
	return l, nil
}

// watched is what a bot is watched by.
func watched(cfg config.Config, st *store.Store, runner *bot.Runner, maker *backup.Maker, jobs *services.Feature) watch.Sources {
	return watch.Sources{
		Store: st, Folder: cfg.Data, Version: version(), Networks: runner.Networks, Live: runner.Live, Votes: votes.CountOpen,
		Jobs: jobs.Unfinished, Stuck: jobs.Stuck, Backup: maker.Last,
	}
}

// service tells systemd how the bot is, where that has started it as a service of the type "notify".
type service struct {
	live func(context.Context) (held, err error)
	log  *slog.Logger
}

// run says that the bot is ready once the loop has made a step, and then, as often as systemd wants, that it
// lives: only after a round trip through the loop. A network that is out of reach is no reason to be restarted,
// and none not to be ready.
func (s service) run(ctx context.Context) error {
	if os.Getenv("NOTIFY_SOCKET") == "" {
		return nil
	}
	every, err := daemon.SdWatchdogEnabled(false)
	if err != nil {
		s.log.Warn("the watchdog of systemd is not fed", "err", err)
	}
	ready := false
	for ctx.Err() == nil {
		patience := time.Minute
		if every > 0 {
			patience = every / 2
		}
		state, held := "", error(nil)
		trip, cancel := context.WithTimeout(ctx, patience)
		if held, err = s.live(trip); err == nil {
			state = daemon.SdNotifyWatchdog
			if !ready {
				state, ready = daemon.SdNotifyReady+"\n"+state, true
			}
			state += "\nSTATUS=" + serviceStatus(held)
			if err := notify(state); err != nil {
				s.log.Debug("systemd does not hear how the bot is", "err", err)
			}
		}
		<-trip.Done() // the next one comes when this one is due
		cancel()
	}
	return nil
}

func serviceStatus(held error) string {
	if errors.Is(held, errStandsBy) {
		return "stands by"
	}
	if held != nil {
		return "holds still: " + clean(held.Error())
	}
	return "works"
}

// stopping tells systemd that the bot stops.
func (s service) stopping() {
	_ = notify(daemon.SdNotifyStopping) // it does without
}

// notify writes to the socket of systemd (sd_notify(3)). It waits a second at most: a datagram for a reader that has
// stopped reading would otherwise hold up the stop of the bot for ever.
func notify(state string) error {
	name := os.Getenv("NOTIFY_SOCKET")
	if name == "" {
		return nil
	}
	conn, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: name, Net: "unixgram"})
	if err != nil {
		return err
	}
	defer conn.Close()
	if err := conn.SetWriteDeadline(time.Now().Add(time.Second)); err != nil {
		return err
	}
	_, err = conn.Write([]byte(state))
	return err
}
