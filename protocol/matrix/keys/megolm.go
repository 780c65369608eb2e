//go:build goolm

package keys

import (
	"context"
	"errors"
	"strconv"
	"time"

	"go.mau.fi/util/dbutil"
	mcrypto "maunium.net/go/mautrix/crypto"
	"maunium.net/go/mautrix/crypto/olm"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"
)

// inbound is the row of a session by which messages are read: a pickle, or why there is none.
type inbound struct {
	Room        id.RoomID                 `json:"room"`
	Sender      id.SenderKey              `json:"sender"`
	Signing     id.Ed25519                `json:"signing,omitempty"`
	Pickle      string                    `json:"pickle,omitempty"`
	Withheld    event.RoomKeyWithheldCode `json:"withheld,omitempty"`
	Reason      string                    `json:"reason,omitempty"`
	Chains      []string                  `json:"chains,omitempty"`
	Shared      *bool                     `json:"shared,omitempty"`
	Safety      mcrypto.RatchetSafety     `json:"safety,omitzero"`
	Received    time.Time                 `json:"received,omitzero"`
	MaxAge      int64                     `json:"maxAge,omitempty"` // milliseconds
	MaxMessages int                       `json:"maxMessages,omitempty"`
	Scheduled   bool                      `json:"scheduled,omitempty"`
	Backup      id.KeyBackupVersion       `json:"backup,omitempty"`
	Source      id.KeySource              `json:"source,omitempty"`
	SourceUser  id.UserID                 `json:"sourceUser,omitempty"`
}

// PutGroupSession implements crypto.Store.
func (s *Store) PutGroupSession(ctx context.Context, session *mcrypto.InboundGroupSession) error {
	pickle, err := session.Internal.Pickle(s.secret)
	if err != nil {
		return err
	}
	if session.ForwardingChains == nil {
		session.ForwardingChains = []string{}
	}
	return s.setJSON(ctx, inbound{
		Room: session.RoomID, Sender: session.SenderKey, Signing: session.SigningKey, Pickle: string(pickle), Chains: session.ForwardingChains,
		Shared: session.SharedHistory, Safety: session.RatchetSafety, Received: session.ReceivedAt, MaxAge: session.MaxAge, MaxMessages: session.MaxMessages,
		Scheduled: session.IsScheduled, Backup: session.KeyBackupVersion, Source: session.KeySource, SourceUser: session.SourceUser,
	}, "in", string(session.ID()))
}

// session is what the library wants of a row that has a pickle.
func (s *Store) session(row *inbound) (*mcrypto.InboundGroupSession, error) {
	session := &mcrypto.InboundGroupSession{
		Internal: olm.NewBlankInboundGroupSession(), SigningKey: row.Signing, SenderKey: row.Sender, RoomID: row.Room, ForwardingChains: row.Chains,
		RatchetSafety: row.Safety, ReceivedAt: row.Received, MaxAge: row.MaxAge, MaxMessages: row.MaxMessages, SharedHistory: row.Shared,
		IsScheduled: row.Scheduled, KeyBackupVersion: row.Backup, KeySource: row.Source, SourceUser: row.SourceUser,
	}
	if session.ForwardingChains == nil {
		session.ForwardingChains = []string{}
	}
	return session, session.Internal.Unpickle([]byte(row.Pickle), s.secret)
}

// withheld is what the library wants of a row that has none.
func (row *inbound) withheld(session id.SessionID) *event.RoomKeyWithheldEventContent {
	return &event.RoomKeyWithheldEventContent{
		RoomID: row.Room, Algorithm: id.AlgorithmMegolmV1, SessionID: session, SenderKey: row.Sender, Code: row.Withheld, Reason: row.Reason,
	}
}

// GetGroupSession implements crypto.Store.
func (s *Store) GetGroupSession(ctx context.Context, room id.RoomID, session id.SessionID) (*mcrypto.InboundGroupSession, error) {
	row, err := load[inbound](ctx, s.Rows, "in", string(session))
	switch {
	case err != nil || row == nil || row.Room != room:
		return nil, err
	case row.Withheld != "":
		return nil, row.withheld(session)
	}
	found, err := s.session(row)
	if err != nil {
		return nil, err
	}
	return found, nil
}

// PutWithheldGroupSession implements crypto.Store.
func (s *Store) PutWithheldGroupSession(ctx context.Context, content event.RoomKeyWithheldEventContent) error {
	return s.Do(ctx, func(ctx context.Context) error {
		there, err := s.has(ctx, "in", string(content.SessionID))
		if there || err != nil {
			return err
		}
		return s.setJSON(ctx, inbound{
			Room: content.RoomID, Sender: content.SenderKey, Withheld: content.Code, Reason: content.Reason, Received: time.Now().UTC(),
		}, "in", string(content.SessionID))
	})
}

