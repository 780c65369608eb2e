package main

import (
	"context"
	"slices"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"moot/internal/config"
	"moot/internal/control"
	"moot/internal/inspect"
	"moot/rooms"
	"moot/services"
)

// words has the shell complete words that are always the same.
func words[T ~string](all []T) cobra.CompletionFunc {
	return cobra.FixedCompletions(texts(all), cobra.ShellCompDirectiveNoFileComp)
}

func texts[T ~string](all []T) []string {
	out := make([]string, len(all))
	for i, w := range all {
		out[i] = string(w)
	}
	return out
}

// folders has the shell complete folders.
func folders(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	return nil, cobra.ShellCompDirectiveFilterDirs
}

// completionWait is how long somebody who presses the tabulator waits for what only the bot, or its files, knows.
const completionWait = time.Second

// known has the shell complete what the bot knows: the value of a flag, or the first argument.
func (a *app) known(list func(context.Context, *control.Client, config.Config) []string) cobra.CompletionFunc {
	return func(cmd *cobra.Command, args []string, _ string) (found []string, _ cobra.ShellCompDirective) {
		if len(args) == 0 {
			ctx, cancel := context.WithTimeout(cmd.Context(), completionWait)
			defer cancel()
			// Why there are no words the command itself will say.
			_ = a.ask(func(c *control.Client, cfg config.Config) error {
				found = list(ctx, c, cfg)
				return nil
			})
		}
		return found, cobra.ShellCompDirectiveNoFileComp
	}
}

// completes has the shell complete the value of a flag.
func completes(cmd *cobra.Command, flag string, with cobra.CompletionFunc) {
	if err := cmd.RegisterFlagCompletionFunc(flag, with); err != nil {
		panic(err) // there is no such flag: a mistake in the program
	}
}

// withoutFiles has the shell offer no files where no command wants one.
func withoutFiles(cmd *cobra.Command) {
	if cmd.ValidArgsFunction == nil {
		cmd.ValidArgsFunction = cobra.NoFileCompletions
	}
	for _, sub := range cmd.Commands() {
		withoutFiles(sub)
	}
}

// roomIDs are the rooms of which something is known lately.
func roomIDs(ctx context.Context, c *control.Client, _ config.Config) (ids []string) {
	page, err := c.Log(ctx, inspect.LogQuery{Kind: rooms.Kind.Name, Backward: true, Limit: inspect.PageSize})
	if err != nil {
		return nil
	}
	for _, f := range page.Facts {
		ids = append(ids, string(f.Scope))
	}
	slices.Sort(ids)
	return slices.Compact(ids)
}

// letterNumbers are those of the dead letters.
func letterNumbers(ctx context.Context, c *control.Client, _ config.Config) (numbers []string) {
	page, err := c.Dead(ctx, 0)
	if err != nil {
		return nil
	}
	for _, l := range page.Letters {
		numbers = append(numbers, strconv.FormatUint(l.ID, 10))
	}
	return numbers
}

// serviceNames are those of the configured services.
func serviceNames(_ context.Context, _ *control.Client, cfg config.Config) (names []string) {
	for _, s := range cfg.Services {
		names = append(names, s.Name)
	}
	return names
}

// jobNames are those of the last jobs.
func jobNames(ctx context.Context, c *control.Client, _ config.Config) (names []string) {
	page, err := c.Jobs(ctx, services.JobQuery{Limit: inspect.PageSize})
	if err != nil {
		return nil
	}
	for _, j := range page.Jobs {
		names = append(names, string(j.Job))
	}
	return names
}

// kindNames are the kinds of facts.
func kindNames() (names []string) {
	for _, k := range kinds() {
		names = append(names, k.Name)
	}
	return names
}
