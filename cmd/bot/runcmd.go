package main

import (
	"log/slog"
	"time"

	"github.com/spf13/cobra"

	"moot/protocol/console/apart"
)

// runFlags are the flags of `moot run`.
type runFlags struct {
	console bool
	script  string
	pipe    bool
	plain   bool
	apart   bool // whether the console is in the parent process
	clock   string

	start  time.Time     // of a frozen clock; zero means the real time
	log    *slog.Logger  // of the cluster that the bot is part of; nil where it is none
	parent *apart.Remote // the console in the parent process, once the lock on the data folder is held; nil where there is none
}

// runCommand is the command, and a function that gives its flags to another command too.
func (a *app) runCommand() (*cobra.Command, func(*cobra.Command)) {
	var f runFlags
	cmd := &cobra.Command{
		Use:   "run",
		Short: "Run the bot (what it also does without a command)",
		Long: `Runs the bot on all networks that are configured. If none is, or with --console,
it opens the console: a chat in the terminal, with rooms, people and private
conversations. It ends with /quit, Ctrl-D or a signal; a second signal does not
wait for what is under way. In a terminal that can, it uses the whole screen; with
--plain, and where TERM is dumb, it writes line by line.

If the standard input is not a terminal, the console reads a script from it:
what people would type, line by line. The bot ends with the script, unless it
also runs on a network.

The exit code is 78 where a person has to do something first, such as to mend the
configuration or to give the bot another token.`,
		Example: `  moot run
  moot run --data /var/lib/moot --config /etc/moot/config.toml
  moot run --console                    the console beside the networks
  moot run --data /tmp/try --script talk.txt
  echo '!moot help' | moot run --data /tmp/try`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := f.check(); err != nil {
				return err
			}
			if err := a.run(cmd.Context(), f); err != nil {
				return &runError{err}
			}
			return nil
		},
	}
	bind := func(cmd *cobra.Command) {
		flags := cmd.Flags()
		flags.BoolVar(&f.console, "console", false, "open the console beside the networks that are configured")
		flags.StringVar(&f.script, "script", "", "let the console read this `FILE` instead of the standard input")
		flags.StringVar(&f.clock, "clock", "", "let the console's clock stand still at this `TIME` (2026-11-21T08:00:00Z), one second on with each line; for scripts")
		flags.BoolVar(&f.plain, "plain", false, "let the console write lines, and not use the whole screen; for screen readers")
		flags.BoolVar(&f.pipe, "pipe", false, "speak with a network in the parent process over standard input and output; for tests")
		flags.BoolVar(&f.apart, "apart", false, "be the bot of a console in the parent process")
		for _, name := range []string{"pipe", "apart"} {
			if err := flags.MarkHidden(name); err != nil {
				panic(err) // it is there
			}
		}
	}
	bind(cmd)
	return cmd, bind
}

func (f *runFlags) check() error {
	if f.apart && (f.pipe || f.console || f.script != "" || f.clock != "") {
		return usageErrorf("--apart cannot be combined with --pipe, --console, --script or --clock.")
	}
	if f.pipe && (f.console || f.script != "" || f.clock != "") {
		return usageErrorf("--pipe cannot be combined with --console, --script or --clock.")
	}
	if f.script != "" || f.clock != "" {
		f.console = true
	}
	if f.clock == "" {
		return nil
	}
	var err error
	if f.start, err = time.Parse(time.RFC3339, f.clock); err != nil {
		return usageErrorf("--clock %q: write a time such as 2026-11-21T08:00:00Z.", f.clock)
	}
	return nil
}
