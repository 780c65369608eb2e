//go:build goolm

package keys

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"moot/store"
)

// ErrKey is the error of a write with an identifier that no key can hold.
var ErrKey = errors.New("an identifier is too long, or holds a separator")

// maxKey is the longest key of a row.
const maxKey = 2048

// Rows are the rows in the database, and those that no commit has had yet. Its methods may be called concurrently.
type Rows struct {
	st *store.Store

	writing sync.Mutex // held by whoever writes

	mu     sync.Mutex
	noted  map[string]noted // what no commit has had yet, by key; guarded by mu
	number uint64           // of the last that was noted; guarded by mu
	err    error            // why nothing goes on; guarded by mu
}

// noted is the value that a key is to have; nil where it is to have none.
type noted struct {
	value  []byte
	number uint64
}

// Open returns the rows of a database, whose commits have what is written to them from here on. Only one may be open at a time.
func Open(st *store.Store) *Rows {
	r := &Rows{st: st, noted: map[string]noted{}}
	st.Along(r.along)
	return r
}

// Close makes durable what was written, unless something has failed before.
func (r *Rows) Close() error {
	var err error
	if r.Err() == nil {
		err = r.Flush()
	}
	if errors.Is(err, store.ErrBroken) {
		err = nil // whoever broke it has said so
	}
	r.st.Along(nil)
	return err
}

// along writes what was noted into a commit.
func (r *Rows) along(tx *store.Tx) (settled func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	upTo := r.number
	for key, n := range r.noted {
		if n.value == nil {
			tx.Delete(bucket, key)
		} else {
			tx.Put(bucket, key, n.value)
		}
	}
	return func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		for key, n := range r.noted {
			if n.number <= upTo {
				delete(r.noted, key)
			}
		}
	}
}

// Err returns why nothing goes on; nil if all is well.
func (r *Rows) Err() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.err
}

// fail notes why nothing goes on.
func (r *Rows) fail(err error) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.err == nil {
		r.err = err
	}
	return err
}

// Flush returns when all that was written before it is durable.
func (r *Rows) Flush() error {
	r.mu.Lock()
	none, err := len(r.noted) == 0, r.err
	r.mu.Unlock()
	if none || err != nil {
		return err
	}
	err = r.st.Commit(time.Time{}, func(*store.Commit) error { return nil }) // just after the one before it
	if err != nil && !store.IsFull(err) {
		return r.fail(fmt.Errorf("keep the keys: %w", err))
	}
	return err
}

// change is a transaction that runs.
type change struct {
	of *Rows

	mu     sync.Mutex
	writes map[string][]byte // guarded by mu
	undo   []func()          // what is done where nothing comes of it; guarded by mu
	over   bool              // guarded by mu
}

type changeKey struct{}

