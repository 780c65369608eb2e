package store

import (
	"encoding/binary"
	"fmt"
	"math"
	"strings"
	"time"

	"moot/protocol"
	"moot/store/disk"
)

// Sep joins the parts of a key. No identifier contains it.
const Sep = protocol.Separator

// maxKey is the longest key that the store takes. bbolt allows 32,768 bytes; a key made of
// identifiers is far shorter.
const maxKey = 4096

// Bucket is a part of the store with keys of its own. Buckets come into being when they are first
// written.
type Bucket struct {
	name   string
	scoped bool
}

// ScopedBucket declares a bucket whose keys all begin with a scope: the key is the scope itself or
// continues with Sep.
func ScopedBucket(name string) Bucket { return Bucket{name, true} }

// SharedBucket declares a bucket that transactions of every scope write. It is for the operations
// of the transaction itself (facts, people, timers, outbox), not for features: a second engine
// could not spread it over machines.
func SharedBucket(name string) Bucket { return Bucket{name, false} }

// Name returns the name of the bucket in the file.
func (b Bucket) Name() string { return b.name }

// Key joins parts with Sep.
func Key[S ~string](first S, rest ...string) string {
	if len(rest) == 0 {
		return string(first)
	}
	n := len(first)
	for _, r := range rest {
		n += len(Sep) + len(r)
	}
	var b strings.Builder
	b.Grow(n)
	b.WriteString(string(first))
	for _, r := range rest {
		b.WriteString(Sep)
		b.WriteString(r)
	}
	return b.String()
}

// After is the first key behind all those that begin with prefix, for use as the end of a range. It
// is empty, which means no end, where there is none.
func After(prefix string) string {
	for i := len(prefix) - 1; i >= 0; i-- {
		if prefix[i] != 0xff {
			return prefix[:i] + string([]byte{prefix[i] + 1})
		}
	}
	return ""
}

// Number encodes n as eight bytes that sort as n does.
func Number(n uint64) string {
	var b [8]byte
	binary.BigEndian.PutUint64(b[:], n)
	return string(b[:])
}

// ParseNumber decodes what Number encoded from the last eight bytes of a key; zero if it is
// shorter.
func ParseNumber(key string) uint64 {
	if len(key) < 8 {
		return 0
	}
	return binary.BigEndian.Uint64([]byte(key[len(key)-8:]))
}

// Time encodes t as eight bytes that sort as t does. What lies before 1970 becomes 1970, and what
// lies after April 2262 becomes that: nanoseconds do not reach further.
func Time(t time.Time) string {
	n := t.UnixNano()
	switch {
	case t.Unix() < 0:
		n = 0
	case t.Unix() >= math.MaxInt64/int64(time.Second):
		n = math.MaxInt64
	}
	return Number(uint64(n))
}

// nanoseconds is what Time encodes.
func nanoseconds(t time.Time) uint64 { return ParseNumber(Time(t)) }

// behindTime returns what follows the time at the beginning of a key.
func behindTime(key string) string {
	if len(key) < 8+len(Sep) {
		panic(disk.Fault{Cause: fmt.Sprintf("a key with a time is %q", key)})
	}
	return key[8+len(Sep):]
}

// ParseTime decodes what Time encoded from the first eight bytes of a key; zero if it is shorter.
func ParseTime(key string) time.Time {
	if len(key) < 8 {
		return time.Time{}
	}
	return time.Unix(0, int64(binary.BigEndian.Uint64([]byte(key[:8])))).UTC()
}
