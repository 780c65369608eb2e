package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"moot/internal/config"
	"moot/internal/control"
	"moot/internal/inspect"
	"moot/votes"
)

// logFlags are the flags of `moot log`.
type logFlags struct {
	query  inspect.LogQuery
	keys   []string
	vote   string
	result string
	since  string
	limit  int
	follow bool
}

func (a *app) logCommand() *cobra.Command {
	var f logFlags
	cmd := &cobra.Command{
		Use:   "log",
		Short: "Show the facts that the bot knows",
		Long: `Shows facts from the log, oldest first: what happened in which room, who took
part, and because of which event. Facts never change; all that the bot knows of
votes and people follows from them. With --json each comes with all its data.`,
		Example: `  moot log                                the last facts
  moot log --kind room --since 2d         what happened to rooms in the last two days
  moot log --room lobby --person ann      what ann did in the lobby
  moot log --vote 3 --room lobby          what is known of a vote
  moot log --outcome passed --person ann  the votes about or by ann that passed
  moot log --key what=kicked --json       as JSON, one fact a line
  moot log --follow                       and then those that come`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := f.resolve(cmd.Flags().Changed("limit")); err != nil {
				return err
			}
			return a.ask(func(c *control.Client, cfg config.Config) error { return a.log(cmd.Context(), c, cfg, f) })
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&f.query.Kind, "kind", "", "only facts of this `KIND`, such as room")
	flags.StringVar(&f.query.Room, "room", "", "only facts of this `ROOM`, by id or name")
	flags.StringVar(&f.query.Person, "person", "", "only facts about this `PERSON`, by id")
	flags.StringVar(&f.vote, "vote", "", "only facts about the vote of this `NUMBER`; votes are numbered by room")
	flags.StringVar(&f.result, "outcome", "", "only votes that ended with this `OUTCOME`, such as passed or no-quorum")
	flags.StringArrayVar(&f.keys, "key", nil, "only facts with this `KEY=VALUE`; may be given several times")
	flags.StringVar(&f.since, "since", "", "only facts since this `TIME`: 2h, 3d, 2026-11-21, \"2026-11-21 08:00\" (UTC)")
	flags.IntVar(&f.limit, "limit", 0, "the last `N` facts (otherwise history in [events], or all with --since)")
	flags.BoolVarP(&f.follow, "follow", "f", false, "go on with the facts that come")
	a.jsonFlag(cmd)
	completes(cmd, "kind", words(kindNames()))
	completes(cmd, "room", a.known(roomIDs))
	completes(cmd, "outcome", words(votes.Outcomes()))
	return cmd
}

// resolve takes apart what was given as text.
func (f *logFlags) resolve(limited bool) error {
	for _, k := range f.keys {
		key, value, ok := strings.Cut(k, "=")
		if !ok || key == "" || value == "" {
			return usageErrorf("--key %q: write KEY=VALUE, such as what=joined.", k)
		}
		if f.query.Keys == nil {
			f.query.Keys = map[string]string{}
		}
		f.query.Keys[key] = value
	}
	for key, value := range map[string]string{"vote": strings.TrimPrefix(f.vote, "#"), "outcome": f.result} {
		if value == "" {
			continue
		}
		if f.query.Keys == nil {
			f.query.Keys = map[string]string{}
		}
		f.query.Keys[key] = value
	}
	if outcomes := votes.Outcomes(); f.result != "" && !slices.Contains(outcomes, f.result) {
		return usageErrorf("--outcome %q: write one of %s.", f.result, strings.Join(outcomes, ", "))
	}
	if limited && f.limit < 1 {
		return usageErrorf("--limit %d: write a number from 1 on.", f.limit)
	}
	var err error
	f.query.Since, f.query.Ago, err = since(f.since)
	return err
}

// since takes apart what is given as --since.
func since(text string) (at time.Time, ago time.Duration, err error) {
	if text == "" {
		return at, 0, nil
	}
	if ago, err := config.ParseDuration(text); err == nil && ago > 0 {
		return at, ago, nil
	}
	for _, layout := range []string{time.DateOnly, "2006-01-02 15:04", time.DateTime, time.RFC3339} {
		if at, err := time.Parse(layout, text); err == nil {
			return at, 0, nil
		}
	}
	return at, 0, usageErrorf("--since %q: write how long ago, such as 2h or 3d, or a time in UTC, such as 2026-11-21 or \"2026-11-21 08:00\".", text)
}

func (a *app) log(ctx context.Context, c *control.Client, cfg config.Config, f logFlags) error {
	limit := f.limit
	if limit == 0 && f.since == "" {
		limit = cfg.Events.History
	}
	if limit == 0 {
		if f.follow {
			return c.Follow(ctx, f.query, a.showFact)
		}
		return a.logForward(ctx, c, f.query)
	}
	end, err := a.logLast(ctx, c, f.query, limit)
	if err != nil || !f.follow {
		return err
	}
	f.query.After, f.query.Since, f.query.Ago = end, time.Time{}, 0
	return c.Follow(ctx, f.query, a.showFact)
}

// logForward shows all facts that a query wants.
func (a *app) logForward(ctx context.Context, c *control.Client, q inspect.LogQuery) error {
	for shown := 0; ; {
		page, err := c.Log(ctx, q)
		if err != nil {
			return err
		}
		for _, f := range page.Facts {
			if err := a.showFact(f); err != nil {
				return err
			}
			q.After = f.Seq
		}
		if shown += len(page.Facts); !page.More {
			a.noteNothing(shown)
			return nil
		}
	}
}

// logLast shows the last facts that a query wants, the oldest of them first, and returns the number of the last fact that
// there was.
func (a *app) logLast(ctx context.Context, c *control.Client, q inspect.LogQuery, limit int) (end uint64, err error) {
	var facts []inspect.Fact
	q.Backward = true
	for first := true; ; first = false {
		q.Limit = min(limit-len(facts), inspect.PageSize)
		page, err := c.Log(ctx, q)
		if err != nil {
			return 0, err
		}
		if first {
			end = page.Last
		}
		facts = append(facts, page.Facts...)
		if !page.More || len(facts) >= limit {
			break
		}
		q.Before = facts[len(facts)-1].Seq
	}
	for _, f := range slices.Backward(facts) {
		if err := a.showFact(f); err != nil {
			return 0, err
		}
	}
	a.noteNothing(len(facts))
	return end, nil
}

func (a *app) noteNothing(shown int) {
	if shown == 0 {
		fmt.Fprintln(a.errs, "There are no such facts.")
	}
}

func (a *app) showFact(f inspect.Fact) error {
	if a.json {
		return a.printJSON(f)
	}
	_, err := fmt.Fprintln(a.out, factLine(f))
	return err
}
