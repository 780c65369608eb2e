package replica

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"moot/events"
	"moot/internal/parts"
	"moot/internal/pause"
	"moot/store"
)

// Prepare sees to it that there is a store to open: in an empty folder that of the base. Where the log has no base yet
// the first who leads makes its own, and leads on. The lease is nil otherwise.
func (n *Node) Prepare(ctx context.Context) (*Lease, error) {
	said, fails := false, outage{logger: n.Logger}
	for {
		s, err := n.Log.Stand(ctx)
		if err == nil && s.Identity != "" {
			return nil, n.begin(ctx)
		}
		if err == nil {
			var l *Lease
			if l, err = n.lead(ctx); err == nil {
				return l, nil
			}
		}
		if !errors.Is(err, ErrHeld) {
			if ctx.Err() != nil {
				return nil, ctx.Err()
			}
			fails.warn("the log cannot be reached; it is tried again", err)
		} else if !said {
			n.Logger.Info("another node makes the base", "leader", s.Leader)
			said = true
		}
		if err := pause.Sleep(ctx, standEvery); err != nil {
			return nil, err
		}
	}
}

// begin takes the base where the folder has no store.
func (n *Node) begin(ctx context.Context) error {
	if _, err := os.Stat(filepath.Join(n.Folder, parts.Database)); !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return n.TakeBase(ctx)
}

// Stand follows the log until the node leads, and returns its lease. The store has all changes of the log then. It ends with
// an error: store.ErrGone where the store is too old for the log and the folder needs the base, ErrOther where they are not of
// one another, ErrParted where the folder has changes that the log does not have, ErrVersion where another version
// of moot has led. What the server has is tried again until ctx ends.
func (n *Node) Stand(ctx context.Context, st *store.Store, l *Lease) (*Lease, error) {
	if l != nil { // the first of all
		l.st = st
		_, err := n.MakeBase(ctx, st, l)
		if err != nil {
			err = errors.Join(err, l.Release(ctx))
		}
		return l, err
	}
	id, err := Identity(st)
	if err != nil {
		return nil, err
	}
	archive := &archive{path: filepath.Join(n.Folder, parts.Archive)}
	defer archive.close()
	fails := outage{logger: n.Logger}
	for said := ""; ; {
		l, err := n.stand(ctx, st, id, archive, &said)
		if l != nil {
			l.st = st
		}
		if l != nil || final(err) || ctx.Err() != nil {
			return l, err
		}
		fails.warn("the log cannot be followed; it is tried again", err)
		if err := pause.Sleep(ctx, standEvery); err != nil {
			return nil, err
		}
	}
}

// final reports whether an error does not pass by itself.
func final(err error) bool {
	return slices.ContainsFunc([]error{
		store.ErrGone, store.ErrAhead, ErrOther, ErrParted, ErrVersion, store.ErrDamaged, store.ErrNewer, store.ErrBroken, store.ErrWrite, errApply,
	}, func(e error) bool { return errors.Is(err, e) })
}

// errApply is of a change that cannot be applied here.
var errApply = errors.New("the change cannot be applied")

func (n *Node) stand(ctx context.Context, st *store.Store, id string, a *archive, said *string) (*Lease, error) {
	s, err := n.Log.Stand(ctx)
	switch {
	case err != nil:
		return nil, err
	case s.Identity != id:
		return nil, fmt.Errorf("%w: the log is of %s, and the folder of %s", ErrOther, s.Identity, id)
	}
	if err := n.agrees(ctx, st, s); err != nil {
		return nil, err
	}
	follow, stop := context.WithCancel(ctx)
	defer stop()
	ended := make(chan error, 1)
	go func() { ended <- n.follow(follow, st, a) }()
	for {
		l, err := n.lead(ctx)
		if err == nil {
			stop()
			if err := <-ended; final(err) {
				return nil, errors.Join(err, l.Release(ctx))
			}
			if err := n.catchUp(l.Context(), st, a); err != nil {
				return nil, errors.Join(err, l.Release(ctx))
			}
			n.Logger.Info("this node leads", "term", l.Term, "change", st.Change())
			return l, nil
		}
		if !errors.Is(err, ErrHeld) {
			stop()
			if ended := <-ended; final(ended) {
				err = ended
			}
			return nil, err
		}
		if s, err := n.Log.Stand(ctx); err == nil {
			n.seen.Store(&Sight{s, time.Now()})
			if s.Leader != *said {
				*said = s.Leader
				n.Logger.Info("this node stands by", "leader", s.Leader, "term", s.Term, "behind", s.Behind(st.Change()))
			}
		}
		select {
		case err := <-ended:
			return nil, err
		case <-time.After(standEvery):
		case <-ctx.Done():
			stop()
			<-ended
			return nil, ctx.Err()
		}
	}
}

