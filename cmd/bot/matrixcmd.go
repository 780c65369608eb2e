package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"moot/internal/config"
	"moot/protocol"
	"moot/protocol/matrix/account"
	"moot/protocol/matrix/crypto"
	"moot/protocol/matrix/keys"
	"moot/store"
)

func (a *app) matrixCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "matrix",
		Short: "Manage the login and the identity of the bot on Matrix",
		Long: `Does what a running bot never does by itself: gives the bot a new login and a
new device, or gives its account a new identity. The bot must not be running.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	var yes bool
	reset := &cobra.Command{
		Use:   "reset-identity",
		Short: "Make a new identity for the account",
		Long: `Makes a new identity (cross-signing keys) for the account of the bot, to replace
one whose recovery key is lost. Everybody sees that it has changed, and people
who had verified the bot have to do so again. The new recovery key is written to
the data folder.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if !yes {
				return usageErrorf("This cannot be undone, and everybody will see that the identity of the bot has changed. If that is what you want, add --yes.")
			}
			return a.withMatrix(func(cfg config.Config, st *store.Store) error { return a.resetIdentity(cmd.Context(), cfg, st) })
		},
	}
	reset.Flags().BoolVar(&yes, "yes", false, "do it")
	cmd.AddCommand(
		&cobra.Command{
			Use:   "forget",
			Short: "Forget the login and the keys, for a new device",
			Long: `Logs the bot out, and deletes its login and its keys from the data folder. The
next start logs in again, on a new device. Encrypted messages that the bot has
not read yet can no longer be read. Everything else that it knows stays, and so
does the recovery key, with which the account vouches for the new device.`,
			Args: noArgs,
			RunE: func(cmd *cobra.Command, _ []string) error {
				return a.withMatrix(func(cfg config.Config, st *store.Store) error { return a.forgetMatrix(cmd.Context(), cfg, st) })
			},
		},
		reset)
	return cmd
}

// withMatrix calls f with the store of a bot that does not run.
func (a *app) withMatrix(f func(config.Config, *store.Store) error) (err error) {
	cfg, _, err := a.load()
	if err != nil {
		return err
	}
	defer func() { err = at(cfg, err) }()
	if !cfg.Matrix.Enabled() {
		return errors.New("there is no account in [matrix] of the configuration")
	}
	if _, err := os.Stat(storeFile(cfg)); errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("there is no bot in %s yet", cfg.Data)
	}
	if err := alone(cfg.Data); err != nil {
		return err
	}
	st, err := store.Open(store.Config{Path: storeFile(cfg), LockTimeout: cfg.Store.LockTimeout})
	if err != nil {
		return err
	}
	defer closing(&err, "close the store", st.Close)
	return f(cfg, st)
}

// forgetTimeout is how long the server may take to log the bot out.
const forgetTimeout = 10 * time.Second

// forgetMatrix takes away the login and the keys. Where it ends in between, doing it again does the rest.
func (a *app) forgetMatrix(ctx context.Context, cfg config.Config, st *store.Store) error {
	ctx, cancel := context.WithTimeout(ctx, forgetTimeout)
	defer cancel()
	if err := account.Forget(ctx, cfg.Data, &http.Client{}); err != nil {
		return err
	}
	for _, suffix := range []string{"", "-wal", "-shm"} { // of an older version, where no start has carried them over
		if err := os.Remove(filepath.Join(cfg.Data, crypto.File+suffix)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("delete the keys: %w", err)
		}
	}
	if err := st.Commit(noTime, func(c *store.Commit) error {
		return c.Run("", protocol.Ref{}, func(tx *store.Tx) error {
			keys.Forget(tx)
			return nil
		})
	}); err != nil {
		return fmt.Errorf("delete the keys: %w", err)
	}
	a.printf("The login and the keys are gone. The next start logs in on a new device.\n")
	if !cfg.Matrix.AccessToken.IsZero() {
		a.printf("access_token in [matrix] belongs to the old device: replace it with one of a new login first.\n")
	}
	return nil
}

func (a *app) resetIdentity(ctx context.Context, cfg config.Config, st *store.Store) (err error) {
	m, err := a.openAccount(ctx, cfg, st, nil, slog.New(newHandler(a.errs, cfg.Log, &a.level)))
	if err != nil {
		return err
	}
	defer closing(&err, "close the keys", m.close)
	if m.keys == nil {
		return crypto.ErrUnable
	}
	m.login.Patient = false
	_, machine, err := m.connect(ctx)
	if err != nil {
		return err
	}
	defer closing(&err, "end the encryption", machine.Close)
	if err := machine.ResetIdentity(ctx); err != nil {
		return err
	}
	a.printf("The account has a new identity. Its recovery key is in %s.\n", filepath.Join(cfg.Data, crypto.RecoveryFile))
	return nil
}
