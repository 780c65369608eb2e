package main

import (
	"github.com/spf13/cobra"

	"moot/internal/config"
	"moot/internal/control"
)

func (a *app) verifyCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "verify",
		Short: "Replay the log of facts, and compare it with what the bot knows",
		Long: `All that the bot knows of votes, challenges and who was active follows from its
log of facts. This command replays the whole log, including the archive, into a
copy, compares every value with the one in the database, and names the first
difference. It changes nothing, and also works while the bot runs.

The exit code is 1 if there is a difference, or if the log cannot be read, and 0
otherwise.`,
		Example: `  moot verify
  moot verify --json`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.ask(func(c *control.Client, _ config.Config) error {
				v, err := c.Verify(cmd.Context())
				if err != nil {
					return err
				}
				switch {
				case a.json:
					if err := a.printJSON(v); err != nil {
						return err
					}
				case v.Difference != "":
					a.printf("The log of %d facts does not give what the bot knows. The first difference: %s\n", v.Facts, clean(v.Difference))
					a.printf("Keep the data folder as it is, and report this as a bug of moot, with this line.\n")
				default:
					a.printf("%d facts replayed, %d of them from the archive. They give exactly what the bot knows: %d values in %d buckets.\n",
						v.Facts, v.Archived, v.Keys, len(v.Buckets))
				}
				if v.Difference != "" {
					return errSilent
				}
				return nil
			})
		},
	}
	a.jsonFlag(cmd)
	return cmd
}
