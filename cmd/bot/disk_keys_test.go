package main

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"moot/internal/effort"
	"moot/protocol"
	"moot/protocol/matrix/crypto"
)

// TestFullDiskForKeys: there is no space for the keys that messages in encrypted rooms are read with. The bot says so and
// takes nothing, is killed and started, waits, and goes on by itself when there is space; each message has its one answer.
func TestFullDiskForKeys(t *testing.T) {
	t.Parallel()
	if !crypto.Able {
		t.Skip("it takes encryption: -tags goolm")
	}
	effort.Proof(t)
	bin := failpointBot(t)
	dir, here := withMounts(t, 64<<20)
	if !here {
		return
	}
	ctx, cancel := context.WithTimeout(t.Context(), 4*killTimeout)
	defer cancel()
	r := &netRun{netTown: matrixTown(t), t: t, bin: bin, silent: map[protocol.EventID]bool{}}
	bot, data := r.command, filepath.Join(dir, "data")
	r.data = data
	r.command = func(args ...string) *exec.Cmd { return bot(append(args, "--data", data)...) }
	r.until("the bot is in its rooms", func() bool { return r.moved("joined") >= r.rooms })
	r.talk(4)
	r.until("all is answered", r.answered)

	var fs syscall.Statfs_t
	if err := syscall.Statfs(dir, &fs); err != nil {
		t.Fatal(err)
	}
	ballast := filepath.Join(dir, "ballast")
	if err := os.WriteFile(ballast, make([]byte, int(fs.Bavail)*int(fs.Bsize)-2<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	r.talk(4)
	if err := r.now.log.await(ctx, "the bot takes no messages from Matrix", 1); err != nil {
		t.Fatalf("%v\n%s", err, r.now.log)
	}
	taken := func() (n int) {
		got := r.answers()
		for _, ref := range r.asked {
			n += len(got[ref.Event])
		}
		return n
	}
	tell(os.Stdout, "%-46s %6d of %d commands answered", "there is no space for keys", taken(), len(r.asked))
	if taken() != 4 {
		t.Errorf("%d commands are answered, which need keys that there is no space for", taken())
	}
	r.now.mortal = true
	_ = r.now.cmd.Process.Kill()
	<-r.now.done
	r.ended()
	r.start()
	if err := r.now.log.await(ctx, "the bot starts when there is space", 1); err != nil {
		t.Fatalf("%v\n%s", err, r.now.log)
	}
	tell(os.Stdout, "%-46s %6d", "killed and started on a full disk, it waits", taken())
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	r.until("all is answered", r.answered)
	r.rest()
	tell(os.Stdout, "%-46s %6d", "with room it goes on by itself", taken())
	if taken() != len(r.asked) {
		t.Errorf("%d answers to %d commands", taken(), len(r.asked))
	}
}
