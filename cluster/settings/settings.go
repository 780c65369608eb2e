// Package settings reads the config.yaml of mewld, whole.
//
// # Promises
//
//   - Every key that mewld knows is read, and means what it means there.
//   - A key that mewld does not know, a value of the wrong kind and one that cannot be are refused, all at once, each with its line.
//     What mewld takes and then fails on (no ping_interval, no per_cluster) gets a default or is refused.
//   - What only this launcher knows stands below the key moot, which mewld overlooks: one file serves both.
//   - No secret is part of an error.
package settings

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"moot/internal/near"
)

// Settings are those of a config.yaml.
type Settings struct {
	Token string // of the bot; MTOKEN in the environment has precedence

	Dir, OverrideDir    string
	UseCurrentDirectory bool
	Module, Interp      string
	Env                 []string // files of variables

	Names                   []string
	PerCluster, FixedShards int
	StartNextDelay          time.Duration
	PingInterval            time.Duration
	PingTimeout             time.Duration
	LeastRemaining          int
	Features                []string
	ReshardAll              bool

	Redis, Channel string
	Proxy          string // in place of https://discord.com

	UseCustomWebUI bool     // whether nothing is served over HTTP
	AllowedIDs     []string // who may log in at mewld's page; here a link lets in
	OAuth          OAuth    // of mewld's page too

	Moot Moot
}

// OAuth is how mewld's page logs people in.
type OAuth struct{ ClientID, ClientSecret, RedirectURL string }

// Moot is what mewld does not know.
type Moot struct {
	Args          string        // "mewld", or "channel" for the six arguments that end with it
	Grace         time.Duration // between being told to end and being killed
	LaunchTimeout time.Duration // zero: a minute, and half a minute for each shard
	Listen        string        // of the page and mewld's routes
}

// Default returns what holds where a key is left out.
func Default() Settings {
	return Settings{
		StartNextDelay: 5 * time.Second, PingInterval: 2 * time.Minute, PingTimeout: 2 * time.Minute, LeastRemaining: 5,
		Moot: Moot{Args: "mewld", Grace: 10 * time.Second, Listen: "127.0.0.1:1293"},
	}
}

// Problem is what is wrong with a file.
type Problem struct {
	Line int // 0 where something is missing
	Text string
}

// Problems are all that is wrong with a file.
type Problems struct {
	File string
	All  []Problem
}

func (p *Problems) Error() string {
	lines := make([]string, len(p.All))
	for i, one := range p.All {
		lines[i] = p.File + ": " + one.Text
		if one.Line > 0 {
			lines[i] = fmt.Sprintf("%s:%d: %s", p.File, one.Line, one.Text)
		}
	}
	return strings.Join(lines, "\n")
}

// Load reads a file, and takes the token from MTOKEN where the environment has one.
func Load(file string, getenv func(string) string) (Settings, error) {
	f, err := os.Open(file)
	if err != nil {
		return Settings{}, err
	}
	defer f.Close()
	return Read(f, file, getenv)
}

// Read is Load of what a reader has.
func Read(r io.Reader, name string, getenv func(string) string) (Settings, error) {
	s := Default()
	p := &reader{problems: &Problems{File: name}}
	var doc yaml.Node
	switch err := yaml.NewDecoder(r).Decode(&doc); {
	case errors.Is(err, io.EOF): // it is empty
		doc = yaml.Node{Kind: yaml.DocumentNode, Content: []*yaml.Node{{Kind: yaml.MappingNode}}}
	case err != nil:
		line, text := cutLine(err)
		p.add(line, "this is no YAML: %s", text)
		return Settings{}, p.problems
	}
	p.section(doc.Content[0], "", keys(&s))
	s.Token = cmp.Or(getenv("MTOKEN"), s.Token)
	p.missing(&s)
	if len(p.problems.All) > 0 {
		slices.SortStableFunc(p.problems.All, func(a, b Problem) int { return cmp.Compare(a.Line, b.Line) })
		return Settings{}, p.problems
	}
	return s, nil
}

// cutLine takes the line out of an error of the library.
func cutLine(err error) (int, string) {
	text := strings.TrimPrefix(err.Error(), "yaml: ")
	if rest, is := strings.CutPrefix(text, "line "); is {
		if number, rest, is := strings.Cut(rest, ": "); is {
			if line, err := strconv.Atoi(number); err == nil {
				return line, rest
			}
		}
	}
	return 0, text
}

// reader collects what is wrong.
type reader struct{ problems *Problems }

