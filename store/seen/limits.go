package seen

import (
	"time"
)

// Limits are the sizes of an index. All count events and bytes, and look at no clock: the same
// calls do the same work.
type Limits struct {
	Table int           // after how many events a table is full
	Chunk int           // how many rows a chunk has at most, at least 1
	Block int           // how many bytes of rows a block has, about, and a page of fingerprints at most
	Slice int           // how many rows one Build or Tend moves, about
	Fan   int           // how many runs of one level are merged at once
	Span  time.Duration // how long a partition of time is
}

// DefaultLimits are those of the bot. Blocks are as long as they are because bbolt keeps two to
// four values of 7900 bytes in pages of 4 KiB that they fill to nine tenths or more.
func DefaultLimits() Limits {
	return Limits{Table: 1 << 16, Chunk: 1 << 20, Block: 7900, Slice: 1 << 13, Fan: 8, Span: 7 * 24 * time.Hour}
}

// CrashLimits are for programs that are built to die at a failpoint: everything happens within some
// dozens of events.
func CrashLimits() Limits {
	return Limits{Table: 12, Chunk: 16, Block: 300, Slice: 8, Fan: 3, Span: time.Hour}
}

// gentleShare is what part of a slice a gentle one is.
const gentleShare = 8

func (l *Limits) slice(gently bool) int {
	if gently {
		return max(1, l.Slice/gentleShare)
	}
	return l.Slice
}
