package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"moot/events"
	"moot/internal/effort"
	"moot/internal/powerloss"
	"moot/protocol"
	"moot/store"
)

// powerScript is what people say to the bot while its power fails.
const powerScript = "!moot ping\nhello\n!moot whoami\n!moot nonsense\n!moot ping\n"

// TestPowerLoss: the power of the real bot fails, from the moment on at which it makes its data folder. What people had read
// by then the bot has recorded, whatever the disk has kept; everything is in order, and the bot starts again.
func TestPowerLoss(t *testing.T) {
	t.Parallel()
	if err := powerloss.Able(); err != nil {
		t.Skipf("a power failure was not tried: %v", err)
	}
	effort.Proof(t)
	bin := failpointBot(t)
	dir := t.TempDir()
	if info, err := os.Stat("/dev/shm"); err == nil && info.IsDir() { // the model decides what is durable, not the disk
		if dir, err = os.MkdirTemp("/dev/shm", "moot-power-*"); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { os.RemoveAll(dir) })
	}
	script, root := filepath.Join(dir, "script"), filepath.Join(dir, "root")
	if err := errors.Join(os.WriteFile(script, []byte(powerScript), 0o600), os.Mkdir(root, 0o700)); err != nil {
		t.Fatal(err)
	}
	rec := powerloss.Recording{Folder: filepath.Join(dir, "recording")}
	// The folder for data is made with the one above it.
	run := func(root string) []string {
		return []string{bin, "run", "--script", script, "--data", filepath.Join(root, "var", "data")}
	}
	if err := powerloss.Record(t.Context(), rec, root, run(root)...); err != nil {
		t.Fatal(err)
	}
	trace, err := rec.Trace()
	if err != nil {
		t.Fatal(err)
	}
	said := func(at int) int { return strings.Count(strings.Join(trace.Said(at), ""), "moot:  (to ") }
	tries, most := effort.InProof(200, 3000), 0
	for seed := range uint64(tries) {
		f := trace.Choose(seed, nil)
		found := filepath.Join(dir, "found")
		if err := errors.Join(os.RemoveAll(found), os.Mkdir(found, 0o700), trace.After(f).Write(found)); err != nil {
			t.Fatal(err)
		}
		read := said(f.At)
		most = max(most, read)
		answered, err := answers(t.Context(), filepath.Join(found, "var", "data"), read == 0)
		if err == nil && answered < read {
			err = fmt.Errorf("people have read %d answers, and the bot knows of %d", read, answered)
		}
		if err == nil && seed%20 == 0 {
			args := run(found)
			if out, rerr := exec.Command(args[0], args[1:]...).CombinedOutput(); rerr != nil {
				err = fmt.Errorf("the next start: %w\n%s", rerr, out)
			}
		}
		if err != nil {
			t.Fatalf("history %d: the power fails %s: %v\n%s", seed, f, err, trace.Around(f.At, 10))
		}
	}
	if most == 0 {
		t.Errorf("nobody has read any of %d answers", said(trace.Length()))
	}
	tell(os.Stdout, "%-46s %6d histories", "the power of the real bot fails", tries)
}

// answers opens what a power failure has left of a data folder, checks that all is in order, and returns how many
// answers the bot has sent or begun to send. Where nobody has read anything there may be nothing.
func answers(ctx context.Context, data string, mayMiss bool) (n int, err error) {
	if _, err := os.Stat(data); errors.Is(err, os.ErrNotExist) && mayMiss {
		return 0, nil
	}
	st, err := store.Open(store.Config{Path: filepath.Join(data, "moot.db")})
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, st.Close()) }()
	bus, err := events.Open(events.Config{Store: st, Kinds: kinds()})
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, bus.Close()) }()
	if err := errors.Join(st.Check(), bus.Verify(ctx, data)); err != nil {
		return 0, err
	}
	return n, st.View(func(tx *store.Tx) error {
		for s := range tx.RecentDeliveries() {
			switch {
			case !strings.HasPrefix(s.Lane, string(protocol.Console)):
			case s.State == store.StateSent:
				n++
			case s.State == store.StateQueued:
				for q := range tx.Queue(s.Lane, s.Number) {
					if q.Key == s.Key && q.Attempts > 0 {
						n++
					}
				}
			}
		}
		return nil
	})
}
