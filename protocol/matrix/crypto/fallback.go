//go:build goolm

package crypto

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"time"

	"maunium.net/go/mautrix"
	"maunium.net/go/mautrix/crypto/signatures"
	"maunium.net/go/mautrix/id"
)

// fallbackAccount is what an account can do beyond what the library asks of it.
type fallbackAccount interface {
	GenFallbackKey() error
	FallbackKeyUnpublished() map[string]id.Curve25519
}

const maxFallPause = 24 * time.Hour

// fallback gives the server another fallback key when the last one was used: with it others can begin to write to the
// device also when it has been away for so long that its one-time keys are gone (Client-Server API, "One-time and fallback
// keys"). Unused is nil where the server does not know of them. Some servers say that none is unused and know nothing of
// them either: where one is never seen unused, it is made ever less often.
func (m *Machine) fallback(ctx context.Context, unused []id.KeyAlgorithm) error {
	switch {
	case slices.Contains(unused, id.KeyAlgorithmSignedCurve25519):
		m.fallPause = 0
		return nil
	case unused == nil || time.Now().Before(m.fallAfter):
		return nil
	}
	m.fallPause = min(max(2*m.fallPause, time.Minute), maxFallPause)
	m.fallAfter = time.Now().Add(m.fallPause)
	acct := m.olm.GetAccount()
	keys, ok := acct.Internal.(fallbackAccount)
	if !ok {
		return nil
	}
	m.olmMu.Lock() // the account is changed
	defer m.olmMu.Unlock()
	if len(keys.FallbackKeyUnpublished()) == 0 {
		if err := keys.GenFallbackKey(); err != nil {
			return fmt.Errorf("make a fallback key: %w", err)
		}
	}
	// Kept before it is given away: what is sealed with it is to be read.
	if err := m.store.keys.PutAccount(ctx, acct); err != nil {
		return err
	}
	signed := map[id.KeyID]any{}
	for name, key := range keys.FallbackKeyUnpublished() {
		content := map[string]any{"key": key, "fallback": true}
		signature, err := acct.SignJSON(content)
		if err != nil {
			return fmt.Errorf("sign a fallback key: %w", err)
		}
		content["signatures"] = signatures.NewSingleSignature(m.client.UserID, id.KeyAlgorithmEd25519, m.client.DeviceID.String(), signature)
		signed[id.NewKeyID(id.KeyAlgorithmSignedCurve25519, name)] = content
	}
	_, err := m.client.MakeRequest(ctx, http.MethodPost, m.client.BuildURL(mautrix.ClientURLPath{"v3", "keys", "upload"}), map[string]any{"fallback_keys": signed}, nil)
	if err != nil {
		return fmt.Errorf("upload a fallback key: %w", err)
	}
	acct.Internal.MarkKeysAsPublished()
	return m.store.keys.PutAccount(ctx, acct)
}
