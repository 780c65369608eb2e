package crypto

import (
	"context"
	"fmt"

	"maunium.net/go/mautrix"
	"maunium.net/go/mautrix/crypto/signatures"
)

// Identity is what everybody sees of a device.
type Identity struct {
	Keys     bool // whether the device has keys: without them nobody can write to it
	Exists   bool // whether the account has an identity
	Verified bool // whether the identity has signed the device
}

// Look asks the server what everybody sees of the device of a client. It also works in a program that cannot encrypt.
func Look(ctx context.Context, client *mautrix.Client) (Identity, error) {
	user, device := client.UserID, client.DeviceID
	resp, err := client.QueryKeys(ctx, &mautrix.ReqQueryKeys{DeviceKeys: mautrix.DeviceKeysRequest{user: mautrix.DeviceIDList{}}})
	if err != nil {
		return Identity{}, fmt.Errorf("ask for the identity of the account: %w", err)
	}
	is := Identity{Keys: len(resp.DeviceKeys[user][device].Keys) > 0}
	master, hasMaster := resp.MasterKeys[user]
	signing, hasSigning := resp.SelfSigningKeys[user]
	if !hasMaster || !hasSigning || master.FirstKey() == "" {
		return is, nil
	}
	is.Exists = true
	key := signing.FirstKey()
	vouched, err := signatures.VerifySignatureJSON(resp.DeviceKeys[user][device], user, key.String(), key)
	is.Verified = err == nil && vouched
	return is, nil
}
