package events

import (
	"fmt"

	"moot/events/people"
	"moot/internal/say"
	"moot/store"
)

// Kind is one kind of facts, and what they mean.
type Kind struct {
	// Name is what the kind is called in the log, for good: a-z, 0-9, _, - and ., at most 64 bytes.
	Name string
	// Version of the payload, from 1. It is written to each fact, and Apply still has to understand
	// all earlier ones.
	Version int
	// Disposable facts are dropped when they are older than the window; all others are archived.
	Disposable bool
	// Describe says in a few words what a fact is about, for people who speak the language, without
	// whom it names; zero means that there is nothing to say but its kind and keys.
	Describe func(l say.Language, f Fact) string
	// Own says to the person of a number what a fact that names them holds about them, in a sentence;
	// nil means that there is nothing more to say than what Describe does, and their role.
	Own func(l say.Language, tx *store.Tx, f Fact, n people.Number) string
	// Numbers are the fields of a payload, at any depth, that hold numbers of people or of texts. They
	// are counted over all rooms, so nobody is shown them.
	Numbers []string
	// Buckets are what Apply and Drop write, and all that they read. Kinds may share them. Nothing
	// else writes them.
	Buckets []store.Bucket
	// Apply folds a fact into the buckets; zero means that the kind has no projection. It is called
	// by Publish under the scope of the fact, and again by each replay. It is deterministic: see
	// the rules in the package comment. An error, or a panic, discards the transaction.
	Apply func(tx *store.Tx, f Fact) error
	// Drop takes a disposable fact out of the buckets again. A disposable kind needs it if it has a
	// projection; for others it is never called. Mind that the facts of one commit have the same
	// time and may leave one by one. The rules for Apply hold for it. A fact on which it fails is
	// set aside: see [Bus.ArchiveStep].
	Drop func(tx *store.Tx, f Fact) error
}

// check returns what is wrong with the kind by itself.
func (k Kind) check() error {
	if err := checkName("kind", k.Name); err != nil {
		return err
	}
	switch {
	case k.Version < 1:
		return fmt.Errorf("kind %s: versions count from 1", k.Name)
	case (k.Apply != nil) != (len(k.Buckets) > 0):
		return fmt.Errorf("kind %s: it needs both Apply and the buckets that Apply writes, or neither", k.Name)
	case k.Drop != nil && (k.Apply == nil || !k.Disposable):
		return fmt.Errorf("kind %s: it has a Drop, but nothing to take out of a projection, or is never dropped", k.Name)
	case k.Disposable && k.Apply != nil && k.Drop == nil:
		return fmt.Errorf("kind %s: a disposable kind with a projection needs Drop", k.Name)
	}
	return nil
}

// kinds are the registered kinds by their names.
type kinds struct {
	byName  map[string]Kind
	folding bool // whether Apply or Drop runs; owned by the one transaction that writes
}

// fold calls the Apply or Drop of a kind.
func (k *kinds) fold(tx *store.Tx, fold func(*store.Tx, Fact) error, f Fact) error {
	if k.folding {
		return ErrNested
	}
	if fold == nil {
		return nil
	}
	k.folding = true
	defer func() { k.folding = false }()
	f.Seq = 0
	if err := fold(tx.In(f.Scope), f); err != nil {
		return err
	}
	return tx.Err()
}

// checkKinds returns the kinds, or what is wrong with one of them.
func checkKinds(all []Kind) (*kinds, error) {
	byName := map[string]Kind{}
	owner := map[string]Kind{}
	for _, k := range all {
		if err := k.check(); err != nil {
			return nil, err
		}
		if _, ok := byName[k.Name]; ok {
			return nil, fmt.Errorf("kind %s: registered twice", k.Name)
		}
		byName[k.Name] = k
		for _, b := range k.Buckets {
			if o, ok := owner[b.Name()]; ok && o.Disposable != k.Disposable {
				return nil, fmt.Errorf("kinds %s and %s share bucket %s, but only one of them is disposable",
					o.Name, k.Name, b.Name())
			}
			owner[b.Name()] = k
		}
	}
	return &kinds{byName: byName}, nil
}
