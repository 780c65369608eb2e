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
//	…-next        number: the next one to be given to a fact, an outbox entry, a dead letter
var meta = SharedBucket("meta")

const (
	application  = "moot"
	metaApp      = "application"
	metaSchema   = "schema"
	metaInstance = "instance"
	metaSecret   = "secret"
	metaLast     = "last-commit"
)

// migration changes a file of one schema version into one of the next. It runs in a transaction of its own.
type migration func(*bbolt.Tx) error

// migrations lead from a file of version n to n+1; a new file starts at the last version. Version 1 is the first
// that was ever released, so there is nothing to change on the way to it.
var migrations = []migration{
	func(*bbolt.Tx) error { return nil },
}

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
		err := s.db.Update(func(tx *bbolt.Tx) error {
			if err := c.migrations[schema](tx); err != nil {
				return err
			}
			failpoint.Hit(failpoint.MigrateBefore)
			return tx.Bucket([]byte(meta.name)).Put([]byte(metaSchema), []byte(Number(uint64(schema+1))))
		})
		if err != nil {
			return fmt.Errorf("migrate from schema %d to %d: %w", schema, schema+1, err)
		}
		failpoint.Hit(failpoint.MigrateAfter)
	}
	return nil
}

// lastCommit returns the time of the last commit, 1970 if there was none: keys know no time before.
func lastCommit(r reader) time.Time {
	if v := r.get(meta.name, metaLast); len(v) == 8 {
		return ParseTime(string(v))
	}
	return time.Unix(0, 0).UTC()
}
