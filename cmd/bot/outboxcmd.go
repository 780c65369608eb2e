package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"moot/internal/config"
	"moot/internal/control"
	"moot/internal/inspect"
	"moot/store"
)

// states are those that can be asked for.
var states = []store.State{
	store.StateQueued, store.StateSent, store.StateFailed, store.StateExpired, store.StateSuperseded, store.StateReplaced,
	store.StateAmbiguous, store.StateEnded,
}

func (a *app) outboxCommand() *cobra.Command {
	q := inspect.OutboxQuery{}
	var wanted []string
	cmd := &cobra.Command{
		Use:   "outbox",
		Short: "Show what waits to be sent, and what became of what was sent",
		Long: `Shows what waits to be sent and what was sent last, but not the words.

The states: queued (waits), sent, failed (the network will never accept it),
expired (too late to be of use), superseded (by a newer edit), replaced (failed,
and something else was sent in its place), ambiguous (nobody
can know whether it was sent), ended (the bot left the room).`,
		Example: `  moot outbox
  moot outbox --state queued
  moot outbox --state failed --state ambiguous --room lobby`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			for _, s := range wanted {
				if !slices.Contains(states, store.State(s)) {
					return usageErrorf("--state %q: write one of %s.", s, joinStates())
				}
				q.States = append(q.States, store.State(s))
			}
			if q.Limit < 1 || q.Limit > inspect.PageSize {
				return usageErrorf("--limit %d: write a number from 1 to %d.", q.Limit, inspect.PageSize)
			}
			return a.ask(func(c *control.Client, _ config.Config) error {
				page, err := c.Outbox(cmd.Context(), q)
				switch {
				case err != nil:
					return err
				case a.json:
					return a.printJSON(page)
				}
				return showOutbox(a.out, page)
			})
		},
	}
	cmd.Flags().StringVar(&q.Room, "room", "", "only what goes to this `ROOM`, by id or name")
	cmd.Flags().StringArrayVar(&wanted, "state", nil, "only what is in this `STATE`; may be given several times")
	cmd.Flags().IntVar(&q.Limit, "limit", 50, "at most `N` of what waits, and of what has ended")
	a.jsonFlag(cmd)
	completes(cmd, "room", a.known(roomIDs))
	completes(cmd, "state", words(states))
	return cmd
}

func joinStates() string {
	words := make([]string, len(states))
	for i, s := range states {
		words[i] = string(s)
	}
	return strings.Join(words, ", ")
}

func showOutbox(out io.Writer, page inspect.OutboxPage) error {
	if len(page.Waiting)+len(page.Ended) == 0 {
		_, err := fmt.Fprintln(out, "Nothing waits, and nothing was sent.")
		return err
	}
	w := tabwriter.NewWriter(out, 0, 4, 2, ' ', 0)
	if len(page.Waiting) > 0 {
		fmt.Fprintln(w, "WAITS FOR\tWHAT\tSINCE\tATTEMPTS\tAGAIN\tBECAUSE OF\tLAST FAULT")
		for _, s := range page.Waiting {
			fmt.Fprintf(w, "%s\t%s\t%s\t%d\t%s\t%s\t%s\n", clean(inspect.LaneName(s.Lane)), s.Kind, when(s.Created), s.Attempts, when(s.Due), refText(s.Cause), clean(s.Reason))
		}
		more(w, page.MoreWaiting)
	}
	if len(page.Ended) > 0 {
		fmt.Fprintln(w, "STATE\tTIME\tTO\tSTANDS AS\tBECAUSE OF\tWHY")
		for _, s := range page.Ended {
			stands := "-"
			if s.Where != nil {
				stands = clean(s.Where.Event)
			}
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n", s.State, when(s.Time), clean(inspect.LaneName(s.Lane)), stands, refText(s.Cause), clean(s.Reason))
		}
		more(w, page.MoreEnded)
	}
	return w.Flush()
}

func more(w io.Writer, is bool) {
	if is {
		fmt.Fprintln(w, "and more; --limit, --state and --room choose others")
	}
}

// refText writes an event so that it can be given to `moot why`.
func refText(r *inspect.Ref) string {
	if r == nil {
		return "-"
	}
	return clean(r.String())
}
