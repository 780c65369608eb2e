package main

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The shell of a service does its commands line by line, with the process that stays, and goes on after a fault.
func TestServiceShell(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for name, text := range map[string]string{
		"config.toml": `
[[service]]
name = "count"
[[service.command]]
name = "up"
summary = "count up"
params = ["by:integer?"]
[[service.task]]
run = ["./count"]
warm = true
`,
		"count": `#!/bin/sh
n=0
while read -r line; do
	n=$((n + 1))
	case $line in
	*'"command":"up"'*) echo "{\"answer\": \"up to $n\"}" ;;
	*) echo "{\"error\": \"no command, the $n. time\"}" ;;
	esac
done
`,
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	var out strings.Builder
	args := []string{"--config", filepath.Join(dir, "config.toml"), "--data", filepath.Join(dir, "data"), "service", "shell", "count"}
	if code := run(t.Context(), nil, args, strings.NewReader("up 3\n\nhelp\nnonsense\nup\nexit\nup\n"), &out, io.Discard); code != exitOK {
		t.Fatalf("it ended with %d and wrote\n%s", code, out.String())
	}
	at := 0
	for _, want := range []string{`"by":"3"`, "up to 1", "up by:integer?: count up", "no command, the 2. time", "up to 3"} {
		i := strings.Index(out.String()[at:], want)
		if i < 0 {
			t.Fatalf("it wrote\n%s\nwithout %q", out.String(), want)
		}
		at += i
	}
	if strings.Contains(out.String(), "up to 4") {
		t.Errorf("it went on after the end:\n%s", out.String())
	}
}