func (p *reader) add(line int, format string, args ...any) {
	p.problems.All = append(p.problems.All, Problem{line, fmt.Sprintf(format, args...)})
}

// key reads the value of one key, and says what is wrong with it.
type key func(*yaml.Node) error

// keys are all that there are.
func keys(s *Settings) map[string]any {
	return map[string]any{
		"token": text(&s.Token), "dir": text(&s.Dir), "override_dir": text(&s.OverrideDir), "use_current_directory": boolean(&s.UseCurrentDirectory),
		"use_custom_webui": boolean(&s.UseCustomWebUI), "env": list(&s.Env), "names": list(&s.Names), "redis": redisAt(&s.Redis),
		"redis_channel": text(&s.Channel), "allowed_ids": list(&s.AllowedIDs), "module": text(&s.Module), "interp": text(&s.Interp),
		"oauth":        map[string]any{"client_id": text(&s.OAuth.ClientID), "client_secret": text(&s.OAuth.ClientSecret), "redirect_url": text(&s.OAuth.RedirectURL)},
		"ping_timeout": seconds(&s.PingTimeout, 1), "ping_interval": seconds(&s.PingInterval, 1), "cluster_start_next_delay": seconds(&s.StartNextDelay, 0),
		"per_cluster": number(&s.PerCluster, 1, 10_000), "minimum_safe_sessions_remaining": number(&s.LeastRemaining, 0, 1_000_000),
		"fixed_shard_count": number(&s.FixedShards, 0, 100_000), "experimental_features": features(&s.Features), "reshard_all": boolean(&s.ReshardAll),
		"proxy": proxy(&s.Proxy),
		"moot": map[string]any{
			"args": oneOf(&s.Moot.Args, "mewld", "channel"), "grace": seconds(&s.Moot.Grace, 0), "launch_timeout": seconds(&s.Moot.LaunchTimeout, 1),
			"listen": loopback(&s.Moot.Listen),
		},
	}
}

// section reads the keys of a mapping.
func (p *reader) section(node *yaml.Node, name string, known map[string]any) {
	if node.Kind == yaml.AliasNode {
		node = node.Alias
	}
	if isNull(node) {
		return
	}
	if node.Kind != yaml.MappingNode {
		p.add(node.Line, "%s is to be keys with values", cmp.Or(name, "the file"))
		return
	}
	seen := map[string]int{}
	for i := 0; i+1 < len(node.Content); i += 2 {
		at, value := node.Content[i], node.Content[i+1]
		whole := strings.TrimPrefix(name+"."+at.Value, ".")
		if line := seen[at.Value]; line > 0 {
			p.add(at.Line, "%s stands in line %d already", whole, line)
			continue
		}
		seen[at.Value] = at.Line
		switch read := known[at.Value].(type) {
		case nil:
			p.add(at.Line, "there is no key %s%s", whole, suggestion(at.Value, known))
		case map[string]any:
			p.section(value, whole, read)
		case key:
			if value.Kind == yaml.AliasNode {
				value = value.Alias
			}
			if isNull(value) {
				continue // as in mewld, it counts as left out
			}
			if err := read(value); err != nil {
				p.add(value.Line, "%s %v", whole, err)
			}
		}
	}
}

func isNull(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.ShortTag() == "!!null" }

func suggestion(word string, known map[string]any) string {
	best, most := "", 3
	for k := range known {
		if d := near.Distance(word, k, most); d < most || d == most && k < best {
			best, most = k, d
		}
	}
	if best == "" {
		return ""
	}
	return "; did you mean " + best + "?"
}

func text(into *string) key {
	return func(n *yaml.Node) error {
		if n.Kind != yaml.ScalarNode {
			return errors.New("is to be a text")
		}
		*into = n.Value
		return nil
	}
}

func boolean(into *bool) key {
	return func(n *yaml.Node) error {
		if n.Kind != yaml.ScalarNode || n.ShortTag() != "!!bool" {
			return errors.New("is to be true or false")
		}
		return n.Decode(into)
	}
}

func list(into *[]string) key {
	return func(n *yaml.Node) error {
		if n.Kind != yaml.SequenceNode {
			return errors.New("is to be a list")
		}
		for _, item := range n.Content {
			if item.Kind != yaml.ScalarNode || isNull(item) || item.Value == "" {
				return errors.New("is to be a list of texts, none of them empty")
			}
			*into = append(*into, item.Value)
		}
		return nil
	}
}

