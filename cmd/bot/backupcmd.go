package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"time"

	"filippo.io/age"
	"github.com/spf13/cobra"

	"moot/backup"
	"moot/internal/config"
	"moot/internal/control"
	"moot/internal/inspect"
	"moot/store"
)

func (a *app) backupCommand() *cobra.Command {
	var r backup.Request
	var follow bool
	cmd := &cobra.Command{
		Use:   "backup DIR",
		Short: "Make a backup of the data folder",
		Long: `Makes a backup of the whole data folder in a new folder below DIR, also while the
bot runs: it goes on meanwhile. The backup is one state, is read back, and
appears under its name only when it is whole. A running bot writes it itself, so
that DIR has to be writable for it.

With --follow it goes on: what the bot writes from then on is added each second,
so that a disk that dies costs one second, and moot restore --at goes back to any
time. It waits for a bot that does not run, and makes another backup each day.

A backup holds secrets: the login and the keys of the bot, and what the bot
knows of people. With --age it is encrypted for somebody whose identity is kept
elsewhere; see https://age-encryption.org.`,
		Example: `  moot backup /backups/moot
  moot backup --keep 14 /backups/moot            from cron, once a day
  moot backup --age age1ql3z7hj… /backups/moot
  moot backup --follow --keep 7 /backups/moot    as a service
  moot backup check /backups/moot`,
		Args: exactly("DIR"),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			if r.Dir, err = filepath.Abs(args[0]); err != nil {
				return err
			}
			if r.Keep < 0 {
				return usageErrorf("--keep %d: write how many backups stay; 0 means all.", r.Keep)
			}
			if follow {
				return a.followBackup(cmd.Context(), r)
			}
			return a.backUp(cmd.Context(), r)
		},
	}
	cmd.ValidArgsFunction = folders
	cmd.Flags().StringArrayVar(&r.Recipients, "age", nil, "encrypt the backup for this `RECIPIENT` (age1…); may be repeated")
	cmd.Flags().BoolVar(&follow, "follow", false, "go on: add what changes, each second, until a signal comes")
	cmd.Flags().IntVar(&r.Keep, "keep", 0, "remove older backups, so that this many `NUMBER` stay; 0 means all")
	a.jsonFlag(cmd)
	cmd.AddCommand(a.backupCheckCommand())
	return cmd
}

// backUp has the bot make a backup, or makes one of its files where it does not run.
func (a *app) backUp(ctx context.Context, r backup.Request) error {
	return a.ask(func(c *control.Client, _ config.Config) error {
		began := time.Now()
		var last backup.Progress
		shown := a.newProgress()
		err := c.Backup(ctx, r, func(p backup.Progress) {
			if last = p; p.Made == nil {
				shown.show(p)
			}
		})
		shown.clear()
		switch {
		case err != nil:
			return err
		case a.json:
			return a.printJSON(last)
		}
		a.printf("%s: %s in %s, of %s.\n", last.Made.Folder, inspect.Bytes(last.Made.Size()),
			times(len(last.Made.Files), "file"), when(last.Made.At))
		if n := len(last.Gone); n > 0 {
			a.printf("Removed %s.\n", times(n, "older backup"))
		}
		a.printf("It took %s. `moot backup check %s` reads it, and `moot restore` puts it back.\n", time.Since(began).Round(time.Millisecond), clean(r.Dir))
		return nil
	})
}

// followBackup has the bot make a backup and add to it, and says when another one was begun.
func (a *app) followBackup(ctx context.Context, r backup.Request) error {
	return a.ask(func(c *control.Client, _ config.Config) error {
		fmt.Fprintln(a.errs, "Ctrl-C ends it.")
		return c.FollowBackup(ctx, r, func(f backup.Followed) {
			switch {
			case a.json:
				_ = a.printJSON(f) // what cannot be written has nobody to read about it
			case f.Backup != "":
				a.printf("%s: followed from change %d on.\n", f.Backup, f.Change)
			}
		})
	})
}

// makeBackup is the Backup of a handler.
func makeBackup(m *backup.Maker) func(context.Context, backup.Request, func(backup.Progress)) error {
	return func(ctx context.Context, r backup.Request, say func(backup.Progress)) error {
		made, gone, err := m.Make(ctx, r, say)
		if err == nil {
			say(backup.Progress{Made: &made, Gone: gone})
		}
		return err
	}
}

func newMaker(cfg config.Config, st *store.Store) *backup.Maker {
	return &backup.Maker{Store: st, Folder: cfg.Data, Version: version()}
}

func (a *app) backupCheckCommand() *cobra.Command {
	var identity string
	cmd := &cobra.Command{
		Use:   "check DIR",
		Short: "Read backups, and say whether they can be restored",
		Long: `Reads each backup in DIR: compares all files with the sums that were taken when
it was made, opens the database, reads every page of it and of the keys, and
looks whether the parts belong together. It changes nothing. Of an encrypted
backup only the sums are compared, unless --identity opens it.

The exit code is 1 if a backup cannot be restored, and 0 otherwise.`,
		Example: `  moot backup check /backups/moot
  moot backup check --identity key.txt /backups/moot/2026-11-29T021500.123Z`,
		Args: exactly("DIR"),
		RunE: func(cmd *cobra.Command, args []string) error {
			keys, err := identities(identity)
			if err != nil {
				return err
			}
			return a.checkBackups(cmd.Context(), args[0], keys)
		},
	}
	cmd.ValidArgsFunction = folders
	cmd.Flags().StringVar(&identity, "identity", "", "the `FILE` with the identity that opens an encrypted backup")
	a.jsonFlag(cmd)
	return cmd
}

func identities(path string) ([]age.Identity, error) {
	if path == "" {
		return nil, nil
	}
	return backup.Identities(path)
}

// checked is what a check says of a backup.
type checked struct {
	backup.Backup
	Opened bool   `json:"opened"`
	Fault  string `json:"fault,omitempty"`
}

func (a *app) checkBackups(ctx context.Context, dir string, keys []age.Identity) error {
	all, err := backup.List(dir)
	if err != nil && len(all) == 0 {
		return noBackup(dir, err)
	}
	bad := err != nil
	if bad {
		fmt.Fprintln(a.errs, explain(err))
	}
	if len(all) == 0 {
		return noBackup(dir, backup.ErrNone)
	}
	for _, b := range all {
		c := checked{Backup: b}
		if c.Opened, err = b.Check(ctx, keys); err != nil {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			c.Fault, bad = err.Error(), true
		}
		if a.json {
			if err := a.printJSON(c); err != nil {
				return err
			}
			continue
		}
		a.printf("%s\n", c)
	}
	if bad {
		return errSilent
	}
	return nil
}

// String is the line of a backup.
func (c checked) String() string {
	state := "whole, every page read"
	switch {
	case c.Fault != "":
		state = "cannot be restored: " + clean(c.Fault)
	case !c.Opened:
		state = "its sums are right; it is encrypted, and --identity FILE would open it"
	}
	return fmt.Sprintf("%s  of %s, change %d, %s: %s", filepath.Base(c.Folder), when(c.At), c.Change, inspect.Bytes(c.Size()), state)
}

// noBackup says of a folder what is the matter with it.
func noBackup(dir string, err error) error {
	if errors.Is(err, backup.ErrNone) || errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%w in %s: `moot backup %s` makes one", backup.ErrNone, dir, dir)
	}
	return err
}
