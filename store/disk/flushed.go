package disk

import (
	"os"
)

// Flushed writes a large file, and has each part brought to the disk before it goes on: a sync of another file,
// such as that of a commit, waits for what the disk has to write, and so for little at a time. It belongs to one
// goroutine.
type Flushed struct {
	f      *os.File
	length int64 // of what was written
	behind int64 // how much of it was not brought to the disk
	err    error // the first of bringing something there
}

// NewFlushed returns a Flushed that writes to an empty file.
func NewFlushed(f *os.File) *Flushed { return &Flushed{f: f} }

// Write implements io.Writer.
func (w *Flushed) Write(p []byte) (int, error) {
	n, err := w.f.Write(p)
	w.length += int64(n)
	w.behind += int64(n)
	if w.behind >= flushAt {
		w.ended(flush(w.f, w.length-w.behind, w.behind))
		w.behind = 0
	}
	return n, err
}

func (w *Flushed) ended(err error) {
	if w.err == nil {
		w.err = err // a system says it once
	}
}

// Sync returns when all that was written is on the disk. It has to be called, also after an error.
func (w *Flushed) Sync() error {
	w.ended(w.f.Sync())
	return w.err
}
