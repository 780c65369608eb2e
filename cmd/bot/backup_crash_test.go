package main

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"moot/backup"
	"moot/internal/effort"
	"moot/internal/failpoint"
	"moot/protocol"
)

// TestCrashInBackup: a backup that dies leaves nothing that looks like one, or a whole one; a restore that dies leaves no data
// folder, or a whole one. The next one clears up, and the data folder is as it was.
func TestCrashInBackup(t *testing.T) {
	effort.Proof(t)
	t.Parallel()
	bin := failpointBot(t)
	dir := agedFolder(t, protocol.Console)
	want := stateOf(t, dir, nil)
	run := func(t *testing.T, p failpoint.Point, args ...string) {
		t.Helper()
		cmd := exec.Command(bin, args...)
		if p != "" {
			cmd.Env = append(os.Environ(), "MOOT_FAILPOINT="+string(p)+":1")
			struck(t, p)
		}
		if out, err := cmd.CombinedOutput(); (err != nil) != (p != "") {
			t.Fatalf("it ended with %v and said %s", err, out)
		}
	}
	for p, left := range map[failpoint.Point]int{
		failpoint.BackupStore: 0, failpoint.BackupKeys: 0, failpoint.BackupRest: 0, failpoint.BackupWhole: 0, failpoint.BackupMade: 1,
	} {
		t.Run(string(p), func(t *testing.T) {
			backups := filepath.Join(t.TempDir(), "backups")
			run(t, p, "backup", backups, "--data", dir)
			if all, err := backup.List(backups); err != nil || len(all) != left {
				t.Errorf("it leaves %d backups instead of %d, %v", len(all), left, err)
			}
			run(t, "", "backup", backups, "--data", dir)
			run(t, "", "backup", "check", backups)
			if hidden, _ := filepath.Glob(filepath.Join(backups, ".*")); len(hidden) > 0 {
				t.Errorf("left are %q", hidden)
			}
		})
	}
	backups := filepath.Join(t.TempDir(), "backups")
	run(t, "", "backup", backups, "--data", dir)
	for p, there := range map[failpoint.Point]bool{
		failpoint.RestoreCopied: false, failpoint.RestoreMarked: false, failpoint.RestoreMade: true,
	} {
		t.Run(string(p), func(t *testing.T) {
			to := filepath.Join(t.TempDir(), "data")
			run(t, p, "restore", "--moved", backups, "--data", to)
			if _, err := os.Stat(to); (err == nil) != there {
				t.Fatalf("there is a folder: %v", err == nil)
			}
			if !there {
				run(t, "", "restore", "--moved", backups, "--data", to)
			}
			if got := stateOf(t, to, nil); got != want {
				t.Errorf("it is another state:\n%s", firstDifference(got, want))
			}
			if left, _ := filepath.Glob(to + "*"); len(left) != 1 {
				t.Errorf("left are %q", left)
			}
		})
	}
	if got := stateOf(t, dir, nil); got != want {
		t.Errorf("the data folder has changed:\n%s", firstDifference(got, want))
	}
}

// TestBackupCommand: a backup is made of a bot that runs, and its state is what the bot knew.
func TestBackupCommand(t *testing.T) {
	b := newDiscordBot(t)
	town := b.settle("Lab")
	b.start()
	town.ready()
	backups := filepath.Join(b.dir, "backups")
	b.expect("what a backup says", b.run("backup", "--keep", "1", backups), backups, "of 20", "moot backup check")
	b.expect("what another says", b.run("backup", "--keep", "1", backups), "Removed 1 older backup.")
	b.expect("what a check says", b.run("backup", "check", backups), "whole, every page read")
	b.stop()
	if out, err := b.command("restore", backups).CombinedOutput(); err == nil || !strings.Contains(string(out), "holds something") {
		b.Errorf("over the folder of the bot it says %q, %v", out, err)
	}
	other := filepath.Join(b.dir, "other")
	said := b.run("restore", backups, "--data", other)
	b.expect("what a restore says", said, "Restored", "looks whether they were", "What comes next",
		"`moot check --", " --data "+other+"` looks", " --data "+other+"` starts")
	b.run("verify", "--data", filepath.Join(b.dir, "other"))
}

// TestBackupFollowed: what a bot has done a moment before it dies is in the backup that follows it.
func TestBackupFollowed(t *testing.T) {
	b := newDiscordBot(t, "message_content = true")
	w := &killedTown{town: b.settle("Lab")}
	backups := filepath.Join(b.dir, "backups")
	follow := b.command("backup", "--follow", "--json", backups) // it waits for the bot
	out, err := follow.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := follow.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = follow.Process.Kill(); _ = follow.Wait() })
	lines := make(chan string)
	go func() {
		defer close(lines)
		for s := bufio.NewScanner(out); s.Scan(); {
			select {
			case lines <- s.Text():
			case <-t.Context().Done():
				return
			}
		}
	}()
	b.start()
	w.ready()
	asked := w.asks()
	b.srv.Until("an answer", func() bool { return w.answers()[asked] > 0 })
	for n := 0; ; n++ {
		select {
		case _, ok := <-lines:
			if !ok {
				t.Fatal("the following has ended")
			}
		case <-time.After(time.Minute):
			t.Fatal("what was asked is never in the backup")
		}
		if _, err := backup.Last(backups, time.Time{}); err != nil {
			continue // it is being made
		}
		to := filepath.Join(t.TempDir(), fmt.Sprint(n))
		b.run("restore", backups, "--data", to)
		got, err := b.command("why", w.general.ID+"-"+asked, "--data", to).CombinedOutput()
		if err == nil && strings.Contains(string(got), "handled") {
			break
		}
	}
	b.stop()
	if err := follow.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	for range lines { // until it has closed its output
	}
	if err := follow.Wait(); err != nil {
		t.Errorf("it did not end well: %v", err)
	}
}
