package config

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

const hidden = "s3cr3t-s3cr3t-s3cr3t"

func TestSecretIsReadFromWhereItIs(t *testing.T) {
	t.Setenv("MOOT_TEST_KEY", hidden)
	file := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(file, []byte(hidden+"\r\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("CREDENTIALS_DIRECTORY", filepath.Dir(file))
	for _, s := range []Secret{EnvSecret("MOOT_TEST_KEY"), FileSecret(file), CredentialSecret("key")} {
		if got, err := s.Reveal(); got != hidden || err != nil {
			t.Errorf("%s holds %q, %v", s, got, err)
		}
		if w := s.Warning(); w != "" {
			t.Errorf("%s: warns %q", s, w)
		}
	}
	if got, err := (Secret{}).Reveal(); got != "" || err != nil {
		t.Errorf("no secret gives %q, %v", got, err)
	}
}

func TestSecretThatIsNotThere(t *testing.T) {
	t.Setenv("MOOT_TEST_EMPTY", "")
	dir := t.TempDir()
	t.Setenv("CREDENTIALS_DIRECTORY", dir)
	empty := filepath.Join(dir, "empty")
	if err := os.WriteFile(empty, []byte("\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, s := range []Secret{
		EnvSecret("MOOT_TEST_UNSET"), EnvSecret("MOOT_TEST_EMPTY"), FileSecret(empty), FileSecret(filepath.Join(dir, "none")), FileSecret(dir),
		CredentialSecret("none"), CredentialSecret("empty"),
	} {
		if got, err := s.Reveal(); got != "" || err == nil {
			t.Errorf("%s gives %q, %v", s, got, err)
		}
	}
}

// TestCredentials: a credential is named as systemd names it, and one that is none is refused without being shown.
func TestCredentials(t *testing.T) {
	t.Setenv("CREDENTIALS_DIRECTORY", "")
	c, err := Decode("[discord]\ntoken = { credential = \"discord-token\" }\n", "c.toml")
	if err != nil || c.Discord.Token != CredentialSecret("discord-token") {
		t.Errorf("%v, %v", c.Discord.Token, err)
	}
	if _, err := c.Discord.Token.Reveal(); err == nil || !strings.Contains(err.Error(), "LoadCredential=discord-token:") {
		t.Errorf("outside of a service: %v", err)
	}
	for _, bad := range []string{"MTA0.Gh.secret", "../token", strings.Repeat("a", 33), "Token", ""} {
		_, err := Decode(fmt.Sprintf("[discord]\ntoken = { credential = %q }\n", bad), "c.toml")
		if err == nil || bad != "" && strings.Contains(err.Error(), bad) {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

func TestSecretThatOthersCanRead(t *testing.T) {
	file := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(file, []byte(hidden), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(file, 0o644); err != nil {
		t.Fatal(err)
	}
	c := Default()
	c.Privacy.HashKey = FileSecret(file)
	w := c.Warnings()
	if len(w) != 1 || !strings.Contains(w[0], "chmod 600 "+file) {
		t.Errorf("warnings: %q", w)
	}
	if os.Geteuid() != 0 {
		return // only root can give a file away
	}
	// Another user's, readable by a group of the bot: so packages and Kubernetes hand a secret over.
	if err := os.Chown(file, 65534, -1); err != nil {
		t.Fatal(err)
	}
	for mode, warned := range map[os.FileMode]bool{0o640: false, 0o440: false, 0o644: true, 0o660: true} {
		if err := os.Chmod(file, mode); err != nil {
			t.Fatal(err)
		}
		if got := len(c.Warnings()) > 0; got != warned {
			t.Errorf("mode %04o: warned: %v", mode, got)
		}
	}
}

// Whatever is done with a Config, only where the secret is comes out.
func TestSecretIsNeverShown(t *testing.T) {
	t.Setenv("MOOT_TEST_KEY", hidden)
	c := Default()
	c.Privacy.HashKey = EnvSecret("MOOT_TEST_KEY")
	if _, err := c.Privacy.HashKey.Reveal(); err != nil {
		t.Fatal(err)
	}
	encoded, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	var logged bytes.Buffer
	for _, h := range []slog.Handler{slog.NewTextHandler(&logged, nil), slog.NewJSONHandler(&logged, nil)} {
		slog.New(h).Info("started", "config", c, "secret", c.Privacy.HashKey, "pointer", &c)
	}
	shown := string(encoded) + logged.String() + fmt.Sprintf("%v %+v %#v", c, c, c)
	key := c.Privacy.HashKey
	shown += fmt.Sprintf("%v %+v %#v %s %q", key, key, key, key, key)
	if strings.Contains(shown, hidden) || strings.Contains(shown, fmt.Sprintf("%x", hidden)) {
		t.Errorf("the secret was shown:\n%s", shown)
	}
	if !strings.Contains(shown, "the environment variable MOOT_TEST_KEY") {
		t.Errorf("nothing says where the secret is:\n%s", shown)
	}
}

// A secret that somebody wrote into the file by mistake is refused, and not repeated in the error, whatever is wrong
// beside it.
func TestSecretInTheFileIsRefused(t *testing.T) {
	for _, text := range []string{
		"[privacy]\nhash_key = \"" + hidden + "\"",
		"[privacy]\nhash_key = " + hidden,
		"[privacy]\nhash_key = \"" + hidden,
		"[privacy]\nhash_key = '''" + hidden,
		"[privacy]\nhash_key = [\"" + hidden + "\"]",
		"[privacy]\nhash_key = { env = \"" + hidden + "\" }",
		"[privacy]\nhash_key = { value = \"" + hidden + "\" }",
		"[privacy]\nhash_key = { env = \"A\", file = \"" + hidden + "\" }",
		"[privacy]\nhash_key = { env = \"" + hidden + "\"",
		"[privacy]\nhash_kee = \"" + hidden + "\"",
		"[privacy.hash_key]\nenv = \"" + hidden + "\"",
		"hash_key = \"" + hidden + "\"",
		"privacy.hash_key = " + hidden,
	} {
		c, err := Decode(text, "c.toml")
		if err == nil {
			t.Errorf("%s: accepted as %v", text, c.Privacy)
			continue
		}
		if strings.Contains(err.Error(), "s3cr3t") {
			t.Errorf("%s: the error repeats it: %v", text, err)
		}
		if !strings.Contains(err.Error(), ":1: ") && !strings.Contains(err.Error(), ":2: ") {
			t.Errorf("%s: the error names no line: %v", text, err)
		}
	}
}

// TestWhoCannotRead: a file that the bot may not read is said to be so together with who the bot is.
func TestWhoCannotRead(t *testing.T) {
	path := filepath.Join(t.TempDir(), "key")
	denied := unreadable(&fs.PathError{Op: "open", Path: path, Err: syscall.EACCES})
	if want := fmt.Sprintf("open %s: permission denied for user %d, as whom the bot runs", path, os.Geteuid()); !strings.HasPrefix(denied.Error(), want) {
		t.Errorf("it says %q, want %q", denied, want)
	}
	if _, err := FileSecret(path).Reveal(); !errors.Is(err, fs.ErrNotExist) || strings.Contains(err.Error(), "user") {
		t.Errorf("of a file that is not there it says %v", err)
	}
	if os.Geteuid() == 0 {
		return // who may read everything
	}
	if err := os.WriteFile(path, []byte(hidden), 0); err != nil {
		t.Fatal(err)
	}
	if _, err := FileSecret(path).Reveal(); err == nil || !strings.Contains(err.Error(), "as whom the bot runs") {
		t.Errorf("of a file without a mode it says %v", err)
	}
}
