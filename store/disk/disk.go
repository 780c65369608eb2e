// Package disk is what the packages of the store share about files: the errors by which a file is
// refused, faults of pages that cannot be read, and space on the disk.
package disk

import (
	"errors"
	"fmt"
	"runtime"
	"runtime/debug"
	"syscall"

	"moot/internal/files"
)

// The errors of files.
var (
	ErrLocked  = errors.New("another process holds the file")
	ErrForeign = errors.New("not a file of moot")
	ErrDamaged = errors.New("the file is damaged")
	ErrNewer   = errors.New("the file was written by a newer version of moot")
	ErrOlder   = errors.New("the file was written by a version of moot from before the first release")
	// ErrFull says that the disk has no space. Nothing has happened, and the same may be tried
	// again.
	ErrFull = errors.New("there is no space on the disk")
)

// IsFull reports whether an error says that a disk, or a user's share of it, is full.
func IsFull(err error) bool {
	return errors.Is(err, ErrFull) || errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT)
}

// Fault is the panic of a file that cannot be read. It passes through handlers and ends the
// process: it is never an error of theirs. [Guard] makes an error of it.
type Fault struct{ Cause any }

// Faulted is deferred around what reads mapped memory, and turns its panics into faults.
func Faulted() {
	if p := recover(); p != nil {
		if f, ok := p.(Fault); ok {
			panic(f)
		}
		panic(Fault{p})
	}
}

// Guard calls f and turns the panic of a fault into ErrDamaged. Other panics pass. Memory that is
// mapped but not there, behind a page number that is damaged, is a fault too.
func Guard(f func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		switch p := recover().(type) {
		case nil:
		case Fault:
			err = fmt.Errorf("%w: %v", ErrDamaged, p.Cause)
		default:
			panic(p)
		}
	}()
	return f()
}

// breath is after how many steps, each well below a microsecond or two, work beside the commits lets them
// go on. A power of two.
const breath = 1 << 8

// Breathe is called at each step of work beside the commits, with numbers that count. Now and then it
// lets go of the processor: a commit that comes back from a sync would otherwise wait for one up to ten
// milliseconds, where there are few.
func Breathe(n int) {
	if n&(breath-1) == 0 {
		runtime.Gosched()
	}
}

// SyncFolder makes durable which files are in a folder.
func SyncFolder(path string) error { return files.SyncFolder(path) }

// Free returns how many bytes a file at the path may still take, and whether that is known.
func Free(path string) (int64, bool) { return files.Free(path) }
