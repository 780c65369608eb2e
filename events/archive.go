package events

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"math"
	"os"
	"path/filepath"
	"slices"

	"moot/events/docbuf"
	"moot/store"
)

// archive is the file of the facts that have left the window. It holds nothing in memory: what counts of the file is
// known to each transaction.
type archive struct {
	path  string
	read  *os.File // for ReadAt only; nil if there is no file, which a log that was opened for reading may lack
	write *os.File // its position belongs to ArchiveStep; nil in a log that was opened for reading
}

// blocks is the index of the archive file: the number of the first fact of a block, and its offset.
var blocks = store.SharedBucket("archive")

// A block is what is read to find one fact: that many facts and bytes, give or take one fact.
const (
	blockFacts = 64
	blockBytes = 64 << 10
)

func archiveEnd(tx *store.Tx) int64 { return int64(getState(tx, endOfFile)) }

// openArchive opens the file of which end bytes are committed. It refuses one that cannot hold them, and changes
// nothing then.
func openArchive(path string, end int64, readOnly bool) (a *archive, err error) {
	a = &archive{path: path}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("archive %s: %w", path, err), a.close())
		}
	}()
	a.read, err = os.Open(path)
	switch {
	case errors.Is(err, fs.ErrNotExist) && end > 0:
		return a, fmt.Errorf("%w: there is no such file, where %d bytes were committed", ErrArchive, end)
	case errors.Is(err, fs.ErrNotExist) && readOnly:
		a.read = nil
		return a, nil
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return a, err
	default:
		if _, err := a.view(end); err != nil {
			return a, err
		}
	}
	if readOnly {
		return a, nil
	}
	return a, a.prepare(end)
}

// prepare makes the file ready to be written: it exists, belongs to its owner alone, and holds what is committed and
// nothing more.
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
	if err := syncFolder(filepath.Dir(a.path)); err != nil {
		return err
	}
	_, err = a.append(end)
	return err
}