// GetWithheldGroupSession implements crypto.Store.
func (s *Store) GetWithheldGroupSession(ctx context.Context, room id.RoomID, session id.SessionID) (*event.RoomKeyWithheldEventContent, error) {
	row, err := load[inbound](ctx, s.Rows, "in", string(session))
	if err != nil || row == nil || row.Room != room || row.Withheld == "" {
		return nil, err
	}
	return row.withheld(session), nil
}

// RedactGroupSession implements crypto.Store.
func (s *Store) RedactGroupSession(ctx context.Context, _ id.RoomID, session id.SessionID, reason string) error {
	_, err := s.redact(ctx, reason, func(at id.SessionID, _ *inbound) bool { return at == session })
	return err
}

// RedactGroupSessions implements crypto.Store.
func (s *Store) RedactGroupSessions(ctx context.Context, room id.RoomID, sender id.SenderKey, reason string) ([]id.SessionID, error) {
	if room == "" && sender == "" {
		return nil, errors.New("no room and no sender is named")
	}
	return s.redact(ctx, reason, func(_ id.SessionID, row *inbound) bool {
		return (room == "" || row.Room == room) && (sender == "" || row.Sender == sender) && !row.Scheduled && !row.Received.IsZero()
	})
}

// RedactExpiredGroupSessions implements crypto.Store.
func (s *Store) RedactExpiredGroupSessions(ctx context.Context) ([]id.SessionID, error) {
	return s.redact(ctx, "expired", func(_ id.SessionID, row *inbound) bool {
		return !row.Scheduled && !row.Received.IsZero() && row.MaxAge > 0 && row.Received.Add(2*time.Duration(row.MaxAge)*time.Millisecond).Before(time.Now())
	})
}

// RedactOutdatedGroupSessions implements crypto.Store.
func (s *Store) RedactOutdatedGroupSessions(ctx context.Context) ([]id.SessionID, error) {
	return s.redact(ctx, "outdated", func(_ id.SessionID, row *inbound) bool { return row.Received.IsZero() })
}

// redact takes the pickles of sessions away.
func (s *Store) redact(ctx context.Context, reason string, which func(id.SessionID, *inbound) bool) (gone []id.SessionID, err error) {
	err = s.Do(ctx, func(ctx context.Context) error {
		return s.each(ctx, func(rest []string, value []byte) error {
			row, err := decode[inbound](s.Rows, value)
			session := id.SessionID(rest[0])
			if err != nil || row.Pickle == "" || !which(session, row) {
				return err
			}
			gone = append(gone, session)
			row.Pickle, row.Chains, row.Withheld, row.Reason = "", nil, event.RoomKeyWithheldBeeperRedacted, "Session redacted: "+reason
			return s.setJSON(ctx, row, "in", rest[0])
		}, "in")
	})
	return gone, err
}

// GetGroupSessionsForRoom implements crypto.Store.
func (s *Store) GetGroupSessionsForRoom(ctx context.Context, room id.RoomID) dbutil.RowIter[*mcrypto.InboundGroupSession] {
	return s.list(ctx, func(row *inbound) bool { return row.Room == room })
}

// GetAllGroupSessions implements crypto.Store.
func (s *Store) GetAllGroupSessions(ctx context.Context) dbutil.RowIter[*mcrypto.InboundGroupSession] {
	return s.list(ctx, func(*inbound) bool { return true })
}

// GetGroupSessionsWithoutKeyBackupVersion implements crypto.Store.
func (s *Store) GetGroupSessionsWithoutKeyBackupVersion(ctx context.Context, version id.KeyBackupVersion) dbutil.RowIter[*mcrypto.InboundGroupSession] {
	return s.list(ctx, func(row *inbound) bool { return row.Backup != version })
}

func (s *Store) list(ctx context.Context, which func(*inbound) bool) dbutil.RowIter[*mcrypto.InboundGroupSession] {
	var all []*mcrypto.InboundGroupSession
	err := s.each(ctx, func(_ []string, value []byte) error {
		row, err := decode[inbound](s.Rows, value)
		if err != nil || row.Pickle == "" || !which(row) {
			return err
		}
		session, err := s.session(row)
		all = append(all, session)
		return err
	}, "in")
	return dbutil.NewSliceIterWithError(all, err)
}

// outbound is the row of the session by which messages are sealed in a room.
type outbound struct {
	ID          id.SessionID `json:"id"`
	Pickle      string       `json:"pickle"`
	Shared      bool         `json:"shared,omitempty"`
	MaxMessages int          `json:"maxMessages"`
	Messages    int          `json:"messages"`
	MaxAge      int64        `json:"maxAge"` // milliseconds
	History     *bool        `json:"history,omitempty"`
	Created     time.Time    `json:"created"`
	Used        time.Time    `json:"used"`
}

// AddOutboundGroupSession implements crypto.Store.
func (s *Store) AddOutboundGroupSession(ctx context.Context, session *mcrypto.OutboundGroupSession) error {
	pickle, err := session.Internal.Pickle(s.secret)
	if err != nil {
		return err
	}
	return s.setJSON(ctx, outbound{
		ID: session.ID(), Pickle: string(pickle), Shared: session.Shared, MaxMessages: session.MaxMessages, Messages: session.MessageCount,
		MaxAge: session.MaxAge.Milliseconds(), History: session.SharedHistory, Created: session.CreationTime, Used: session.LastEncryptedTime,
	}, "out", string(session.RoomID))
}

