package events

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
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

// retirer moves facts out of the window.
type retirer struct {
	store    *store.Store
	archive  *archive
	kinds    *kinds
	window   time.Duration
	readOnly bool
	log      *slog.Logger

	stepping sync.Mutex // held by ArchiveStep
	unsynced error      // of an archive that could not be synced; guarded by stepping
	// failpoint is called between the steps of ArchiveStep; tests crash there. Nil means none.
	failpoint func(point string) error
}

// retiring is a fact that leaves the window.
type retiring struct {
	document
	fact  Fact
	kind  Kind  // zero where it is not registered
	fault error // why it cannot be read
}

// ArchiveStep moves at most limit facts that are older than the window out of the store: to the
// archive, or, the disposable ones, nowhere. A limit of 0, or above MaxArchiveStep, means
// MaxArchiveStep. It returns how many it moved and whether there are more.
//
// A fact that cannot be read, or whose Drop fails, is set aside: it stays in the store, and in the
// log, a dead letter of its scope says why, and those behind it leave the window. [Bus.Retire]
// tries it again.
//
// ArchiveStep first writes and syncs the archive and then makes a commit of its own, so it must not
// be called within one. Its errors are those of the disk. After one nothing has moved; the next
// call tries again, but for an archive that could not be synced: what it holds is no longer known,
// and every later step fails as well. Where the disk is full the error is store.ErrFull.
func (r *retirer) ArchiveStep(now time.Time, limit int) (moved int, more bool, err error) {
	r.stepping.Lock()
	defer r.stepping.Unlock()
	switch {
	case r.readOnly:
		err = ErrReadOnly
	case r.unsynced != nil:
		err = r.unsynced
	default:
		moved, more, err = r.archiveStep(now, limit)
	}
	switch {
	case errors.Is(err, docbuf.ErrSync):
		r.unsynced = err
	case store.IsFull(err):
		err = fmt.Errorf("%w: %w", store.ErrFull, err)
	}
	if err != nil {
		return 0, false, fmt.Errorf("archive facts: %w", err)
	}
	return moved, more, nil
}

func (r *retirer) archiveStep(now time.Time, limit int) (moved int, more bool, err error) {
	if limit <= 0 || limit > MaxArchiveStep {
		limit = MaxArchiveStep
	}
	var committed Commitment
	var out []retiring
	err = r.store.View(func(tx *store.Tx) error {
		committed = Committed(tx)
		out, more = r.retiring(tx, now.Add(-r.window), limit)
		return nil
	})
	if err != nil || len(out) == 0 {
		return 0, false, err
	}
	if !committed.Begun {
		if err := r.begin(now); err != nil {
			return 0, false, err
		}
	}
	next, places, err := r.shelve(committed, out)
	if err != nil {
		return 0, false, err
	}
	shelved, err := r.archive.shelved(committed.End, next.End)
	if err != nil {
		return 0, false, err
	}
	var aside []store.Letter
	err = r.store.Commit(now, func(c *store.Commit) (err error) {
		if next.End > committed.End {
			c.Attach(shelvedName, shelved)
		}
		aside, err = r.leave(c, out, next, places)
		return err
	})
	if err != nil {
		return 0, false, err
	}
	failpoint.Hit(failpoint.ArchiveMoved)
	for _, l := range aside {
		r.log.Error("a fact could not leave the window",
			"room", l.Event.Room, "event", l.Event.ID, "dead", l.ID, "err", l.Error, "stack", l.Stack)
	}
	return len(out), more, r.at("committed")
}

// begin makes it durable that the store has an archive, before the file holds anything: what a
// crash leaves there is then known as this store's.
func (r *retirer) begin(now time.Time) error {
	return r.store.Commit(now, func(c *store.Commit) error {
		return c.Run("", protocol.Ref{}, func(tx *store.Tx) error {
			Commitment{}.commit(tx)
			return nil
		})
	})
}

// retiring returns at most limit facts that are older than before, the oldest first, and whether
// there are more. One that cannot be read is as old as the one behind it.
func (r *retirer) retiring(tx *store.Tx, before time.Time, limit int) (out []retiring, more bool) {
	old, bytes := 0, 0
	for seq, data := range tx.Log(getState(tx, lastRetired) + 1) {
		f, err := decodeFact(seq, data)
		if err == nil && !f.Time.Before(before) {
			break
		}
		if more = len(out) == limit || bytes > stepBytes; more {
			break
		}
		bytes += len(data)
		// The data belongs to the transaction; what was decoded from it does not.
		out = append(out, retiring{document{seq, slices.Clone(data)}, f, r.kinds.byName[f.Kind], err})
		if err == nil {
			old = len(out)
		}
	}
	if more { // and so is one that fills the step
		old = len(out)
	}
	return out[:old], more
}

