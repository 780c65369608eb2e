package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"moot/internal/config"
	"moot/internal/say"
	"moot/protocol"
	servicenet "moot/protocol/service"
	"moot/services"
)

func (a *app) testCommand() *cobra.Command {
	return &cobra.Command{
		Use: "test NAME [COMMAND] [ARG]…", Short: "Do the tasks of a service here and now, without a bot",
		Long: `Does the tasks of a service here and now, and shows what each of them is given and
writes. No bot needs to run, and none notices. With a command of the service the
rest are its parameters, in their order; otherwise all of it is the text.`,
		Example: `  moot service test dice roll 2d6
  moot service test reminder`,
		Args: cobra.MinimumNArgs(1), ValidArgsFunction: a.known(serviceNames),
		RunE: func(cmd *cobra.Command, args []string) error {
			s, err := a.serviceNamed(args[0])
			if err != nil {
				return err
			}
			return a.testService(cmd.Context(), s, args[1:])
		},
	}
}

// testService does the tasks of a service.
func (a *app) testService(ctx context.Context, s config.Service, words []string) error {
	tasks, err := openTasks(s, slog.New(slog.NewTextHandler(a.errs, nil)))
	if err != nil {
		return err
	}
	defer closeTasks(tasks)
	return a.tryTasks(ctx, s, tasks, words)
}

func closeTasks(tasks []servicenet.Task) {
	for _, t := range tasks {
		t.Run.Close()
	}
}

// tryTasks does the tasks of a service once, and shows what each of them reads and writes.
func (a *app) tryTasks(ctx context.Context, s config.Service, tasks []servicenet.Task, words []string) error {
	in := sample(s, words)
	results := map[string]json.RawMessage{}
	spec, err := specOf(s)
	if err != nil {
		return err
	}
	for _, one := range spec.Tasks {
		if len(one.Torch) > 0 {
			sorry, err := services.Torch(say.English, spec, one, &in)
			switch {
			case err != nil:
				return err
			case sorry != nil:
				a.printf("task %s cannot read that as a command. The answer is\n  %s\n", one.Name, indented(sorry))
				return nil
			}
			a.printf("task %s reads it as the command %s\n", one.Name, in.Command)
			continue
		}
		t := tasks[slices.IndexFunc(tasks, func(t servicenet.Task) bool { return t.Name == one.Name })]
		line, err := services.Line("test", s.Name, t.Name, in, results)
		if err != nil {
			return err
		}
		a.printf("task %s reads\n  %s\n", t.Name, line)
		began := time.Now()
		out, err := t.Run.Do(ctx, line, "MOOT_KEY=test", "MOOT_JOB=test", "MOOT_TRY=1")
		if err != nil {
			return fmt.Errorf("task %s: %w", t.Name, err)
		}
		a.printf("and writes, in %s\n  %s\n", time.Since(began).Round(time.Millisecond), out)
		var fresh map[string]json.RawMessage
		if err := json.Unmarshal(out, &fresh); err != nil {
			return fmt.Errorf("task %s: %w", t.Name, err)
		}
		for k, v := range fresh {
			results[k] = v
		}
	}
	if text := services.Answer(results); len(text) > 0 {
		a.printf("The answer is\n  %s\n", indented(text))
	} else {
		a.printf("There is no answer: none of them wrote one as \"answer\".\n")
	}
	return nil
}

func indented(text protocol.Text) string {
	return strings.ReplaceAll(protocol.Clean(text.Plain()), "\n", "\n  ")
}

// sample is the input of a job that somebody makes up.
func sample(s config.Service, words []string) services.Input {
	in := services.Input{
		Kind: "run", Text: strings.Join(words, " "), Room: "console:lobby", RoomName: "lobby", Person: "console:ann", Name: "ann", Time: time.Now().UTC(),
	}
	switch {
	case len(words) == 0 && s.Schedule != "": // as when its time has come
		return services.Input{Kind: "schedule", Text: s.Text, Time: in.Time}
	case len(words) == 0:
		return in
	}
	for _, c := range s.Commands {
		if c.Name != words[0] {
			continue
		}
		in.Kind, in.Command, in.Args = "command", c.Name, map[string]any{}
		for i, text := range c.Params {
			p, err := config.ParseParam(text)
			if err != nil || i+1 >= len(words) {
				break
			}
			if in.Args[p.Name] = words[i+1]; p.Kind == "text" {
				in.Args[p.Name] = strings.Join(words[i+1:], " ")
			}
		}
	}
	return in
}

// shellCommand gives a service its commands on a terminal.
func (a *app) shellCommand() *cobra.Command {
	return &cobra.Command{
		Use: "shell NAME", Short: "Give a service its commands, line by line, without a bot",
		Long: `Reads lines, does the tasks of the service for each as ` + "`moot service test`" + ` does, and
shows what they read and write. A line that begins with a command of the service
is that command, and any other one is a text. Processes that stay are kept from
line to line. "help" lists the commands; "exit", or the end of the input, ends it.`,
		Args: exactly("NAME"), ValidArgsFunction: a.known(serviceNames),
		RunE: func(cmd *cobra.Command, args []string) error {
			s, err := a.serviceNamed(args[0])
			if err != nil {
				return err
			}
			return a.serviceShell(cmd.Context(), s)
		},
	}
}

func (a *app) serviceShell(ctx context.Context, s config.Service) error {
	tasks, err := openTasks(s, slog.New(slog.NewTextHandler(a.errs, nil)))
	if err != nil {
		return err
	}
	defer closeTasks(tasks)
	in := bufio.NewScanner(a.in)
	for ctx.Err() == nil {
		if a.isTerminal() {
			a.printf("%s> ", s.Name)
		}
		if !in.Scan() {
			break
		}
		words := strings.Fields(protocol.Clean(in.Text()))
		switch {
		case len(words) == 0:
		case words[0] == "exit":
			return nil
		case words[0] == "help":
			for _, c := range s.Commands {
				a.printf("%s: %s\n", strings.Join(append([]string{c.Name}, c.Params...), " "), c.Summary)
			}
		default:
			if err := a.tryTasks(ctx, s, tasks, words); err != nil {
				a.printf("%s\n", protocol.Clean(err.Error()))
			}
		}
	}
	return in.Err()
}
