package events

import (
	"fmt"

	"moot/store"
)

// Kind is one kind of facts, and what they mean.
type Kind struct {
	// Name is what the kind is called in the log, for good: a-z, 0-9, _, - and ., at most 64 bytes.
	Name string
	// Version of the payload, from 1. It is written to each fact, and Apply still has to understand all earlier ones.
	Version int
	// Disposable facts are dropped when they are older than the window; all others are archived.
	Disposable bool
	// Describe says in a few words what a fact is about, for people, without whom it names; zero means that there is
	// nothing to say but its kind and keys.
	Describe func(f Fact) string
	// Buckets are what Apply and Drop write, and all that they read. Kinds may share them. Nothing else writes them.
	Buckets []store.Bucket
	// Apply folds a fact into the buckets; zero means that the kind has no projection. It is called by Publish under
	// the scope of the fact, and again by each replay. It is deterministic: see the rules in the package comment.
	// An error, or a panic, discards the transaction.
	Apply func(tx *store.Tx, f Fact) error
	// Drop takes a disposable fact out of the buckets again. A disposable kind needs it if it has a projection; for
	// others it is never called. Mind that the facts of one commit have the same time and may leave one by one. The
	// rules for Apply hold for it. An error keeps the facts from leaving the window.
	Drop func(tx *store.Tx, f Fact) error
}

// check tells what is wrong with the kind by itself.
func (k Kind) check() error {
	if err := checkName("kind", k.Name); err != nil {
		return err
	}
	switch {
	case k.Version < 1:
		return fmt.Errorf("kind %s: the version is counted from 1", k.Name)
	case (k.Apply != nil) != (len(k.Buckets) > 0):
		return fmt.Errorf("kind %s: it needs both Apply and the buckets that Apply writes, or neither", k.Name)
	case k.Drop != nil && (k.Apply == nil || !k.Disposable):
		return fmt.Errorf("kind %s: it has a Drop, but nothing to take out of a projection, or is never dropped", k.Name)
	case k.Disposable && k.Apply != nil && k.Drop == nil:
		return fmt.Errorf("kind %s: a disposable kind with a projection needs Drop", k.Name)
	}
	return nil
}

// checkKinds returns the kinds by their names, or what is wrong with one of them.
func checkKinds(kinds []Kind) (map[string]Kind, error) {
	byName := map[string]Kind{}
	owner := map[string]Kind{}
	for _, k := range kinds {
		if err := k.check(); err != nil {
			return nil, err
		}
		if _, ok := byName[k.Name]; ok {
			return nil, fmt.Errorf("kind %s: registered twice", k.Name)
		}
		byName[k.Name] = k
		for _, b := range k.Buckets {
			if o, ok := owner[b.Name()]; ok && o.Disposable != k.Disposable {
				return nil, fmt.Errorf("kinds %s and %s share bucket %s, but only one of them is disposable", o.Name, k.Name, b.Name())
			}
			owner[b.Name()] = k
		}
	}
	return byName, nil
}
