//go:build !windows

package main

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestDiscordCopies: of a data folder that was copied, the one that was started last goes on. The other is ended, and is not
// started again, until a backup and a restore have made a folder of it that looks before it says anything twice.
func TestDiscordCopies(t *testing.T) {
	b := newDiscordBot(t, "message_content = true\n[commands]\nrate_burst = 1000")
	w := &killedTown{town: b.settle("Lab")}
	b.start()
	w.ready()
	answered := func(ids ...string) {
		t.Helper()
		for _, id := range ids {
			b.srv.Until("an answer to "+id, func() bool { return w.answers()[id] > 0 })
		}
	}
	answered(w.asks())
	signal := func(s syscall.Signal) {
		t.Helper()
		if err := b.cmd.Process.Signal(s); err != nil {
			t.Fatal(err)
		}
	}
	copied := filepath.Join(b.dir, "copied")
	signal(syscall.SIGSTOP) // as the snapshot of a virtual machine has it: in the middle of whatever it does
	out, err := exec.Command("cp", "-a", filepath.Join(b.dir, "data"), copied).CombinedOutput()
	signal(syscall.SIGCONT)
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}

	var log bytes.Buffer
	newer := b.command("run", "--data", copied)
	newer.Stdout, newer.Stderr = &log, &log
	if err := newer.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = newer.Process.Kill()
		_ = newer.Wait()
		if t.Failed() {
			t.Logf("the log of the copy:\n%s", log.String())
		}
	}()
	hangs := time.AfterFunc(time.Minute, func() { _ = b.cmd.Process.Kill() })
	endsAsOlder(t, "the older one, while it runs", b.cmd.Wait(), b.log.String())
	hangs.Stop()
	b.cmd = nil
	answered(w.asks())
	out, err = b.command("run").CombinedOutput()
	endsAsOlder(t, "the older one, when it is started again", err, string(out))
	b.refused("the older one", "check", "another copy of this data folder")
	answered(w.asks())
	for id, n := range w.answers() {
		if n != 1 {
			t.Errorf("message %s is answered %d times", id, n)
		}
	}

	// The other is gone for good.
	if err := newer.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = newer.Wait()
	backups := filepath.Join(b.dir, "backups")
	b.run("backup", backups)
	if err := os.RemoveAll(filepath.Join(b.dir, "data")); err != nil {
		t.Fatal(err)
	}
	b.run("restore", backups)
	b.start()
	answered(w.asks())
	b.stop()
	for id, n := range w.answers() {
		if n != 1 {
			t.Errorf("after the restore message %s is answered %d times", id, n)
		}
	}
}

// endsAsOlder fails unless the bot has ended as one that nothing but a person can help.
func endsAsOlder(t *testing.T, what string, err error, said string) {
	t.Helper()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != exitPerson || !strings.Contains(said, "another copy of this data folder") {
		t.Fatalf("%s ends with %v:\n%s", what, err, said)
	}
}
