package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"moot/internal/bot"
	"moot/internal/clock"
	"moot/internal/config"
	"moot/internal/control"
	"moot/internal/finding"
	"moot/internal/fit"
	"moot/internal/inspect"
	"moot/internal/parts"
	"moot/invites"
	"moot/protocol"
	"moot/protocol/console"
	"moot/protocol/discord"
	"moot/protocol/matrix"
	"moot/protocol/matrix/account"
	"moot/protocol/matrix/crypto"
	"moot/protocol/matrix/keys"
	"moot/protocol/matrix/survey"
	"moot/store"
)

func (a *app) checkCommand() *cobra.Command {
	var q inspect.CheckQuery
	var fix bool
	cmd := &cobra.Command{
		Use:   "check",
		Short: "Check the configuration and the data folder",
		Long: `Looks at everything that can be wrong, and says in each case what to do: the
configuration, the data folder, the account on each network, the database, what
failed, what waits, and rooms whose members are not known. It changes nothing,
and also works while the bot runs.

With --fix it first puts right what can be put right without harm: who may read
the data folder and the secrets, what killed runs have left, sockets that nobody
listens on, and commands that stand with Discord as another version had them.

The exit code is 1 if something keeps the bot from its work, and 0 otherwise.`,
		Example: `  moot check
  moot check --full       read the whole database, and replay the log of facts
  moot check --fix        put right what is safe, such as who may read the files
  moot check --config new.toml --json`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var found []finding.Finding
			if fix {
				found = a.fix(cmd.Context())
			}
			found = append(found, a.check(cmd.Context(), q)...)
			if a.json {
				if err := a.printJSON(found); err != nil {
					return err
				}
			} else {
				showFindings(a.out, found)
			}
			return failing(found)
		},
	}
	cmd.Flags().BoolVar(&q.Full, "full", false, "read all data, however long it takes; messages may have to wait meanwhile")
	cmd.Flags().BoolVar(&fix, "fix", false, "put right what can be put right without harm, and then check")
	a.jsonFlag(cmd)
	return cmd
}

// failing is the error of findings of which one keeps the bot from its work.
func failing(found []finding.Finding) error {
	if slices.ContainsFunc(found, func(f finding.Finding) bool { return f.Status == finding.Fail }) {
		return errSilent
	}
	return nil
}

// check looks at one thing after another. A fault skips only what depends on the faulty thing.
func (a *app) check(ctx context.Context, q inspect.CheckQuery) []finding.Finding {
	cfg, src, err := a.load()
	if err != nil {
		return configFaults(err)
	}
	found := []finding.Finding{{Status: finding.OK, What: "configuration", Text: src.String()}}
	for _, w := range cfg.Warnings() {
		found = append(found, finding.Finding{Status: finding.Warn, What: "configuration", Text: w})
	}
	if err := cfg.Secrets(); err != nil {
		found = append(found, configFaults(err)...)
	}
	found = append(found, inspect.Folder(cfg.Data)...)
	examined := partsOf(cfg, cfg.UseConsole())
	examined.Cursors = []string{matrix.GenerationCursor, discord.GenerationCursor}
	examined.LockTimeout = 0 // a bot that runs keeps its database
	whole := parts.Examine(ctx, examined)
	faults := partFindings(cfg, whole, found)
	found = append(found, faults...)
	nets := &networks{} // nothing of them is opened
	if _, err := cfg.Matrix.AccessToken.Token(); err == nil && cfg.Matrix.Enabled() {
		found = append(found, checkMatrix(ctx, cfg, whole.Cursors[matrix.GenerationCursor], nets.server())...)
	}
	if token, err := cfg.Discord.Token.Token(); err == nil && cfg.Discord.Enabled() {
		found = append(found, checkDiscord(ctx, cfg, token, whole.Cursors[discord.GenerationCursor], nets.server())...)
	}
	found = append(found, replicaFindings(ctx, cfg)...)
	client := newClient(cfg)
	status, err := client.Status(ctx)
	if len(cfg.Networks()) > 0 {
		found = append(found, clockFinding(clock.Judge(time.Now(), status.Reached, clock.Readings(nets.servers))))
	}
	switch {
	case errors.Is(err, control.ErrNoData):
		return append(found, finding.Finding{Status: finding.OK, What: "bot", Text: "has not run in this data folder yet"})
	case err != nil && len(faults) > 0:
		return found
	case err != nil:
		return append(found, finding.Finding{Status: finding.Fail, What: "database", Text: explain(at(cfg, err))})
	case status.Standby:
		found = append(found, finding.Finding{Status: finding.OK, What: "bot", Text: fmt.Sprintf("standing by as process %d since %s", status.PID, when(status.Started))})
	case status.Running:
		found = append(found, finding.Finding{Status: finding.OK, What: "bot", Text: fmt.Sprintf("running as process %d since %s", status.PID, when(status.Started))})
		found = append(found, networkFindings(status.Networks)...)
	default:
		found = append(found, finding.Finding{Status: finding.OK, What: "bot", Text: "is not running"})
	}
	if slices.ContainsFunc(faults, func(f finding.Finding) bool { return f.Status == finding.Fail }) && whole.Busy == nil {
		return found // what rests on the parts is not looked at
	}
	more, err := client.Check(ctx, q)
	if err != nil {
		more = []finding.Finding{{Status: finding.Fail, What: "database", Text: explain(at(cfg, err))}}
	}
	return append(found, more...)
}

