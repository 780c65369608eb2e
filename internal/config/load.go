package config

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"moot"
)

const (
	// Variable is the environment variable that may name the file.
	Variable = "MOOT_CONFIG"
	// FileName is what the file is called that is read where nobody names one.
	FileName = "config.toml"
)

// Source is where a configuration comes from.
type Source struct {
	Path string // zero means the defaults that the program carries
	Why  string // how it was found, for people
}

// String says where the configuration comes from.
func (s Source) String() string {
	if s.Path == "" {
		return "the built-in defaults (" + s.Why + ")"
	}
	return s.Path + " (" + s.Why + ")"
}

// Find says which file is read: the one of the flag, else that of $MOOT_CONFIG, else config.toml in the working folder if
// there is one, else none.
func Find(flag string) (Source, error) {
	if flag != "" {
		return Source{flag, "named by --config"}, nil
	}
	if path := os.Getenv(Variable); path != "" {
		return Source{path, "named by $" + Variable}, nil
	}
	_, err := os.Stat(FileName)
	switch {
	case err == nil:
		return Source{FileName, "in the working folder"}, nil
	case errors.Is(err, fs.ErrNotExist):
		return Source{"", "there is no " + FileName + " in the working folder"}, nil
	}
	return Source{}, fmt.Errorf("look for the configuration: %w", err)
}

// unreadable says for whom a file cannot be read: it may be for somebody else than wrote it, as in a container.
func unreadable(err error) error {
	if errors.Is(err, fs.ErrPermission) {
		return fmt.Errorf("%w for user %d, as whom the bot runs; give it the file (chown)", err, os.Geteuid())
	}
	return err
}

// Load reads the configuration from where Find says. Relative paths in it count from the folder of the file. The error is
// Problems where the file is at fault.
func Load(flag string) (Config, Source, error) {
	src, err := Find(flag)
	if err != nil {
		return Config{}, src, err
	}
	text, name := string(moot.DefaultConfig), "the built-in "+FileName
	if src.Path != "" {
		if text, err = readFile(src.Path); err != nil {
			return Config{}, src, fmt.Errorf("the configuration (%s) cannot be read: %w", src.Why, unreadable(err))
		}
		name = src.Path
	}
	c, err := Decode(text, name)
	if err != nil {
		return Config{}, src, err
	}
	return c.from(filepath.Dir(src.Path)), src, nil
}

func readFile(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	return string(data), err
}

// Warnings returns what is allowed and not good: what the file says other than it means, and what is odd about secrets, in
// the order of their keys.
func (c Config) Warnings() []string {
	var out []string
	for _, p := range c.odd {
		out = append(out, p.String())
	}
	for _, n := range c.named() {
		if n.secret.IsZero() {
			continue
		}
		if w := n.secret.Warning(); w != "" {
			out = append(out, w)
		}
		switch _, odd, err := n.secret.look(n.form); {
		case odd != "":
			out = append(out, n.key+": "+odd)
		case err != nil && n.spare:
			out = append(out, n.key+": "+err.Error()+"; it is needed for a new login, and not before")
		}
	}
	return out
}

// OpenSecrets returns the files with secrets that others can read.
func (c Config) OpenSecrets() (paths []string) {
	for _, n := range c.named() {
		if n.secret.Warning() != "" {
			paths = append(paths, n.secret.file)
		}
	}
	return paths
}

// Secrets returns what is wrong with the secrets that the bot cannot do without, as far as that can be seen without asking a
// network. The error is Problems.
func (c Config) Secrets() error {
	var ps Problems
	for _, n := range c.named() {
		value, _, err := n.secret.look(n.form)
		if err == nil && value != "" && len(value) < n.least {
			err = fmt.Errorf("%s has %d characters, and this secret needs at least %d; `openssl rand -hex 32` makes a good one", n.secret, len(value), n.least)
		}
		if err != nil && !n.spare {
			ps = append(ps, Problem{Text: n.key + ": " + err.Error()})
		}
	}
	if ps == nil {
		return nil
	}
	return ps
}

// named is a secret by its key.
type named struct {
	key    string
	secret *Secret
	form   form
	least  int  // how many bytes it has at least
	spare  bool // whether the bot may do without it: it is needed for a first login, or for another device
}

// named returns all secrets, set or not, in the order of their keys.
func (c *Config) named() []named {
	all := []named{
		{"access_token in [matrix]", &c.Matrix.AccessToken, formToken, 0, false},
		{"hash_key in [privacy]", &c.Privacy.HashKey, formWords, 16, false},
		{"password in [matrix]", &c.Matrix.Password, formWords, 0, true},
		{"recovery_key in [matrix]", &c.Matrix.RecoveryKey, formKey, 0, true},
		{"token in [discord]", &c.Discord.Token, formBot, 0, false},
		{"url in [replica]", &c.Replica.URL, formWords, 0, false},
	}
	for i := range c.Services {
		all = append(all, named{"webhook_secret in [[service]] " + c.Services[i].Name, &c.Services[i].WebhookSecret, formWords, 16, false})
		for n := range c.Services[i].Collectors {
			t := &c.Services[i].Collectors[n]
			all = append(all, named{"password in [[service.collector]] " + t.Name + " of " + c.Services[i].Name, &t.Password, formWords, 0, false})
		}
		for n := range c.Services[i].Tasks {
			t := &c.Services[i].Tasks[n]
			all = append(all, named{"token in [[service.task]] " + t.Name + " of " + c.Services[i].Name, &t.Token, formWords, 0, false})
		}
	}
	return all
}
