package store

import (
	"errors"
	"fmt"
	"iter"
	"strconv"
	"strings"
	"time"

	"moot/protocol"
	"moot/store/disk"
)

// Errors of a transaction. They stick: the first one is returned by Err and fails the Run.
var (
	ErrReadOnly = errors.New("write in a read transaction")
	ErrScope    = errors.New("key is outside the scope of the transaction")
	ErrKey      = errors.New("key is empty or too long")
)

// Tx is what a handler reads and writes through. It is valid until the function that it was given
// to returns, and so are the values that it returns, which must not be changed. It belongs to one
// goroutine.
//
// Its methods return no errors: a write that breaks a rule is dropped and fails the whole
// transaction when its function returns.
type Tx struct {
	now   time.Time
	scope protocol.Scope
	*shared
}

// shared is what the views of one transaction have in common.
type shared struct {
	reader reader
	seer   seer
	lately *lately // nil where nothing is remembered
	layer  *layer  // nil in a read transaction
	cause  protocol.Ref
	facts  []fact
	sends  []Entry
	told   []Told
	ended  []concluded
	taken  []protocol.Key // by Withdraw
	keys   int            // given out by NewKey
	err    error
}

// Told is a message from one scope to another within one transaction.
type Told struct {
	To   protocol.Scope
	What protocol.Internal
}

// Now returns the time of the commit. It is the same for everything in it.
func (tx *Tx) Now() time.Time { return tx.now }

// Scope returns the room or the person under which the transaction writes. Zero means that it
// writes shared buckets only.
func (tx *Tx) Scope() protocol.Scope { return tx.scope }

// Cause returns the event that the transaction handles; zero if there is none.
func (tx *Tx) Cause() protocol.Ref { return tx.cause }

// NewKey returns a key for something to be sent: the same one when the same cause is handled again,
// and another one at each call.
func (tx *Tx) NewKey() protocol.Key {
	tx.keys++
	return CauseKey(tx.cause, tx.keys)
}

// CauseKey returns the nth key, counted from 1, that NewKey gives out for the cause.
func CauseKey(cause protocol.Ref, n int) protocol.Key {
	return protocol.DeriveKey(string(cause.Room), string(cause.Event), strconv.Itoa(n))
}

// Err returns the first rule that was broken.
func (tx *Tx) Err() error { return tx.err }

// In returns a view of the same transaction that writes under another scope.
func (tx *Tx) In(scope protocol.Scope) *Tx {
	return &Tx{now: tx.now, scope: scope, shared: tx.shared}
}

// Tell hands something to another scope. Here it is handled in the same transaction, after the
// function that tells; an engine that keeps scopes on several machines may do it later.
func (tx *Tx) Tell(to protocol.Scope, what protocol.Internal) {
	if tx.writable() {
		tx.told = append(tx.told, Told{to, what})
	}
}

// Conclude records what became of another event than the one that the transaction handles: one that
// waited until now.
func (tx *Tx) Conclude(ref protocol.Ref, d Disposition, reason string) {
	if tx.writable() {
		tx.ended = append(tx.ended, concluded{ref, d, reason})
	}
}

// Withdraw takes what waits under a key out of the outbox: it ends, and nobody hears of that. An
// attempt that runs is not stopped; what comes of it changes nothing. A key that does not wait is left alone.
func (tx *Tx) Withdraw(key protocol.Key) {
	if tx.writable() {
		tx.taken = append(tx.taken, key)
	}
}

// fact is one that has no number yet: the bytes of its row, and the terms of the index.
type fact struct {
	data  []byte
	terms []string
}

// concluded is what Conclude is to record.
type concluded struct {
	protocol.Ref
	Disposition
	reason string
}

// TakeTold returns what was told since the last call.
func (tx *Tx) TakeTold() []Told {
	told := tx.told
	tx.told = nil
	return told
}

// Get returns the value under the key, nil if there is none.
func (tx *Tx) Get(b Bucket, key string) []byte { return tx.reader.get(b.name, key) }

// Has reports whether there is a value under the key.
func (tx *Tx) Has(b Bucket, key string) bool { return tx.reader.get(b.name, key) != nil }

// Put sets the value under the key to a copy of value. An empty value is a value.
func (tx *Tx) Put(b Bucket, key string, value []byte) { tx.write(b, key, append([]byte{}, value...)) }

