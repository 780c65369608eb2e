package store

import (
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"os"
	"time"

	"go.etcd.io/bbolt"
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
			return tx.Bucket([]byte(meta.name)).Put([]byte(metaSchema), []byte(Number(uint64(schema+1))))
		})
		if err != nil {
			return fmt.Errorf("migrate from schema %d to %d: %w", schema, schema+1, err)
		}
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

// Layout of a bbolt file, as far as preflight reads it (etcd-io/bbolt, internal/common: page.go, meta.go): two meta
// pages, each a 16-byte page header and then
//
//	magic u32, version u32, page size u32, flags u32, root u64, sequence u64, freelist u64, pages u64, txid u64, checksum u64
//
// in the byte order of the machine, where the checksum is FNV-1a over the 56 bytes before it.
const (
	boltMagic   = 0xED0CDAED
	boltHeader  = 16
	boltMeta    = 64
	boltSummed  = 56
	boltMinPage = 512
	boltMaxPage = 1 << 16
)

// preflight refuses a file that bbolt would crash on: mapped memory behind the end of a file cannot be read, and the
// signal for it cannot be caught.
func preflight(path string) error {
	if info, err := os.Stat(path); err != nil {
		return err
	} else if !info.Mode().IsRegular() {
		return fmt.Errorf("%w: not a regular file", ErrForeign)
	}
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	magic, pages, pageSize := false, uint64(0), uint64(0)
	txid, found := uint64(0), false
	look := func(offset int64) (size uint64) {
		buf := make([]byte, boltHeader+boltMeta)
		if n, err := f.ReadAt(buf, offset); n < len(buf) || err != nil && err != io.EOF {
			return 0
		}
		m := buf[boltHeader:]
		order := binary.NativeEndian
		if order.Uint32(m) != boltMagic {
			return 0
		}
		magic = true
		sum := fnv.New64a()
		sum.Write(m[:boltSummed])
		size = uint64(order.Uint32(m[8:]))
		if order.Uint64(m[boltSummed:]) != sum.Sum64() || size < boltMinPage || size > boltMaxPage {
			return 0
		}
		if id := order.Uint64(m[48:]); !found || id > txid {
			txid, pages, pageSize, found = id, order.Uint64(m[40:]), size, true
		}
		return size
	}
	if size := look(0); size != 0 {
		look(int64(size))
	} else {
		// The first meta page is lost; the second lies one page size further, which is then unknown.
		for size := int64(boltMinPage); size <= boltMaxPage && !found; size *= 2 {
			look(size)
		}
	}
	// The length is asked for last: where another process writes, the file only grows.
	info, err := f.Stat()
	switch {
	case err != nil:
		return err
	case !found && magic:
		return fmt.Errorf("%w: neither of its two first pages is whole", ErrDamaged)
	case !found:
		return ErrForeign
	case uint64(info.Size())/pageSize < pages:
		return fmt.Errorf("%w: it has %d bytes of at least %d pages of %d; the rest is missing", ErrDamaged, info.Size(), pages, pageSize)
	}
	return nil
}
