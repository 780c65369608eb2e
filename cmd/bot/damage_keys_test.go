package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"moot/internal/effort"
	"moot/protocol/matrix/account"
	"moot/protocol/matrix/crypto"
	"moot/protocol/matrix/matrixtest"
)

// TestDamagedKeys: the file of keys that version 0.1.0 has left was cut short, or holds other bits than were written. The bot refuses it
// in words and leaves it, or carries it over; it never ends in disorder, and check says what is wrong where the bot does not take it.
func TestDamagedKeys(t *testing.T) {
	t.Parallel()
	if !crypto.Able {
		t.Skip("it takes encryption: -tags goolm")
	}
	effort.Proof(t)
	tries := effort.InProof(24, 400)
	above := t.TempDir()
	unpack(t, filepath.Join(released, "0.1.0.tar.gz"), above)
	whole, hurt := filepath.Join(above, "matrix"), filepath.Join(above, "hurt")
	s := matrixtest.New()
	t.Cleanup(s.Close)
	m := matrixFolder{hurt, filepath.Join(above, "config.toml")}
	if err := joined(
		edit(filepath.Join(whole, account.LoginFile), func(l map[string]any) { l["homeserver"] = s.URL }),
		os.WriteFile(m.config, fmt.Appendf(nil, "[matrix]\nuser = %q\nhomeserver = %q\n", s.Account("moot", "moot"), s.URL), 0o600),
	); err != nil {
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
			if err := os.RemoveAll(hurt); err != nil {
				t.Fatal(err)
			}
			if err := os.CopyFS(hurt, os.DirFS(whole)); err != nil {
				t.Fatal(err)
			}
			path := filepath.Join(hurt, crypto.File)
			if err := os.WriteFile(path, bad, 0o600); err != nil {
				t.Fatal(err)
			}
			var said strings.Builder
			checked := run(t.Context(), nil, []string{"check", "--full", "--data", hurt, "--config", m.config}, strings.NewReader(""), &said, &said)
			checkText := said.String()
			code, text := m.run(t, hurt)
			what := fmt.Sprintf("%s, %s, number %d", crypto.File, c.how, i)
			for _, text := range []string{checkText, text} {
				if strings.Contains(text, "goroutine ") {
					disorder++
					t.Errorf("%s: it ended in disorder:\n%.3000s", what, text)
				}
			}
			after, err := os.ReadFile(path)
			switch {
			// The server knows nothing of the device: who misses it has read the keys.
			case strings.Contains(text, "the homeserver has lost the keys of device"):
				if nothing++; err == nil {
					t.Errorf("%s: the file is still there", what)
				}
			case code == exitOK:
				t.Errorf("%s: it runs:\n%s", what, text)
			default:
				refused++
				if checked != exitOK {
					found++
				} else if !strings.HasPrefix(c.how, "one bit") { // what stands in a cell SQLite has no checksum of
					t.Errorf("%s: the bot does not run, and check finds nothing:\n%s\n%s", what, text, checkText)
				}
				if !bytes.Equal(after, bad) && !strings.HasPrefix(c.how, "one bit") {
					t.Errorf("%s: it was changed (%v)", what, err)
				}
			}
		}
		tell(os.Stdout, "%-34s %6d %9d %14d %12d %10d", "keys, "+c.how, tried, refused, found, nothing, disorder)
	}
}
