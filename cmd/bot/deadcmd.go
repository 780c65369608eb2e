package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"moot/internal/config"
	"moot/internal/control"
	"moot/internal/inspect"
	"moot/protocol"
)

func (a *app) deadCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "dead",
		Short: "Show, retry or drop events that could not be handled",
		Long: `Lists the dead letters: events whose handler failed. Such an event has changed
nothing, and the bot went on without it. Once the cause is gone, try it again.`,
		Example: `  moot dead              list them
  moot dead show 3       the event, the error and where it happened
  moot dead retry 3      try it again
  moot dead drop 3       delete it`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.deadList(cmd.Context()) },
	}
	a.jsonFlag(cmd)
	list := &cobra.Command{
		Use: "list", Short: "List the dead letters", Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.deadList(cmd.Context()) },
	}
	show := &cobra.Command{
		Use: "show ID", Short: "Show a dead letter with its event and its error", Args: exactly("ID"),
		RunE: letterCommand(func(ctx context.Context, id uint64) error {
			return a.ask(func(c *control.Client, _ config.Config) error {
				l, err := c.Letter(ctx, id)
				switch {
				case err != nil:
					return err
				case a.json:
					return a.printJSON(l)
				}
				return showLetter(a.out, l)
			})
		}),
	}
	a.jsonFlag(list)
	a.jsonFlag(show)
	cmd.AddCommand(list, show,
		&cobra.Command{
			Use: "retry ID", Short: "Handle the event of a dead letter again", Args: exactly("ID"),
			RunE: a.order((*control.Client).Retry),
		},
		&cobra.Command{
			Use: "drop ID", Short: "Delete a dead letter; its event stays failed", Args: exactly("ID"),
			RunE: a.order((*control.Client).Drop),
		})
	for _, sub := range cmd.Commands() {
		if sub != list {
			sub.ValidArgsFunction = a.known(letterNumbers)
		}
	}
	return cmd
}

// order is a command that does something with a dead letter and says what came of it.
func (a *app) order(do func(*control.Client, context.Context, uint64) (string, error)) func(*cobra.Command, []string) error {
	return letterCommand(func(ctx context.Context, id uint64) error {
		return a.ask(func(c *control.Client, _ config.Config) error {
			text, err := do(c, ctx, id)
			if err == nil {
				a.printf("%s\n", text)
			}
			return err
		})
	})
}

// letterCommand is a command whose one argument is the number of a dead letter.
func letterCommand(do func(context.Context, uint64) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		id, err := strconv.ParseUint(args[0], 10, 64)
		if err != nil || id == 0 {
			return usageErrorf("%q is not the number of a dead letter. `moot dead` lists them with their numbers.", args[0])
		}
		return do(cmd.Context(), id)
	}
}

func (a *app) deadList(ctx context.Context) error {
	return a.ask(func(c *control.Client, _ config.Config) error {
		w := tabwriter.NewWriter(a.out, 0, 4, 2, ' ', 0)
		for shown, after := 0, uint64(0); ; {
			page, err := c.Dead(ctx, after)
			if err != nil {
				return err
			}
			for _, l := range page.Letters {
				after = l.ID
				if a.json {
					if err := a.printJSON(l); err != nil {
						return err
					}
					continue
				}
				if shown++; shown == 1 {
					fmt.Fprintln(w, "ID\tTIME\tEVENT\tWHAT\tTRIES\tERROR")
				}
				fmt.Fprintf(w, "%d\t%s\t%s\t%s\t%d\t%s\n", l.ID, when(l.Time), clean(l.Event.String()), l.Kind, l.Tries, protocol.Shorten(clean(l.Error), 100))
			}
			if !page.More {
				if shown == 0 && !a.json {
					a.printf("There are no dead letters.\n")
				}
				return w.Flush()
			}
		}
	})
}

func showLetter(w io.Writer, l inspect.Letter) error {
	fmt.Fprintf(w, "Dead letter %d\n", l.ID)
	fmt.Fprintf(w, "  event  %s\n", clean(l.Event.String()))
	fmt.Fprintf(w, "  kind   %s\n", l.Kind)
	if l.Sender != "" {
		fmt.Fprintf(w, "  from   %s\n", clean(l.Sender))
	}
	fmt.Fprintf(w, "  tried  %s, last %s\n", times(l.Tries, "time"), when(l.Time))
	if l.Retry {
		fmt.Fprint(w, "         and will be tried again soon\n")
	}
	fmt.Fprintf(w, "  error  %s\n", clean(l.Error))
	var content bytes.Buffer
	if err := json.Indent(&content, l.Content, "  ", "  "); err != nil {
		return fmt.Errorf("show the event: %w", err)
	}
	fmt.Fprintf(w, "\n  %s\n", protocol.Clean(content.String()))
	if l.Stack != "" {
		fmt.Fprintf(w, "\n%s\n", protocol.Clean(l.Stack))
	}
	return nil
}