// storeFindings returns what there is to say of what stands in the database, beside what every bot has.
func storeFindings(f *invites.Feature) func(tx *store.Tx) []finding.Finding {
	return func(tx *store.Tx) []finding.Finding {
		return append(keysFindings(tx), invitationFindings(f, tx)...)
	}
}

// invitationFindings returns what there is to say of the invitations that are open: of a few of them each, with the line of
// the configuration that would admit whoever invited.
func invitationFindings(f *invites.Feature, tx *store.Tx) (found []finding.Finding) {
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
		found = append(found, finding.Finding{Status: finding.Warn, What: "invitation", Text: fmt.Sprintf("%d more wait", left), Do: "the command invites lists more of them, for operators"})
	}
	return found
}

// keysFindings returns what there is to say of the keys for Matrix, which only who has the database can tell.
func keysFindings(tx *store.Tx) []finding.Finding {
	kept, err := keys.Look(tx)
	if err != nil || kept.Restored == "" { // rows that are damaged are found with the parts of the folder
		return nil
	}
	return []finding.Finding{{Status: finding.OK, What: "keys", Text: fmt.Sprintf("the data folder was put back from a backup that was older than the run before; the bot noticed it at %s, and began new sessions with all devices. If somebody cannot read what it says, run `moot matrix forget`", kept.Restored)}}
}

func invitationFinding(f *invites.Feature, i invites.Invitation) (finding.Finding, bool) {
	by := "somebody whom the bot no longer knows"
	if i.By != "" {
		by = string(i.By)
	}
	line := finding.Finding{Status: finding.Warn, What: "invitation", Text: fmt.Sprintf("to %s (%s) by %s", i.Room, protocol.Quoted(i.Title, 0), by)}
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
		line.Do = "nothing: the bot tries again for some hours"
	default:
		return line, false
	}
	return line, true
}

// checkPatience is how long a homeserver may take to answer all that a check asks.
const checkPatience = 30 * time.Second

// checkMatrix looks at the account on its homeserver. Of a bot that runs it is not known what it has left there.
func checkMatrix(ctx context.Context, cfg config.Config, left string, over http.RoundTripper) []finding.Finding {
	ctx, cancel := context.WithTimeout(ctx, checkPatience)
	defer cancel()
	acc := accountOf(cfg)
	acc.Transport = over
	return survey.Account(ctx, acc, left)
}

// partFindings says what the parts of the data folder are like, beside what was found before.
func partFindings(cfg config.Config, whole *parts.Found, before []finding.Finding) (found []finding.Finding) {
	for _, f := range whole.Faults {
		line := finding.Finding{Status: finding.Fail, What: partNames[filepath.Base(f.Part)], Text: f.What, Do: f.Do}
		if f.Do == "" {
			line.Text = explain(at(cfg, f))
		}
		if line.What == "" {
			line.What = "data folder"
		}
		if !slices.ContainsFunc(before, func(b finding.Finding) bool { return b.Status == finding.Fail && b.What == line.What }) {
			found = append(found, line)
		}
	}
	for _, will := range whole.Will {
		found = append(found, finding.Finding{Status: finding.OK, What: "data folder", Text: will})
	}
	return found
}

