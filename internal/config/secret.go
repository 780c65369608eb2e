package config

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"unicode"
	"unicode/utf8"

	"moot/internal/files"
)

// Secret says where a secret is: in an environment variable, in a file, or a credential of systemd. It never holds the secret itself, so that
// whatever prints, logs or encodes it tells nobody more than where to look.
type Secret struct {
	env        string
	file       string
	credential string
}

// maxSecret is the longest secret in bytes.
const maxSecret = 64 << 10

// EnvSecret is the secret in an environment variable.
func EnvSecret(name string) Secret { return Secret{env: name} }

// FileSecret is the secret that a file holds.
func FileSecret(path string) Secret { return Secret{file: path} }

// CredentialSecret is the secret that systemd hands over under a name.
func CredentialSecret(name string) Secret { return Secret{credential: name} }

// IsZero tells whether no secret is named.
func (s Secret) IsZero() bool { return s == Secret{} }

// String says where the secret is.
func (s Secret) String() string {
	switch {
	case s.env != "":
		return "the environment variable " + s.env
	case s.file != "":
		return "the file " + s.file
	case s.credential != "":
		return "the credential " + s.credential
	}
	return "none"
}

// GoString is String, for %#v.
func (s Secret) GoString() string { return "config.Secret(" + s.String() + ")" }

// MarshalText is String, for JSON and slog.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// form is what a secret can look like.
type form int

const (
	formWords form = iota // anything; only the line break at the end of a file is none of it
	formKey               // words of letters and digits
	formToken             // one word of letters, digits and signs
	formBot               // a token of Discord, which has three parts with dots between them
)

// Reveal reads the secret, without the newline at the end of a file; a zero Secret gives a zero one. The error says what is
// missing and never what was found.
func (s Secret) Reveal() (string, error) { return s.reveal(formWords) }

// Token is Reveal, for one word of letters, digits and signs: without white space around it. The error says which character
// cannot belong to one, and where it stands.
func (s Secret) Token() (string, error) { return s.reveal(formToken) }

// Key is Token, for several words.
func (s Secret) Key() (string, error) { return s.reveal(formKey) }

func (s Secret) reveal(f form) (string, error) {
	value, _, err := s.look(f)
	return value, err
}

// look reads the secret as it counts, and says what is odd about it.
func (s Secret) look(f form) (value, odd string, err error) {
	raw := ""
	switch {
	case s.IsZero():
		return "", "", nil
	case s.env != "":
		var ok bool
		if raw, ok = os.LookupEnv(s.env); !ok {
			return "", "", fmt.Errorf("%s is not set", s)
		}
	default:
		if raw, err = s.read(); err != nil {
			return "", "", err
		}
		raw = strings.TrimRight(raw, "\r\n")
	}
	value = raw
	if f != formWords {
		value = trimmed(raw)
	}
	switch {
	case value == "":
		return "", "", fmt.Errorf("%s is empty", s)
	case f == formWords && trimmed(raw) != raw:
		odd = fmt.Sprintf("%s begins or ends with white space, which is taken for a part of it", s)
	case value != raw:
		odd = fmt.Sprintf("%s has white space around it, which is left out", s)
	case f == formBot && strings.Count(value, ".") != 2:
		odd = fmt.Sprintf("%s does not look like the token of a bot, which has three parts with dots between them; is it "+
			"another of the values that the Developer Portal shows?", s)
	}
	if f != formWords {
		err = s.strange(value, f)
	}
	if err != nil {
		return "", odd, err
	}
	return value, odd, nil
}

// trimmed returns s without white space around it, and without characters that show nothing, as a byte order mark.
func trimmed(s string) string {
	return strings.TrimFunc(s, func(r rune) bool { return unicode.IsSpace(r) || unicode.Is(unicode.Cf, r) || r == 0 })
}

// strange says which character of a value cannot belong to a secret of that form.
func (s Secret) strange(value string, f form) error {
	switch {
	case f == formBot && strings.HasPrefix(value, "Bot "):
		return fmt.Errorf("%s begins with the word Bot: leave it out, the bot adds it by itself", s)
	case strings.ContainsRune(value, 0) || !utf8.ValidString(value):
		return fmt.Errorf("%s is no UTF-8 text: save it as one, as some editors do by another name, or write it with printf", s)
	case f != formKey && strings.ContainsAny(value, "\r\n"):
		return fmt.Errorf("%s has several lines: leave nothing in it but the secret", s)
	}
	n := 0
	for _, r := range value {
		n++
		if f == formKey && unicode.IsSpace(r) || r > ' ' && r < unicode.MaxASCII && !strings.ContainsRune("\"'`", r) {
			continue
		}
		name, ok := strangers[r]
		if !ok {
			name = fmt.Sprintf("U+%04X", r)
		}
		return fmt.Errorf("character %d of %s is %s, which cannot belong to it", n, s, name)
	}
	return nil
}

// strangers are what people take along with a secret without noticing.
var strangers = map[rune]string{
	' ': "a space", '\t': "a tab", '"': "a quotation mark", '\'': "a quotation mark", '`': "a quotation mark",
	'“': "a quotation mark", '”': "a quotation mark", '«': "a quotation mark", '»': "a quotation mark",
	'\u00a0': "a space that does not break (U+00A0)", '\u200b': "a space without width (U+200B)",
	'\ufeff': "a byte order mark (U+FEFF)",
}

func (s Secret) read() (string, error) {
	path := s.file
	if s.credential != "" {
		folder := os.Getenv("CREDENTIALS_DIRECTORY")
		if folder == "" {
			return "", fmt.Errorf("%s is not there: systemd hands it over to a service with LoadCredential=%s:PATH", s, s.credential)
		}
		path = filepath.Join(folder, s.credential)
	}
	f, err := os.Open(path)
	if err != nil {
		return "", fmt.Errorf("the file with a secret cannot be read: %w", unreadable(err))
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxSecret+1))
	switch {
	case err != nil:
		return "", fmt.Errorf("the file with a secret cannot be read: %w", err)
	case len(data) > maxSecret:
		return "", fmt.Errorf("%s is too long for a secret: it has more than %d bytes", s, maxSecret)
	}
	return string(data), nil
}

// Warning says who else can read the secret; zero where nobody can, as far as the file tells.
func (s Secret) Warning() string {
	if s.file == "" {
		return ""
	}
	info, err := os.Stat(s.file)
	if err != nil {
		return ""
	}
	open := info.Mode().Perm() & 0o077
	if _, own := files.Owned(info); open == 0o040 && !own {
		return "" // it was given to the bot by way of its group, as packages and Kubernetes do it
	}
	if open == 0 {
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

var errSecret = errors.New(`the secret itself does not belong in here: name where it is, as { env = "NAME" }, { file = "PATH" } or { credential = "NAME" }`)

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
		case key == "credential" && isCredential(text):
			s.credential = text
		case key == "credential":
			return s, errors.New("credential is the name of a credential of systemd: up to 32 small letters, digits, dots and hyphens, such as discord-token")
		case key == "file" && !strings.ContainsAny(text, "\x00\n"):
			if s.file, err = home(text); err != nil {
				return Secret{}, err
			}
		default:
			return s, errSecret
		}
	}
	if s.IsZero() {
		return s, errSecret
	}
	return s, nil
}

// isCredential tells whether s looks like the name of a credential rather than like a secret put in the wrong place.
func isCredential(s string) bool {
	return s != "" && len(s) <= 32 && s[0] >= 'a' && s[0] <= 'z' && strings.Trim(s, "abcdefghijklmnopqrstuvwxyz0123456789.-") == ""
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
