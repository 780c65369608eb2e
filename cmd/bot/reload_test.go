package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestReload: SIGHUP lets a bot without a terminal read [log] again and open its file anew, whatever is wrong with the rest, and
// does not end it.
func TestReload(t *testing.T) {
	t.Parallel()
	f := newSetupFolder(t)
	path := filepath.Join(f.dir, "moot.log")
	configure := func(text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(f.dir, "config.toml"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	configure("[log]\nfile = \"moot.log\"\n")
	cmd := f.command("run")
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	holds := func(what string) string {
		t.Helper()
		for began := time.Now(); ; time.Sleep(5 * time.Millisecond) {
			text, err := os.ReadFile(path)
			if err == nil && strings.Contains(string(text), what) {
				return string(text)
			}
			if time.Since(began) > 30*time.Second {
				t.Fatalf("%q never comes: %s, %v", what, text, err)
			}
		}
	}
	hangUp := func() {
		t.Helper()
		if err := cmd.Process.Signal(syscall.SIGHUP); err != nil {
			t.Fatal(err)
		}
	}
	holds("members-known room=console:workshop")
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the log is %v, %v", info, err)
	}
	if err := os.Rename(path, path+".1"); err != nil {
		t.Fatal(err)
	}
	configure("[log]\nfile = \"moot.log\"\nformat = \"json\"\nlevel = \"debug\"\n")
	hangUp()
	line, _, _ := strings.Cut(holds("the log goes on as the configuration says now"), "\n")
	var read struct{ Level string }
	if err := json.Unmarshal([]byte(line), &read); err != nil || read.Level != "INFO" {
		t.Errorf("the first line of the new file is %s, %v", line, err)
	}
	configure("[log]\nlevel = \"loud\"\n")
	hangUp()
	holds("the log goes on as before")
	for range 3 { // none of them is the wish that it ends
		hangUp()
	}
	if _, err := fmt.Fprintln(in, "!moot ping"); err != nil {
		t.Fatal(err)
	}
	in.Close()
	if err := cmd.Wait(); err != nil || !strings.Contains(out.String(), "pong") {
		t.Errorf("it ended with %v:\n%s", err, out.String())
	}
	if old, err := os.ReadFile(path + ".1"); err != nil || !strings.Contains(string(old), "the bot starts") || strings.Contains(string(old), "the log goes on") {
		t.Errorf("the old file holds %s, %v", old, err)
	}
}
