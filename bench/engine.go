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
	// settle does what was put off. Only close is called after it.
	settle() error
	close() error
	// count returns how many events each index holds. It is called when the engine is open.
	count() (events, indexed int, err error)
}

// contender is an engine with a name.
type contender struct {
	name string
	with string // what is set, for the reader of the table
	make func() engine
}

func contenders() []contender {
	return []contender{
		{"moot", "journal and runs in one bbolt file", func() engine { return &mootEngine{} }},
		{"bbolt", "two buckets, keys sorted in each batch, freelist not synced", func() engine { return &boltEngine{} }},
		{"SQLite", "modernc, WAL, synchronous=FULL, WITHOUT ROWID", func() engine { return &sqliteEngine{} }},
		{"Pebble", "sync, bloom filters of 10 bits in its tables", func() engine { return &pebbleEngine{} }},
		{"Pebble with filter", "the same behind the filter that moot uses, 16 bits an event in memory", func() engine { return &pebbleEngine{front: true} }},
		{"Badger", "SyncWrites, without detection of conflicts", func() engine { return &badgerEngine{} }},
		{"Redis", "appendfsync always, one script a batch, unix socket", func() engine { return &redisEngine{} }},
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