// place is where a block begins.
type place struct {
	seq    uint64
	offset int64
}

// shelve writes to the archive what is to be archived, behind what is committed, and makes it
// durable. It returns what is to be committed next, and where blocks begin. Nothing of it counts
// before that is committed.
func (r *retirer) shelve(c Commitment, out []retiring) (next Commitment, places []place, err error) {
	var docs []document
	for _, o := range out {
		if !o.kind.Disposable && o.fault == nil {
			docs = append(docs, o.document)
		}
	}
	if len(docs) == 0 {
		return c, nil, nil
	}
	buf, err := r.archive.append(c.End)
	if err != nil {
		return c, nil, err
	}
	blocks := inBlocks(docs)
	for _, b := range blocks {
		places = append(places, place{b[0].seq, buf.End()})
		if err := errors.Join(buf.Push(b), r.at("pushed")); err != nil {
			return c, nil, err
		}
		failpoint.Hit(failpoint.ArchivePushed)
	}
	if err := errors.Join(buf.Flush(), r.at("synced")); err != nil {
		return c, nil, err
	}
	failpoint.Hit(failpoint.ArchiveSynced)
	return Commitment{Begun: true, End: buf.End(), Tip: blocks[len(blocks)-1].hash()}, places, nil
}

// leave takes the facts out of the store, and returns the letters of those that are set aside. The
// index goes on listing those that are archived.
func (r *retirer) leave(c *store.Commit, out []retiring, next Commitment, places []place) (aside []store.Letter, err error) {
	err = c.Run("", protocol.Ref{}, func(tx *store.Tx) error {
		for _, p := range places {
			tx.Put(blocks, store.Number(p.seq), []byte(store.Number(uint64(p.offset))))
		}
		next.commit(tx)
		putState(tx, lastRetired, out[len(out)-1].seq)
		for _, o := range out {
			if o.fault == nil && !o.kind.Disposable {
				tx.DropFact(o.seq)
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	for _, o := range out {
		err := o.fault
		if err == nil && o.kind.Disposable {
			err = c.Run("", protocol.Ref{}, func(tx *store.Tx) error { return r.drop(tx, o.fact) })
		}
		if err != nil {
			l, _ := c.Bury(letter(c.Now(), o.fact, err))
			aside = append(aside, l)
		}
	}
	return aside, nil
}

// drop takes a disposable fact out of the log and out of its projection.
func (r *retirer) drop(tx *store.Tx, f Fact) error {
	tx.DropFact(f.Seq, f.terms()...)
	if err := r.kinds.fold(tx, r.kinds.byName[f.Kind].Drop, f); err != nil {
		return fmt.Errorf("drop fact %d, a %s: %w", f.Seq, f.Kind, err)
	}
	return nil
}

// AsideKind is the kind of the event in the dead letter of a fact that was set aside: see
// [Bus.Retire].
const AsideKind = "archive"

// aside is its data.
type aside struct {
	Fact uint64 `json:"fact"`
}

// letter makes the dead letter of a fact that is set aside.
func letter(now time.Time, f Fact, err error) store.Letter {
	data, bad := json.Marshal(aside{f.Seq})
	if bad != nil {
		panic(bad) // a number can be encoded
	}
	l := store.Letter{
		Scope: f.Scope, Error: err.Error(), Tries: 1,
		Event: protocol.Event{
			Room: protocol.RoomID(f.Scope), ID: protocol.EventID(fmt.Sprintf("archive/%d", f.Seq)), Time: now,
			Body: protocol.Internal{Kind: AsideKind, Data: data},
		},
	}
	if p := (*store.PanicError)(nil); errors.As(err, &p) {
		l.Stack = string(p.Stack)
	}
	return l
}

// Retire tries again to take a fact out of the store that was set aside; what is the body of its
// dead letter. A fact that is not disposable, and can be read by now, stays where it is: the
// archive has gone on without it.
func (r *retirer) Retire(tx *store.Tx, what protocol.Internal) error {
	var a aside
	if err := json.Unmarshal(what.Data, &a); err != nil {
		return fmt.Errorf("a fact that was set aside: %w", err)
	}
	data := tx.Fact(a.Fact)
	if data == nil {
		return nil
	}
	f, err := decodeFact(a.Fact, data)
	if err != nil || !r.kinds.byName[f.Kind].Disposable {
		return err
	}
	return r.drop(tx, f)
}

// at is where tests crash.
func (r *retirer) at(point string) error {
	if r.failpoint == nil {
		return nil
	}
	return r.failpoint(point)
}
