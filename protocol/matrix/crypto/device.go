//go:build goolm

package crypto

import (
	"context"
	"fmt"

	"maunium.net/go/mautrix"
	"maunium.net/go/mautrix/id"

	"moot/protocol/matrix/account"
)

// enrol makes sure that the server has the keys of this device, and those only.
func (m *Machine) enrol(ctx context.Context) error {
	user, device := m.client.UserID, m.client.DeviceID
	resp, err := m.client.QueryKeys(ctx, &mautrix.ReqQueryKeys{DeviceKeys: mautrix.DeviceKeysRequest{user: mautrix.DeviceIDList{device}}})
	if err != nil {
		return fmt.Errorf("ask for the keys of the own device: %w", err)
	}
	own, acct := m.olm.OwnIdentity(), m.olm.GetAccount()
	there, known := resp.DeviceKeys[user][device]
	known = known && len(there.Keys) > 0
	same := known && there.Keys.GetEd25519(device) == own.SigningKey && there.Keys.GetCurve25519(device) == own.IdentityKey
	const anew = "run `moot matrix forget` and start the bot again: it then begins on a new device"
	switch {
	case !known && acct.Shared:
		return &account.Fault{What: fmt.Sprintf("the homeserver has lost the keys of device %s, or somebody has deleted it", device), Do: anew}
	case known && !same && !acct.Shared:
		return &account.Fault{
			What: fmt.Sprintf("device %s has keys on the homeserver that are not in the data folder", device),
			Do:   "put the data folder back from a backup, or make a new login: with a password, run `moot matrix forget`; with an access_token, take that of a new login",
		}
	case known && !same:
		return &account.Fault{What: fmt.Sprintf("device %s has other keys on the homeserver than in the data folder", device), Do: "put the data folder back from its last backup, or " + anew}
	case known && !acct.Shared:
		// They were uploaded, and the process ended before that was noted.
		acct.Shared = true
		if err := m.store.keys.PutAccount(ctx, acct); err != nil {
			return err
		}
	}
	if err := m.uploadKeys(ctx, -1); err != nil {
		return fmt.Errorf("upload the keys of the device: %w", err)
	}
	// The own devices and the identity as the server has them; from here on their changes are told.
	if _, err := m.olm.FetchKeys(ctx, []id.UserID{user}, true); err != nil {
		return fmt.Errorf("ask for the own devices: %w", err)
	}
	return nil
}
