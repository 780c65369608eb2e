package main

import (
	"log/slog"
	"os"

	"github.com/spf13/cobra"

	"moot/cluster"
	"moot/cluster/settings"
)

func (a *app) clusterCommand() *cobra.Command {
	file := "config.yaml"
	cmd := &cobra.Command{
		Use:   "cluster",
		Short: "Run any bot on Discord as clusters of shards, in place of mewld",
		Long: `Runs any bot on Discord as clusters: processes with some of its shards each, which
are started one after another, watched, and restarted. It reads the config.yaml of
mewld and speaks with the clusters as mewld does, by Redis: a bot that runs under
mewld runs here as it is.

A signal ends all clusters in good order; a second one kills what has not ended.
Where the launcher itself is killed, no cluster lives on. It needs Linux.`,
		Example: `  moot cluster -c config.yaml
  MTOKEN=... moot cluster -c /srv/mybot/config.yaml`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, err := settings.Load(file, os.Getenv)
			if err != nil {
				return &runError{err}
			}
			code, err := cluster.Run(cmd.Context(), a.hurry, cluster.Config{
				Settings: s, Environ: os.Environ(), Out: os.Stdout, Errs: os.Stderr, Version: version(), Log: a.clusterLog(),
			})
			switch {
			case err != nil:
				return &runError{err}
			case code != 0:
				return errSilent // somebody wants it to be started again
			}
			return nil
		},
	}
	cmd.PersistentFlags().StringVarP(&file, "cfg-file", "c", file, "the `FILE` of mewld with the configuration")
	completes(cmd, "cfg-file", func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		return []string{"yaml", "yml"}, cobra.ShellCompDirectiveFilterFileExt
	})
	cmd.AddCommand(a.clusterWebCommand(&file))
	return cmd
}

func (a *app) clusterWebCommand(file *string) *cobra.Command {
	return &cobra.Command{
		Use:   "web",
		Short: "Give a link to the page of the clusters, which lets you in once",
		Long: `Gives a link to the page of the launcher that runs: clusters with their shards, the
action log, and what can be started, stopped and restarted. The link lets one
browser on this machine in, within five minutes; it then stays in for 12 hours.

From another machine, an SSH tunnel leads there: ssh -L 1293:127.0.0.1:1293 HOST.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, err := settings.Load(*file, func(string) string { return "none is needed here" }) // of MTOKEN
			if err != nil {
				return err
			}
			link, err := cluster.Link(cmd.Context(), s)
			if err == nil {
				a.printf("%s\n", link)
			}
			return err
		},
	}
}

// clusterLog is the log of the launcher. Its level is that of mewld's variable.
func (a *app) clusterLog() *slog.Logger {
	level := slog.LevelInfo
	_ = level.UnmarshalText([]byte(os.Getenv("LOG_LEVEL"))) // as in mewld, what is no level is none
	return slog.New(slog.NewTextHandler(a.errs, &slog.HandlerOptions{Level: level}))
}