// syncFolder makes it durable that a file is in the folder. A commit that relies on the file must not outlive it.
func syncFolder(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

func (a *archive) close() (err error) {
	for _, f := range []*os.File{a.read, a.write} {
		if f != nil {
			err = errors.Join(err, f.Close())
		}
	}
	return err
}

// append returns the buffer over the file that writes behind end, where it cuts the file. Nothing is kept in memory.
func (a *archive) append(end int64) (*docbuf.DocumentBuffer[document], error) {
	return openBuffer(a.write, end)
}

// view returns a buffer over the file up to end that reads only, and may be used while ArchiveStep writes.
func (a *archive) view(end int64) (*docbuf.DocumentBuffer[document], error) {
	if a.read == nil {
		return nil, fmt.Errorf("%w: there was no file when it was opened", ErrArchive)
	}
	info, err := a.read.Stat()
	if err != nil {
		return nil, err
	}
	if info.Size() < end {
		return nil, fmt.Errorf("%w: it has %d bytes, where %d were committed", ErrArchive, info.Size(), end)
	}
	return openBuffer(section{io.NewSectionReader(a.read, 0, end)}, end)
}

func openBuffer(backing io.ReadWriteSeeker, end int64) (*docbuf.DocumentBuffer[document], error) {
	buf, err := docbuf.Open(backing, documentCodec{}, end, 0)
	if errors.Is(err, docbuf.ErrCorrupt) || errors.Is(err, docbuf.ErrShort) {
		err = fmt.Errorf("%w: %w", ErrArchive, err)
	}
	return buf, err
}

// section is the part of a file that one reader reads.
type section struct{ *io.SectionReader }

// Write makes it a store of a DocumentBuffer. It always fails.
func (section) Write([]byte) (int, error) { return 0, ErrReadOnly }

// document is a fact in the archive.
type document struct {
	seq  uint64
	data []byte
}

type documentCodec struct{}

func (documentCodec) Encode(d document) ([]byte, error) {
	return append(binary.BigEndian.AppendUint64(make([]byte, 0, 8+len(d.data)), d.seq), d.data...), nil
}

func (documentCodec) Decode(b []byte) (document, error) {
	if len(b) < 8 {
		return document{}, fmt.Errorf("%w: a document of %d bytes", ErrArchive, len(b))
	}
	return document{binary.BigEndian.Uint64(b), slices.Clone(b[8:])}, nil
}

// reader reads facts for one transaction, wherever they are. It keeps the block of the archive that it read last.
type reader struct {
	tx      *store.Tx
	archive *archive
	end     int64                            // of the archive, as the transaction sees it
	buf     *docbuf.DocumentBuffer[document] // opened when it is first needed
	block   []document                       // in order
}

func (b *Bus) reader(tx *store.Tx) *reader {
	return &reader{tx: tx, archive: b.archive, end: archiveEnd(tx)}
}

// fact returns a fact that the index names.
func (r *reader) fact(seq uint64) (Fact, error) {
	data, err := r.find(seq)
	if err != nil {
		return Fact{Seq: seq}, fmt.Errorf("fact %d: %w", seq, err)
	}
	if data == nil {
		return Fact{Seq: seq}, fmt.Errorf("fact %d: %w: it is in the index and nowhere else", seq, ErrFact)
	}
	return decodeFact(seq, data)
}

// find returns the data of a fact; nil if there is none.
func (r *reader) find(seq uint64) ([]byte, error) {
	if data := r.tx.Record(seq); data != nil {
		return data, nil
	}
	if r.end == 0 || seq > getState(r.tx, lastRetired) {
		return nil, nil
	}
	if len(r.block) == 0 || seq < r.block[0].seq || seq > r.block[len(r.block)-1].seq {
		if err := r.load(seq); err != nil {
			return nil, err
		}
	}
	i, ok := slices.BinarySearchFunc(r.block, seq, func(d document, seq uint64) int {
		switch {
		case d.seq < seq:
			return -1
		case d.seq > seq:
			return 1
		}
		return 0
	})
	if !ok {
		return nil, nil
	}
	return r.block[i].data, nil
}

// load reads the block in which the fact is if it is in the archive.
func (r *reader) load(seq uint64) error {
	r.block = r.block[:0]
	offset, next, ok := r.place(seq)
	if !ok {
		return nil
	}
	for entry, err := range r.scan(offset) {
		if err != nil {
			return err
		}
		if entry.Offset >= next {
			break
		}
		r.block = append(r.block, entry.Doc)
	}
	return nil
}

// place returns the offsets of the block in which the fact is, and of the next one.
func (r *reader) place(seq uint64) (offset, next int64, ok bool) {
	first := ""
	for k, v := range r.tx.Backward(blocks, "", store.Number(seq)+"\x00") {
		first, offset, ok = k, int64(store.ParseNumber(string(v))), true
		break
	}
	next = r.end
	for _, v := range r.tx.Range(blocks, first+"\x00", "") {
		next = int64(store.ParseNumber(string(v)))
		break
	}
	return offset, next, ok
}

// archived goes through the archive from a number on, oldest first.
func (r *reader) archived(from uint64) iter.Seq2[document, error] {
	return func(yield func(document, error) bool) {
		if r.end == 0 || from > getState(r.tx, lastRetired) {
			return
		}
		offset, _, _ := r.place(from) // before the first block it is the beginning
		for entry, err := range r.scan(offset) {
			if err == nil && entry.Doc.seq < from {
				continue
			}
			if !yield(entry.Doc, err) {
				return
			}
		}
	}
}

// scan goes through the archive from an offset on.
func (r *reader) scan(offset int64) iter.Seq2[docbuf.Entry[document], error] {
	return func(yield func(docbuf.Entry[document], error) bool) {
		if r.buf == nil {
			buf, err := r.archive.view(r.end)
			if err != nil {
				yield(docbuf.Entry[document]{Offset: math.MaxInt64}, fmt.Errorf("archive %s: %w", r.archive.path, err))
				return
			}
			r.buf = buf
		}
		for entry, err := range r.buf.Scan(offset) {
			if err != nil {
				err = fmt.Errorf("archive %s: %w: %w", r.archive.path, ErrArchive, err)
			}
			if !yield(entry, err) {
				return
			}
		}
	}
}
