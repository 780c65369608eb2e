package main

import (
	"errors"
	"os"

	"github.com/spf13/cobra"

	"moot/internal/control"
	"moot/internal/inspect"
	"moot/store"
)

func (a *app) compactCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "compact",
		Short: "Shrink the database file to what it needs",
		Long: `Writes the database anew, without the space that deleted data has left in it.
The bot must not be running. The new file replaces the old one in one step once
it is complete, so nothing is lost if this is interrupted. Until then both have
to fit on the disk. A bot that keeps running does not need this: it uses that
space again.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, _, err := a.load()
			if err != nil {
				return err
			}
			before, after, err := store.Compact(store.Config{Path: storeFile(cfg), LockTimeout: cfg.Store.LockTimeout})
			switch {
			case err != nil:
				return at(cfg, inUse(cmd.Context(), cfg, noData(err)))
			case a.json:
				return a.printJSON(struct {
					Before int64 `json:"before"`
					After  int64 `json:"after"`
				}{before, after})
			}
			a.printf("%s: %s before, %s now.\n", storeFile(cfg), inspect.Bytes(before), inspect.Bytes(after))
			return nil
		},
	}
	a.jsonFlag(cmd)
	return cmd
}

// noData says of a file that is not there that no bot has run.
func noData(err error) error {
	if errors.Is(err, os.ErrNotExist) {
		return control.ErrNoData
	}
	return err
}
