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
			return Config{}, src, fmt.Errorf("the configuration (%s) cannot be read: %w", src.Why, err)
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

// Warnings returns what is allowed and not good: secrets that others can read.
func (c Config) Warnings() []string {
	var out []string
	for _, s := range c.secrets() {
		if w := s.Warning(); w != "" {
			out = append(out, w)
		}
	}
	return out
}
