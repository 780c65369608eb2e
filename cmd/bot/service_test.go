package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"moot/internal/bot"
	"moot/internal/config"
	"moot/protocol/matrix/account"
	"moot/store"
)

// TestUnit: systemd rates what the service may do as 1.5 of 10 at most, where it is there to be asked.
func TestUnit(t *testing.T) {
	tool, err := exec.LookPath("systemd-analyze")
	if err != nil {
		t.Skip("systemd is not here")
	}
	const unit = "../../deploy/moot.service"
	out, err := exec.Command(tool, "security", "--offline=true", "--threshold=15", unit).CombinedOutput()
	if err != nil {
		t.Errorf("%v\n%s", err, out)
	}

	// It is as it should be, too, but for the program, which is not installed here.
	text, err := os.ReadFile(unit)
	if err != nil {
		t.Fatal(err)
	}
	// What is not started again is nothing but exitPerson: a program in Go that the watchdog ends, or that panics, ends with 2.
	if want := fmt.Sprintf("\nRestartPreventExitStatus=%d\n", exitPerson); !bytes.Contains(text, []byte(want)) {
		t.Errorf("the unit has no line %q", want)
	}
	here := filepath.Join(t.TempDir(), "moot.service")
	if err := os.WriteFile(here, bytes.ReplaceAll(text, []byte("/usr/local/bin/moot"), []byte("/bin/true")), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command(tool, "verify", "--man=no", here).CombinedOutput(); err != nil || len(out) > 0 {
		t.Errorf("%v\n%s", err, out)
	}
}

// TestExitCodes: a bot that cannot run until somebody has done something says so by its exit code, and no other command does.
func TestExitCodes(t *testing.T) {
	t.Setenv(config.Variable, "")
	dir := t.TempDir()
	bad := filepath.Join(dir, "config.toml")
	if err := os.WriteFile(bad, []byte("[log]\nlevel = \"loud\"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	data := filepath.Join(dir, "data")
	if err := os.Mkdir(data, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(data, "moot.db"), []byte("not a database"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		args []string
		want int
	}{
		{[]string{"run", "--config", bad}, exitPerson},
		{[]string{"--config", bad}, exitPerson},
		{[]string{"outbox", "--config", bad}, exitFailed},
		{[]string{"run", "--data", data, "--script", os.DevNull}, exitPerson},
		{[]string{"outbox", "--data", data}, exitFailed},
		{[]string{"run", "--nonsense"}, exitUsage},
	} {
		a := discard(t)
		if got := a.report(a.execute(t.Context(), c.args)); got != c.want {
			t.Errorf("bot %v ends with %d instead of %d", c.args, got, c.want)
		}
	}
	for err, want := range map[error]bool{
		errors.New("the network is down"): false, store.ErrLocked: false, store.ErrFull: false, bot.ErrClock: false,
		fmt.Errorf("open: %w", store.ErrNewer): true, &account.Fault{}: true,
		&account.Fault{Err: fmt.Errorf("%w: refused", account.ErrUnreachable)}: false, error(&placed{err: bot.NetworkEnds{{Err: errors.New("the token was reset")}}}): true,
	} {
		if got := needsPerson(err); got != want {
			t.Errorf("%v needs a person: %v", err, got)
		}
	}
}

// discard is a call of the program of which nobody reads anything.
func discard(t *testing.T) *app {
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { null.Close() })
	return &app{in: null, out: null, errs: null, hurry: make(chan struct{})}
}