func number(into *int, least, most int) key {
	return func(n *yaml.Node) error {
		if n.Kind != yaml.ScalarNode || n.ShortTag() != "!!int" || n.Decode(into) != nil || *into < least || *into > most {
			return fmt.Errorf("is to be a number from %d to %d", least, most)
		}
		return nil
	}
}

func seconds(into *time.Duration, least int) key {
	return func(n *yaml.Node) error {
		var s int
		if err := number(&s, least, 86_400)(n); err != nil {
			return fmt.Errorf("is to be a number of seconds from %d to 86400", least)
		}
		*into = time.Duration(s) * time.Second
		return nil
	}
}

func oneOf(into *string, all ...string) key {
	return func(n *yaml.Node) error {
		if n.Kind != yaml.ScalarNode || !slices.Contains(all, n.Value) {
			return fmt.Errorf("is to be one of %s", strings.Join(all, ", "))
		}
		*into = n.Value
		return nil
	}
}

func features(into *[]string) key {
	return func(n *yaml.Node) error {
		if err := list(into)(n); err != nil {
			return err
		}
		for _, f := range *into {
			if f != "reshard" {
				return fmt.Errorf("has %q; the only one is reshard", f)
			}
		}
		return nil
	}
}

func proxy(into *string) key {
	return func(n *yaml.Node) error {
		if err := text(into)(n); err != nil || *into == "" {
			return err
		}
		u, err := url.Parse(*into)
		if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
			return errors.New("is to be an address such as http://127.0.0.1:3000")
		}
		*into = strings.TrimSuffix(*into, "/")
		return nil
	}
}

func redisAt(into *string) key {
	return func(n *yaml.Node) error {
		if err := text(into)(n); err != nil || *into == "" {
			return err
		}
		scheme, rest, is := strings.Cut(*into, "://")
		if _, _, err := net.SplitHostPort(*into); !is && err != nil || is && (rest == "" || !slices.Contains([]string{"redis", "rediss", "unix"}, scheme)) {
			return errors.New("is to be an address such as 127.0.0.1:6379, redis://127.0.0.1:6379/0, rediss:// or unix://")
		}
		return nil
	}
}

func loopback(into *string) key {
	return func(n *yaml.Node) error {
		if err := text(into)(n); err != nil || *into == "" {
			return err
		}
		host, _, err := net.SplitHostPort(*into)
		if err != nil {
			return errors.New("is to be an address of this machine such as 127.0.0.1:1293")
		}
		if ip, err := netip.ParseAddr(host); host != "localhost" && (err != nil || !ip.IsLoopback()) {
			return errors.New("is to be an address of this machine such as 127.0.0.1:1293; an SSH tunnel or a proxy leads there from elsewhere")
		}
		return nil
	}
}

// missing adds what cannot be left out.
func (p *reader) missing(s *Settings) {
	for _, one := range []struct{ key, value, says string }{
		{"token", s.Token, "write it here, or in the variable MTOKEN"},
		{"module", s.Module, "it is the program of the bot"},
		{"redis", s.Redis, "write where Redis is, such as 127.0.0.1:6379"},
		{"redis_channel", s.Channel, "clusters and launcher speak there"},
	} {
		if one.value == "" && !p.has(one.key) {
			p.add(0, "there is no %s: %s", one.key, one.says)
		}
	}
	if s.PerCluster == 0 && !p.has("per_cluster") {
		p.add(0, "there is no per_cluster: write how many shards one cluster has")
	}
	if s.Dir == "" && s.OverrideDir == "" && !s.UseCurrentDirectory {
		p.add(0, "there is no dir: write where the bot is, below the home directory, or override_dir with its whole path")
	}
}

// has reports whether a key has a problem already.
func (p *reader) has(key string) bool {
	return slices.ContainsFunc(p.problems.All, func(one Problem) bool { return strings.HasPrefix(one.Text, key+" ") })
}

// Folder is where the clusters run.
func (s Settings) Folder() (string, error) {
	if s.OverrideDir != "" {
		return s.OverrideDir, nil
	}
	find := os.UserHomeDir
	if s.UseCurrentDirectory {
		find = os.Getwd
	}
	base, err := find()
	if err != nil {
		return "", err
	}
	return filepath.Join(base, s.Dir), nil
}

// RedisURL is where Redis is, as clusters are told it.
func (s Settings) RedisURL() string {
	if strings.Contains(s.Redis, "://") {
		return s.Redis
	}
	return "redis://" + s.Redis + "/0"
}

// Reshards reports whether a reshard may be asked for.
func (s Settings) Reshards() bool { return slices.Contains(s.Features, "reshard") }