// Delete removes the key. One that is not there stays so.
func (tx *Tx) Delete(b Bucket, key string) { tx.write(b, key, nil) }

func (tx *Tx) write(b Bucket, key string, value []byte) {
	switch {
	case !tx.writable():
	case key == "" || len(key) > maxKey:
		tx.fail(fmt.Errorf("%w: %q in %s", ErrKey, protocol.Shorten(key, 80), b.name))
	case b.scoped && !tx.covers(key):
		tx.fail(fmt.Errorf("%w: %q in %s under %q", ErrScope, key, b.name, tx.scope))
	default:
		tx.layer.put(b.name, key, value)
	}
}

// covers reports whether the key lies under the scope.
func (tx *Tx) covers(key string) bool {
	rest, ok := strings.CutPrefix(key, string(tx.scope))
	return ok && tx.scope != "" && (rest == "" || strings.HasPrefix(rest, Sep))
}

func (tx *Tx) writable() bool {
	if tx.layer == nil {
		tx.fail(ErrReadOnly)
		return false
	}
	return true
}

// Fail fails the transaction with err, as a write that breaks a rule does. It is for those who have
// begun to write something that is only right as a whole, and whose caller may drop the error.
func (tx *Tx) Fail(err error) { tx.fail(err) }

func (tx *Tx) fail(err error) {
	if tx.err == nil {
		tx.err = err
	}
}

// Range goes through the keys from (inclusive) to to (exclusive; zero means no end), in order. The
// loop may write.
func (tx *Tx) Range(b Bucket, from, to string) iter.Seq2[string, []byte] {
	return func(yield func(string, []byte) bool) {
		w := tx.reader.walk(b.name, false)
		writes := tx.writes()
		k, v, ok := w.seek(from)
		for ok && (to == "" || k < to) {
			if !yield(k, v) {
				return
			}
			if writes == tx.writes() {
				k, v, ok = w.step()
				continue
			}
			w, writes = tx.reader.walk(b.name, false), tx.writes()
			k, v, ok = w.seek(k + "\x00")
		}
	}
}

// Backward is Range from the last key to the first.
func (tx *Tx) Backward(b Bucket, from, to string) iter.Seq2[string, []byte] {
	return func(yield func(string, []byte) bool) {
		w := tx.reader.walk(b.name, true)
		writes := tx.writes()
		k, v, ok := w.seek(to)
		for ok && k >= from {
			if !yield(k, v) {
				return
			}
			if writes == tx.writes() {
				k, v, ok = w.step()
				continue
			}
			w, writes = tx.reader.walk(b.name, true), tx.writes()
			k, v, ok = w.seek(k)
		}
	}
}

// Prefix goes through the keys that begin with prefix, in order.
func (tx *Tx) Prefix(b Bucket, prefix string) iter.Seq2[string, []byte] {
	return tx.Range(b, prefix, After(prefix))
}

// writes counts what was written to all layers that the transaction reads: a range of Commit.Read
// lies on the layer of the commit, which goes on writing.
func (tx *Tx) writes() (n int) {
	for l, ok := tx.reader.(*layer); ok; l, ok = l.below.(*layer) {
		n += l.writes
	}
	return n
}

// Seen returns what is recorded about the event. Its Disposition is Unseen where nothing is.
func (tx *Tx) Seen(room protocol.RoomID, event protocol.EventID) Seen {
	k := tx.seer.key(room, event)
	if r, ok := tx.seer.seen(&k); ok {
		return seenOf(r, tx.seer.ahead())
	}
	return Seen{}
}

// SeenIn goes through the events of a room that were first recorded from one place (inclusive) to
// another (exclusive; the zero place means no end), in their order, or backward. It does not see
// what a commit under way has recorded.
func (tx *Tx) SeenIn(room protocol.RoomID, from, to SeenPlace, backward bool) iter.Seq[SeenEvent] {
	return func(yield func(SeenEvent) bool) {
		defer disk.Faulted()
		room, _ := seenIDs(room, "")
		ahead := tx.seer.ahead()
		for r, err := range tx.seer.between(room, from.place(ahead), to.place(ahead), backward) {
			if err != nil {
				panic(disk.Fault{Cause: err})
			}
			if !yield(SeenEvent{r.Event, seenOf(r, ahead)}) {
				return
			}
		}
	}
}
