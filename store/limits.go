package store

import "moot/store/seen"

// limits are the sizes of what is kept in memory.
type limits struct {
	Memtable int // after how many bytes of rows a checkpoint begins
	Most     int // how many checkpoints' worth of rows or events a commit may find in memory, at most
	Slice    int // how many bytes of rows one transaction of a checkpoint writes, about
	Segment  int64
	Least    int64 // how large a change may be that needs no block of its own
	Ahead    int64
	Seen     seen.Limits
}

func defaultLimits() limits {
	return limits{Memtable: 4 << 20, Most: 8, Slice: 128 << 10, Seen: seen.DefaultLimits()}
}

// crashLimits are for programs that are built to die at a failpoint: everything happens within some
// dozens of events.
func crashLimits() limits {
	return limits{
		Memtable: 16 << 10, Most: 8, Slice: 4 << 10, Segment: 32 << 10, Least: 256 << 10, Ahead: 4 << 10,
		Seen: seen.CrashLimits(),
	}
}
