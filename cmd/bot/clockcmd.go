package main

import (
	"cmp"
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"moot/internal/bot"
	"moot/internal/clock"
	"moot/internal/config"
	"moot/internal/parts"
	"moot/protocol/discord/rest"
	"moot/store"
)

func (a *app) clockCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "clock",
		Short: "Compare the clock with the networks and the database, and put the database right",
		Long: `Says whether the clock of this machine is right, as the servers of the networks
tell the time, and whether the database is ahead of it. The database is ahead
after the clock was ahead for a while: until the clock has caught up, the times
that the bot names are wrong.`,
		Example: `  moot clock              which of the clocks is wrong?
  moot clock reset --yes  turn the database back to the clock`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, _, err := a.load()
			if err != nil {
				return err
			}
			status, err := newClient(cfg).Status(cmd.Context())
			if err != nil {
				return at(cfg, err)
			}
			if len(cfg.Networks()) == 0 {
				a.printf("The console has a clock of its own, which only /wait moves.\n")
				return nil
			}
			f := clockFinding(clock.Judge(time.Now(), status.Reached, askTime(cmd.Context(), cfg)))
			a.printf("%s\n", sentence(f.Text))
			if f.Do != "" {
				a.printf("To do: %s.\n", f.Do)
				return errSilent
			}
			return nil
		},
	}
	var yes bool
	reset := &cobra.Command{
		Use:   "reset",
		Short: "Turn the database back to the clock of this machine",
		Long: `For a database that is ahead of a clock that is right. The bot must not be
running. Back up the data folder first.

Nothing is done twice: what was handled is not handled again, and who was
forgotten stays forgotten. Limits of commands start afresh, and what waits for
another try is tried at once. What you give up: if the clock was ahead by more
than retention in [store], messages from before the reset that the bot has not
handled are ignored. A vote that was opened, or a challenge that was decided,
while the clock was ahead keeps its wrong end, and so does a limit that a vote
set. The log keeps the wrong times, and facts with such times are archived only
once those times have passed.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.resetClock(cmd.Context(), yes) },
	}
	reset.Flags().BoolVar(&yes, "yes", false, "do it")
	cmd.AddCommand(reset)
	return cmd
}

// resetClock turns the store back to the clock.
func (a *app) resetClock(ctx context.Context, yes bool) (err error) {
	cfg, _, err := a.load()
	if err != nil {
		return err
	}
	defer func() { err = at(cfg, err) }()
	whole := parts.Examine(ctx, partsOf(cfg, cfg.UseConsole()))
	switch err := whole.Err(); {
	case err != nil:
		return inUse(ctx, cfg, err)
	case len(cfg.Networks()) == 0:
		return errors.New("the console has a clock of its own, which only /wait moves: there is nothing to reset")
	}
	readings := askTime(ctx, cfg)
	if _, err := newClient(cfg).Status(ctx); err != nil {
		return err // there is nothing yet
	}
	if err := alone(cfg.Data); err != nil {
		return err
	}
	st, err := store.Open(store.Config{Path: storeFile(cfg), LockTimeout: cfg.Store.LockTimeout})
	if err != nil {
		return inUse(ctx, cfg, err)
	}
	defer closing(&err, "close the store", st.Close)
	v := clock.Judge(time.Now(), reached(st), readings)
	switch {
	case v.State == clock.Right:
		a.printf("Nothing to do: the database is not ahead of the clock.\n")
		return nil
	case v.State != clock.StoreAhead:
		return errors.New(clockFinding(v).Text + ": set the clock first")
	case !yes && !v.Vouched:
		return usageErrorf("The database is %s ahead of the clock of this machine, and no network says which is right. Check the clock with `date` first. `moot clock reset --help` says what a reset gives up; --yes does it.", clock.Span(v.By))
	case !yes:
		return usageErrorf("The database is %s ahead of the clock of this machine, which is right according to the network. `moot clock reset --help` says what a reset gives up; --yes does it.", clock.Span(v.By))
	}
	by, since, err := bot.TurnBack(st, time.Now())
	if err != nil {
		return err
	}
	a.printf("The database was turned back by %s.\n", clock.Span(by))
	if since.After(time.Now().Add(-cfg.Store.Retention)) {
		a.printf("Messages from before %s that the bot has not handled yet will be ignored.\n", when(since))
	}
	return nil
}

// askTime asks the servers of the networks what the time is. Any answer tells, also a refusal.
func askTime(ctx context.Context, cfg config.Config) []clock.Reading {
	ctx, cancel := context.WithTimeout(ctx, checkPatience)
	defer cancel()
	var servers []*clock.Server
	ask := func(url string) {
		s := newServer()
		defer s.CloseIdleConnections()
		servers = append(servers, s)
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			return
		}
		if resp, err := s.RoundTrip(req); err == nil {
			_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, 1<<20))
			_ = resp.Body.Close()
		}
	}
	if cfg.Matrix.Enabled() {
		ask(matrixServer(cfg.Matrix) + "/_matrix/client/versions")
	}
	if cfg.Discord.Enabled() {
		ask(strings.TrimRight(cmp.Or(cfg.Discord.APIURL, rest.DefaultURL), "/") + "/gateway")
	}
	return clock.Readings(servers)
}

// matrixServer returns the address of the server, or of the name of it: there something answers too.
func matrixServer(m config.Matrix) string {
	at := m.Homeserver
	if at == "" {
		_, at, _ = strings.Cut(m.User, ":")
	}
	if u, err := url.Parse(at); err == nil && (u.Scheme == "https" || u.Scheme == "http") && u.Host != "" {
		return strings.TrimRight(at, "/")
	}
	return "https://" + at
}
