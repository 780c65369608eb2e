//go:build goolm

package keys

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"

	"moot/protocol"
	"moot/store"
)

// carryRows is how many rows one commit carries over.
const carryRows = 1000

// carrier writes what stood in a file of keys, or looks for it where it was written.
type carrier struct {
	*Store
	ctx   context.Context
	looks bool
	n     int
	left  int // that no key can hold
}

// Carry carries over what stands in the tables of mautrix's SQLCryptoStore, of the latest schema, with the same secret. What
// is used for one run only stays behind. It returns how many rows there were, and how many could not be taken, as a server
// has made them up: their identifiers hold separators. What the database had of keys before is deleted first. When it returns
// everything is durable, and each row was found there again as it is in the tables.
func (s *Store) Carry(ctx context.Context, db *sql.DB) (n, left int, err error) {
	err = s.st.Commit(time.Time{}, func(c *store.Commit) error {
		return c.Run("", protocol.Ref{}, func(tx *store.Tx) error {
			for key := range tx.Range(bucket, "", "") {
				tx.Delete(bucket, key)
			}
			return nil
		})
	})
	if err != nil {
		return 0, 0, err
	}
	wrote, found := &carrier{Store: s, ctx: ctx}, &carrier{Store: s, ctx: ctx, looks: true}
	for _, c := range []*carrier{wrote, found} {
		for _, t := range tables {
			if err := c.table(db, t.query, t.row); err != nil {
				return c.n, c.left, fmt.Errorf("carry over: %w", err)
			}
		}
		if err := s.Rows.Flush(); err != nil {
			return c.n, c.left, err
		}
	}
	there := 0
	if err := s.view(func(tx *store.Tx) {
		for range tx.Range(bucket, "", "") {
			there++
		}
	}); err != nil {
		return wrote.n, wrote.left, err
	}
	if there != wrote.n || found.n != wrote.n {
		return wrote.n, wrote.left, fmt.Errorf("%d rows were carried over, %d of them were found again, and %d are there", wrote.n, found.n, there)
	}
	return wrote.n, wrote.left, nil
}

func (c *carrier) table(db *sql.DB, query string, row func(*carrier, *sql.Rows) error) error {
	rows, err := db.QueryContext(c.ctx, query)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := row(c, rows); err != nil {
			return err
		}
	}
	return rows.Err()
}

// keep writes a row, or looks for it.
func (c *carrier) keep(value []byte, parts ...string) error {
	if c.looks {
		return c.find(value, parts)
	}
	switch err := c.set(c.ctx, value, parts...); {
	case errors.Is(err, ErrKey):
		c.left++
		return nil
	case err != nil:
		return err
	}
	if c.n++; c.n%carryRows == 0 {
		return c.Rows.Flush()
	}
	return nil
}

// find looks for a row that was written. One that no key can hold is not there.
func (c *carrier) find(value []byte, parts []string) error {
	there, err := c.get(c.ctx, parts...)
	switch {
	case err != nil:
		return err
	case there == nil:
		c.left++
	case !bytes.Equal(there, value):
		return fmt.Errorf("a row of %s was carried over, and is another one now", parts[0])
	default:
		c.n++
	}
	return nil
}

func (c *carrier) keepJSON(value any, parts ...string) error {
	data, err := json.Marshal(value)
	if err != nil {
		return err
	}
	return c.keep(data, parts...)
}

