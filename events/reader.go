package events

import (
	"cmp"
	"errors"
	"fmt"
	"iter"
	"slices"

	"moot/events/docbuf"
	"moot/store"
)

// reader reads facts for one transaction, wherever they are. It keeps the block of the archive that
// it read last.
type reader struct {
	tx      *store.Tx
	archive *archive
	end     int64                         // of the archive, as the transaction sees it
	buf     *docbuf.DocumentBuffer[block] // opened when it is first needed
	block   block
}

func newReader(tx *store.Tx, a *archive) *reader {
	return &reader{tx: tx, archive: a, end: Committed(tx).End}
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
	if data := r.tx.Fact(seq); data != nil {
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
	i, ok := slices.BinarySearchFunc(r.block, seq, func(d document, seq uint64) int { return cmp.Compare(d.seq, seq) })
	if !ok {
		return nil, nil
	}
	return r.block[i].data, nil
}

// load reads the block in which the fact is if it is in the archive.
func (r *reader) load(seq uint64) error {
	r.block = nil
	offset, ok := r.place(seq)
	if !ok {
		return nil
	}
	for entry, err := range r.scan(offset) {
		r.block = entry.Doc
		return err
	}
	return nil
}

// place returns the offset of the block in which the fact is if it is in the archive.
func (r *reader) place(seq uint64) (offset int64, ok bool) {
	for _, v := range r.tx.Backward(blocks, "", store.Number(seq)+"\x00") {
		return int64(store.ParseNumber(string(v))), true
	}
	return 0, false
}

// all goes through the whole log from a number on, oldest first. A fact that was set aside stands
// between those of the archive. Damage to the archive is an error without a number, and what
// follows is in the window.
func (r *reader) all(from uint64) iter.Seq2[document, error] {
	return func(yield func(document, error) bool) {
		retired := getState(r.tx, lastRetired)
		var aside []document
		for seq, data := range r.tx.Log(from) {
			if seq > retired {
				break
			}
			aside = append(aside, document{seq, data})
		}
		for doc, err := range r.archived(from) {
			for ; err == nil && len(aside) > 0 && aside[0].seq < doc.seq; aside = aside[1:] {
				if !yield(aside[0], nil) {
					return
				}
			}
			if !yield(doc, err) {
				return
			}
		}
		for _, doc := range aside {
			if !yield(doc, nil) {
				return
			}
		}
		for seq, data := range r.tx.Log(max(from, retired+1)) {
			if !yield(document{seq, data}, nil) {
				return
			}
		}
	}
}

// archived goes through the archive from a number on, oldest first.
func (r *reader) archived(from uint64) iter.Seq2[document, error] {
	return func(yield func(document, error) bool) {
		if r.end == 0 || from > getState(r.tx, lastRetired) {
			return
		}
		offset, _ := r.place(from) // before the first block it is the beginning
		for entry, err := range r.scan(offset) {
			if err != nil {
				yield(document{}, err)
				return
			}
			for _, doc := range entry.Doc {
				if doc.seq >= from && !yield(doc, nil) {
					return
				}
			}
		}
	}
}

// scan goes through the archive from an offset on.
func (r *reader) scan(offset int64) iter.Seq2[docbuf.Entry[block], error] {
	return func(yield func(docbuf.Entry[block], error) bool) {
		fail := func(err error) { yield(docbuf.Entry[block]{}, fmt.Errorf("archive %s: %w", r.archive.path, err)) }
		if r.buf == nil {
			buf, err := r.archive.view(r.end)
			if err != nil {
				fail(err)
				return
			}
			r.buf = buf
		}
		for entry, err := range r.buf.Scan(offset) {
			if err != nil {
				fail(errors.Join(ErrArchive, err))
				return
			}
			if !yield(entry, nil) {
				return
			}
		}
	}
}
