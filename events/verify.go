package events

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"slices"

	"moot/protocol"
	"moot/store"
)

// Difference is the error of a projection that is not what the log gives.
type Difference struct {
	Bucket, Key string
	Stands      []byte // in the store; nil if there is no such key
	Replayed    []byte // from the log; nil if there is no such key
}

func (d *Difference) Error() string {
	switch {
	case d.Stands == nil:
		return fmt.Sprintf("bucket %s: the log gives key %q, which is missing", d.Bucket, d.Key)
	case d.Replayed == nil:
		return fmt.Sprintf("bucket %s: the log does not give key %q, which is there", d.Bucket, d.Key)
	}
	return fmt.Sprintf("bucket %s: key %q has another value than the log gives", d.Bucket, d.Key)
}

// A turn is how much of the log is replayed in one commit.
const (
	turnFacts = 4000
	turnBytes = 4 << 20
)

// Verified is what a Verify has gone through.
type Verified struct {
	Facts    int      `json:"facts"`    // of the window and of the archive
	Archived int      `json:"archived"` // how many of them
	Buckets  []string `json:"buckets"`  // that were compared, in order
	Keys     int      `json:"keys"`     // in them
}

// Verify replays the log into a scratch file and compares all buckets of the registered kinds with it, key by key. It
// returns a *Difference, the first in the order of buckets and keys, if they are not the same, and any other error if
// the log cannot be read or replayed. The scratch file is made in the folder dir (zero means the usual one for temporary
// files), readable by its owner only, and removed.
//
// It sees one state of the store and blocks nobody; but as the store does not reuse what is deleted meanwhile, its file
// may grow. It must not be called within a commit.
func (b *Bus) Verify(ctx context.Context, dir string) error {
	_, err := b.Replay(ctx, dir)
	return err
}

// Replay is Verify that also tells what it has gone through.
func (b *Bus) Replay(ctx context.Context, dir string) (done Verified, err error) {
	scratch, err := os.MkdirTemp(dir, "moot-verify-*")
	if err != nil {
		return done, fmt.Errorf("verify: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(scratch)) }()
	replayed, err := store.Open(store.Config{Path: filepath.Join(scratch, "replayed.db"), Scratch: true})
	if err != nil {
		return done, fmt.Errorf("verify: %w", err)
	}
	defer func() { err = errors.Join(err, replayed.Close()) }()
	err = b.store.View(func(tx *store.Tx) error {
		if err := b.replay(ctx, tx, replayed, &done); err != nil {
			return err
		}
		return replayed.View(func(other *store.Tx) error { return b.compare(ctx, tx, other, &done) })
	})
	if err != nil {
		return done, fmt.Errorf("verify: %w", err)
	}
	return done, nil
}

// replay folds the whole log, as tx sees it, into another store. Facts are read while those before them are folded.
func (b *Bus) replay(ctx context.Context, tx *store.Tx, into *store.Store, done *Verified) error {
	turns := make(chan []Fact, 1)
	read := make(chan error, 1)
	ctx, stop := context.WithCancel(ctx)
	retired := getState(tx, lastRetired) // before somebody else reads through the transaction
	go func() {
		defer close(turns)
		read <- b.readTurns(ctx, tx, turns)
	}()
	var err error
	for turn := range turns {
		if err != nil {
			continue // until the reader has noticed
		}
		if err = b.again(into, turn); err != nil {
			stop()
		}
		for _, f := range turn {
			if done.Facts++; f.Seq <= retired {
				done.Archived++
			}
		}
	}
	stop()
	return cmp.Or(err, <-read)
}

// readTurns reads the whole log in turns, which it hands on.
func (b *Bus) readTurns(ctx context.Context, tx *store.Tx, turns chan<- []Fact) error {
	var turn []Fact
	bytes := 0
	hand := func() error {
		select {
		case turns <- turn:
			turn, bytes = make([]Fact, 0, turnFacts), 0
			return ctx.Err()
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	for f, err := range b.All(tx, 1) {
		if err != nil {
			return err
		}
		turn, bytes = append(turn, f), bytes+len(f.Payload)
		if len(turn) < turnFacts && bytes < turnBytes {
			continue
		}
		if err := hand(); err != nil {
			return err
		}
	}
	return hand()
}

// again applies facts as Publish did, each under its scope.
func (b *Bus) again(into *store.Store, turn []Fact) error {
	var at Fact
	err := into.Commit(lastTime, func(c *store.Commit) error {
		return c.Run("", protocol.Ref{}, func(tx *store.Tx) error {
			for _, at = range turn {
				f := at
				f.Seq = 0
				if k := b.kinds[f.Kind]; k.Apply == nil {
					continue
				} else if err := k.Apply(tx.In(f.Scope), f); err != nil {
					return err
				}
				if err := tx.Err(); err != nil {
					return err
				}
			}
			return nil
		})
	})
	if err != nil {
		return fmt.Errorf("apply fact %d, a %s: %w", at.Seq, at.Kind, err)
	}
	return nil
}

// compare returns the first difference between the projections of two stores.
func (b *Bus) compare(ctx context.Context, stands, replayed *store.Tx, done *Verified) error {
	var buckets []store.Bucket
	for _, k := range b.kinds {
		buckets = append(buckets, k.Buckets...)
	}
	slices.SortFunc(buckets, func(x, y store.Bucket) int { return cmp.Compare(x.Name(), y.Name()) })
	for _, bucket := range slices.CompactFunc(buckets, func(x, y store.Bucket) bool { return x.Name() == y.Name() }) {
		if err := ctx.Err(); err != nil {
			return err
		}
		done.Buckets = append(done.Buckets, bucket.Name())
		if d := difference(stands.Range(bucket, "", ""), replayed.Range(bucket, "", ""), &done.Keys); d != nil {
			d.Bucket = bucket.Name()
			return d
		}
	}
	return nil
}

// difference returns the first one between two buckets, nil if there is none.
func difference(stands, replayed iter.Seq2[string, []byte], same *int) *Difference {
	next, stop := iter.Pull2(replayed)
	defer stop()
	key, value, ok := next()
	for k, v := range stands {
		switch {
		case !ok || k < key:
			return &Difference{Key: k, Stands: slices.Clone(v)}
		case k > key:
			return &Difference{Key: key, Replayed: slices.Clone(value)}
		case string(v) != string(value):
			return &Difference{Key: k, Stands: slices.Clone(v), Replayed: slices.Clone(value)}
		}
		key, value, ok = next()
		*same++
	}
	if ok {
		return &Difference{Key: key, Replayed: slices.Clone(value)}
	}
	return nil
}
