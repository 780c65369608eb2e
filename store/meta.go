package store

import (
	"bytes"
	"fmt"
	"time"

	"moot/store/disk"
	"moot/store/wal"
)

// The meta bucket: what the store says about itself.
//
//	application   "moot"
//	format        number of the format of the file, 1
//	instance      random name, given when the file was made
//	secret        32 random bytes, for keyed hashes
//	last-commit   time
//	seen-horizon  time of the record of seen events: what was seen before is forgotten
//	seen-ahead    number: by how many nanoseconds the time of that record is ahead of the store's; not
//	              there where the clock was never turned back behind the horizon
//	…-next        number: the next one to be given to a fact, an outbox entry, a dead letter
var meta = SharedBucket("meta")

const (
	application  = "moot"
	format       = 1
	metaApp      = "application"
	metaFormat   = "format"
	metaSchema   = "schema" // of builds from before the first release
	metaInstance = "instance"
	metaSecret   = "secret"
	metaLast     = "last-commit"
	metaHorizon  = "seen-horizon"
	metaAhead    = "seen-ahead"
)

// header is what the file says of itself.
type header struct {
	instance [16]byte
	secret   []byte
	horizon  uint64
	ahead    uint64
	last     time.Time
	from     wal.From // what it holds
	fresh    bool     // whether it has never had a log
}

func readHeader(r reader) (h header, err error) {
	if string(r.get(meta.name, metaApp)) != application {
		return h, disk.ErrForeign
	}
	switch n := ParseNumber(string(r.get(meta.name, metaFormat))); {
	case n == 0 && r.get(meta.name, metaSchema) != nil:
		return h, fmt.Errorf("%w, which this one cannot read", disk.ErrOlder)
	case n == 0:
		return h, disk.ErrForeign
	case n > format:
		return h, fmt.Errorf("%w: it has format %d, this version knows %d", disk.ErrNewer, n, format)
	}
	copy(h.instance[:], r.get(meta.name, metaInstance))
	h.secret = append(h.secret, r.get(meta.name, metaSecret)...)
	h.horizon = ParseNumber(string(r.get(meta.name, metaHorizon)))
	h.ahead = ParseNumber(string(r.get(meta.name, metaAhead)))
	h.last = lastCommit(r)
	h.from.Change = ParseNumber(string(r.get(checkpoint, checkpointChange)))
	h.from.Segment = ParseNumber(string(r.get(checkpoint, checkpointSegment)))
	h.fresh = h.from.Segment == 0
	return h, nil
}

// lastCommit returns the time of the last commit, 1970 if there was none: keys know no time before.
func lastCommit(r reader) time.Time {
	if v := r.get(meta.name, metaLast); len(v) == 8 {
		return ParseTime(string(v))
	}
	return time.Unix(0, 0).UTC()
}

// Secret returns the key of the store, which nobody outside knows and which stays the same: what is
// derived from it can be derived again, and not foreseen.
func (tx *Tx) Secret() []byte { return bytes.Clone(tx.reader.get(meta.name, metaSecret)) }
