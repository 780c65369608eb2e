package main

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"moot/internal/config"
	"moot/internal/control"
)

// longestLevel is for how long another level than the usual one may hold: somebody forgets it otherwise.
const longestLevel = 24 * time.Hour

func (a *app) logLevelCommand() *cobra.Command {
	l := control.LogLevel{For: 15 * time.Minute}
	cmd := &cobra.Command{
		Use:   "log-level LEVEL",
		Short: "Let a running bot log more, or less, for a while",
		Long: `Lets the bot that runs log with another level than that of its configuration:
debug, info, warn or error. It returns to the usual one by itself.`,
		Example: `  moot log-level debug
  moot log-level debug --for 1h`,
		Args: exactly("LEVEL"),
		RunE: func(cmd *cobra.Command, args []string) error {
			l.Level = args[0]
			if _, err := readLevel(l.Level); err != nil {
				return usageErrorf("There is no level %q; the levels are debug, info, warn and error.", l.Level)
			}
			if l.For <= 0 || l.For > longestLevel {
				return usageErrorf("--for %s: write a time of at most %s, such as 15m.", l.For, longestLevel)
			}
			return a.ask(func(c *control.Client, _ config.Config) error {
				text, err := c.LogLevel(cmd.Context(), l)
				if err == nil {
					a.printf("%s\n", text)
				}
				return err
			})
		},
	}
	cmd.ValidArgsFunction = words([]string{"debug", "info", "warn", "error"})
	cmd.Flags().DurationVar(&l.For, "for", l.For, "return to the usual level after this `TIME`")
	return cmd
}

// changeLevel is the LogLevel of a bot that runs.
func (a *app) changeLevel(l control.LogLevel) (string, error) {
	level, err := readLevel(l.Level)
	if err != nil {
		return "", err
	}
	during := min(l.For, longestLevel)
	usual := a.level.change(level, during)
	return fmt.Sprintf("The bot logs at the level %s for %s, and then at %s again.", level, during, usual), nil
}