// within returns the transaction of a context; nil where there is none, or it is over.
func (r *Rows) within(ctx context.Context) *change {
	c, _ := ctx.Value(changeKey{}).(*change)
	if c == nil || c.of != r {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.over {
		return nil
	}
	return c
}

// Do calls f, whose writes with its context count as a whole if f returns nil, and not at all otherwise. Within another
// one it is a part of that.
func (r *Rows) Do(ctx context.Context, f func(context.Context) error) error {
	if r.within(ctx) != nil {
		return f(ctx)
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	r.writing.Lock()
	defer r.writing.Unlock()
	if err := r.Err(); err != nil {
		return err
	}
	c := &change{of: r, writes: map[string][]byte{}}
	defer c.end()
	if err := f(context.WithValue(ctx, changeKey{}, c)); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	r.mu.Lock()
	defer r.mu.Unlock()
	r.number++
	for key, value := range c.writes {
		r.noted[key] = noted{value, r.number}
	}
	c.undo = nil
	return nil
}

// end ends a transaction, and undoes what it has done besides where nothing came of it.
func (c *change) end() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.over = true
	for _, f := range c.undo {
		f()
	}
}

// otherwise has f called where nothing comes of a transaction.
func (r *Rows) otherwise(ctx context.Context, f func()) {
	if c := r.within(ctx); c != nil {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.undo = append(c.undo, f)
	}
}

func keyOf(parts []string) string { return strings.Join(parts, store.Sep) }

// set writes a row; nil deletes it. The value is kept.
func (r *Rows) set(ctx context.Context, value []byte, parts ...string) error {
	key := keyOf(parts)
	if len(key) > maxKey || strings.Count(key, store.Sep) != len(parts)-1 {
		return ErrKey
	}
	return r.put(ctx, key, value)
}

func (r *Rows) put(ctx context.Context, key string, value []byte) error {
	return r.Do(ctx, func(ctx context.Context) error {
		c := r.within(ctx)
		c.mu.Lock()
		defer c.mu.Unlock()
		c.writes[key] = value
		return nil
	})
}

// is is the value of rows that say no more than that they are there.
var is = []byte("1")

// get returns the value of a row; nil where there is none. It is the caller's.
func (r *Rows) get(ctx context.Context, parts ...string) (value []byte, err error) {
	key := keyOf(parts)
	if c := r.within(ctx); c != nil {
		c.mu.Lock()
		value, written := c.writes[key]
		c.mu.Unlock()
		if written {
			return bytes.Clone(value), nil
		}
	}
	r.mu.Lock()
	n, waits := r.noted[key]
	r.mu.Unlock()
	if waits { // if it does no longer, a view that is taken now has it
		return bytes.Clone(n.value), nil
	}
	err = r.view(func(tx *store.Tx) { value = bytes.Clone(tx.Get(bucket, key)) })
	return value, err
}

func (r *Rows) has(ctx context.Context, parts ...string) (bool, error) {
	value, err := r.get(ctx, parts...)
	return value != nil, err
}

func (r *Rows) view(f func(*store.Tx)) error {
	if err := r.Err(); err != nil {
		return err
	}
	err := r.st.View(func(tx *store.Tx) error {
		f(tx)
		return nil
	})
	if err != nil {
		return r.fail(fmt.Errorf("read the keys: %w", err))
	}
	return nil
}

// each calls f for all rows whose keys begin with the parts, in no order, with the other parts, until it returns an error.
// F may write. The value is valid until it returns.
func (r *Rows) each(ctx context.Context, f func(rest []string, value []byte) error, parts ...string) (err error) {
	prefix := keyOf(parts) + store.Sep
	over := map[string][]byte{}
	r.mu.Lock()
	for key, n := range r.noted {
		if strings.HasPrefix(key, prefix) {
			over[key] = n.value
		}
	}
	r.mu.Unlock()
	if c := r.within(ctx); c != nil {
		c.mu.Lock()
		for key, value := range c.writes {
			if strings.HasPrefix(key, prefix) {
				over[key] = value
			}
		}
		c.mu.Unlock()
	}
	give := func(key string, value []byte) error {
		return f(strings.Split(key[len(prefix):], store.Sep), value)
	}
	if failed := r.view(func(tx *store.Tx) {
		for key, value := range tx.Prefix(bucket, prefix) {
			if _, newer := over[key]; newer {
				continue
			}
			if err = give(key, value); err != nil {
				return
			}
		}
	}); failed != nil || err != nil {
		return errors.Join(failed, err)
	}
	for key, value := range over {
		if value == nil {
			continue
		}
		if err := give(key, value); err != nil {
			return err
		}
	}
	return nil
}

// drop deletes all rows whose keys begin with the parts, and returns how many there were.
func (r *Rows) drop(ctx context.Context, parts ...string) (n int64, err error) {
	err = r.Do(ctx, func(ctx context.Context) error {
		return r.each(ctx, func(rest []string, _ []byte) error {
			n++
			return r.put(ctx, keyOf(append(parts[:len(parts):len(parts)], rest...)), nil)
		}, parts...)
	})
	return n, err
}

// setJSON writes a row in JSON.
func (r *Rows) setJSON(ctx context.Context, value any, parts ...string) error {
	data, err := json.Marshal(value)
	if err != nil {
		return err
	}
	return r.set(ctx, data, parts...)
}

// decode reads a row in JSON.
func decode[T any](r *Rows, data []byte) (*T, error) {
	value := new(T)
	if err := json.Unmarshal(data, value); err != nil {
		return nil, r.fail(fmt.Errorf("%w: %w", ErrRow, err))
	}
	return value, nil
}

// load returns a row in JSON; nil where there is none.
func load[T any](ctx context.Context, r *Rows, parts ...string) (*T, error) {
	data, err := r.get(ctx, parts...)
	if data == nil || err != nil {
		return nil, err
	}
	return decode[T](r, data)
}
