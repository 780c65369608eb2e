//go:build goolm

package crypto

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"maunium.net/go/mautrix"
	"maunium.net/go/mautrix/crypto/ssss"

	"moot/internal/files"
	"moot/protocol/matrix/account"
)

// vouch lets the account vouch for the device: with a new identity where it has none, with its recovery key otherwise.
// Where that cannot be, the bot works all the same, and some programs warn of it or give it no keys.
func (m *Machine) vouch(ctx context.Context) error {
	is, err := Look(ctx, m.client)
	log := m.store.c.Log.With("network", "matrix", "user", m.client.UserID)
	switch {
	case err != nil:
		return err
	case is.Verified:
		return nil
	case !is.Exists:
		if err := m.makeIdentity(ctx); err != nil {
			return err
		}
		log.Info("the account has an identity now; keep its recovery key", "file", filepath.Join(m.store.c.Folder, RecoveryFile))
		return nil
	}
	key, from, err := m.recoveryKey()
	switch {
	case err != nil:
		return err
	case key == "":
		log.Warn("the account has an identity, and the bot has no key to it: some programs will warn of the bot or not speak with it", "do", noRecovery)
		return nil
	}
	switch err := m.olm.VerifyWithRecoveryKey(ctx, key); {
	case err == nil:
		log.Info("the account vouches for the device of the bot", "device", m.client.DeviceID)
	case isWrongKey(err) && m.c.RecoveryKey != nil:
		return &account.Fault{What: "recovery_key in [matrix] does not open the identity of the account", Do: "write the newest one there; it is shown when the identity is made", Err: err}
	case isWrongKey(err):
		log.Warn("the recovery key of the bot does not open the identity of the account, which somebody has made anew", "file", from, "do", noRecovery)
	default:
		return fmt.Errorf("let the account vouch for the device: %w", err)
	}
	return nil
}

// vouchAgain lets the account vouch for the device where its identity was reset elsewhere, or says loudly that it cannot.
func (m *Machine) vouchAgain(ctx context.Context) error {
	is, err := Look(ctx, m.client)
	if err != nil || is.Verified || !is.Exists {
		return err
	}
	err = m.locked(func() error { return m.vouch(ctx) })
	if is, again := Look(ctx, m.client); ctx.Err() == nil && again == nil && !is.Verified {
		m.store.c.Log.Warn("the identity of the account was made anew elsewhere, and does not vouch for the bot: some programs warn of it or give it no keys",
			"network", "matrix", "user", m.client.UserID, "do", noRecovery, "err", err)
		return nil
	}
	return err
}

const noRecovery = "name its recovery_key in [matrix], or let `moot matrix reset-identity` make another identity"

func isWrongKey(err error) bool {
	for _, e := range []error{ssss.ErrInvalidRecoveryKey, ssss.ErrIncorrectSSSSKey, ssss.ErrNoDefaultKeyAccountDataEvent, ssss.ErrNoKeyFieldInAccountDataEvent, ssss.ErrNotEncryptedForKey, mautrix.MNotFound} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// recoveryKey returns the key of the configuration, or that of the data folder, and where it is from; zero if there is
// neither.
func (m *Machine) recoveryKey() (key, from string, err error) {
	if m.c.RecoveryKey != nil {
		key, err := m.c.RecoveryKey()
		if err != nil {
			return "", "", &account.Fault{What: "recovery_key in [matrix]: " + err.Error(), Do: "put it where recovery_key says that it is", Err: err}
		}
		return strings.TrimSpace(key), "recovery_key in [matrix]", nil
	}
	path := filepath.Join(m.store.c.Folder, RecoveryFile)
	data, err := os.ReadFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "", "", nil
	case err != nil:
		return "", "", &account.Fault{What: fmt.Sprintf("the recovery key cannot be read: %v", err), Do: "give the bot access to that file", Err: err}
	}
	return strings.TrimSpace(string(data)), path, nil
}

// makeIdentity makes an identity for an account that has none. Whatever ends it in between, doing it again mends.
func (m *Machine) makeIdentity(ctx context.Context) error {
	key, err := m.storage(ctx)
	if err != nil {
		return err
	}
	return m.identify(ctx, key)
}

