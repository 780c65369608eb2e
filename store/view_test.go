package store

import (
	"bytes"
	"fmt"
	"strconv"
	"testing"
	"time"
)

// TestLongView: a view that stays open holds up neither commits nor other views while the file
// grows to many times its size. It did: bbolt waits for all views before it maps a larger file.
func TestLongView(t *testing.T) {
	t.Parallel()
	if strconv.IntSize < 64 {
		t.Skip("the mapping of a file grows with it here")
	}
	b := newBox(t)
	held, done := make(chan struct{}), make(chan struct{})
	ended := make(chan error, 1)
	go func() {
		ended <- b.View(func(*Tx) error { close(held); <-done; return nil })
	}()
	<-held
	grown := make(chan error, 1)
	go func() {
		value := bytes.Repeat([]byte("x"), 1<<20)
		for i := range 20 {
			err := b.Commit(b.now, func(c *Commit) error {
				c.layer.put("large", fmt.Sprint(i), value)
				return nil
			})
			if err == nil {
				err = b.View(func(*Tx) error { return nil })
			}
			if err != nil {
				grown <- err
				return
			}
		}
		grown <- nil
	}()
	var err error
	select {
	case err = <-grown:
	case <-time.After(time.Minute):
		t.Error("the commits, or the other views, wait for the view")
	}
	close(done)
	if err != nil {
		t.Error(err)
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// TestOldViewOfTheFile: a view of the file from before a checkpoint, or from before a merge of runs, does not
// go with the state after it.
func TestOldViewOfTheFile(t *testing.T) {
	b := newTinyBox(t)
	step := 0
	fill := func() {
		step++
		b.commit(func(c *Commit) { fillStep(t, c, step) })
	}
	fill()
	for range 3 {
		old, err := b.file.View()
		if err != nil {
			t.Fatal(err)
		}
		if st := b.state.Load(); st.holds == st.change && !st.fits(old) {
			t.Error("the present view does not fit")
		}
		fill()
		if err := b.Checkpoint(t.Context()); err != nil {
			t.Fatal(err)
		}
		if b.state.Load().fits(old) {
			t.Error("a view that lacks the rows of a checkpoint fits the state that no longer has them")
		}
		if err := old.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
