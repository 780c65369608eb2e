package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"moot/internal/config"
	"moot/internal/control"
	"moot/internal/inspect"
	"moot/protocol"
	"moot/store"
)

func (a *app) whyCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "why [ROOM] EVENT",
		Short: "Say what became of an event, and why",
		Long: `Says what became of an event: whether it was handled or ignored and for what reason, when, what was
sent because of it and where that stands now, and which facts came of it.

An event is named by its id in the network. Where several rooms have an event of that id, name the room
too, by its id or its name.`,
		Example: `  bot why e12
  bot why lobby e12
  bot why '!abc:example.org' '$Rqnc-F-dvnEYJTyHq_iKxU2bZ1CI92-kuZq3a5lr5Zg'`,
		Args: exactly("[ROOM]", "EVENT"),
		RunE: func(cmd *cobra.Command, args []string) error {
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
	a.jsonFlag(cmd)
	return cmd
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
		fmt.Fprintf(w, "    %s\n", factLine(f))
	}
	if why.MoreFacts {
		fmt.Fprint(w, "    and more\n")
	}
	if why.Fault != "" {
		fmt.Fprintf(w, "  facts              %s\n", clean(why.Fault))
	}
	if why.Disposition == store.Failed.String() {
		fmt.Fprint(w, "`bot dead` lists what failed; `bot dead retry ID` has it tried again.\n")
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