// tables are what is carried over, each with what becomes of a row.
var tables = []struct {
	query string
	row   func(*carrier, *sql.Rows) error
}{
	{`SELECT shared, key_backup_version, account FROM crypto_account WHERE account_id=''`, func(c *carrier, rows *sql.Rows) error {
		var is account
		if err := rows.Scan(&is.Shared, &is.Backup, &is.Pickle); err != nil {
			return err
		}
		return c.keepJSON(is, rowAccount)
	}},
	{`SELECT u.value, d.value FROM moot_meta AS u JOIN moot_meta AS d WHERE u.key='user' AND d.key='device'`, func(c *carrier, rows *sql.Rows) error {
		var is Owner
		if err := rows.Scan(&is.User, &is.Device); err != nil {
			return err
		}
		return c.keepJSON(is, rowOwner)
	}},
	{`SELECT value FROM moot_meta WHERE key='restored'`, func(c *carrier, rows *sql.Rows) error {
		var at []byte
		if err := rows.Scan(&at); err != nil {
			return err
		}
		return c.keep(at, rowRestored)
	}},
	{`SELECT sender_key, session_id, session, created_at, last_encrypted, last_decrypted FROM crypto_olm_session WHERE account_id=''`, func(c *carrier, rows *sql.Rows) error {
		var key, session string
		var is olmSession
		if err := rows.Scan(&key, &session, &is.Pickle, &is.Created, &is.Encrypted, &is.Decrypted); err != nil {
			return err
		}
		return c.keepJSON(is, "olm", key, session)
	}},
	{`SELECT message_hash, received_at FROM crypto_olm_message_hash`, func(c *carrier, rows *sql.Rows) error {
		var hash []byte
		var at int64
		err := rows.Scan(&hash, &at)
		if err == nil && len(hash) != 32 {
			err = fmt.Errorf("a hash of %d bytes", len(hash))
		}
		if err != nil {
			return err
		}
		return c.keep(strconv.AppendInt(nil, at, 10), "hash", hashKey([32]byte(hash)))
	}},
	{`SELECT session_id, room_id, sender_key, signing_key, session, forwarding_chains, shared_history, withheld_code, withheld_reason, ratchet_safety,
		received_at, max_age, max_messages, is_scheduled, key_backup_version, key_source, source_user
		FROM crypto_megolm_inbound_session WHERE account_id=''`, func(c *carrier, rows *sql.Rows) error {
		var session string
		var is inbound
		var signing, pickle, chains, code, reason sql.NullString
		var safety []byte
		var received sql.NullTime
		var maxAge, maxMessages sql.NullInt64
		if err := rows.Scan(&session, &is.Room, &is.Sender, &signing, &pickle, &chains, &is.Shared, &code, &reason, &safety,
			&received, &maxAge, &maxMessages, &is.Scheduled, &is.Backup, &is.Source, &is.SourceUser); err != nil {
			return err
		}
		is.Signing, is.Pickle = id.Ed25519(signing.String), pickle.String
		is.Withheld, is.Reason = event.RoomKeyWithheldCode(code.String), reason.String
		if chains.String != "" {
			is.Chains = strings.Split(chains.String, ",")
		}
		if len(safety) > 0 {
			if err := json.Unmarshal(safety, &is.Safety); err != nil {
				return err
			}
		}
		is.Received, is.MaxAge, is.MaxMessages = received.Time, maxAge.Int64, int(maxMessages.Int64)
		return c.keepJSON(is, "in", session)
	}},
	{`SELECT session_id, "index", event_id, timestamp FROM crypto_message_index`, func(c *carrier, rows *sql.Rows) error {
		var session, ev string
		var index uint64
		var at int64
		if err := rows.Scan(&session, &index, &ev, &at); err != nil {
			return err
		}
		return c.keep(opened(ev, at), "index", session, strconv.FormatUint(index, 10))
	}},
	{`SELECT session_id, user_id, identity_key FROM crypto_megolm_outbound_session_shared`, func(c *carrier, rows *sql.Rows) error {
		var session, user, key string
		if err := rows.Scan(&session, &user, &key); err != nil {
			return err
		}
		return c.keep(is, "given", session, user, key)
	}},
	{`SELECT user_id FROM crypto_tracked_user`, func(c *carrier, rows *sql.Rows) error {
		var user string
		if err := rows.Scan(&user); err != nil {
			return err
		}
		return c.keep(is, "tracked", user)
	}},
	{`SELECT user_id FROM crypto_tracked_user WHERE devices_outdated`, func(c *carrier, rows *sql.Rows) error {
		var user string
		if err := rows.Scan(&user); err != nil {
			return err
		}
		return c.keep(is, "outdated", user)
	}},
	{`SELECT user_id, device_id, identity_key, signing_key, trust, deleted, name FROM crypto_device`, func(c *carrier, rows *sql.Rows) error {
		var user, name string
		var is device
		if err := rows.Scan(&user, &name, &is.Identity, &is.Signing, &is.Trust, &is.Deleted, &is.Name); err != nil {
			return err
		}
		return c.keepJSON(is, "device", user, name)
	}},
	{`SELECT user_id, usage, key, first_seen_key FROM crypto_cross_signing_keys`, func(c *carrier, rows *sql.Rows) error {
		var user, usage string
		var is identity
		if err := rows.Scan(&user, &usage, &is.Key, &is.First); err != nil {
			return err
		}
		return c.keepJSON(is, "identity", user, usage)
	}},
	{`SELECT signed_user_id, signed_key, signer_user_id, signer_key, signature FROM crypto_cross_signing_signatures`, func(c *carrier, rows *sql.Rows) error {
		var user, key, signer, with string
		var signature []byte
		if err := rows.Scan(&user, &key, &signer, &with, &signature); err != nil {
			return err
		}
		return c.keep(signature, "signature", user, key, signer, with)
	}},
	{`SELECT name, secret FROM crypto_secrets WHERE account_id=''`, func(c *carrier, rows *sql.Rows) error {
		var name string
		var pickle []byte
		if err := rows.Scan(&name, &pickle); err != nil {
			return err
		}
		return c.keep(pickle, "secret", name)
	}},
}

// Carried notes that everything was carried over from the file with a pair id, and that the database has no file any more.
func (s *Store) Carried(pair string) error {
	return s.st.Commit(time.Time{}, func(c *store.Commit) error {
		return c.Run("", protocol.Ref{}, func(tx *store.Tx) error {
			tx.Put(bucket, rowCarried, []byte(pair))
			SetPair(tx, "")
			return nil
		})
	})
}
