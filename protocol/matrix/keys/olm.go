//go:build goolm

package keys

import (
	"context"
	"encoding/hex"
	"slices"
	"strconv"
	"time"

	mcrypto "maunium.net/go/mautrix/crypto"
	"maunium.net/go/mautrix/crypto/olm"
	"maunium.net/go/mautrix/id"
)

// olmSession is the row of a session with a device.
type olmSession struct {
	Created   time.Time `json:"created"`
	Encrypted time.Time `json:"encrypted"`
	Decrypted time.Time `json:"decrypted"`
	Pickle    string    `json:"pickle"`
}

// AddSession implements crypto.Store.
func (s *Store) AddSession(ctx context.Context, key id.SenderKey, session *mcrypto.OlmSession) error {
	if err := s.putSession(ctx, key, session); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cacheLocked(key)[session.ID()] = session
	return nil
}

// UpdateSession implements crypto.Store.
func (s *Store) UpdateSession(ctx context.Context, key id.SenderKey, session *mcrypto.OlmSession) error {
	return s.Do(ctx, func(ctx context.Context) error {
		there, err := s.has(ctx, "olm", string(key), string(session.ID()))
		if !there || err != nil {
			return err
		}
		return s.putSession(ctx, key, session)
	})
}

func (s *Store) putSession(ctx context.Context, key id.SenderKey, session *mcrypto.OlmSession) error {
	pickle, err := session.Internal.Pickle(s.secret)
	if err != nil {
		return err
	}
	// What the library has in hand is ahead of the rows where nothing comes of this.
	s.otherwise(ctx, func() { s.uncache(key, session.ID()) })
	return s.setJSON(ctx, olmSession{session.CreationTime, session.LastEncryptedTime, session.LastDecryptedTime, string(pickle)},
		"olm", string(key), string(session.ID()))
}

// DeleteSession implements crypto.Store.
func (s *Store) DeleteSession(ctx context.Context, key id.SenderKey, session *mcrypto.OlmSession) error {
	if err := s.set(ctx, nil, "olm", string(key), string(session.ID())); err != nil {
		return err
	}
	s.uncache(key, session.ID())
	return nil
}

func (s *Store) cacheLocked(key id.SenderKey) map[id.SessionID]*mcrypto.OlmSession {
	if s.sessions[key] == nil {
		s.sessions[key] = map[id.SessionID]*mcrypto.OlmSession{}
	}
	return s.sessions[key]
}

func (s *Store) uncache(key id.SenderKey, session id.SessionID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.sessions[key], session)
}

// HasSession implements crypto.Store.
func (s *Store) HasSession(ctx context.Context, key id.SenderKey) bool {
	there, _ := s.Meets(ctx, key)
	return there
}

// Meets reports whether there is a session with a device.
func (s *Store) Meets(ctx context.Context, key id.SenderKey) (there bool, err error) {
	err = s.each(ctx, func([]string, []byte) error {
		there = true
		return nil
	}, "olm", string(key))
	return there, err
}

// GetSessions implements crypto.Store. The one that was last read with comes first.
func (s *Store) GetSessions(ctx context.Context, key id.SenderKey) (mcrypto.OlmSessionList, error) {
	type found struct {
		id  id.SessionID
		row *olmSession
	}
	var all []found
	if err := s.each(ctx, func(rest []string, value []byte) error {
		row, err := decode[olmSession](s.Rows, value)
		all = append(all, found{id.SessionID(rest[0]), row})
		return err
	}, "olm", string(key)); err != nil {
		return nil, err
	}
	slices.SortFunc(all, func(a, b found) int { return b.row.Decrypted.Compare(a.row.Decrypted) })
	list := mcrypto.OlmSessionList{}
	s.mu.Lock()
	defer s.mu.Unlock()
	cache := s.cacheLocked(key)
	for _, f := range all {
		session := cache[f.id]
		if session == nil {
			session = &mcrypto.OlmSession{Internal: olm.NewBlankSession()}
			if err := session.Internal.Unpickle([]byte(f.row.Pickle), s.secret); err != nil {
				return nil, err
			}
			session.CreationTime, session.LastEncryptedTime, session.LastDecryptedTime = f.row.Created, f.row.Encrypted, f.row.Decrypted
			cache[f.id] = session
		}
		list = append(list, session)
	}
	return list, nil
}

// GetLatestSession implements crypto.Store.
func (s *Store) GetLatestSession(ctx context.Context, key id.SenderKey) (*mcrypto.OlmSession, error) {
	list, err := s.GetSessions(ctx, key)
	if len(list) == 0 || err != nil {
		return nil, err
	}
	return list[0], nil
}

// GetNewestSessionCreationTS implements crypto.Store. Sessions that were never used do not count.
func (s *Store) GetNewestSessionCreationTS(ctx context.Context, key id.SenderKey) (newest time.Time, err error) {
	err = s.each(ctx, func(_ []string, value []byte) error {
		row, err := decode[olmSession](s.Rows, value)
		if err == nil && row.Created.After(newest) && !(row.Encrypted.Equal(row.Created) && row.Decrypted.Equal(row.Created)) {
			newest = row.Created
		}
		return err
	}, "olm", string(key))
	return newest, err
}

// hashKey is a hash as a part of a key, which cannot hold all bytes.
func hashKey(hash [32]byte) string { return hex.EncodeToString(hash[:]) }

// PutOlmHash implements crypto.Store.
func (s *Store) PutOlmHash(ctx context.Context, hash [32]byte, at time.Time) error {
	return s.Do(ctx, func(ctx context.Context) error {
		there, err := s.has(ctx, "hash", hashKey(hash))
		if there || err != nil {
			return err
		}
		return s.set(ctx, strconv.AppendInt(nil, at.UnixMilli(), 10), "hash", hashKey(hash))
	})
}

// GetOlmHash implements crypto.Store.
func (s *Store) GetOlmHash(ctx context.Context, hash [32]byte) (time.Time, error) {
	value, err := s.get(ctx, "hash", hashKey(hash))
	if value == nil || err != nil {
		return time.Time{}, err
	}
	at, err := decode[int64](s.Rows, value)
	if err != nil {
		return time.Time{}, err
	}
	return time.UnixMilli(*at), nil
}

// DeleteOldOlmHashes implements crypto.Store.
func (s *Store) DeleteOldOlmHashes(ctx context.Context, before time.Time) error {
	return s.Do(ctx, func(ctx context.Context) error {
		return s.each(ctx, func(rest []string, value []byte) error {
			at, err := decode[int64](s.Rows, value)
			if err != nil || *at >= before.UnixMilli() {
				return err
			}
			return s.set(ctx, nil, "hash", rest[0])
		}, "hash")
	})
}
