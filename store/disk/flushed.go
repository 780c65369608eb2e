package disk

import (
	"os"
)

// flushAt is after how many bytes a Flushed has them brought to the disk.
const flushAt = 32 << 20

// Flushed writes a large file, and has it brought to the disk meanwhile: the sync at its end has little
// left to do, and commits beside it, whose syncs wait for what a disk has to write, wait for less at a
// time. It belongs to one goroutine.
type Flushed struct {
	f     *os.File
	since int        // bytes since the last sync was begun
	under chan error // how the sync that is under way ends; nil while there is none
	err   error      // of a sync that has ended
}

// NewFlushed returns a Flushed that writes to a file.
func NewFlushed(f *os.File) *Flushed { return &Flushed{f: f} }

// Write implements io.Writer.
func (w *Flushed) Write(p []byte) (int, error) {
	n, err := w.f.Write(p)
	w.since += n
	if w.since < flushAt {
		return n, err
	}
	select {
	case failed := <-w.under:
		w.ended(failed)
	default:
	}
	if w.under == nil {
		under := make(chan error, 1)
		w.under, w.since = under, 0
		go func() { under <- w.f.Sync() }() // Sync waits for it
	}
	return n, err
}

func (w *Flushed) ended(err error) {
	w.under = nil
	if w.err == nil {
		w.err = err // a system says it once
	}
}

// Sync returns when all that was written is on the disk. It has to be called, also after an error.
func (w *Flushed) Sync() error {
	if w.under != nil {
		w.ended(<-w.under)
	}
	if err := w.f.Sync(); w.err == nil {
		w.err = err
	}
	return w.err
}
