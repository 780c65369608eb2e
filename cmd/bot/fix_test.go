package main

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"moot/internal/finding"
	"moot/protocol/discord/discordtest"
)

// TestFix: a check can put right what is safe, says what it did, and does nothing where all is well or a bot runs.
func TestFix(t *testing.T) {
	t.Parallel()
	srv := discordtest.New(t)
	f := newSetupFolder(t)
	write := func(name, text string, mode os.FileMode) string {
		t.Helper()
		path := filepath.Join(f.dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		return path
	}
	socket := func(path string) {
		t.Helper()
		l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
		if err != nil {
			t.Fatal(err)
		}
		l.SetUnlinkOnClose(false)
		l.Close()
	}
	write("config.toml", fmt.Sprintf("[store]\nlock_timeout = \"1m\"\n[http]\nlisten = \"unix:http.sock\"\n[discord]\ntoken = { file = \"token.txt\" }\napi_url = %q\ngateway_url = %q\n", srv.APIURL(), srv.GatewayURL()), 0o644)
	write("token.txt", srv.Token, 0o644)
	f.run()
	srv.Until("the commands are registered", func() bool { return len(srv.Commands()) > 0 })
	names := strings.Join(srv.Commands(), " ")

	check := func() (fixed []string, all []finding.Finding) {
		t.Helper()
		out, err := f.command("check", "--fix", "--json").Output()
		if jerr := json.Unmarshal(out, &all); jerr != nil {
			t.Fatalf("%v, %v: %s", err, jerr, out)
		}
		for _, x := range all {
			if x.Status == finding.Mended {
				fixed = append(fixed, x.Text)
			}
		}
		return fixed, all
	}
	data := filepath.Join(f.dir, "data")
	began := time.Now()
	if fixed, _ := check(); len(fixed) != 1 || fixed[0] != "nobody else can read token.txt any more" {
		t.Errorf("while the bot runs it mends %q", fixed)
	}
	if took := time.Since(began); took > 30*time.Second {
		t.Errorf("a check waits %s for the database of a bot that runs", took)
	}
	f.stop()
	if fixed, _ := check(); len(fixed) > 0 {
		t.Errorf("where all is well it mends %q", fixed)
	}

	left := write("data/moot.db.new123", "half a database", 0o600)
	write("data/notes.txt", "kept", 0o644)
	if err := os.Chmod(data, 0o755); err != nil {
		t.Fatal(err)
	}
	socket(filepath.Join(data, "moot.sock"))
	socket(filepath.Join(f.dir, "http.sock"))
	req, err := http.NewRequest("PUT", srv.APIURL()+"/applications/"+srv.AppID+"/commands", strings.NewReader(`[{"type": 1, "name": "old", "description": "of another version"}]`))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bot "+srv.Token)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", "DiscordBot (https://example.org, 1)")
	resp, err := http.DefaultClient.Do(req)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("the commands of another version: %v, %v", resp, err)
	}
	resp.Body.Close()
	fixed, all := check()
	says(t, strings.Join(fixed, "\n"), "nobody else can read data any more", "nobody else can read data/notes.txt any more",
		"deleted what killed runs had left: moot.db.new123", "deleted the socket "+filepath.Join(data, "moot.sock"), "deleted the socket http.sock", "registered the ")
	for _, x := range all {
		if x.Status == finding.Warn && (x.What == "permissions" || x.What == "discord commands") {
			t.Errorf("afterwards the check says %s: %s", x.What, x.Text)
		}
	}
	if got := strings.Join(srv.Commands(), " "); got != names {
		t.Errorf("registered are %s, and not %s", got, names)
	}
	for _, path := range []string{left, filepath.Join(data, "moot.sock"), filepath.Join(f.dir, "http.sock")} {
		if _, err := os.Lstat(path); err == nil {
			t.Errorf("%s is still there", path)
		}
	}
	if text, err := os.ReadFile(filepath.Join(data, "notes.txt")); err != nil || string(text) != "kept" {
		t.Errorf("what is somebody's own holds %s, %v", text, err)
	}
	if fixed, _ := check(); len(fixed) > 0 {
		t.Errorf("once more it mends %q", fixed)
	}
}
