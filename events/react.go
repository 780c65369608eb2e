package events

import (
	"errors"
	"fmt"

	"moot/protocol"
	"moot/store"
)

// Reactor does something about facts: it sends, sets timers, publishes further facts. Unlike a projection it may fail,
// and it never runs on replay.
type Reactor struct {
	// Name under which its place in the log is saved, for good. It is made as that of a kind is.
	Name string
	// Kinds that it acts on; none means all.
	Kinds []string
	// React acts on a fact, in a transaction of its own under the scope of the fact, with [ReactionCause] as the cause.
	// It is deterministic, does no I/O, and is called once for each fact, in order; again only by [Bus.Retry]. If it
	// publishes what it acts on itself, it never comes to an end.
	React func(tx *store.Tx, f Fact) error
}

// Failure is a fact that a reactor could not act on.
type Failure struct {
	Reactor string
	Seq     uint64
	Scope   protocol.Scope
	Cause   protocol.Ref // of the transaction that failed
	Err     error        // a *store.PanicError if React panicked
}

// cursors of reactors: the number of the last fact that each has seen.
var seen = store.SharedBucket("reactors")

func checkReactors(reactors []Reactor) error {
	names := map[string]bool{}
	for _, r := range reactors {
		switch err := checkName("reactor", r.Name); {
		case err != nil:
			return err
		case names[r.Name]:
			return fmt.Errorf("reactor %s: registered twice", r.Name)
		case r.React == nil:
			return fmt.Errorf("reactor %s: it does nothing", r.Name)
		}
		names[r.Name] = true
	}
	return nil
}

// enterReactors gives reactors that are new the present end of the log as their place.
func (b *Bus) enterReactors() error {
	if b.readOnly {
		return nil
	}
	fresh := false
	err := b.store.View(func(tx *store.Tx) error {
		for _, r := range b.reactors {
			fresh = fresh || !tx.Has(seen, r.Name)
		}
		return nil
	})
	if err != nil || !fresh {
		return err
	}
	// The zero time makes it the smallest step after the commit before: the clock is the loop's.
	return b.store.Commit(lastTime, func(c *store.Commit) error {
		return c.Run("", protocol.Ref{}, func(tx *store.Tx) error {
			for _, r := range b.reactors {
				if !tx.Has(seen, r.Name) {
					tx.Put(seen, r.Name, []byte(store.Number(tx.NextRecord()-1)))
				}
			}
			return nil
		})
	})
}

// Pending tells whether a reactor has facts to act on.
func (b *Bus) Pending(tx *store.Tx) bool {
	for _, r := range b.reactors {
		if _, ok := b.pending(tx, r); ok {
			return true
		}
	}
	return false
}

// pending returns the next fact that the reactor has to act on, and whether there is one.
func (b *Bus) pending(tx *store.Tx, r Reactor) (seq uint64, ok bool) {
	after := store.ParseNumber(string(tx.Get(seen, r.Name)))
	if after+1 == tx.NextRecord() {
		return 0, false
	}
	for seq := range b.seqs(tx, r.Kinds, Query{After: after}) {
		return seq, true
	}
	return 0, false
}

// React lets the reactors act on facts that wait for them, in turn and on at most limit facts together, each in a run of
// its own within the commit. It returns whether there are more, and what failed: there the effect is discarded, and the
// reactor goes on with the next fact. Facts that reactors publish count as the others do.
func (b *Bus) React(c *store.Commit, limit int) (more bool, failures []Failure) {
	for done := true; done; {
		done = false
		for _, r := range b.reactors {
			seq, ok := b.pending(c.Read(), r)
			if !ok {
				continue
			}
			if limit <= 0 {
				return true, failures
			}
			limit--
			done = true
			if f := b.react(c, r, seq); f != nil {
				failures = append(failures, *f)
			}
		}
	}
	return false, failures
}

func (b *Bus) react(c *store.Commit, r Reactor, seq uint64) *Failure {
	passed := func(tx *store.Tx) { tx.Put(seen, r.Name, []byte(store.Number(seq))) }
	f, err := b.reader(c.Read()).fact(seq)
	cause := ReactionCause(r.Name, f)
	if err == nil {
		err = c.Run(f.Scope, cause, func(tx *store.Tx) error {
			passed(tx)
			return r.React(tx, f)
		})
	}
	if err == nil {
		return nil
	}
	failure := &Failure{r.Name, seq, f.Scope, cause, fmt.Errorf("reactor %s on fact %d: %w", r.Name, seq, err)}
	if err := c.Run("", cause, func(tx *store.Tx) error { passed(tx); return nil }); err != nil {
		failure.Err = errors.Join(failure.Err, err)
	}
	return failure
}

// Retry lets a reactor act once more on a fact that it failed on, in the given transaction, which should have the scope
// and cause of the Failure. What it sends has the same keys then.
func (b *Bus) Retry(tx *store.Tx, reactor string, seq uint64) error {
	for _, r := range b.reactors {
		if r.Name != reactor {
			continue
		}
		f, ok, err := b.Get(tx, seq)
		switch {
		case err != nil:
			return err
		case !ok:
			return fmt.Errorf("reactor %s on fact %d: the fact was dropped", reactor, seq)
		}
		return r.React(tx, f)
	}
	return fmt.Errorf("reactor %s: there is none of that name", reactor)
}

// ReactionCause returns the cause of what a reactor does about a fact. It is another one than that of the fact, because
// the keys of what is sent derive from it, and those of the fact's own cause are taken.
func ReactionCause(reactor string, f Fact) protocol.Ref {
	room := f.Cause.Room
	if room == "" {
		room = protocol.RoomID(f.Scope)
	}
	return protocol.Ref{Room: room, Event: protocol.EventID(fmt.Sprintf("react/%s/%d", reactor, f.Seq))}
}
