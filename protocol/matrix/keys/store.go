//go:build goolm

package keys

import (
	"context"
	"sync"
	"time"

	mcrypto "maunium.net/go/mautrix/crypto"
	"maunium.net/go/mautrix/crypto/goolm/libolmpickle"
	"maunium.net/go/mautrix/crypto/olm"
	"maunium.net/go/mautrix/id"
)

// Store is the keys of one device, as the library wants them. Its methods may be called concurrently.
type Store struct {
	*Rows
	secret []byte // encrypts pickles

	mu       sync.Mutex                                            // taken after all others but those of Rows
	account  *mcrypto.OlmAccount                                   // the one of the library; guarded by mu
	sessions map[id.SenderKey]map[id.SessionID]*mcrypto.OlmSession // those that the library may have, which it changes; guarded by mu
}

var _ mcrypto.Store = (*Store)(nil)

// New returns the keys that stand in rows, of which the pickles are encrypted with a secret. It must stay the same.
func New(rows *Rows, secret []byte) *Store {
	return &Store{Rows: rows, secret: secret, sessions: map[id.SenderKey]map[id.SessionID]*mcrypto.OlmSession{}}
}

// Flush implements crypto.Store.
func (s *Store) Flush(context.Context) error { return s.Rows.Flush() }

// rowAccount is the key of the account.
const rowAccount = "account"

// account is the row of the account.
type account struct {
	Shared bool                `json:"shared,omitempty"` // whether the server has the keys of the device
	Backup id.KeyBackupVersion `json:"backup,omitempty"`
	Pickle string              `json:"pickle"`
}

// PutAccount implements crypto.Store.
func (s *Store) PutAccount(ctx context.Context, acct *mcrypto.OlmAccount) error {
	pickle, err := acct.Internal.Pickle(s.secret)
	if err != nil {
		return err
	}
	s.mu.Lock()
	s.account = acct
	s.mu.Unlock()
	return s.setJSON(ctx, account{acct.Shared, acct.KeyBackupVersion, string(pickle)}, rowAccount)
}

// GetAccount implements crypto.Store.
func (s *Store) GetAccount(ctx context.Context) (*mcrypto.OlmAccount, error) {
	s.mu.Lock()
	known := s.account
	s.mu.Unlock()
	if known != nil {
		return known, nil
	}
	row, err := load[account](ctx, s.Rows, rowAccount)
	if row == nil || err != nil {
		return nil, err
	}
	acct := &mcrypto.OlmAccount{Internal: olm.NewBlankAccount(), Shared: row.Shared, KeyBackupVersion: row.Backup}
	if err := acct.Internal.Unpickle([]byte(row.Pickle), s.secret); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.account = acct
	return acct, nil
}

// Owner returns whose keys these are.
func (s *Store) Owner(ctx context.Context) (Owner, error) {
	o, err := load[Owner](ctx, s.Rows, rowOwner)
	if o == nil {
		return Owner{}, err
	}
	return *o, err
}

// SetOwner makes the keys those of somebody.
func (s *Store) SetOwner(ctx context.Context, o Owner) error { return s.setJSON(ctx, o, rowOwner) }

// PutSecret implements crypto.Store.
func (s *Store) PutSecret(ctx context.Context, name id.Secret, value string) error {
	pickle, err := libolmpickle.Pickle(s.secret, []byte(value))
	if err != nil {
		return err
	}
	return s.set(ctx, pickle, "secret", string(name))
}

// GetSecret implements crypto.Store.
func (s *Store) GetSecret(ctx context.Context, name id.Secret) (string, error) {
	pickle, err := s.get(ctx, "secret", string(name))
	if pickle == nil || err != nil {
		return "", err
	}
	value, err := libolmpickle.Unpickle(s.secret, pickle)
	return string(value), err
}

// DeleteSecret implements crypto.Store.
func (s *Store) DeleteSecret(ctx context.Context, name id.Secret) error {
	return s.set(ctx, nil, "secret", string(name))
}

// Begin drops what is used for one run only, the sessions by which messages are sealed: after a backup was put back they
// would be used a second time from the same place on, which other programs refuse as a replay. It also drops keys that came
// before a time, with what is remembered of the messages that they opened: without them nothing can be delivered once more as
// something new.
func (s *Store) Begin(ctx context.Context, before time.Time) error {
	return s.Do(ctx, func(ctx context.Context) error {
		for _, kind := range []string{"out", "members"} {
			if _, err := s.drop(ctx, kind); err != nil {
				return err
			}
		}
		return s.each(ctx, func(rest []string, value []byte) error {
			row, err := decode[inbound](s.Rows, value)
			if err != nil || row.Received.IsZero() || !row.Received.Before(before) {
				return err
			}
			if err := s.set(ctx, nil, "in", rest[0]); err != nil {
				return err
			}
			for _, kind := range []string{"index", "given"} {
				if _, err := s.drop(ctx, kind, rest[0]); err != nil {
					return err
				}
			}
			return nil
		}, "in")
	})
}

// Anew drops all sessions by which something is said, and notes that the keys were put back from a backup.
func (s *Store) Anew(ctx context.Context, at time.Time) error {
	err := s.Do(ctx, func(ctx context.Context) error {
		for _, kind := range []string{"out", "olm"} {
			if _, err := s.drop(ctx, kind); err != nil {
				return err
			}
		}
		return s.set(ctx, []byte(at.UTC().Format(time.RFC3339)), rowRestored)
	})
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.sessions)
	return nil
}
