package main

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"moot/internal/effort"
)

// TestClusterRefuses: what is wrong with a config.yaml is said with its lines, and needs a person; a Redis that is away does not.
func TestClusterRefuses(t *testing.T) {
	effort.Slow(t)
	t.Parallel()
	f := newSetupFolder(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	nobody := l.Addr().String()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	whole := "token: secret\noverride_dir: /\nmodule: sh\nredis: " + nobody + "\nredis_channel: bots\nper_cluster: 2\n"
	for _, c := range []struct {
		text string
		args []string
		code int
		says string
	}{
		{"", nil, 1, "config.yaml"}, // there is none yet
		{"nmaes: [a]\nping_interval: 0\n", nil, exitPerson, "config.yaml:1: there is no key nmaes; did you mean names?\nconfig.yaml:2: ping_interval is to be"},
		{whole, nil, exitFailed, "Reach Redis at " + nobody},
		{whole, []string{"web"}, exitFailed, "Reach Redis at " + nobody},
		{whole, []string{"wbe"}, exitUsage, `Did you mean "web"?`},
		{whole, []string{"--help"}, exitOK, "speaks with the clusters as mewld does"},
	} {
		if c.text != "" {
			if err := os.WriteFile(filepath.Join(f.dir, "config.yaml"), []byte(c.text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		cmd := f.command(append([]string{"cluster"}, c.args...)...)
		out, err := cmd.CombinedOutput()
		code := cmd.ProcessState.ExitCode()
		if _, is := err.(*exec.ExitError); err != nil && !is {
			t.Fatal(err)
		}
		if c.code != code && c.text != "" || !strings.Contains(string(out), c.says) || strings.Contains(string(out), "secret") {
			t.Errorf("with %q, cluster %v ends with %d and says %s", c.text, c.args, code, out)
		}
	}
}
