package store

import (
	"errors"
	"os"
	"testing"
)

// TestCloseLeavesNothingToDo: after Close the file holds every change, and no goroutine of the
// store runs.
func TestCloseLeavesNothingToDo(t *testing.T) {
	b := newTinyBox(t)
	for i := range 30 {
		b.commit(func(c *Commit) { fillStep(t, c, i) })
	}
	path := b.Path()
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	if err := b.Commit(b.now, func(*Commit) error { t.Error("it ran"); return nil }); !errors.Is(err, os.ErrClosed) {
		t.Errorf("a commit after that: %v", err)
	}
	if err := b.Close(); err != nil {
		t.Errorf("closed again: %v", err)
	}
	s, err := Open(Config{Path: path, ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	if st := s.state.Load(); st.holds != st.change || len(st.rows) > 0 {
		t.Errorf("the file holds change %d of %d", st.holds, st.change)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	b.Store = openBoxWith(t, b.cfg).Store
}
