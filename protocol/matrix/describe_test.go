package matrix_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"moot/internal/languages"
	"moot/protocol"
	"moot/protocol/matrix"
	"moot/store"
)

// TestRoomsAreToldTheCommandsWhereTheBotMay set states: once, and later only what is another.
func TestRoomsAreToldTheCommandsWhereTheBotMay(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	ping := matrix.Command{Path: []string{"vote", "ping"}, Summary: "Pings.", Params: []matrix.CommandParam{{Name: "who", Kind: matrix.ParamPerson, Required: true}}}
	w.config = func(c *matrix.Config) { c.Commands = map[string][]matrix.Command{"": {ping, {Path: []string{"old"}}}} }
	const kind = "org.matrix.msc4391.command_description"
	told := func() (commands []string) {
		for _, ev := range w.Timeline(w.town) {
			if ev.Type == kind {
				command, _ := ev.Content["command"].(string)
				commands = append(commands, command)
			}
		}
		return commands
	}
	w.State(w.town, w.ann, "m.room.power_levels", "", map[string]any{"users": map[string]any{w.ann: 100}})
	w.start()
	w.eventually(func() bool { return w.Count("/state") > 0 })
	w.State(w.town, w.ann, "m.room.power_levels", "", map[string]any{"users": map[string]any{w.ann: 100, w.bot: 50}})
	w.eventually(func() bool { return len(told()) >= 2 })
	w.stop()
	w.start()
	w.stop()
	if got := strings.Join(told(), ","); got != "old,vote ping" && got != "vote ping,old" {
		t.Fatalf("the room was told %q", got)
	}
	ping.Summary = "Pings somebody."
	w.config = func(c *matrix.Config) { c.Commands = map[string][]matrix.Command{"": {ping}} }
	w.start()
	w.eventually(func() bool { return len(told()) >= 4 })
	if got := strings.Join(told()[2:], ","); got != "vote ping," {
		t.Errorf("then it was told %q", got)
	}
}

// TestRoomsAreToldTheCommandsInTheirLanguage: a room whose language is changed is told them in the new one as soon as the bot speaks.
func TestRoomsAreToldTheCommandsInTheirLanguage(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	w.config = func(c *matrix.Config) {
		c.Commands = map[string][]matrix.Command{
			"en": {{Path: []string{"ping"}, Summary: "Answers."}}, "de": {{Path: []string{"ping"}, Summary: "Antwortet."}},
		}
	}
	told := func() (summaries []string) {
		for _, ev := range w.Timeline(w.town) {
			if ev.Type == "org.matrix.msc4391.command_description" {
				text, err := json.Marshal(ev.Content["description"])
				if err != nil {
					t.Fatal(err)
				}
				summaries = append(summaries, string(text))
			}
		}
		return summaries
	}
	w.State(w.town, w.ann, "m.room.power_levels", "", map[string]any{"users": map[string]any{w.ann: 100, w.bot: 50}})
	w.start()
	w.eventually(func() bool { return len(told()) == 1 })
	w.Server.Say(w.town, w.ann, "ping 1")
	w.expect(w.town, "pong 1")
	room := mxRoom(w.town)
	if err := w.store.Commit(time.Now(), func(c *store.Commit) error {
		return c.Run(protocol.Scope(room), protocol.Ref{}, func(tx *store.Tx) error {
			languages.SetRoom(tx, room, "de")
			return nil
		})
	}); err != nil {
		t.Fatal(err)
	}
	w.Server.Say(w.town, w.ann, "ping 2")
	w.expect(w.town, "pong 1", "pong 2")
	w.eventually(func() bool { return len(told()) == 2 })
	if got := told(); !strings.Contains(got[0], "Answers.") || !strings.Contains(got[1], "Antwortet.") {
		t.Errorf("the room was told %q", got)
	}
}

// TestACommandThatAProgramHasCompletedIsUnderstood as it is typed.
func TestACommandThatAProgramHasCompletedIsUnderstood(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	w.start()
	say := func(body string, mentioned string) {
		w.Send(w.town, w.ann, "m.room.message", map[string]any{
			"msgtype": "m.text", "body": body, "m.mentions": map[string]any{"user_ids": []any{mentioned}},
			"org.matrix.msc4391.command": map[string]any{"command": "ping", "arguments": map[string]any{}},
		})
	}
	say("/ping 1", w.bot)
	say("/ping"+w.bot+" 2", w.bot)
	say("/ping 3", w.ben)
	say("/pinging 4", w.bot)
	w.Server.Say(w.town, w.ann, "ping 5")
	w.expect(w.town, "pong 1", "pong 2", "pong 5")
}
