package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const token = "MTEx.GabcDE.s3cr3t-s3cr3t_s3cr3t"

// in returns a configuration whose tokens are in a file with that content, and of which the environment holds it too.
func in(t *testing.T, content string) Config {
	t.Helper()
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	c := Default()
	c.Discord.Token, c.Matrix.AccessToken = FileSecret(file), FileSecret(file)
	return c
}

// TestTokensAsPeopleKeepThem: what an editor, a shell or kubectl puts around a token is none of it, and that is said.
func TestTokensAsPeopleKeepThem(t *testing.T) {
	for content, odd := range map[string]bool{
		token: false, token + "\n": false, token + "\r\n": false, token + "\n\n": false,
		token + " ": true, "\t" + token: true, "\ufeff" + token + "\n": true, token + "\u00a0\n": true, "\u200b" + token: true,
		" " + token + " \n": true,
	} {
		c := in(t, content)
		for name, s := range map[string]Secret{"discord": c.Discord.Token, "matrix": c.Matrix.AccessToken} {
			if got, err := s.Token(); got != token || err != nil {
				t.Errorf("%s: %q is read as %q, %v", name, content, got, err)
			}
		}
		if err := c.Secrets(); err != nil {
			t.Errorf("%q: %v", content, err)
		}
		w := strings.Join(c.Warnings(), "\n")
		if said := strings.Count(w, "white space around it") == 2; said != odd || strings.Contains(w, "s3cr3t") {
			t.Errorf("%q: warnings %q", content, w)
		}
	}
	t.Setenv("MOOT_TEST_TOKEN", token+"\n")
	if got, err := EnvSecret("MOOT_TEST_TOKEN").Token(); got != token || err != nil {
		t.Errorf("of the environment: %q, %v", got, err)
	}
}

// TestWhatIsNoToken is found before a network is asked, and the character is named with its place; the secret is not shown.
func TestWhatIsNoToken(t *testing.T) {
	utf16 := "\xff\xfe"
	for _, r := range token {
		utf16 += string(r) + "\x00"
	}
	for content, want := range map[string]string{
		"\"" + token + "\"":              "character 1 of the file FILE is a quotation mark, which cannot belong to it",
		"“" + token + "”":                "character 1 of the file FILE is a quotation mark",
		token[:4] + " " + token[4:]:      "character 5 of the file FILE is a space",
		token[:4] + "\u00a0" + token[4:]: "character 5 of the file FILE is a space that does not break (U+00A0)",
		token[:4] + "\u200b" + token[4:]: "character 5 of the file FILE is a space without width (U+200B)",
		token + "ü":                      "character 33 of the file FILE is U+00FC",
		token + "\n" + token:             "the file FILE has several lines",
		utf16:                            "the file FILE is no UTF-8 text",
		"\xfe\xff\x00M":                  "the file FILE is no UTF-8 text",
		" \n":                            "the file FILE is empty",
	} {
		c := in(t, content)
		err := c.Secrets()
		if err == nil {
			t.Errorf("%q is taken for a token", content)
			continue
		}
		for _, key := range []string{"token in [discord]: ", "access_token in [matrix]: "} {
			line := key + strings.ReplaceAll(want, "FILE", c.Discord.Token.file)
			if !strings.Contains(err.Error(), line) {
				t.Errorf("%q: %v; want %s", content, err, line)
			}
		}
		if strings.Contains(err.Error(), "s3cr3t") {
			t.Errorf("%q is shown: %v", content, err)
		}
	}
	c := in(t, "Bot "+token)
	if err := c.Secrets(); err == nil || !strings.Contains(err.Error(), "begins with the word Bot: leave it out") {
		t.Errorf("with the word Bot: %v", err)
	}
	c = in(t, "0123456789abcdef0123456789abcdef")
	if w := strings.Join(c.Warnings(), "\n"); c.Secrets() != nil || !strings.Contains(w, "does not look like the token of a bot") {
		t.Errorf("of the client's secret: %v, %q", c.Secrets(), w)
	}
}

// TestOtherSecrets: a password is what it is; a recovery key has spaces within; and what the bot may do without is a warning.
func TestOtherSecrets(t *testing.T) {
	c := in(t, " pass word \n")
	c.Discord.Token, c.Matrix.Password, c.Matrix.AccessToken = Secret{}, c.Discord.Token, Secret{}
	if got, err := c.Matrix.Password.Reveal(); got != " pass word " || err != nil {
		t.Errorf("a password is read as %q, %v", got, err)
	}
	if w := strings.Join(c.Warnings(), "\n"); !strings.Contains(w, "password in [matrix]: ") || !strings.Contains(w, "taken for a part of it") {
		t.Errorf("warnings: %q", w)
	}
	c = in(t, " EsTc abcd efgh \n")
	if got, err := c.Discord.Token.Key(); got != "EsTc abcd efgh" || err != nil {
		t.Errorf("a recovery key is read as %q, %v", got, err)
	}
	c = Default()
	c.Matrix.Password, c.Matrix.RecoveryKey = EnvSecret("MOOT_TEST_UNSET"), FileSecret("none")
	w := strings.Join(c.Warnings(), "\n")
	if err := c.Secrets(); err != nil || !strings.Contains(w, "MOOT_TEST_UNSET is not set") || !strings.Contains(w, "recovery_key in [matrix]: ") {
		t.Errorf("of secrets that are not there: %v, %q", err, w)
	}
	t.Setenv("MOOT_TEST_SHORT", "short")
	c = Default()
	c.Privacy.HashKey = EnvSecret("MOOT_TEST_SHORT")
	if err := c.Secrets(); err == nil || !strings.Contains(err.Error(), "hash_key in [privacy]: ") || strings.Contains(err.Error(), "short ") {
		t.Errorf("a short key: %v", err)
	}
}
