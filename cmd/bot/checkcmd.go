package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"moot/internal/config"
	"moot/internal/control"
	"moot/internal/inspect"
	"moot/invites"
	"moot/protocol"
	"moot/protocol/matrix/account"
	"moot/protocol/matrix/crypto"
	"moot/protocol/matrix/survey"
	"moot/store"
)

func (a *app) checkCommand() *cobra.Command {
	var q inspect.CheckQuery
	cmd := &cobra.Command{
		Use:   "check",
		Short: "Check the configuration and the data folder",
		Long: `Looks at everything that can be wrong, and says of each thing what to do: the configuration, the data folder, the
account on each network, the database, what failed, what waits, which rooms are not fully known. It changes nothing,
and also works while the bot runs.

The exit code is 1 if something keeps the bot from its work, and 0 otherwise.`,
		Example: `  bot check
  bot check --full       read the whole database, and replay the log of facts
  bot check --config new.toml --json`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			found := a.check(cmd.Context(), q)
			if a.json {
				if err := a.printJSON(found); err != nil {
					return err
				}
			} else {
				showFindings(a.out, found)
			}
			for _, f := range found {
				if f.Status == inspect.Fail {
					return errSilent
				}
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&q.Full, "full", false, "read all data, however long it takes; messages may have to wait meanwhile")
	a.jsonFlag(cmd)
	return cmd
}

// check looks at one thing after another. What is wrong with one of them keeps only those from being looked at that rest
// on it.
func (a *app) check(ctx context.Context, q inspect.CheckQuery) []inspect.Finding {
	cfg, src, err := a.load()
	if err != nil {
		return configFaults(err)
	}
	found := []inspect.Finding{{Status: inspect.OK, What: "configuration", Text: src.String()}}
	for _, w := range cfg.Warnings() {
		found = append(found, inspect.Finding{Status: inspect.Warn, What: "secret", Text: w})
	}
	if _, err := hashKey(cfg); err != nil {
		found = append(found, inspect.Finding{Status: inspect.Fail, What: "secret", Text: sentence(err.Error()), Do: "put it where hash_key in [privacy] says that it is"})
	}
	found = append(found, inspect.Folder(cfg.Data)...)
	if cfg.Matrix.Enabled() {
		found = append(found, checkMatrix(ctx, cfg)...)
	}
	if cfg.Discord.Enabled() {
		found = append(found, checkDiscord(ctx, cfg)...)
	}
	client := newClient(cfg)
	switch status, err := client.Status(ctx); {
	case errors.Is(err, control.ErrNoData):
		return append(found, inspect.Finding{Status: inspect.OK, What: "bot", Text: "has not run with this data folder yet"})
	case err != nil:
		return append(found, inspect.Finding{Status: inspect.Fail, What: "database", Text: explain(at(cfg, err))})
	case status.Running:
		found = append(found, inspect.Finding{Status: inspect.OK, What: "bot", Text: fmt.Sprintf("runs as process %d since %s", status.PID, when(status.Started))})
	default:
		found = append(found, inspect.Finding{Status: inspect.OK, What: "bot", Text: "does not run"})
	}
	more, err := client.Check(ctx, q)
	if err != nil {
		more = []inspect.Finding{{Status: inspect.Fail, What: "database", Text: explain(at(cfg, err))}}
	}
	return append(found, more...)
}

// invitationFindings returns what there is to say of the invitations that are open: of a few of them each, with the line of
// the configuration that would admit whoever invited.
func invitationFindings(f *invites.Feature) func(tx *store.Tx) []inspect.Finding {
	return func(tx *store.Tx) (found []inspect.Finding) {
		const most = 10
		left := 0
		for i := range f.Open(tx) {
			line, ok := invitationFinding(f, i)
			switch {
			case !ok:
			case len(found) == most:
				left++
			default:
				found = append(found, line)
			}
		}
		if left > 0 {
			found = append(found, inspect.Finding{Status: inspect.Warn, What: "invitation", Text: fmt.Sprintf("%d more wait", left), Do: "the command invites lists more of them, for operators"})
		}
		return found
	}
}

func invitationFinding(f *invites.Feature, i invites.Invitation) (inspect.Finding, bool) {
	by := "somebody whom the bot does not know any more"
	if i.By != "" {
		by = string(i.By)
	}
	line := inspect.Finding{Status: inspect.Warn, What: "invitation", Text: fmt.Sprintf("to %s (%s) by %s", i.Room, protocol.Quoted(i.Title, 0), by)}
	switch {
	case i.State == invites.Waiting && i.By != "":
		line.Text += " waits, because this person may not invite the bot"
		line.Do = f.Line(i.By) + " in [invites] of config.toml, and a restart, lets the bot join; an operator's invites accept " + string(i.Room) + " does it once"
	case i.State == invites.Waiting:
		line.Text += " waits, because nobody knows whether this person may invite the bot"
		line.Do = "an operator's command invites accept " + string(i.Room) + " lets it join"
	case i.State == invites.Failed:
		line.Text += " was accepted, but the room could not be joined: " + i.Fault
		line.Do = "an operator's command invites accept " + string(i.Room) + " tries again"
	case i.State == invites.Accepted && i.Fault != "":
		line.Text += " was accepted, but the room could not be joined yet: " + i.Fault
		line.Do = "the bot tries again by itself, for some hours"
	default:
		return line, false
	}
	return line, true
}

// checkPatience is how long a homeserver may take to answer all that a check asks.
const checkPatience = 30 * time.Second

// checkMatrix looks at the account on its homeserver.
func checkMatrix(ctx context.Context, cfg config.Config) (found []inspect.Finding) {
	ctx, cancel := context.WithTimeout(ctx, checkPatience)
	defer cancel()
	status := map[survey.Weight]inspect.Status{survey.Fine: inspect.OK, survey.Flaw: inspect.Warn, survey.Failure: inspect.Fail}
	for _, f := range survey.Account(ctx, account.Config{
		User: cfg.Matrix.User, Homeserver: cfg.Matrix.Homeserver,
		AccessToken: reveal(cfg.Matrix.AccessToken), Password: reveal(cfg.Matrix.Password), Folder: cfg.Data,
	}) {
		found = append(found, inspect.Finding{Status: status[f.Weight], What: f.What, Text: f.Text, Do: f.Do})
	}
	if err := crypto.Examine(ctx, cfg.Data); err != nil {
		f := inspect.Finding{Status: inspect.Fail, What: "keys", Text: explain(err)}
		if fault := (*account.Fault)(nil); errors.As(err, &fault) {
			f.Text, f.Do = fault.What, fault.Do
		}
		found = append(found, f)
	}
	return found
}

// configFaults makes a finding of each thing that is wrong with the configuration.
func configFaults(err error) []inspect.Finding {
	var problems config.Problems
	if !errors.As(err, &problems) {
		return []inspect.Finding{{Status: inspect.Fail, What: "configuration", Text: explain(err)}}
	}
	var found []inspect.Finding
	for _, p := range problems {
		found = append(found, inspect.Finding{Status: inspect.Fail, What: "configuration", Text: p.String()})
	}
	return found
}

func showFindings(w io.Writer, found []inspect.Finding) {
	for _, f := range found {
		fmt.Fprintf(w, "%-5s %-20s %s\n", f.Status, f.What, clean(f.Text))
		if f.Do != "" {
			fmt.Fprintf(w, "%27s→ %s\n", "", clean(f.Do))
		}
	}
}
