package store

import (
	"sync"
	"sync/atomic"
	"time"

	"moot/store/bolt"
	"moot/store/disk"
)

// checkpointer is the one writer of the file. It works beside the commits, a slice in each
// transaction: it writes the frozen rows, has a run made of the frozen table of seen events, notes
// in the last of these transactions up to which change the file now holds everything, and then lets
// go of segments of the log. Between checkpoints it merges runs.
type checkpointer struct {
	writing sync.Mutex   // held during each step, and while nobody may write to the file
	tending atomic.Bool  // whether runs are being merged or dropped
	awaited atomic.Int32 // by how many, who want it to be through
	at      place        // guarded by writing
	merged  bool         // whether the last step merged, where checkpoint and merges take turns; guarded by writing

	space func() error // asked before each step; nil except in tests; guarded by writing

	wake    chan struct{}
	quit    chan struct{}
	stopped sync.WaitGroup
}

// place is how far a checkpoint is: behind which row.
type place struct {
	bucket, key string
	through     bool // of the rows
}

const (
	// checkpoint is the bucket in which the file says what it holds. It is not part of the state.
	checkpoint        = "checkpoint"
	checkpointChange  = "change"  // number: the last change that it holds
	checkpointSegment = "segment" // number: of the segment of the log in which the next one is, or will be

	// fullRetry is how long the checkpointer waits for space on the disk.
	fullRetry = time.Second
)

// write writes a slice of the rows that are behind the place to the file, in order, and moves the
// place. Unsorted writes of many keys would take ninety times as long.
func (p *place) write(tx *bolt.Tx, frozen rows, bytes int) (err error) {
	steps := 0
	for _, name := range frozen.names() {
		if name < p.bucket {
			continue
		}
		if name > p.bucket {
			p.bucket, p.key = name, ""
		}
		frozen[name].Ascend(p.key, func(k string, v []byte) bool {
			if k == p.key {
				return true
			}
			if bytes <= 0 {
				return false
			}
			steps++
			disk.Breathe(steps * 16) // a row of bbolt takes some microseconds
			if v == nil {
				err = tx.Delete(name, k)
			} else {
				err = tx.Put(name, k, v)
			}
			p.key = k
			bytes -= len(k) + len(v) + rowBytes
			return err == nil
		})
		if err != nil || bytes <= 0 {
			return err
		}
	}
	p.through = true
	return nil
}
