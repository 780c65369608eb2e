package events

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"

	"moot/events/docbuf"
	"moot/store/disk"
)

// archive is the file of the facts that have left the window. It holds nothing in memory: what
// counts of the file is known to each transaction.
type archive struct {
	path    string
	opening sync.Mutex
	read    *os.File // for ReadAt only; nil until there is a file, which a log that was opened for reading may lack; guarded by opening
	write   *os.File // its position belongs to ArchiveStep; nil in a log that was opened for reading
}

// openArchive opens the file, as far as it is committed. It refuses one that Examine refuses, and
// changes nothing then.
func openArchive(path string, c Commitment, readOnly bool) (a *archive, err error) {
	condition, err := Examine(path, c)
	if err != nil {
		return nil, err
	}
	a = &archive{path: path}
	if condition != ArchiveAbsent {
		a.read, err = os.Open(path)
	}
	if err == nil && !readOnly {
		err = a.prepare(c.End)
	}
	if err != nil {
		err = errors.Join(fmt.Errorf("archive %s: %w", path, err), a.close())
	}
	return a, err
}

// prepare makes the file ready to be written: it exists, belongs to its owner alone, and holds what
// is committed and nothing more.
func (a *archive) prepare(end int64) (err error) {
	if a.write, err = os.OpenFile(a.path, os.O_RDWR|os.O_CREATE, 0o600); err != nil {
		return err
	}
	if err := a.write.Chmod(0o600); err != nil {
		return err
	}
	if a.read == nil {
		if a.read, err = os.Open(a.path); err != nil {
			return err
		}
	}
	if err := disk.SyncFolder(filepath.Dir(a.path)); err != nil {
		return err
	}
	_, err = a.append(end)
	return err
}

func (a *archive) close() (err error) {
	for _, f := range []*os.File{a.read, a.write} {
		if f != nil {
			err = errors.Join(err, f.Close())
		}
	}
	return err
}

// append returns the buffer over the file that writes behind end, where it cuts the file. Nothing
// is kept in memory.
func (a *archive) append(end int64) (*docbuf.DocumentBuffer[block], error) {
	if end == 0 { // whatever is there was left over by a crash: Examine has seen that the archive is this store's
		return docbuf.New(a.write, blockCodec{}, 0)
	}
	return openBuffer(a.write, end)
}

// reader returns the file. A copy of a store that is written elsewhere gets its archive later than it is opened.
func (a *archive) reader() (*os.File, error) {
	a.opening.Lock()
	defer a.opening.Unlock()
	if a.read == nil {
		read, err := os.Open(a.path)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrArchive, err)
		}
		a.read = read
	}
	return a.read, nil
}

// view returns a buffer over the file up to end that reads only, and may be used while ArchiveStep
// writes.
func (a *archive) view(end int64) (*docbuf.DocumentBuffer[block], error) {
	read, err := a.reader()
	if err != nil {
		return nil, err
	}
	info, err := read.Stat()
	if err != nil {
		return nil, err
	}
	if info.Size() < end {
		return nil, fmt.Errorf("%w: it has %d bytes, where %d were committed", ErrArchive, info.Size(), end)
	}
	return openBuffer(section{io.NewSectionReader(read, 0, end)}, end)
}
