package main

import (
	"context"
	"strings"
	"time"

	"filippo.io/age"
	"github.com/spf13/cobra"

	"moot/backup"
	"moot/internal/bot"
	"moot/internal/config"
	"moot/protocol"
	"moot/protocol/discord"
	"moot/protocol/matrix"
	"moot/protocol/matrix/keys"
	"moot/store"
)

func (a *app) restoreCommand() *cobra.Command {
	var at, identity string
	var moved bool
	cmd := &cobra.Command{
		Use:   "restore DIR",
		Short: "Make a data folder from a backup",
		Long: `Makes the data folder from the last backup in DIR and what followed it, or as of
--at. The data folder (--data, or that of the configuration) must be empty, or
not there: a restore changes nothing that exists. All sums are compared and all
parts are opened before it appears.

What the bot did after the backup was made it does not know any more. What people
wrote since then is delivered to it again, as far as the network still has it,
and what it had said to that is not said twice: it looks first. On Matrix it gets
a new device.

The bot of the backup must not run any more, anywhere.`,
		Example: `  moot restore /backups/moot --data /var/lib/moot
  moot restore /backups/moot --data new --at 2026-11-28
  moot restore --moved /backups/moot       the bot did not run since: it moves to another machine`,
		Args: exactly("DIR"),
		RunE: func(cmd *cobra.Command, args []string) error {
			until := time.Time{}
			if at != "" {
				var err error
				if until, err = readTime(at); err != nil {
					return err
				}
			}
			keys, err := identities(identity)
			if err != nil {
				return err
			}
			return a.restore(cmd.Context(), args[0], until, keys, moved)
		},
	}
	cmd.ValidArgsFunction = folders
	cmd.Flags().StringVar(&at, "at", "", "as of this `TIME`, as far as the backup goes: 2026-11-28, or 2026-11-28T18:30:00Z")
	cmd.Flags().StringVar(&identity, "identity", "", "the `FILE` with the identity that opens an encrypted backup")
	cmd.Flags().BoolVar(&moved, "moved", false, "the bot did not run since the backup was made: it keeps its login and its keys")
	a.jsonFlag(cmd)
	return cmd
}

// readTime reads a time, or a day, whose end is meant.
func readTime(text string) (time.Time, error) {
	if day, err := time.Parse(time.DateOnly, text); err == nil {
		return day.AddDate(0, 0, 1).Add(-1), nil
	}
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return t, usageErrorf("--at %q: write a day such as 2026-11-28, or a time such as 2026-11-28T18:30:00Z.", text)
	}
	return t, nil
}

func (a *app) restore(ctx context.Context, dir string, until time.Time, keys []age.Identity, moved bool) error {
	cfg, _, err := a.load()
	if err != nil {
		return err
	}
	b, err := backup.Last(dir, until)
	if err != nil {
		return noBackup(dir, err)
	}
	doubtful := 0
	c := backup.RestoreConfig{To: cfg.Data, Keys: keys, Moved: moved, Until: until}
	if !moved {
		c.Mark = func(st *store.Store) (err error) {
			doubtful, err = forgetFuture(st, time.Now())
			return err
		}
	}
	done, err := b.Restore(ctx, c)
	switch {
	case err != nil:
		return err
	case a.json:
		return a.printJSON(done)
	}
	a.showRestored(cfg, done, doubtful, moved)
	return nil
}

// forgetFuture prepares the database of a backup for a bot that does not know what came after it.
func forgetFuture(st *store.Store, now time.Time) (doubtful int, err error) {
	from, doubtful, err := bot.Restored(st, now)
	if err != nil {
		return 0, err
	}
	err = st.Commit(from, func(c *store.Commit) error {
		return c.Run("", protocol.Ref{}, func(tx *store.Tx) error {
			keys.Forget(tx)
			for _, name := range []string{matrix.GenerationCursor, discord.GenerationCursor} {
				tx.SetCursor(protocol.Cursor{Name: name}) // it becomes the newest folder of its accounts
			}
			return nil
		})
	})
	return doubtful, err
}

// showRestored says on a page what a restore did, and what comes next.
func (a *app) showRestored(cfg config.Config, r backup.Restored, doubtful int, moved bool) {
	say := func(format string, args ...any) { a.printf(format+"\n", args...) }
	say("Restored %s to %s.\n", r.Backup.Folder, r.To)
	say("  as of     %s, change %d; the backup was made %s, and %s followed", when(r.At), r.Change, when(r.Backup.Made),
		times(int(r.Change-r.Backup.Change), "change"))
	say("  checked   %s by their sums, and every page of the database", times(len(r.Backup.Files), "file"))
	say("  restored  %s", strings.Join(r.Files, ", "))
	if len(r.LeftOut) > 0 {
		say("  left out  %s: used beyond the backup, so the bot gets a new device", strings.Join(r.LeftOut, ", "))
	}
	if !moved {
		say("  outbox    %s waited to be sent; the bot looks whether they were, before it sends them", times(doubtful, "message"))
	}
	say("\nWhat comes next:")
	n := 0
	next := func(format string, args ...any) { n++; say("  %d. "+format, append([]any{n}, args...)...) }
	next("See that the bot of the backup runs nowhere any more.")
	if cfg.Matrix.Enabled() && len(r.LeftOut) > 0 {
		if !cfg.Matrix.AccessToken.IsZero() {
			next("Put another access_token into [matrix]: that of a new login. The old one belongs to the old device.")
		}
		next("Log the old device out, in the settings of the account on Matrix.")
	}
	where := ""
	if a.configFile != "" {
		where += " --config " + a.configFile
	}
	if a.data != "" {
		where += " --data " + a.data
	}
	next("`moot check%s` looks whether all is well.", where)
	next("`moot run%s` starts it. What people wrote since then is answered once, as far as the networks still have it.", where)
}
