package config

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// Secret says where a secret is: in an environment variable or in a file. It never holds the secret itself, so that
// whatever prints, logs or encodes it tells nobody more than where to look.
type Secret struct {
	env  string
	file string
}

// maxSecret is the longest secret in bytes.
const maxSecret = 64 << 10

// EnvSecret is the secret in an environment variable.
func EnvSecret(name string) Secret { return Secret{env: name} }

// FileSecret is the secret that a file holds.
func FileSecret(path string) Secret { return Secret{file: path} }

// IsZero tells whether no secret is named.
func (s Secret) IsZero() bool { return s == Secret{} }

// String says where the secret is.
func (s Secret) String() string {
	switch {
	case s.env != "":
		return "the environment variable " + s.env
	case s.file != "":
		return "the file " + s.file
	}
	return "none"
}

// GoString is String, for %#v.
func (s Secret) GoString() string { return "config.Secret(" + s.String() + ")" }

// MarshalText is String, for JSON and slog.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// Reveal reads the secret, without the newline at its end; a zero Secret gives a zero one. The error says what is
// missing and never what was found.
func (s Secret) Reveal() (string, error) {
	switch {
	case s.env != "":
		v, ok := os.LookupEnv(s.env)
		switch {
		case !ok:
			return "", fmt.Errorf("%s is not set", s)
		case v == "":
			return "", fmt.Errorf("%s is empty", s)
		}
		return v, nil
	case s.file != "":
		return s.read()
	}
	return "", nil
}

func (s Secret) read() (string, error) {
	f, err := os.Open(s.file)
	if err != nil {
		return "", fmt.Errorf("the file with a secret cannot be read: %w", err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxSecret+1))
	switch {
	case err != nil:
		return "", fmt.Errorf("the file with a secret cannot be read: %w", err)
	case len(data) > maxSecret:
		return "", fmt.Errorf("%s is too long for a secret: it has more than %d bytes", s, maxSecret)
	}
	v := strings.TrimRight(string(data), "\r\n")
	if v == "" {
		return "", fmt.Errorf("%s is empty", s)
	}
	return v, nil
}

// Warning says who else can read the secret; zero where nobody can, as far as the file tells.
func (s Secret) Warning() string {
	if s.file == "" {
		return ""
	}
	info, err := os.Stat(s.file)
	if err != nil || info.Mode().Perm()&0o077 == 0 {
		return ""
	}
	return fmt.Sprintf("%s holds a secret and can be read by others (its mode is %04o); run: chmod 600 %s", s, info.Mode().Perm(), s.file)
}

// from lets a relative path count from a folder.
func (s Secret) from(folder string) Secret {
	if s.file != "" && !filepath.IsAbs(s.file) {
		s.file = filepath.Join(folder, s.file)
	}
	return s
}

var errSecret = errors.New(`the secret itself does not belong in here: name where it is, as { env = "NAME" } or { file = "PATH" }`)

// setSecret reads the inline table of a secret. Its errors quote nothing that could be one.
func setSecret(value any) (s Secret, err error) {
	table, ok := value.(map[string]any)
	if !ok {
		return s, errSecret
	}
	for key, v := range table {
		text, isText := v.(string)
		switch {
		case !isText || text == "" || len(table) != 1:
			return s, errSecret
		case key == "env" && isEnvName(text):
			s.env = text
		case key == "env":
			return s, errors.New("env is the name of an environment variable: capital letters, digits and _, such as MOOT_HASH_KEY")
		case key == "file" && !strings.ContainsAny(text, "\x00\n"):
			s.file = text
		default:
			return s, errSecret
		}
	}
	if s.IsZero() {
		return s, errSecret
	}
	return s, nil
}

// isEnvName tells whether s looks like the name of a variable rather than like a secret put in the wrong place.
func isEnvName(s string) bool {
	for i, r := range s {
		if (r < 'A' || r > 'Z') && r != '_' && (i == 0 || r < '0' || r > '9') {
			return false
		}
	}
	return s != "" && len(s) <= 100
}
