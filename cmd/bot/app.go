package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"moot/internal/config"
)

// app is one call of the program.
type app struct {
	in        io.Reader
	out, errs io.Writer
	hurry     chan struct{} // closed when nobody wants to wait any more

	// flags of all commands
	configFile string
	data       string
	json       bool
}

// execute does what the arguments say.
func (a *app) execute(ctx context.Context, args []string) error {
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
		Use:   "bot",
		Short: "A bot with which communities govern themselves",
		Long: `moot is one bot in Matrix rooms and Discord guilds that lets the people there govern themselves.

Without a command it runs. Where no network is configured it opens the console: a small chat in
the terminal, with rooms, people and private conversations, to try everything without an account.`,
		Example: `  bot                      run, with config.toml or the built-in defaults
  bot --data DIR           run with another data folder
  bot why e12              what became of an event, and why
  bot check                is all well?`,
		Args:          noArgs,
		RunE:          runs.RunE,
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	bind(root)
	root.PersistentFlags().StringVar(&a.configFile, "config", "", "the configuration `FILE` (otherwise $MOOT_CONFIG, ./config.toml, or the built-in defaults)")
	root.PersistentFlags().StringVar(&a.data, "data", "", "the data `FOLDER`, in place of the configured one")
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return usageErrorf("%s: %v. `%s --help` shows what there is.", cmd.CommandPath(), err, cmd.CommandPath())
	})
	root.AddCommand(runs, a.whyCommand(), a.logCommand(), a.outboxCommand(), a.deadCommand(), a.checkCommand(), a.compactCommand(), a.verifyCommand(), a.matrixCommand(), versionCommand())
	return root
}

// load reads the configuration, and lets the flags have the last word.
func (a *app) load() (config.Config, config.Source, error) {
	cfg, src, err := config.Load(a.configFile)
	if a.data != "" {
		cfg.Data = a.data
	}
	cfg.Data = filepath.Clean(cfg.Data)
	return cfg, src, err
}

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
		return usageErrorf("%s takes nothing, and not %q. `%s --help` shows how it is used.", cmd.CommandPath(), args[0], cmd.CommandPath())
	}
	text := fmt.Sprintf("There is no command %q.", strings.TrimPrefix(cmd.CommandPath()+" "+args[0], "bot "))
	cmd.SuggestionsMinimumDistance = 2
	if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
		text += fmt.Sprintf(" Did you mean %q?", near[0])
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
		return usageErrorf("It is used so: %s %s. `%s --help` says more.", cmd.CommandPath(), strings.Join(names, " "), cmd.CommandPath())
	}
}

// errSilent ends the program as failed where all has been said already.
var errSilent = errors.New("it was said already")

// report says why something could not be done, and returns the exit code.
func (a *app) report(err error) int {
	var usage *usageError
	switch {
	case err == nil:
		return exitOK
	case errors.Is(err, errSilent):
		return exitFailed
	case errors.As(err, &usage):
		fmt.Fprintln(a.errs, usage.text)
		return exitUsage
	}
	fmt.Fprintln(a.errs, explain(err))
	return exitFailed
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
