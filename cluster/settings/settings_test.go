package settings

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
)

func read(t *testing.T, text string, env ...string) (Settings, error) {
	t.Helper()
	return Read(strings.NewReader(text), "config.yaml", func(name string) string {
		for i := 0; i+1 < len(env); i += 2 {
			if env[i] == name {
				return env[i+1]
			}
		}
		return ""
	})
}

const least = "token: secret\nmodule: bot\nredis: 127.0.0.1:6379\nredis_channel: bots\nper_cluster: 2\ndir: bot\n"

// TestWhole: every key of mewld is read.
func TestWhole(t *testing.T) {
	s, err := Load(filepath.Join("testdata", "whole.yaml"), os.Getenv)
	if err != nil {
		t.Fatal(err)
	}
	want := Settings{
		Token: "secret", Dir: "mewbot", OverrideDir: "/srv/mewbot", UseCurrentDirectory: true, UseCustomWebUI: true, Env: []string{"env/bot.env", "env/mongo.env"},
		Names: []string{"Pika", "Eevee"}, Redis: "178.28.0.13:6379", Channel: "mewbot_clusters", AllowedIDs: []string{"563808552288780322"},
		OAuth: OAuth{"999908791061594194", "hidden", "http://localhost:1293"}, PingTimeout: 7 * time.Second, PingInterval: 120 * time.Second,
		StartNextDelay: 0, PerCluster: 10, LeastRemaining: 3, FixedShards: 20, Features: []string{"reshard"}, ReshardAll: true, Proxy: "http://127.0.0.1:3219",
		Module: "mew", Interp: "/usr/bin/python3", Moot: Moot{Args: "channel", Grace: 30 * time.Second, LaunchTimeout: 600 * time.Second, Listen: "127.0.0.1:0"},
	}
	if !reflect.DeepEqual(s, want) {
		t.Errorf("it reads\n%+v, want\n%+v", s, want)
	}
	v := reflect.ValueOf(s)
	for i := range v.NumField() {
		if v.Field(i).IsZero() && v.Type().Field(i).Name != "StartNextDelay" {
			t.Errorf("%s is not in the file: the test does not see whether it is read", v.Type().Field(i).Name)
		}
	}
}

// TestLeast: what is left out has mewld's default, and what is null counts as left out.
func TestLeast(t *testing.T) {
	s, err := read(t, least+"override_dir:\nping_interval: ~\n", "MTOKEN", "other")
	if err != nil {
		t.Fatal(err)
	}
	want := Default()
	want.Token, want.Module, want.Redis, want.Channel, want.PerCluster, want.Dir = "other", "bot", "127.0.0.1:6379", "bots", 2, "bot"
	if !reflect.DeepEqual(s, want) {
		t.Errorf("it reads\n%+v, want\n%+v", s, want)
	}
	if s.RedisURL() != "redis://127.0.0.1:6379/0" {
		t.Errorf("Redis is at %s", s.RedisURL())
	}
	if folder, err := s.Folder(); err != nil || !strings.HasSuffix(folder, "/bot") {
		t.Errorf("the folder is %s, %v", folder, err)
	}
}

// TestRefused: what is wrong is said with its line, all at once.
func TestRefused(t *testing.T) {
	for _, c := range []struct{ text, says string }{
		{least + "nmaes: [a]\n", "config.yaml:7: there is no key nmaes; did you mean names?"},
		{least + "oauth: {client: 1}\n", "config.yaml:7: there is no key oauth.client"},
		{least + "oauth: yes please\n", "config.yaml:7: oauth is to be keys with values"},
		{least + "ping_interval: 0\n", "config.yaml:7: ping_interval is to be a number of seconds from 1 to 86400"},
		{least + "ping_interval: soon\n", "config.yaml:7: ping_interval is to be a number of seconds from 1 to 86400"},
		{least + "ping_timeout: -3\n", "config.yaml:7: ping_timeout"},
		{least + "cluster_start_next_delay: 1.5\n", "config.yaml:7: cluster_start_next_delay"},
		{least + "fixed_shard_count: -1\n", "config.yaml:7: fixed_shard_count is to be a number from 0 to 100000"},
		{least + "names: Pika\n", "config.yaml:7: names is to be a list"},
		{least + "names: [a, [b]]\n", "config.yaml:7: names is to be a list of texts"},
		{least + "dir:\n  a: b\n", "config.yaml:7: dir stands in line 6 already"},
		{least + "reshard_all: 3\n", "config.yaml:7: reshard_all is to be true or false"},
		{least + "experimental_features: [fly]\n", `config.yaml:7: experimental_features has "fly"; the only one is reshard`},
		{least + "proxy: nirn:8080\n", "config.yaml:7: proxy is to be an address such as"},
		{least + "moot: {listen: \"0.0.0.0:1293\"}\n", "config.yaml:7: moot.listen is to be an address of this machine"},
		{strings.ReplaceAll(least, "127.0.0.1:6379", "http://pass@host"), "config.yaml:3: redis is to be an address such as"},
		{strings.ReplaceAll(least, "127.0.0.1:6379", "localhost"), "config.yaml:3: redis is to be an address such as"},
		{least + "moot: {args: five}\n", "config.yaml:7: moot.args is to be one of mewld, channel"},
		{strings.ReplaceAll(least, "per_cluster: 2", "per_cluster: 0"), "config.yaml:5: per_cluster is to be a number from 1 to 10000"},
		{least + "\tmodule: x\n", "this is no YAML"},
		{"- a\n", "config.yaml:1: the file is to be keys with values"},
		{"", "there is no per_cluster"},
	} {
		_, err := read(t, c.text)
		if err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("of %q it says %v, want %s", strings.TrimPrefix(c.text, least), err, c.says)
		}
	}
	_, err := read(t, "token: [very-secret]\nmodule: {}\nping_interval: x\n")
	var problems *Problems
	if !errors.As(err, &problems) || len(problems.All) != 7 {
		t.Errorf("of all that is wrong it says %v", err)
	}
	if strings.Contains(err.Error(), "very-secret") {
		t.Errorf("the error has the token: %v", err)
	}
}

// FuzzRead: no text brings the reader down, and what it takes can be.
func FuzzRead(f *testing.F) {
	whole, err := os.ReadFile(filepath.Join("testdata", "whole.yaml"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(string(whole))
	f.Add(least)
	f.Add("a: &x [*x]\n")
	f.Add("oauth: &a {client_id: *a}\n")
	f.Fuzz(func(t *testing.T, text string) {
		s, err := Read(strings.NewReader(text), "config.yaml", func(string) string { return "" })
		if err == nil && (s.PerCluster < 1 || s.PingInterval < time.Second || s.PingTimeout < time.Second || s.Token == "" || s.Channel == "" || s.Module == "") {
			t.Errorf("it takes %+v", s)
		}
	})
}
