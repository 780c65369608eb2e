package replica

import (
	"errors"
	"fmt"
	"time"

	"moot/store"
)

// What the log has of a change is its body behind a link:
//
//	entry   version (1 byte) | time of the commit before (8 bytes) | body of the change
//
// Times of commits only grow, so two changes of one number that different machines have made differ in theirs. A log that has lost
// what it had acknowledged, and went on without it, is known by its links: they fit nobody who has what was lost.
const (
	entryVersion = 2 // the first byte of a body that has no link is 1
	linkBytes    = 1 + 8
)

// ErrVersion says that the log has changes of another version of moot, which this one cannot read.
var ErrVersion = errors.New("the log has changes of another version of moot, which this one cannot read; run the same version on all machines")

// linked returns the entry of a change that follows a commit of the given time. It is appended to b.
func linked(b []byte, before time.Time, ch store.Change) store.Change {
	b = append(b, entryVersion)
	b = append(b, store.Time(before)...)
	return store.Change{Number: ch.Number, Body: append(b, ch.Body...)}
}

// unlinked returns the change of an entry, and the time of the commit before it.
func unlinked(entry store.Change) (ch store.Change, before time.Time, err error) {
	switch {
	case len(entry.Body) < linkBytes:
		return ch, before, fmt.Errorf("%w: entry %d of the log has %d bytes", store.ErrDamaged, entry.Number, len(entry.Body))
	case entry.Body[0] != entryVersion:
		return ch, before, fmt.Errorf("%w: entry %d has version %d, and this one knows %d", ErrVersion, entry.Number, entry.Body[0], entryVersion)
	}
	before = store.ParseTime(string(entry.Body[1:linkBytes]))
	return store.Change{Number: entry.Number, Body: entry.Body[linkBytes:]}, before, nil
}

// follows fails where a change was made by who did not have the last change of the store.
func follows(st *store.Store, ch store.Change, before time.Time) error {
	if at := st.Last(); ch.Number == st.Change()+1 && !before.Equal(at) {
		return fmt.Errorf("%w: change %d of the log follows one of %s, and this folder has one of %s", ErrParted, ch.Number, stamp(before), stamp(at))
	}
	return nil
}

// same fails where the last change of the store is another one in the log.
func same(st *store.Store, ch store.Change) error {
	if at := st.Last(); !ch.Time().Equal(at) {
		return fmt.Errorf("%w: its change %d is of %s, and that of this folder of %s", ErrParted, ch.Number, stamp(ch.Time()), stamp(at))
	}
	return nil
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339Nano) }
