package events

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"moot/events/docbuf"
	"moot/internal/failpoint"
	"moot/protocol"
	"moot/store"
)

const (
	// MaxArchiveStep is how many facts an ArchiveStep moves at most.
	MaxArchiveStep = 256

	stepBytes = 4 << 20 // and about how many bytes
)

// retiring is a fact that leaves the window.
type retiring struct {
	document
	fact Fact
	kind Kind // zero where it is not registered
}

// ArchiveStep moves at most limit facts that are older than the window out of the store: to the archive, or, the
// disposable ones, nowhere. A limit of 0, or above MaxArchiveStep, means MaxArchiveStep. It returns how many it moved and
// whether there are more. Facts that a reactor has not seen, and what comes behind them, stay.
//
// It first writes and syncs the archive and then makes a commit of its own, so it must not be called within one. After
// an error nothing has moved; the next call tries again, but for an archive that could not be synced: what it holds is no
// longer known, and every later step fails as well. Where the disk is full the error is store.ErrFull.
func (b *Bus) ArchiveStep(now time.Time, limit int) (moved int, more bool, err error) {
	b.stepping.Lock()
	defer b.stepping.Unlock()
	switch {
	case b.readOnly:
		err = ErrReadOnly
	case b.unsynced != nil:
		err = b.unsynced
	default:
		moved, more, err = b.archiveStep(now, limit)
	}
	switch {
	case errors.Is(err, docbuf.ErrSync):
		b.unsynced = err
	case store.IsFull(err):
		err = fmt.Errorf("%w: %w", store.ErrFull, err)
	}
	if err != nil {
		return 0, false, fmt.Errorf("archive facts: %w", err)
	}
	return moved, more, nil
}

func (b *Bus) archiveStep(now time.Time, limit int) (moved int, more bool, err error) {
	if limit <= 0 || limit > MaxArchiveStep {
		limit = MaxArchiveStep
	}
	var end int64
	var out []retiring
	err = b.store.View(func(tx *store.Tx) (err error) {
		end = archiveEnd(tx)
		out, more, err = b.retiring(tx, now.Add(-b.window), limit)
		return err
	})
	if err != nil || len(out) == 0 {
		return 0, false, err
	}
	newEnd, places, err := b.shelve(end, out)
	if err != nil {
		return 0, false, err
	}
	err = b.store.Commit(now, func(c *store.Commit) error {
		return c.Run("", protocol.Ref{}, func(tx *store.Tx) error {
			for _, p := range places {
				tx.Put(blocks, store.Number(p.seq), []byte(store.Number(uint64(p.offset))))
			}
			putState(tx, endOfFile, uint64(newEnd))
			putState(tx, lastRetired, out[len(out)-1].seq)
			return b.remove(tx, out)
		})
	})
	if err != nil {
		return 0, false, err
	}
	failpoint.Hit(failpoint.ArchiveMoved)
	return len(out), more, b.at("committed")
}

// retiring returns at most limit facts that are older than before, the oldest first, and whether there are more.
func (b *Bus) retiring(tx *store.Tx, before time.Time, limit int) (out []retiring, more bool, err error) {
	last := b.seenByAll(tx)
	bytes := 0
	for seq, data := range tx.Log(0) {
		f, err := decodeFact(seq, data)
		if err != nil {
			return nil, false, err
		}
		if seq > last || !f.Time.Before(before) {
			return out, false, nil
		}
		if len(out) == limit || bytes > stepBytes {
			return out, true, nil
		}
		bytes += len(data)
		// The data belongs to the transaction; what was decoded from it does not.
		out = append(out, retiring{document{seq, slices.Clone(data)}, f, b.kinds[f.Kind]})
	}
	return out, false, nil
}

// place is where a block begins.
type place struct {
	seq    uint64
	offset int64
}

// shelve writes to the archive what is to be archived, behind end, and makes it durable. It returns the new end and
// where blocks begin. Nothing of it counts before the end is committed.
func (b *Bus) shelve(end int64, out []retiring) (newEnd int64, places []place, err error) {
	var docs []document
	for _, r := range out {
		if !r.kind.Disposable {
			docs = append(docs, r.document)
		}
	}
	if len(docs) == 0 {
		return end, nil, nil
	}
	buf, err := b.archive.append(end)
	if err != nil {
		return 0, nil, err
	}
	for len(docs) > 0 {
		n, bytes := 0, 0
		for n < len(docs) && n < blockFacts && bytes < blockBytes {
			bytes += len(docs[n].data)
			n++
		}
		places = append(places, place{docs[0].seq, buf.End()})
		if err := errors.Join(buf.Push(docs[:n]...), b.at("pushed")); err != nil {
			return 0, nil, err
		}
		failpoint.Hit(failpoint.ArchivePushed)
		docs = docs[n:]
	}
	if err := errors.Join(buf.Flush(), b.at("synced")); err != nil {
		return 0, nil, err
	}
	failpoint.Hit(failpoint.ArchiveSynced)
	return buf.End(), places, nil
}

// remove takes the facts out of the store. The index entries of those that are archived stay.
func (b *Bus) remove(tx *store.Tx, out []retiring) error {
	for _, r := range out {
		tx.DropRecord(r.seq, r.kind.Disposable)
		if r.kind.Drop == nil {
			continue
		}
		if err := b.fold(tx, r.kind.Drop, r.fact); err != nil {
			return fmt.Errorf("drop fact %d, a %s: %w", r.seq, r.fact.Kind, err)
		}
	}
	return nil
}

// at is where tests crash.
func (b *Bus) at(point string) error {
	if b.failpoint == nil {
		return nil
	}
	return b.failpoint(point)
}

// seenByAll returns the number of the last fact that every reactor has seen which wants it.
func (b *Bus) seenByAll(tx *store.Tx) uint64 {
	last := uint64(math.MaxUint64)
	for _, r := range b.reactors {
		if seq, ok := b.pending(tx, r); ok {
			last = min(last, seq-1)
		}
	}
	return last
}
