package store

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"go.etcd.io/bbolt"

	"moot/internal/failpoint"
)

// The meta bucket: what the file says about itself.
//
//	application   "moot"
//	schema        number: how many migrations the file has been through
//	instance      random name, given when the file was made
//	secret        32 random bytes, for keyed hashes
//	last-commit   time
//	seen-floor    time: what was seen before is forgotten
//	…-next        number: the next one to be given to a fact, an outbox entry, a dead letter
var meta = SharedBucket("meta")

const (
	application  = "moot"
	metaApp      = "application"
	metaSchema   = "schema"
	metaInstance = "instance"
	metaSecret   = "secret"
	metaLast     = "last-commit"
	metaFloor    = "seen-floor"
)

func initialise(tx *bbolt.Tx, schema int) error {
	b, err := tx.CreateBucketIfNotExists([]byte(meta.name))
	if err != nil {
		return err
	}
	secret := make([]byte, 32+8)
	if _, err := rand.Read(secret); err != nil {
		return err
	}
	return errors.Join(
		b.Put([]byte(metaApp), []byte(application)),
		b.Put([]byte(metaSchema), []byte(Number(uint64(schema)))),
		b.Put([]byte(metaInstance), []byte(hex.EncodeToString(secret[32:]))),
		b.Put([]byte(metaSecret), secret[:32]),
	)
}

// begin checks what the file is, brings it to the present schema, and reads what the store keeps in memory.
func (s *Store) begin(c Config) error {
	var schema int
	err := s.db.View(func(tx *bbolt.Tx) error {
		return guard(func() error {
			f := newFile(tx)
			if string(f.get(meta.name, metaApp)) != application {
				return ErrForeign
			}
			schema = int(ParseNumber(string(f.get(meta.name, metaSchema))))
			s.last = lastCommit(f)
			return nil
		})
	})
	switch {
	case err != nil:
		return err
	case schema > len(c.migrations):
		return fmt.Errorf("%w: it has schema %d, this version knows %d", ErrNewer, schema, len(c.migrations))
	case schema < len(c.migrations) && c.ReadOnly:
		return fmt.Errorf("the file has schema %d and is brought to %d when the bot next starts", schema, len(c.migrations))
	}
	for ; schema < len(c.migrations); schema++ {
		m := c.migrations[schema]
		err := guard(func() error {
			if m.prepare == nil {
				return nil
			}
			return m.prepare(s.db, c.limits)
		})
		if err == nil {
			err = s.db.Update(func(tx *bbolt.Tx) error {
				if err := m.change(tx); err != nil {
					return err
				}
				failpoint.Hit(failpoint.MigrateBefore)
				return tx.Bucket([]byte(meta.name)).Put([]byte(metaSchema), []byte(Number(uint64(schema+1))))
			})
		}
		if err != nil {
			return fmt.Errorf("migrate from schema %d to %d: %w", schema, schema+1, err)
		}
		failpoint.Hit(failpoint.MigrateAfter)
	}
	return s.db.View(func(tx *bbolt.Tx) error {
		return guard(func() (err error) {
			defer faulted()
			if s.journal, err = loadJournal(tx, c.limits); err != nil {
				return fmt.Errorf("%w: %w", ErrDamaged, err)
			}
			return nil
		})
	})
}

// lastCommit returns the time of the last commit, 1970 if there was none: keys know no time before.
func lastCommit(r reader) time.Time {
	if v := r.get(meta.name, metaLast); len(v) == 8 {
		return ParseTime(string(v))
	}
	return time.Unix(0, 0).UTC()
}
