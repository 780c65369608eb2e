//go:build goolm

package crypto

import (
	"context"
	"os"
	"path/filepath"
	"testing"
)

// TestCopy: while the bot works its keys are copied as they are at that moment: whole, of the same pair, and for nobody else to read.
// Where there are none there is nothing to copy.
func TestCopy(t *testing.T) {
	f := newFake(t)
	b, a := start(f, bot, "BOT"), start(f, alice, "ALICE")
	ev := wire(t, 1, alice, lobby, a.say("sealed before the copy", bot, alice))
	b.receive()
	b.reads(ev, "sealed before the copy")
	to := t.TempDir()
	copied := filepath.Join(to, File)
	if err := Copy(context.Background(), b.dir, copied); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(copied); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("others can read it: %v, %v", info.Mode(), err)
	}
	if _, err := Examine(t.Context(), to, &b.pair, Owner{}); err != nil {
		t.Errorf("the copy: %v", err)
	}
	later := wire(t, 2, alice, lobby, a.say("sealed after the copy", bot, alice))
	b.receive()
	b.reads(later, "sealed after the copy") // it goes on
	if left, _ := filepath.Glob(filepath.Join(to, "*")); len(left) != 1 {
		t.Errorf("beside it are %q", left)
	}
	none := filepath.Join(t.TempDir(), File)
	if err := Copy(context.Background(), t.TempDir(), none); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(none); err == nil {
		t.Error("there is a copy of nothing")
	}
}