// agrees fails unless the last change of the store is in the log. Where that has let go of it, the next one has a link to it; where
// there is no next one, it is that of the first base, which nobody can have otherwise.
func (n *Node) agrees(ctx context.Context, st *store.Store, s Standing) error {
	at := st.Change()
	if s.Last < at {
		return fmt.Errorf("%w: %w: the log ends at change %d, and the folder at %d", ErrParted, store.ErrAhead, s.Last, at)
	}
	if at == 0 {
		return nil
	}
	for entry, err := range n.Log.Follow(ctx, at-1) {
		if errors.Is(err, store.ErrGone) {
			return nil
		}
		var ch store.Change
		if err == nil {
			ch, _, err = unlinked(entry)
		}
		if err == nil {
			err = same(st, ch)
		}
		return err
	}
	return ctx.Err()
}

// follow applies what the log has, until ctx ends.
func (n *Node) follow(ctx context.Context, st *store.Store, a *archive) error {
	for ch, err := range n.Log.Follow(ctx, st.Change()) {
		if err == nil {
			err = a.apply(st, ch)
		}
		if errors.Is(err, store.ErrAhead) {
			err = fmt.Errorf("%w: %w", ErrParted, err)
		}
		if err != nil {
			return err
		}
	}
	return ctx.Err()
}

// catchUp applies the rest of the log, to which nobody else appends any more.
func (n *Node) catchUp(ctx context.Context, st *store.Store, a *archive) error {
	s, err := n.Log.Stand(ctx)
	if err == nil {
		err = n.agrees(ctx, st, s)
	}
	if err != nil || s.Last == st.Change() {
		return err
	}
	for ch, err := range n.Log.Follow(ctx, st.Change()) {
		if err == nil {
			err = a.apply(st, ch)
		}
		if err != nil || ch.Number == s.Last {
			return err
		}
	}
	return ctx.Err()
}

// archive is that of the facts, of which a change may bring a part.
type archive struct {
	path string
	file *os.File // nil until something is written
}

// apply applies the change of an entry. What it has for the archive is on the disk before.
func (a *archive) apply(st *store.Store, entry store.Change) error {
	ch, before, err := unlinked(entry)
	if err == nil {
		err = follows(st, ch, before)
	}
	if err != nil {
		return err
	}
	s, ok, err := events.ShelvedIn(ch)
	if err == nil && ok && a.file == nil {
		a.file, err = os.OpenFile(a.path, os.O_RDWR|os.O_CREATE, 0o600)
	}
	if err == nil && ok {
		if _, err = a.file.WriteAt(s.Data, s.At); err == nil {
			err = a.file.Sync()
		}
	}
	if err == nil {
		err = st.Apply(store.Change{Number: ch.Number, Body: slices.Clone(ch.Body)})
	}
	if errors.Is(err, store.ErrNewer) {
		err = fmt.Errorf("%w: %w", ErrVersion, err)
	}
	if err != nil && !store.IsFull(err) {
		err = fmt.Errorf("%w: %w", errApply, err)
	}
	return err
}

func (a *archive) close() {
	if a.file != nil {
		a.file.Close() //nolint:errcheck // it was synced
	}
}
