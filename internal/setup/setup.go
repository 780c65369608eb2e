package setup

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	"moot/internal/config"
	"moot/internal/files"
)

// Config says what is set up.
type Config struct {
	In  io.Reader
	Out io.Writer
	// Plain is whether to ask line by line.
	Plain bool
	// File is the configuration to write. Data is the data folder, where it is not the folder "data" beside that.
	File, Data string
	// APIURL and GatewayURL are the proxies before Discord; zero means Discord itself.
	APIURL, GatewayURL string
	// Version is that of the program, which Discord is told.
	Version string
	// Hold makes the data folder with an empty database where there is none, and keeps other processes off it until release.
	Hold func(folder string) (release func() error, err error)
	// Transport is for tests; nil means the usual one.
	Transport http.RoundTripper
}

// Done is what was set up.
type Done struct {
	Account string // on Matrix; zero where there is none
	Invite  string // the link by which the bot is added to a server on Discord; zero where there is none
	Asked   int    // how many things were asked for
}

// setup is one under way.
type setup struct {
	Config
	*asker
	folder string // of the configuration
	data   string // the data folder

	operators []string
	matrix    struct{ user, homeserver, password string }
	token     string
	done      Done
}

// Run asks, tries and writes. Its errors are for people.
func Run(ctx context.Context, c Config) (Done, error) {
	if _, err := os.Lstat(c.File); err == nil {
		return Done{}, fmt.Errorf("%s is there already, and a setup replaces nothing; `moot check` looks at it, and --config names another one for a setup", c.File)
	} else if !errors.Is(err, fs.ErrNotExist) {
		return Done{}, fmt.Errorf("the configuration cannot be written: %w", err)
	}
	s := &setup{Config: c, asker: newAsker(c), folder: filepath.Dir(c.File), data: c.Data}
	if err := os.MkdirAll(s.folder, 0o755); err != nil {
		return Done{}, fmt.Errorf("the configuration cannot be written: %w", err)
	}
	if s.data == "" {
		s.data = filepath.Join(s.folder, config.Default().Data)
	}
	s.say("A setup asks for at most %d things, and tries each. It writes %s at the end; Ctrl-C leaves before.\n", MaxQuestions, c.File)
	where, err := s.choose(ctx, question{title: "Where shall the bot live?"}, "Matrix", "Discord", "both")
	if err == nil && where != 1 {
		err = s.onMatrix(ctx)
	}
	if err == nil && where != 0 {
		err = s.onDiscord(ctx)
	}
	if err == nil {
		err = s.write()
	}
	s.done.Asked = s.asked
	return s.done, err
}

const (
	passwordFile = "matrix-password.txt"
	tokenFile    = "discord-token.txt"
)

// write writes the files: what the configuration names first.
func (s *setup) write() error {
	text := s.text()
	if _, err := config.Decode(text, s.File); err != nil {
		return fmt.Errorf("what was set up is no configuration: %w", err)
	}
	for _, f := range []struct{ name, secret string }{{passwordFile, s.matrix.password}, {tokenFile, s.token}} {
		if f.secret == "" {
			continue
		}
		if err := files.Write(filepath.Join(s.folder, f.name), []byte(f.secret+"\n")); err != nil {
			return fmt.Errorf("write %s: %w", f.name, err)
		}
	}
	// A link fails where there is a file, which a rename replaces.
	aside := s.File + ".new"
	if err := files.Write(aside, []byte(text)); err != nil {
		return fmt.Errorf("write the configuration: %w", err)
	}
	err := errors.Join(os.Link(aside, s.File), os.Remove(aside))
	if err == nil {
		err = files.SyncFolder(s.folder)
	}
	if err != nil {
		return fmt.Errorf("write the configuration: %w", err)
	}
	s.say("\n%s is written, for nobody else to read.", s.File)
	return nil
}

// text is the configuration: what differs from the defaults.
func (s *setup) text() string {
	var b strings.Builder
	b.WriteString("# Written by `moot setup`. What is not named here has its default; config.toml in the documentation names every key.\n")
	line := func(key, value string) {
		if value != "" {
			fmt.Fprintf(&b, "%s = %q\n", key, value)
		}
	}
	line("data", s.Data)
	var quoted []string
	for _, o := range s.operators {
		quoted = append(quoted, fmt.Sprintf("%q", o))
	}
	fmt.Fprintf(&b, "operators = [%s]\n", strings.Join(quoted, ", "))
	if s.matrix.user != "" {
		b.WriteString("\n[matrix]\n")
		line("user", s.matrix.user)
		line("homeserver", s.matrix.homeserver)
		if s.matrix.password != "" {
			fmt.Fprintf(&b, "password = { file = %q }\n", passwordFile)
		}
	}
	if s.token != "" {
		fmt.Fprintf(&b, "\n[discord]\ntoken = { file = %q }\n", tokenFile)
		line("api_url", s.APIURL)
		line("gateway_url", s.GatewayURL)
	}
	return b.String()
}
