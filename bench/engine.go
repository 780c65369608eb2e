package main

import (
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// engine is something that remembers events. It is used by one goroutine.
type engine interface {
	// open opens it in a folder, which is empty at first.
	open(dir string) error
	// admit records what is new of the batch, and returns how much that is when it is durable.
	admit(events []event, at time.Time) (fresh int, err error)
	// finish does what was put off. Only close is called after it.
	finish() error
	close() error
	// count returns how many events each index holds. It is called when the engine is open.
	count() (events, indexed int, err error)
}

// contender is an engine with a name.
type contender struct {
	name string
	with string // what is set, for the reader of the table
	make func() engine
	bare bool // it knows nothing, and its answers are not checked
	// brief is one that holds nothing back: a quarter of a turn says as much of it.
	brief bool
}

// The names that figures are looked up by.
const (
	nameMoot = "moot"
	nameMap  = "map, encode, append"
	nameBare = "bare append"
)

func contenders() []contender {
	return []contender{
		{
			name: nameMoot, with: "one log of commits, with checkpoints into one bbolt file beside it",
			make: func() engine { return &mootEngine{} },
		},
		{
			name: nameBare, with: "as many bytes to a file with space ahead, one fdatasync a batch; it knows nothing",
			make: func() engine { return &bareEngine{} }, bare: true,
		},
		{
			name: nameMap, with: "a hash map of all events, encoding, and that append; no order, nothing is ever dropped",
			make: func() engine { return &mapEngine{} },
		},
		{
			name: "Pebble", with: "v2, sync, memtables of 64 MiB, bloom filters in its tables; the filter in front",
			make: func() engine { return &pebbleEngine{} },
		},
		{
			name: "Badger", with: "SyncWrites, no conflicts, no compression; the filter in front",
			make: func() engine { return &badgerEngine{} },
		},
		{
			name: "Redis", with: "appendfsync always, one MULTI a batch, unix socket; the filter in its client",
			make: func() engine { return &redisEngine{} },
		},
		{
			name: "SQLite", with: "modernc, WAL, synchronous=FULL, WITHOUT ROWID, an index by room and time",
			make: func() engine { return &sqliteEngine{} }, brief: true,
		},
		{
			name: "bbolt", with: "two buckets, keys sorted in each batch, freelist not synced; the filter in front",
			make: func() engine { return &boltEngine{} }, brief: true,
		},
	}
}

// diskUse returns how many bytes of the disk a folder takes.
func diskUse(dir string) (size int64) {
	_ = filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return nil
		}
		if info, err := d.Info(); err == nil {
			if st, ok := info.Sys().(*syscall.Stat_t); ok && st.Blocks*512 < info.Size() {
				size += st.Blocks * 512 // what is sparse takes less
				return nil
			}
			size += info.Size()
		}
		return nil
	})
	return size
}

func makeFolder(dir string) error { return os.MkdirAll(dir, 0o700) }

// byRoom groups the events of a batch, for the index by time.
func byRoom(fresh []event) map[string][]byte {
	rows := map[string][]byte{}
	for _, e := range fresh {
		row, ok := rows[e.room]
		if ok {
			row = append(row, sep...)
		}
		rows[e.room] = append(row, e.id...)
	}
	return rows
}

// number writes the time as a key does.
func number(at time.Time) string {
	n := at.UnixNano()
	var b [8]byte
	for i := range 8 {
		b[i] = byte(n >> (56 - 8*i))
	}
	return string(b[:])
}
