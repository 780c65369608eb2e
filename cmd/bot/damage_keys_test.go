package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"moot/protocol"
	"moot/protocol/matrix/crypto"
)

// TestDamagedKeys: the database of keys was cut short, or holds other bits than were written. The bot refuses it in words
// and leaves it, or works; it never ends in disorder, and check says what is wrong where the bot does not run.
func TestDamagedKeys(t *testing.T) {
	t.Parallel()
	if !crypto.Able {
		t.Skip("it takes encryption: -tags goolm")
	}
	unhurried(t)
	tries := effort(1, 24, 400)
	bin := failpointBot(t)
	r := &netRun{netTown: matrixTown(t), t: t, bin: bin, silent: map[protocol.EventID]bool{}}
	r.until("the bot is in its rooms", func() bool { return r.moved("joined") >= r.rooms })
	r.talk(4)
	r.until("all is answered", r.answered)
	r.rest()
	if err := os.Chmod(r.data, 0o700); err != nil {
		t.Fatal(err)
	}
	whole := filepath.Join(t.TempDir(), "whole")
	if err := os.CopyFS(whole, os.DirFS(r.data)); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(filepath.Join(whole, crypto.File))
	if err != nil {
		t.Fatal(err)
	}
	tell(os.Stdout, "\n%-34s %6s %9s %14s %12s %10s", "damage", "tried", "refused", "found by check", "no matter", "disorder")
	for _, c := range []struct {
		how    string
		damage func(data []byte, i int) []byte
	}{
		{"cut short", func(data []byte, i int) []byte { return data[:len(data)*i/tries] }},
		{"emptied of a page", func(data []byte, i int) []byte {
			at := len(data) / damagePage * i / tries * damagePage
			clear(data[at : at+damagePage])
			return data
		}},
		{"one bit in a head", func(data []byte, i int) []byte {
			rnd := seeded("keys", i)
			data[rnd.IntN(len(data)/damagePage)*damagePage+rnd.IntN(48)] ^= 1 << rnd.IntN(8)
			return data
		}},
		{"one bit", flipAny},
	} {
		tried, refused, found, nothing, disorder := 0, 0, 0, 0, 0
		for i := range tries {
			bad := c.damage(bytes.Clone(data), i)
			if bytes.Equal(bad, data) {
				continue
			}
			tried++
			if err := os.RemoveAll(r.data); err != nil {
				t.Fatal(err)
			}
			if err := os.CopyFS(r.data, os.DirFS(whole)); err != nil {
				t.Fatal(err)
			}
			path := filepath.Join(r.data, crypto.File)
			if err := os.WriteFile(path, bad, 0o600); err != nil {
				t.Fatal(err)
			}
			check := r.command("check", "--full")
			checked, checkText := sayOf(t, &exec.Cmd{Path: bin, Args: append([]string{bin}, check.Args[1:]...), Env: check.Env})
			code, said := r.runDamaged()
			what := fmt.Sprintf("%s, %s, number %d", crypto.File, c.how, i)
			for _, text := range []string{checkText, said} {
				if strings.Contains(text, "goroutine ") {
					disorder++
					t.Errorf("%s: it ended in disorder:\n%.3000s", what, text)
				}
			}
			switch {
			case code != exitOK:
				refused++
				// What stands in a cell SQLite has no checksum of.
				if checked == exitOK && !strings.HasPrefix(c.how, "one bit") {
					t.Errorf("%s: the bot does not run, and check finds nothing:\n%s\n%s", what, said, checkText)
				}
			case checked != exitOK:
				found++
			default:
				nothing++
			}
		}
		tell(os.Stdout, "%-34s %6d %9d %14d %12d %10d", "keys, "+c.how, tried, refused, found, nothing, disorder)
	}
}

// runDamaged runs the bot until it has answered something in clear that was said behind something sealed, or has ended. It
// returns its exit code and what it said.
func (r *netRun) runDamaged() (code int, said string) {
	r.t.Helper()
	r.start()
	l := r.now
	r.now = nil
	r.say(1)
	ref := r.say(0)
	patience := time.After(2 * killTimeout)
	for {
		select {
		case <-l.done:
			return l.cmd.ProcessState.ExitCode(), l.log.String()
		case <-patience:
			r.t.Fatalf("it neither answers nor ends:\n%s", l.log)
		case <-time.After(20 * time.Millisecond):
		}
		if len(r.answers()[ref.Event]) > 0 {
			_ = l.cmd.Process.Signal(syscall.SIGTERM)
			<-l.done
			return l.cmd.ProcessState.ExitCode(), l.log.String()
		}
	}
}
