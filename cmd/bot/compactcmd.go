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
		Short: "Give back the room that the database does not need any more",
		Long: `Writes the database anew without the room that what was forgotten has left in it. The bot must not run meanwhile.
The old file is replaced in one step when the new one is whole: nothing is lost if this is cut short. Until then both
have to fit on the disk. A bot that goes on running needs none of this, as it uses that room again.`,
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
			a.printf("%s had %s and has %s.\n", storeFile(cfg), inspect.Bytes(before), inspect.Bytes(after))
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
