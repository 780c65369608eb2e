package main

import (
	"context"
	"fmt"
	"io"
	"slices"

	"github.com/spf13/cobra"

	"moot/internal/config"
	"moot/internal/control"
	"moot/internal/inspect"
	"moot/protocol"
	"moot/store"
)

func (a *app) whyCommand() *cobra.Command {
	var f whyFlags
	cmd := &cobra.Command{
		Use:   "why [ROOM] EVENT | why --room ROOM",
		Short: "Say what became of an event, or of all that a room had",
		Long: `Says what became of an event: whether it was handled or ignored, when and why,
what was sent because of it and where that stands now, and which facts followed.

An event is named by its id in the network. If several rooms have an event with
that id, add the room, by its id or its name.

With --room it lists the events of a room in the order in which the bot saw
them, and what became of each: the last ones, or with --since all from then on.`,
		Example: `  moot why e12
  moot why lobby e12
  moot why '!abc:example.org' '$Rqnc-F-dvnEYJTyHq_iKxU2bZ1CI92-kuZq3a5lr5Zg'
  moot why --room lobby --since 1h                    what the lobby had in the last hour
  moot why --room lobby --outcome failed --limit 10   the last ten events there that failed`,
		Args: func(cmd *cobra.Command, args []string) error {
			if f.query.Room == "" {
				return exactly("[ROOM]", "EVENT")(cmd, args)
			}
			return noArgs(cmd, args)
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := f.resolve(cmd.Flags().Changed); err != nil {
				return err
			}
			if f.query.Room != "" {
				return a.ask(func(c *control.Client, _ config.Config) error { return a.seen(cmd.Context(), c, f) })
			}
			q := inspect.WhyQuery{Event: args[len(args)-1]}
			if len(args) == 2 {
				q.Room = args[0]
			}
			return a.ask(func(c *control.Client, _ config.Config) error {
				why, err := c.Why(cmd.Context(), q)
				switch {
				case err != nil:
					return err
				case a.json:
					return a.printJSON(why)
				}
				showWhy(a.out, why)
				return nil
			})
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&f.query.Room, "room", "", "list the events of this `ROOM`, by id or name")
	flags.StringVar(&f.since, "since", "", "only events since this `TIME`: 2h, 3d, 2026-11-21, \"2026-11-21 08:00\" (UTC)")
	flags.IntVar(&f.limit, "limit", 0, fmt.Sprintf("the last `N` events (otherwise %d, or all with --since)", lastSeen))
	flags.StringVar(&f.query.Outcome, "outcome", "", "only events with this `OUTCOME`: handled, ignored, refused, failed, waiting")
	a.jsonFlag(cmd)
	completes(cmd, "room", a.known(roomIDs))
	completes(cmd, "outcome", words(inspect.Outcomes()))
	return cmd
}

// lastSeen is how many events of a room are listed where nobody says.
const lastSeen = 50

// whyFlags are the flags of `moot why`.
type whyFlags struct {
	query inspect.SeenQuery
	since string
	limit int
}

// resolve takes apart what was given as text.
func (f *whyFlags) resolve(given func(flag string) bool) (err error) {
	for _, flag := range []string{"since", "limit", "outcome"} {
		if given(flag) && f.query.Room == "" {
			return usageErrorf("--%s goes with --room ROOM, which lists the events of a room.", flag)
		}
	}
	if given("limit") && f.limit < 1 {
		return usageErrorf("--limit %d: write a number from 1 on.", f.limit)
	}
	if f.limit == 0 && f.since == "" {
		f.limit = lastSeen
	}
	f.query.Since, f.query.Ago, err = since(f.since)
	return err
}

// seen lists the events of a room, the oldest first.
func (a *app) seen(ctx context.Context, c *control.Client, f whyFlags) error {
	q, shown := f.query, 0
	var last []inspect.SeenEvent
	q.Backward = f.limit > 0
	for {
		if q.Backward {
			q.Limit = f.limit - len(last)
		}
		page, err := c.Seen(ctx, q)
		if err != nil {
			return err
		}
		if q.Backward {
			last = append(last, page.Events...)
		} else if err := a.showSeen(page.Events); err != nil {
			return err
		}
		shown += len(page.Events)
		if !page.More || q.Backward && len(last) >= f.limit {
			break
		}
		// The pages that follow are of the same span.
		if q.After = page.Last; q.Backward {
			q.After, q.Before = inspect.SeenPlace{}, page.Last
		}
	}
	slices.Reverse(last)
	if err := a.showSeen(last); err != nil {
		return err
	}
	if shown == 0 {
		fmt.Fprintln(a.errs, "The bot has seen no such events there, or no longer remembers them.")
	}
	return nil
}

func (a *app) showSeen(events []inspect.SeenEvent) error {
	for _, e := range events {
		if a.json {
			if err := a.printJSON(e); err != nil {
				return err
			}
			continue
		}
		line := fmt.Sprintf("%s  %s  %s", when(e.Time), clean(e.Event.Event), e.Disposition)
		if e.Reason != "" {
			line += ": " + clean(e.Reason)
		}
		if _, err := fmt.Fprintln(a.out, line); err != nil {
			return err
		}
	}
	return nil
}

func showWhy(w io.Writer, why inspect.Why) {
	room := clean(why.Event.Room)
	if why.RoomName != "" {
		room = fmt.Sprintf("%s (%s)", clean(why.RoomName), room)
	}
	fmt.Fprintf(w, "%s in %s\n", clean(why.Event.Event), room)
	fmt.Fprintf(w, "  what became of it  %s", why.Disposition)
	if why.Reason != "" {
		fmt.Fprintf(w, ": %s", clean(why.Reason))
	}
	fmt.Fprintf(w, "\n  recorded           %s\n", when(why.Time))
	for i, s := range why.Sent {
		if i == 0 {
			fmt.Fprint(w, "  sent for it\n")
		}
		fmt.Fprintf(w, "    %d. %s\n", i+1, sendingLine(s))
	}
	for i, f := range why.Facts {
		if i == 0 {
			fmt.Fprint(w, "  facts\n")
		}
		f.Cause = nil // which is the event itself
		fmt.Fprintf(w, "    %s\n", factLine(f))
	}
	if why.MoreFacts {
		fmt.Fprint(w, "    and more\n")
	}
	if why.Fault != "" {
		fmt.Fprintf(w, "  facts              %s\n", clean(why.Fault))
	}
	if why.Disposition == store.Failed.String() {
		fmt.Fprint(w, "`moot dead` lists what failed; `moot dead retry ID` tries it again.\n")
	}
}

// sendingLine says how something that is sent stands.
func sendingLine(s inspect.Sending) string {
	text := string(s.State)
	switch s.State {
	case store.StateSent:
		if s.Where != nil {
			text += fmt.Sprintf(" as %s in %s", clean(s.Where.Event), clean(s.Where.Room))
		}
		text += ", " + when(s.Time)
	case store.StateQueued:
		text = "waits for " + clean(inspect.LaneName(s.Lane))
		if s.Attempts > 0 {
			text += fmt.Sprintf(", %s", times(s.Attempts, "attempt"))
		}
		if !s.Due.IsZero() {
			text += ", the next one " + when(s.Due)
		}
	default:
		text += " for " + clean(inspect.LaneName(s.Lane)) + ", " + when(s.Time)
	}
	if s.Reason != "" {
		text += ": " + clean(s.Reason)
	}
	if s.Kind != "" {
		text = s.Kind + " " + text
	}
	return text
}

// clean makes of anything from outside what can be shown on one line of a terminal.
func clean[S ~string](s S) string { return protocol.OneLine(string(s)) }
