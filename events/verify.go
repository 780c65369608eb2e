package events

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

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

// ScratchPattern is what the scratch folders of a Verify are called, in the form of [os.MkdirTemp].
// A process that was killed leaves its own behind, which nobody needs.
const ScratchPattern = "moot-verify-*"

// verifier compares the projections with the log.
type verifier struct {
	history *history
	kinds   *kinds
}

// Verify replays the log into a scratch file and compares all buckets of the registered kinds with
// it, key by key. It returns a *Difference, the first in the order of buckets and keys, if they are
// not the same, and any other error if the log cannot be read or replayed. The scratch file is made
// in a folder of its own within dir (zero means the usual one for temporary files; see
// ScratchPattern), readable by its owner only, and removed.
//
// It sees one state of the store and blocks nobody; but as the store does not reuse what is deleted
// meanwhile, its file may grow. It must not be called within a commit.
func (v *verifier) Verify(ctx context.Context, dir string) error {
	_, err := v.Replay(ctx, dir, false)
	return err
}

// Replay is Verify that also says what it has gone through. Gently, it takes half of one processor
// at most, for the sake of commits that are made meanwhile; otherwise it reads facts while it folds
// those before them.
func (v *verifier) Replay(ctx context.Context, dir string, gently bool) (done Verified, err error) {
	scratch, err := os.MkdirTemp(dir, ScratchPattern)
	if err != nil {
		return done, fmt.Errorf("verify: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(scratch)) }()
	replayed, err := store.Open(store.Config{Path: filepath.Join(scratch, "replayed.db"), Scratch: true})
	if err != nil {
		return done, fmt.Errorf("verify: %w", err)
	}
	defer func() { err = errors.Join(err, replayed.Close()) }()
	r := &replay{verifier: v, into: replayed, done: &done}
	if gently {
		r.pace = &pace{worked: time.Now()}
	}
	err = v.history.store.View(func(tx *store.Tx) error {
		fold := r.concurrently
		if gently {
			fold = r.alone
		}
		if err := fold(ctx, tx); err != nil {
			return err
		}
		return replayed.View(func(other *store.Tx) error { return r.compare(ctx, tx, other) })
	})
	if err != nil {
		return done, fmt.Errorf("verify: %w", err)
	}
	return done, nil
}

// replay is a Replay under way.
type replay struct {
	*verifier
	into *store.Store
	done *Verified
	pace *pace // nil: as fast as it goes
}

// A pace has what takes long rest as much as it works.
type pace struct {
	steps  int
	worked time.Time // since when
}

// stint is how long it works at a stretch. A commit that needs the processor waits for less.
const stint = 2 * time.Millisecond

// step is called at each step of the work, which takes some microseconds.
func (p *pace) step() {
	if p == nil {
		return
	}
	if p.steps++; p.steps%64 != 0 {
		return
	}
	if d := time.Since(p.worked); d >= stint {
		time.Sleep(d)
		p.worked = time.Now()
	}
}

// alone folds the whole log, as tx sees it, into the other store.
func (r *replay) alone(ctx context.Context, tx *store.Tx) error {
	return r.read(ctx, tx, func(turn []Fact) error { return errors.Join(r.again(turn), ctx.Err()) })
}

// concurrently is alone that reads facts while those before them are folded. They are read here and
// not in a goroutine of their own, because only here a page that cannot be read becomes the error of
// the view.
func (r *replay) concurrently(ctx context.Context, tx *store.Tx) error {
	ctx, stop := context.WithCancel(ctx)
	turns := make(chan []Fact, 1)
	var failed error // owned by the folder until it has ended
	var folder sync.WaitGroup
	folder.Go(func() {
		defer stop()
		for turn := range turns {
			if failed = r.again(turn); failed != nil {
				return
			}
		}
	})
	err := func() error {
		defer folder.Wait()
		defer close(turns)
		return r.read(ctx, tx, func(turn []Fact) error {
			select {
			case turns <- turn:
			case <-ctx.Done():
			}
			return ctx.Err()
		})
	}()
	return cmp.Or(failed, err)
}

// read reads the whole log in turns, which it hands on for good.
func (r *replay) read(ctx context.Context, tx *store.Tx, hand func(turn []Fact) error) error {
	var turn []Fact
	bytes := 0
	retired := getState(tx, lastRetired)
	for f, err := range r.history.All(tx, 1) {
		if err != nil {
			return err
		}
		r.pace.step()
		if r.done.Facts++; f.Seq <= retired {
			r.done.Archived++
		}
		turn, bytes = append(turn, f), bytes+len(f.Payload)
		if len(turn) < turnFacts && bytes < turnBytes {
			continue
		}
		if err := hand(turn); err != nil {
			return err
		}
		turn, bytes = make([]Fact, 0, turnFacts), 0
	}
	return hand(turn)
}

// again applies facts as Publish did, each under its scope.
func (r *replay) again(turn []Fact) error {
	var at Fact
	err := r.into.Commit(time.Time{}, func(c *store.Commit) error {
		return c.Run("", protocol.Ref{}, func(tx *store.Tx) error {
			for _, at = range turn {
				r.pace.step()
				f := at
				f.Seq = 0
				if k := r.kinds.byName[f.Kind]; k.Apply == nil {
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
func (r *replay) compare(ctx context.Context, stands, replayed *store.Tx) error {
	var buckets []store.Bucket
	for _, k := range r.kinds.byName {
		buckets = append(buckets, k.Buckets...)
	}
	slices.SortFunc(buckets, func(x, y store.Bucket) int { return cmp.Compare(x.Name(), y.Name()) })
	for _, bucket := range slices.CompactFunc(buckets, func(x, y store.Bucket) bool { return x.Name() == y.Name() }) {
		if err := ctx.Err(); err != nil {
			return err
		}
		r.done.Buckets = append(r.done.Buckets, bucket.Name())
		if d := r.difference(stands, replayed, bucket); d != nil {
			d.Bucket = bucket.Name()
			return d
		}
	}
	return nil
}

// difference returns the first one between a bucket of two stores, nil if there is none, and counts
// what is the same.
func (r *replay) difference(stands, replayed *store.Tx, bucket store.Bucket) *Difference {
	other := rows{tx: replayed, bucket: bucket}
	other.step()
	for k, v := range stands.Range(bucket, "", "") {
		switch {
		case !other.ok || k < other.key:
			return &Difference{Key: k, Stands: slices.Clone(v)}
		case k > other.key:
			return &Difference{Key: other.key, Replayed: slices.Clone(other.value)}
		case string(v) != string(other.value):
			return &Difference{Key: k, Stands: slices.Clone(v), Replayed: slices.Clone(other.value)}
		}
		other.step()
		r.done.Keys++
		r.pace.step()
	}
	if other.ok {
		return &Difference{Key: other.key, Replayed: slices.Clone(other.value)}
	}
	return nil
}

// rows steps through a bucket, beside a loop over another one. It reads ahead; see span.next for
// why it is no iter.Pull.
type rows struct {
	tx     *store.Tx
	bucket store.Bucket
	key    string
	value  []byte
	ok     bool

	keys   []string
	values [][]byte
}

// rowsAhead is how many rows are read at a time.
const rowsAhead = 256

func (r *rows) step() {
	if len(r.keys) == 0 {
		from := ""
		if r.ok {
			from = r.key + "\x00"
		}
		r.values = r.values[:0]
		for k, v := range r.tx.Range(r.bucket, from, "") {
			r.keys, r.values = append(r.keys, k), append(r.values, v)
			if len(r.keys) == rowsAhead {
				break
			}
		}
	}
	if r.ok = len(r.keys) > 0; r.ok {
		r.key, r.value = r.keys[0], r.values[0]
		r.keys, r.values = r.keys[1:], r.values[1:]
	}
}
