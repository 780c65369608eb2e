package docbuf

import (
	"errors"
	"io"
	"slices"
	"testing"
)

// Each write that can fail, failing each way: it has not happened, and when it
// is tried again all is as if it had never failed.
func TestFailedWrites(t *testing.T) {
	stored, cached := []string{"one", "two"}, []string{"three", "four"}
	ops := map[string]struct {
		do    func(b *DocumentBuffer[[]byte]) error
		added []string
	}{
		"Flush": {do: func(b *DocumentBuffer[[]byte]) error { return b.Flush() }},
		"Close": {do: func(b *DocumentBuffer[[]byte]) error { _, err := b.Close(); return err }},
		"Push": {
			do:    func(b *DocumentBuffer[[]byte]) error { return b.Push(raw([]string{"five", "six", "seven"})...) },
			added: []string{"five", "six", "seven"},
		},
	}
	ways := map[string]fault{
		"seek": seekFails, "lost": writeFails, "torn": writeTears, "torn without an error": writeLies,
		"kept": writeKept, "truncate": truncateFails, "truncate kept": truncateKept,
	}
	for opName, op := range ops {
		for wayName, way := range ways {
			if opName != "Close" && (way == truncateFails || way == truncateKept) {
				continue
			}
			t.Run(opName+"/"+wayName, func(t *testing.T) {
				store := flakyCut{&flaky{ReadWriteSeeker: NewReadWriteSeekString("")}}
				b := opened(t, store, 0, 4)
				push(t, b, stored...)
				if err := b.Flush(); err != nil {
					t.Fatal(err)
				}
				push(t, b, cached...)
				end, n := b.End(), b.Cached()

				store.fault = way
				for range 2 {
					if err := op.do(b); !errors.Is(err, errInjected) && !errors.Is(err, io.ErrShortWrite) {
						t.Fatalf("error %v", err)
					}
				}
				store.fault = noFault
				if b.End() != end || b.Cached() != n {
					t.Errorf("End %d, Cached %d; want %d, %d", b.End(), b.Cached(), end, n)
				}
				before := slices.Concat(stored, cached)
				if got, err := b.Read(10); err != nil || !slices.Equal(cooked(got), before) {
					t.Errorf("Read: %q, %v", got, err)
				}
				if got, err := scan(b, 0); err != nil || !slices.Equal(got, stored) {
					t.Errorf("Scan: %q, %v", got, err)
				}

				if err := op.do(b); err != nil {
					t.Fatalf("again: %v", err)
				}
				if opName != "Close" {
					if _, err := b.Close(); err != nil {
						t.Fatal(err)
					}
				}
				want := slices.Concat(before, op.added)
				sound, bounds := filled(t, want...)
				if got := store.ReadWriteSeeker.(*ReadWriteSeekString).String(); got != sound.String() {
					t.Errorf("store %q, want %q", got, sound)
				}
				if b.End() != bounds[len(bounds)-1] {
					t.Errorf("End %d", b.End())
				}
			})
		}
	}
}

// A failed sync is for good, and it hides nothing of what is there.
func TestFailedSync(t *testing.T) {
	for name, op := range map[string]func(b *DocumentBuffer[[]byte]) error{
		"Flush": func(b *DocumentBuffer[[]byte]) error { return b.Flush() },
		"Close": func(b *DocumentBuffer[[]byte]) error { _, err := b.Close(); return err },
	} {
		t.Run(name, func(t *testing.T) {
			store := &flaky{ReadWriteSeeker: NewReadWriteSeekString("")}
			b := opened(t, store, 0, 4)
			push(t, b, "one", "two", "three", "four", "five") // the first three are demoted
			end := b.End()

			store.fault = syncFails
			if err := op(b); !errors.Is(err, ErrSync) || !errors.Is(err, errInjected) {
				t.Fatalf("error %v", err)
			}
			store.fault = noFault
			writes, syncs := store.writes, store.syncs
			errs := map[string]error{"Push": b.Push([]byte("six")), "Flush": b.Flush()}
			_, errs["Close"] = b.Close()
			for name, err := range errs {
				if !errors.Is(err, ErrSync) || !errors.Is(err, errInjected) {
					t.Errorf("%s: %v", name, err)
				}
			}
			if store.writes != writes || store.syncs != syncs {
				t.Errorf("it went on writing")
			}
			if b.End() != end {
				t.Errorf("End moved from %d to %d", end, b.End())
			}
			if got, err := scan(b, 0); err != nil || !slices.Equal(got, []string{"one", "two", "three"}) {
				t.Errorf("Scan: %q, %v", got, err)
			}
			want := []string{"one", "two", "three", "four", "five"}
			if got, err := drain(b); err != io.EOF || !slices.Equal(got, want) {
				t.Errorf("Pop: %q, %v", got, err)
			}
		})
	}
}

func TestFlushAndCloseSync(t *testing.T) {
	store := &flaky{ReadWriteSeeker: NewReadWriteSeekString("")}
	b := opened(t, store, 0, 4)
	push(t, b, "one")
	if err := b.Flush(); err != nil || store.syncs != 1 || store.writes != 1 {
		t.Errorf("Flush: %v, %d syncs, %d writes", err, store.syncs, store.writes)
	}
	if _, err := b.Close(); err != nil || store.syncs != 2 || store.writes != 1 {
		t.Errorf("Close: %v, %d syncs, %d writes", err, store.syncs, store.writes)
	}
}

// Open passes on what the store says, and cuts nothing that it cannot read.
func TestOpenFails(t *testing.T) {
	inner, bounds := filled(t, "one", "two")
	whole := inner.String()
	for name, way := range map[string]fault{"seek": seekFails, "read": readFails, "truncate": truncateFails} {
		store := flakyCut{&flaky{ReadWriteSeeker: inner, fault: way}}
		if _, err := Open(store, Bytes{}, bounds[1], 4); !errors.Is(err, errInjected) {
			t.Errorf("%s: %v", name, err)
		}
		if inner.String() != whole {
			t.Errorf("%s: the store was changed", name)
		}
	}
}

// A large batch is written in several pieces, and is one nevertheless.
func TestFailedBatch(t *testing.T) {
	store := &flaky{ReadWriteSeeker: NewReadWriteSeekString("")}
	b := opened(t, store, 0, 0)
	push(t, b, "first")
	end := b.End()
	docs := numbered(2000, 500)
	full := store.ReadWriteSeeker
	store.ReadWriteSeeker = &smallDisk{full, 2*chunk + 100}
	if err := b.Push(raw(docs)...); !errors.Is(err, errInjected) {
		t.Fatalf("error %v", err)
	}
	if got, err := scan(b, 0); err != nil || !slices.Equal(got, []string{"first"}) || b.End() != end {
		t.Errorf("%d documents, %v, End %d", len(got), err, b.End())
	}
	store.ReadWriteSeeker = full
	push(t, b, docs...)
	if got, err := drain(b); err != io.EOF || !slices.Equal(got, append([]string{"first"}, docs...)) {
		t.Errorf("%d documents, %v", len(got), err)
	}
}

// smallDisk takes so many bytes and no more.
type smallDisk struct {
	io.ReadWriteSeeker
	left int
}

func (d *smallDisk) Write(p []byte) (int, error) {
	n, err := d.ReadWriteSeeker.Write(p[:min(len(p), d.left)])
	d.left -= n
	if err == nil && n < len(p) {
		err = errInjected
	}
	return n, err
}
