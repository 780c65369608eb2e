package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"moot/cluster"
	"moot/cluster/member"
	"moot/cluster/settings"
	"moot/events"
	"moot/internal/bot"
	"moot/internal/config"
	"moot/internal/page"
	"moot/protocol"
	"moot/protocol/console"
	"moot/protocol/console/apart"
	"moot/protocol/matrix/account"
	"moot/protocol/matrix/crypto"
	"moot/protocol/remote"
	"moot/replica"
	"moot/store"
)

// app is one call of the program.
type app struct {
	in        io.Reader
	out, errs io.Writer
	hurry     chan struct{} // closed when nobody wants to wait any more
	level     logLevel
	tail      *page.Tail             // of the log, for the page; nil where there is none
	logged    *logOutput             // where the log goes, once it is open
	saidWhy   bool                   // whether the log on errs says why the bot ends
	launched  bool                   // whether a launcher of clusters has started this process
	letGo     func() error           // unlocks the data folder of a machine of several; nil before it is locked
	atWork    bool                   // whether this machine has been one of several since the program started
	needsBase bool                   // whether the store of this machine is too old for the log of several
	reload    atomic.Pointer[func()] // what SIGHUP has done; nil where it ends the program, as where a terminal is closed

	// flags of all commands
	configFile string
	data       string
	json       bool
}

// execute does what the arguments say.
func (a *app) execute(ctx context.Context, args []string) error {
	if member.IsStart(args) {
		return a.runMember(ctx, args)
	}
	root := a.command()
	root.SetArgs(args)
	root.SetIn(a.in)
	root.SetOut(a.out)
	root.SetErr(a.errs)
	return root.ExecuteContext(ctx)
}

// command is the tree of commands.
func (a *app) command() *cobra.Command {
	runs, bind := a.runCommand()
	root := &cobra.Command{
		Use:   "moot",
		Short: "A bot with which communities govern themselves",
		Long: `moot is one bot in Matrix rooms and Discord guilds that lets the people there
govern themselves.

Without a command it runs. If no network is configured it opens the console: a
small chat in the terminal, with rooms, people and private conversations, to try
everything without an account.`,
		Example: `  moot                     run, with config.toml or the built-in defaults
  moot --data DIR          run with another data folder
  moot why e12             what became of an event, and why
  moot check               is all well?`,
		Version:       versionLine(),
		Args:          noArgs,
		RunE:          runs.RunE,
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	root.SetVersionTemplate("{{.Version}}\n")
	bind(root)
	root.PersistentFlags().StringVar(&a.configFile, "config", "", "the configuration `FILE` (otherwise $MOOT_CONFIG, ./config.toml, or the built-in defaults)")
	root.PersistentFlags().StringVar(&a.data, "data", "", "the data `FOLDER` (otherwise $MOOT_DATA, or the configured one)")
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		text := err.Error()
		if bad := (*pflag.InvalidValueError)(nil); errors.As(err, &bad) {
			text = fmt.Sprintf("--%s %q: write %s", bad.GetFlag().Name, bad.GetValue(), valueKinds[bad.GetFlag().Value.Type()])
		}
		return usageErrorf("%s: %s. `%s --help` lists the flags.", cmd.CommandPath(), text, cmd.CommandPath())
	})
	root.AddCommand(runs, a.setupCommand(), a.whyCommand(), a.logCommand(), a.outboxCommand(), a.deadCommand(), a.checkCommand(), a.compactCommand(), a.verifyCommand(), a.backupCommand(), a.logLevelCommand(), a.webCommand(), a.restoreCommand(), a.matrixCommand(), a.clockCommand(), a.serviceCommand(), a.nodeCommand(), a.clusterCommand(), versionCommand())
	for _, f := range special {
		root.AddCommand(f(a))
	}
	withoutFiles(root)
	return root
}

// valueKinds says in words what a flag wants that does not take every text.
var valueKinds = map[string]string{"int": "a whole number", "duration": "a time such as 15m or 2h", "bool": "true or false"}

// special are commands of special builds.
var special []func(*app) *cobra.Command

// load reads the configuration, and lets the flags have the last word.
func (a *app) load() (config.Config, config.Source, error) {
	cfg, src, err := config.Load(a.configFile)
	if a.launched && os.Getenv(tokenVariable) != "" {
		cfg.Discord.Token = config.EnvSecret(tokenVariable)
	}
	switch folder := a.folder(); {
	case folder != "":
		cfg.Data = folder
	case len(cfg.Networks()) == 0:
		// Who tries votes in the console moves its clock. What is real begins in a folder of its own.
		cfg.Data = filepath.Join(cfg.Data, consoleFolder)
	}
	cfg.Data = filepath.Clean(cfg.Data)
	return cfg, src, err
}

// dataVariable names the data folder, for an image of a container that knows where it is.
const dataVariable = "MOOT_DATA"

// folder is the data folder where it is named beside the configuration.
func (a *app) folder() string { return cmp.Or(a.data, os.Getenv(dataVariable)) }