// UpdateOutboundGroupSession implements crypto.Store.
func (s *Store) UpdateOutboundGroupSession(ctx context.Context, session *mcrypto.OutboundGroupSession) error {
	pickle, err := session.Internal.Pickle(s.secret)
	if err != nil {
		return err
	}
	return s.Do(ctx, func(ctx context.Context) error {
		row, err := load[outbound](ctx, s.Rows, "out", string(session.RoomID))
		if err != nil || row == nil || row.ID != session.ID() {
			return err
		}
		row.Pickle, row.Messages, row.Used = string(pickle), session.MessageCount, session.LastEncryptedTime
		return s.setJSON(ctx, row, "out", string(session.RoomID))
	})
}

// GetOutboundGroupSession implements crypto.Store.
func (s *Store) GetOutboundGroupSession(ctx context.Context, room id.RoomID) (*mcrypto.OutboundGroupSession, error) {
	row, err := load[outbound](ctx, s.Rows, "out", string(room))
	if row == nil || err != nil {
		return nil, err
	}
	session := &mcrypto.OutboundGroupSession{
		Internal: olm.NewBlankOutboundGroupSession(), MaxMessages: row.MaxMessages, MessageCount: row.Messages, SharedHistory: row.History, RoomID: room, Shared: row.Shared,
	}
	session.CreationTime, session.LastEncryptedTime, session.MaxAge = row.Created, row.Used, time.Duration(row.MaxAge)*time.Millisecond
	if err := session.Internal.Unpickle([]byte(row.Pickle), s.secret); err != nil {
		return nil, err
	}
	return session, nil
}

// RemoveOutboundGroupSession implements crypto.Store.
func (s *Store) RemoveOutboundGroupSession(ctx context.Context, room id.RoomID) error {
	there, err := s.has(ctx, "out", string(room))
	if !there || err != nil {
		return err
	}
	return s.set(ctx, nil, "out", string(room))
}

// Sealing returns the rooms that have a session by which messages are sealed.
func (s *Store) Sealing(ctx context.Context) (rooms []id.RoomID, err error) {
	err = s.each(ctx, func(rest []string, _ []byte) error {
		rooms = append(rooms, id.RoomID(rest[0]))
		return nil
	}, "out")
	return rooms, err
}

// MarkOutboundGroupSessionShared implements crypto.Store.
func (s *Store) MarkOutboundGroupSessionShared(ctx context.Context, user id.UserID, key id.IdentityKey, session id.SessionID) error {
	return s.set(ctx, is, "given", string(session), string(user), string(key))
}

// IsOutboundGroupSessionShared implements crypto.Store.
func (s *Store) IsOutboundGroupSessionShared(ctx context.Context, user id.UserID, key id.IdentityKey, session id.SessionID) (bool, error) {
	return s.has(ctx, "given", string(session), string(user), string(key))
}

// Given reports whether a device of somebody has the key to what is sealed in a room.
func (s *Store) Given(ctx context.Context, room id.RoomID, user id.UserID) (yes bool, err error) {
	row, err := load[outbound](ctx, s.Rows, "out", string(room))
	if row == nil || err != nil {
		return false, err
	}
	err = s.each(ctx, func([]string, []byte) error {
		yes = true
		return nil
	}, "given", string(row.ID), string(user))
	return yes, err
}

// Members returns for whom the session of a room is, as SetMembers was told.
func (s *Store) Members(ctx context.Context, room id.RoomID) (string, error) {
	sum, err := s.get(ctx, "members", string(room))
	return string(sum), err
}

// SetMembers notes for whom the session of a room is.
func (s *Store) SetMembers(ctx context.Context, room id.RoomID, sum string) error {
	return s.set(ctx, []byte(sum), "members", string(room))
}

// opened is the value of an index: the time, and behind it the event.
func opened(ev string, at int64) []byte { return []byte(strconv.FormatInt(at, 10) + " " + ev) }

// ValidateMessageIndex implements crypto.Store.
func (s *Store) ValidateMessageIndex(ctx context.Context, session id.SessionID, ev id.EventID, index uint, at int64) (valid bool, err error) {
	key := []string{"index", string(session), strconv.FormatUint(uint64(index), 10)}
	value := string(opened(string(ev), at))
	err = s.Do(ctx, func(ctx context.Context) error {
		known, err := s.get(ctx, key...)
		switch {
		case err != nil:
			return err
		case known != nil:
			valid = string(known) == value && (ev != "" || at != 0)
			return nil
		}
		valid = true
		if ev == "" && at == 0 {
			return nil
		}
		return s.set(ctx, []byte(value), key...)
	})
	return valid && err == nil, err
}
