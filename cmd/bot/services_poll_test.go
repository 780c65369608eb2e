package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"moot/protocol"
	"moot/protocol/protocoltest"
)

// The reminder of the examples opens a poll, for its operator, in the room.
func TestReminderOpensAPoll(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	lines, err := os.ReadFile("../../examples/services/reminder/config.toml")
	if err != nil {
		t.Fatal(err)
	}
	program, err := os.ReadFile("../../examples/services/reminder/remind.py")
	if err != nil {
		t.Fatal(err)
	}
	text := strings.ReplaceAll(string(lines), "console:you", "console:ann") + "[[service.command]]\nname = \"remind\"\nsummary = \"remind now\"\n"
	for name, data := range map[string]string{"config.toml": text, "remind.py": string(program)} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(data), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	n := 0
	event := func(by protocol.UserID, body protocol.Body) []protocol.Event {
		n++
		return []protocol.Event{{Room: killRoom, ID: protocol.EventID(fmt.Sprintf("$%d", n)), Sender: by, Body: body}}
	}
	k := &killed{
		t: t, bin: testBot(t), dir: filepath.Join(dir, "data"), args: []string{"--config", filepath.Join(dir, "config.toml")},
		script: protocoltest.NewScript(protocoltest.ScriptConfig{Echo: true}),
		stages: []killStage{{lines: [][]protocol.Event{
			event("console:ann", protocol.MemberChange{User: "console:moot", Self: true, Bot: true, Membership: protocol.Joined}),
			event("console:ann", protocol.MemberChange{User: "console:ann", Membership: protocol.Joined, Name: "ann"}),
			event("console:ben", protocol.MemberChange{User: "console:ben", Membership: protocol.Joined, Name: "ben"}),
			event("console:ann", protocol.Message{Text: "!moot remind"}),
		}, heard: "Who comes on"}},
	}
	k.life()
	if text := k.script.Text(); !k.done || !strings.Contains(text, "day. remind") {
		t.Errorf("it said\n%s\n%s", text, k.log.String())
	}
}
