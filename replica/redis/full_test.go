package redis_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"moot/cluster/redistest"
	"moot/internal/effort"
	"moot/internal/finding"
	"moot/store"
)

// TestAFullServer takes no changes, and goes on to know who leads: nobody loses the lease for it, another one can take it, and a standby
// reads what there is. When it may use more, the same change is taken.
func TestAFullServer(t *testing.T) {
	effort.Slow(t)
	t.Parallel()
	server := redistest.Start(t, durable...)
	l, other := open(t, "redis://"+server.Address, "moot"), open(t, "redis://"+server.Address, "moot")
	change := func(n uint64) store.Change { return store.Change{Number: n, Body: fmt.Appendf(nil, "change %d", n)} }
	term, err := l.Lead(t.Context(), "a", time.Minute)
	if err == nil {
		err = l.PutBase(t.Context(), term, "bot", 0, strings.NewReader("base"))
	}
	if err == nil {
		err = l.Append(t.Context(), term, change(1))
	}
	if err != nil {
		t.Fatal(err)
	}
	limit := func(bytes string) {
		t.Helper()
		if err := server.ConfigSet(t.Context(), "maxmemory", bytes).Err(); err != nil {
			t.Fatal(err)
		}
	}
	limit("1000000") // less than it uses
	if err := l.Append(t.Context(), term, change(2)); err == nil || !strings.Contains(err.Error(), "OOM") {
		t.Errorf("a full server takes a change: %v", err)
	}
	for what, err := range map[string]error{
		"renew": l.Renew(t.Context(), term, time.Minute), "trim": l.Trim(t.Context(), term, 0), "release": l.Release(t.Context(), term),
	} {
		if err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
	next, err := other.Lead(t.Context(), "b", time.Minute)
	if err != nil {
		t.Errorf("nobody can lead: %v", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	for ch, err := range other.Follow(ctx, 0) {
		if err != nil || ch.Number != 1 {
			t.Errorf("change %d: %v", ch.Number, err)
		}
		break
	}
	if found, err := l.Check(t.Context()); err != nil || len(found) != 1 || found[0].Status != finding.Warn || !strings.Contains(found[0].Text, "of the 976.56K of memory") {
		t.Errorf("what is said of a full server: %+v, %v", found, err)
	}
	limit("1gb")
	if err := other.Append(t.Context(), next, change(2)); err != nil {
		t.Error(err)
	}
	if found, err := l.Check(t.Context()); err != nil || len(found) != 1 || found[0].Status != finding.OK || !strings.Contains(found[0].Text, "of memory of 1.00G") {
		t.Errorf("what is said of one that is not: %+v, %v", found, err)
	}
}