// partNames are what a check calls the parts.
var partNames = map[string]string{
	parts.Database: "database", parts.Archive: "log of facts", console.FileName: "console", crypto.File: "keys", account.LoginFile: "login",
}

// lately is for how long it is told of what a network has put off.
const lately = 24 * time.Hour

// networkFindings says which networks a bot that runs does not reach, and why, and where a homeserver slows it down.
func networkFindings(all []bot.NetworkStatus) (found []finding.Finding) {
	for _, n := range all {
		if n.Network == matrix.Network && time.Since(n.LimitedAt) < lately {
			found = append(found, finding.Finding{Status: finding.Warn, What: "rate limits", Do: survey.Exempt,
				Text: fmt.Sprintf("the homeserver has put the bot off %s since it started, last at %s: %s", times(n.Limited, "time"), when(n.LimitedAt), survey.Slowed)})
		}
		line := finding.Finding{Status: finding.Fail, What: string(n.Network), Text: fmt.Sprintf("offline since %s: %s", when(n.Since), n.Fault)}
		switch {
		case n.Up:
			continue
		case isService(n.Network):
			name, _ := n.Network.Service()
			line = finding.Finding{Status: finding.Warn, What: "service " + name, Text: "paused since " + when(n.Since), Do: "moot service up " + name + " lets it go on"}
		case n.Fault == "":
			line.Status, line.Text = finding.Warn, "cannot be reached since "+when(n.Since)
			line.Do = "the bot goes on trying; its log says why"
		case n.Again.IsZero():
			line.Do = "mend that and restart the bot; the other networks go on meanwhile"
		default:
			line.Do = fmt.Sprintf("the bot tries again at %s; a restart tries at once, and the other networks go on meanwhile", when(n.Again))
		}
		found = append(found, line)
	}
	return found
}

func isService(n protocol.Network) bool {
	_, is := n.Service()
	return is
}

// clockFinding says which clock is wrong.
func clockFinding(v clock.Verdict) finding.Finding {
	f := finding.Finding{Status: finding.OK, What: "clock", Text: "no network has told the bot the time"}
	by := clock.Span(v.By)
	switch v.State {
	case clock.Right:
		if v.Vouched {
			f.Text = "right, according to the network"
		}
		return f
	case clock.StoreAhead:
		f.Text, f.Do = "the store is "+by+" ahead of the clock", "check the clock with `date`; if it is right, wait until it has caught up, or run `moot clock reset`"
		if v.Vouched {
			f.Text, f.Do = f.Text+", which is right according to the network", "wait until the clock has caught up, or run `moot clock reset`"
		}
		if v.By > clock.Refused {
			f.Text += "; the bot does not start like this"
		}
	case clock.Behind:
		f.Text, f.Do = "the clock of this machine is "+by+" behind the time of the network", "set the clock, for example with NTP; the bot waits until it is right"
	case clock.Ahead:
		f.Text, f.Do = "the clock of this machine is "+by+" ahead of the time of the network", "set the clock, for example with NTP; the bot waits until it is right"
	}
	f.Status = finding.Fail
	return f
}

// configFaults makes a finding of each thing that is wrong with the configuration.
func configFaults(err error) []finding.Finding {
	var problems config.Problems
	if !errors.As(err, &problems) {
		return []finding.Finding{{Status: finding.Fail, What: "configuration", Text: explain(err)}}
	}
	var found []finding.Finding
	for _, p := range problems {
		found = append(found, finding.Finding{Status: finding.Fail, What: "configuration", Text: p.String()})
	}
	return found
}

func showFindings(w io.Writer, found []finding.Finding) {
	const column = 27 // where the texts begin
	width := fit.Width(w)
	for _, f := range found {
		fmt.Fprintln(w, fit.Words(fmt.Sprintf("%-5s %-20s %s", f.Status, f.What, clean(f.Text)), width, column))
		if f.Do != "" {
			fmt.Fprintln(w, fit.Words(fmt.Sprintf("%*s→ %s", column, "", clean(f.Do)), width, column+2))
		}
	}
}