// storage returns the key of the account's secret storage: the present one, if the bot can open it, or a new one, whose
// recovery key is then on the disk.
func (m *Machine) storage(ctx context.Context) (*ssss.Key, error) {
	keyID, meta, err := m.olm.SSSS.GetDefaultKeyData(ctx)
	switch {
	case err == nil:
		given, _, err := m.recoveryKey()
		if err != nil {
			return nil, err
		}
		key, err := meta.VerifyRecoveryKey(keyID, given)
		if err != nil {
			return nil, &account.Fault{What: "the account has a secret storage to which the bot has no key", Do: noRecovery, Err: err}
		}
		return key, nil
	case !errors.Is(err, ssss.ErrNoDefaultKeyAccountDataEvent) && !errors.Is(err, ssss.ErrNoKeyFieldInAccountDataEvent) && !errors.Is(err, mautrix.MNotFound):
		return nil, fmt.Errorf("look for the secret storage of the account: %w", err)
	}
	return m.newStorage(ctx)
}

// newStorage makes a secret storage. One that is there stays on the server, and is not used any more.
func (m *Machine) newStorage(ctx context.Context) (*ssss.Key, error) {
	key, err := ssss.NewKey("")
	if err != nil {
		return nil, fmt.Errorf("make a recovery key: %w", err)
	}
	if err := keep(filepath.Join(m.store.c.Folder, RecoveryFile), key.RecoveryKey()); err != nil {
		return nil, &account.Fault{What: fmt.Sprintf("the recovery key cannot be kept: %v", err), Do: "free some space on the disk, and give the bot access to its data folder", Err: err}
	}
	if err := m.olm.SSSS.SetKeyData(ctx, key.ID, key.Metadata); err != nil {
		return nil, fmt.Errorf("make a secret storage: %w", err)
	}
	if err := m.olm.SSSS.SetDefaultKeyID(ctx, key.ID); err != nil {
		return nil, fmt.Errorf("make a secret storage: %w", err)
	}
	return key, nil
}

// keep writes a recovery key. One that is there may be the only one to something: it is put aside.
func keep(path, key string) error {
	if err := os.Rename(path, path+".old"); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return files.Write(path, []byte(key+"\n"))
}

// identify makes an identity, keeps its secrets in the storage before it is made known, and signs the device with it.
func (m *Machine) identify(ctx context.Context, key *ssss.Key) error {
	keys, err := m.olm.GenerateCrossSigningKeys()
	if err != nil {
		return fmt.Errorf("make an identity: %w", err)
	}
	if err := m.olm.UploadCrossSigningKeysToSSSS(ctx, key, keys); err != nil {
		return fmt.Errorf("keep the identity: %w", err)
	}
	var asked *account.Fault
	confirm := func(ui *mautrix.RespUserInteractive) any {
		if m.c.Password == nil {
			asked = &account.Fault{
				What: "the homeserver wants the password of the account before it takes the identity of the bot",
				Do:   "name the password in [matrix], for this start at least; or make the identity with another program, and name its recovery_key in [matrix]",
			}
			return nil
		}
		password, err := m.c.Password()
		if err != nil {
			asked = &account.Fault{What: "password in [matrix]: " + err.Error(), Do: "put it where password says that it is", Err: err}
			return nil
		}
		return &mautrix.ReqUIAuthLogin{
			BaseAuthData: mautrix.BaseAuthData{Type: mautrix.AuthTypePassword, Session: ui.Session},
			User:         m.client.UserID.String(), Password: password,
		}
	}
	if err := m.olm.PublishCrossSigningKeys(ctx, keys, confirm); err != nil {
		if asked != nil {
			return asked
		}
		if isForbidden(err) {
			return &account.Fault{What: "the homeserver does not take the password of the account as a confirmation", Do: "correct it where password in [matrix] says that it is", Err: err}
		}
		return fmt.Errorf("make the identity known: %w", err)
	}
	if err := m.olm.SignOwnDevice(ctx, m.olm.OwnIdentity()); err != nil {
		return fmt.Errorf("sign the device: %w", err)
	}
	if err := m.olm.SignOwnMasterKey(ctx); err != nil {
		return fmt.Errorf("sign the identity: %w", err)
	}
	return nil
}

// ResetIdentity makes another identity for the account, whose people then see that it changed, and those who had verified
// the old one are told so. Only the operator may want that.
func (m *Machine) ResetIdentity(ctx context.Context) error {
	key, err := m.newStorage(ctx)
	if err != nil {
		return err
	}
	return m.store.check(m.identify(ctx, key))
}

// isForbidden reports whether a server did not take a confirmation: it repeats its question then.
func isForbidden(err error) bool {
	var answer mautrix.HTTPError
	return errors.As(err, &answer) && (answer.IsStatus(401) || answer.IsStatus(403))
}
