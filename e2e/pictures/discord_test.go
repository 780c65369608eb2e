//go:build goolm

package pictures

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"moot/e2e/homeserver"
	"moot/e2e/process"
	"moot/protocol/discord/discordtest"
)

// TestDiscord: the message of a vote, as moot has sent and since edited it, drawn with its buttons.
func TestDiscord(t *testing.T) {
	dir := t.TempDir()
	if err := process.Build(dir, "goolm"); err != nil {
		t.Fatal(err)
	}
	srv := discordtest.New(t)
	guild := srv.NewGuild("The garden")
	general := guild.NewChannel("general")
	names, people := map[string]string{}, map[string]*discordtest.User{}
	for _, name := range []string{"Ann", "Ben", "Cem", "Dan", "Eve"} {
		people[name] = srv.NewUser(name)
		names[people[name].ID] = name
		guild.Join(people[name])
	}
	guild.Invite()
	config := rules + fmt.Sprintf("edits_discord = \"1s\"\n[discord]\ntoken = { env = \"DISCORD_TOKEN\" }\napi_url = %q\ngateway_url = %q\n", srv.APIURL(), srv.GatewayURL())
	if err := os.WriteFile(filepath.Join(dir, "config.toml"), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(filepath.Join(dir, "bot"), "--config", filepath.Join(dir, "config.toml"))
	cmd.Dir, cmd.Env = dir, append(os.Environ(), "DISCORD_TOKEN="+srv.Token)
	homeserver.DieWithParent(cmd)
	if err := homeserver.StartProcess(cmd); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		if err := cmd.Wait(); err != nil {
			t.Errorf("the bot did not end well: %v", err)
		}
	})
	srv.Until("the commands are registered", func() bool { return len(srv.Commands()) > 0 })
	for !strings.Contains(people["Ann"].Slash(general, "members", nil).Reply().Content, people["Eve"].ID) {
	}
	people["Ann"].UsesOn(general, "Challenge this person", people["Dan"]).Submit(map[string]string{"reason": "posts advertisements all week"}).Reply()
	board := func(parts ...string) discordtest.Message {
		t.Helper()
		return people["Ben"].SeesOne(general, strings.Join(parts, ", "), func(m discordtest.Message) bool {
			return !slices.ContainsFunc(parts, func(p string) bool { return !strings.Contains(m.Content, p) })
		})
	}
	opened := board("Vote 1", "advertisements")
	for name, label := range map[string]string{"Ben": "Yes", "Cem": "Yes", "Eve": "No"} {
		people[name].Press(opened, opened.Button(label)).Reply()
	}
	motion := people["Ben"].Slash(general, "vote motion", discordtest.Options{"text": "the shed is open on Saturdays from nine to twelve"})
	motion.Reply()
	shown := []discordtest.Message{board("Vote 1", "3 of 5 voted"), board("Vote 2", "the shed is open")}

	var raw []json.RawMessage
	for _, m := range shown {
		raw = append(raw, json.RawMessage(m.Raw))
	}
	ctx := show(t, "discord.mjs", "<style>body { background: #36393e }</style>", "", 760, 612, map[string]any{"messages": raw, "names": names, "now": srv.Now().Unix()})
	said := text(t, ctx)
	for _, part := range []string{"Vote 1", "suspend", "Dan", "advertisements", "3 of 5 voted", "Yes", "No", "Abstain", "Vote 2", "the shed is open on Saturdays"} {
		if !shows(said, part) {
			t.Errorf("%q is not in what is drawn:\n%s", part, said)
		}
	}
	keep(t, ctx, "vote-discord.png")
}
