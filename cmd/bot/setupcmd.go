package main

import (
	"cmp"
	"context"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"moot/internal/config"
	"moot/internal/inspect"
	"moot/internal/setup"
	"moot/store"
	"moot/store/disk"
)

func (a *app) setupCommand() *cobra.Command {
	c := setup.Config{}
	cmd := &cobra.Command{
		Use:   "setup",
		Short: "Ask what the bot has to know, and write its configuration",
		Long: `Asks for the account of the bot on Matrix or its token on Discord, or both, and
who runs it: at most eight things. Each answer is tried on the server before the
next question. It then writes the configuration (--config, otherwise config.toml
in this folder), which names only what differs from the defaults, and checks it.

Where the standard input is no terminal, or TERM is dumb, or with --plain, it
asks line by line.`,
		Example: `  moot setup
  moot setup --config /etc/moot/config.toml --data /var/lib/moot`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.setup(cmd.Context(), c) },
	}
	flags := cmd.Flags()
	flags.BoolVar(&c.Plain, "plain", false, "ask line by line; for screen readers")
	flags.StringVar(&c.APIURL, "api-url", "", "the `ADDRESS` of a proxy before Discord's API, with its version")
	flags.StringVar(&c.GatewayURL, "gateway-url", "", "the `ADDRESS` of a proxy before Discord's gateway")
	return cmd
}

// setup asks, writes, and checks what was written.
func (a *app) setup(ctx context.Context, c setup.Config) error {
	c.In, c.Out, c.Data, c.Version = a.in, a.out, a.folder(), version()
	c.Plain = c.Plain || !a.isTerminal() || os.Getenv("TERM") == "dumb"
	c.File = cmp.Or(a.configFile, os.Getenv(config.Variable), config.FileName)
	c.Hold = holdFolder
	done, err := setup.Run(ctx, c)
	if err != nil {
		return err
	}
	a.configFile = c.File
	a.printf("\n")
	found := a.check(ctx, inspect.CheckQuery{})
	showFindings(a.out, found)
	a.printf("\nStart the bot: moot run")
	if c.File != config.FileName {
		a.printf(" --config %s", c.File)
	}
	a.printf("\n")
	if done.Account != "" {
		a.printf("On Matrix, say help to %s, or invite it to a room.\n", done.Account)
	}
	if done.Invite != "" {
		a.printf("On Discord, add it to a server by the link above, and type /help there.\n")
	}
	return failing(found)
}

// holdFolder makes a data folder with an empty database where there is none, and holds it.
func holdFolder(folder string) (func() error, error) {
	if err := disk.MakeFolder(folder); err != nil {
		return nil, fmt.Errorf("the data folder cannot be made: %w", err)
	}
	cfg := config.Config{Data: folder}
	st, err := store.Open(store.Config{Path: storeFile(cfg)})
	if err != nil {
		return nil, at(cfg, err)
	}
	return st.Close, nil
}