// tokenVariable is where a launcher of clusters leaves the token.
const tokenVariable = "MTOKEN"

// consoleFolder is where the console keeps its world, below the configured folder, while no network is switched on.
const consoleFolder = "console"

// usageError is the error of somebody who asked in a way that is not understood.
type usageError struct{ text string }

func (e *usageError) Error() string { return e.text }

func usageErrorf(format string, args ...any) error { return &usageError{fmt.Sprintf(format, args...)} }

// noArgs refuses arguments. At the root they are commands that do not exist.
func noArgs(cmd *cobra.Command, args []string) error {
	switch {
	case len(args) == 0:
		return nil
	case cmd.HasParent() && !cmd.HasSubCommands():
		return usageErrorf("%s takes no arguments, but got %q. `%s --help` says more.", cmd.CommandPath(), args[0], cmd.CommandPath())
	}
	text := fmt.Sprintf("There is no command %q.", strings.TrimPrefix(cmd.CommandPath()+" "+args[0], "moot "))
	for cmd.SuggestionsMinimumDistance = 1; cmd.SuggestionsMinimumDistance <= 2; cmd.SuggestionsMinimumDistance++ {
		if near := cmd.SuggestionsFor(args[0]); len(near) > 0 { // cobra does not put the nearest first
			text += fmt.Sprintf(" Did you mean %q?", near[0])
			break
		}
	}
	return usageErrorf("%s `%s --help` lists all.", text, cmd.CommandPath())
}

// exactly wants the named arguments, of which those in brackets may be left out.
func exactly(names ...string) cobra.PositionalArgs {
	least := 0
	for _, n := range names {
		if !strings.HasPrefix(n, "[") {
			least++
		}
	}
	return func(cmd *cobra.Command, args []string) error {
		if len(args) >= least && len(args) <= len(names) {
			return nil
		}
		return usageErrorf("Usage: %s %s. `%s --help` says more.", cmd.CommandPath(), strings.Join(names, " "), cmd.CommandPath())
	}
}

// errSilent ends the program as failed where all has been said already.
var errSilent = errors.New("it was said already")

// report says why something could not be done, and returns the exit code.
func (a *app) report(err error) int {
	var usage *usageError
	var apartEnded *apart.Ended
	switch {
	case err == nil:
		return exitOK
	case errors.Is(err, errSilent):
		return exitFailed
	case errors.As(err, &apartEnded): // which has said why itself
		fmt.Fprint(a.errs, apartEnded.Words)
		return apartEnded.Code
	case errors.As(err, &usage):
		fmt.Fprintln(a.errs, usage.text)
		return exitUsage
	}
	if !a.saidWhy {
		fmt.Fprintln(a.errs, explain(err))
	}
	if ran := (*runError)(nil); errors.As(err, &ran) && needsPerson(err) {
		return exitPerson
	}
	return exitFailed
}

// runError is the error of a bot that was to run.
type runError struct{ error }

func (e *runError) Unwrap() error { return e.error }

// needsPerson reports whether a bot that ended with an error would end with it again until somebody has done something: changed
// the configuration, given it another token, or put its data right.
func needsPerson(err error) bool {
	var problems config.Problems
	var clusterProblems *settings.Problems
	var fault *account.Fault
	var ends bot.NetworkEnds // for reasons that do not pass by themselves
	switch {
	case errors.Is(err, store.ErrWrite), errors.Is(err, store.ErrBroken), store.IsFull(err): // the disk may be better by then
		return false
	case errors.Is(err, account.ErrUnreachable): // as when the homeserver of a first login is started after the bot
		return false
	case errors.As(err, &problems), errors.As(err, &clusterProblems), errors.As(err, &fault), errors.As(err, &ends), errors.Is(err, cluster.ErrToken), errors.Is(err, remote.ErrRefused), protocol.RetryOf(err) == protocol.RetryNever:
		return true
	}
	for _, kind := range []error{
		replica.ErrVersion, replica.ErrParted, replica.ErrOther, replica.ErrUnfit, replica.ErrRefused,
		store.ErrForeign, store.ErrNewer, store.ErrOlder, store.ErrDamaged, events.ErrArchive, crypto.ErrDamaged,
		console.ErrMoved, console.ErrOtherWorld, console.ErrNewer, console.ErrForeign, console.ErrCorrupt,
	} {
		if errors.Is(err, kind) {
			return true
		}
	}
	return false
}

// printf writes for whoever asked. What cannot be written has nobody to read about it.
func (a *app) printf(format string, args ...any) { fmt.Fprintf(a.out, format, args...) }

// printJSON writes one value as a line.
func (a *app) printJSON(v any) error {
	enc := json.NewEncoder(a.out)
	enc.SetEscapeHTML(false)
	return enc.Encode(v)
}

// jsonFlag lets a command write JSON.
func (a *app) jsonFlag(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&a.json, "json", false, "write JSON, for programs")
}
