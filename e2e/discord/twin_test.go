package discord

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"moot/e2e/homeserver"
	"moot/e2e/process"
)

// Types of the first answer, and the flag of what only one person sees.
const (
	answerMessage, answerDefer, answerUpdate, answerChoices, answerForm = 4, 5, 7, 8, 9

	ephemeral = 64
)

// start runs the bot at the twin until the test ends, when it must stop in good order.
func start(t *testing.T, w *Twin) {
	t.Helper()
	dir := t.TempDir()
	if err := process.Build(dir, "goolm"); err != nil {
		t.Fatal(err)
	}
	config := fmt.Sprintf(`
[votes]
member = "0s"
active_days = 0
edits_discord = "1s"

[discord]
token = { env = "TWIN_TOKEN" }
api_url = "%s/v10"
`, w.API)
	if err := os.WriteFile(filepath.Join(dir, "config.toml"), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	log, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(filepath.Join(dir, "bot"), "--config", filepath.Join(dir, "config.toml"))
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, log, log
	cmd.Env = append(os.Environ(), "TWIN_TOKEN="+w.Token)
	homeserver.DieWithParent(cmd)
	if err := homeserver.StartProcess(cmd); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		if err := cmd.Wait(); err != nil {
			t.Errorf("the bot did not end well: %v", err)
		}
		log.Close()
		if t.Failed() {
			text, _ := os.ReadFile(filepath.Join(dir, "log"))
			t.Logf("the log of the bot:\n%s", text)
		}
	})
}

// says fails unless the answer is of the type, holds the parts, and is seen by whom it should be.
func says(t *testing.T, what string, a Answer, kind, flags int, parts ...string) {
	t.Helper()
	if a.Type != kind || a.Data.Flags&ephemeral != flags {
		t.Errorf("%s: answered by type %d with flags %d, want %d and %d: %+v", what, a.Type, a.Data.Flags,
			kind, flags, a.Data)
	}
	for _, p := range parts {
		if !strings.Contains(a.Data.Content, p) {
			t.Errorf("%s: %q is not in %q", what, p, a.Data.Content)
		}
	}
}

// custom is the custom id of the component with the label, or of the first menu where there is
// none.
func custom(t *testing.T, list []Component, label string) string {
	t.Helper()
	for _, c := range All(list) {
		if c.Label == label && c.CustomID != "" || label == "" && c.Type == 3 {
			return c.CustomID
		}
	}
	t.Fatalf("no component %q in %+v", label, list)
	return ""
}

type m = map[string]any

// TestInteractions goes through the life of each kind of interaction: slash command, suggestions,
// the menu of a person, a form, buttons, a select menu, followups.
func TestInteractions(t *testing.T) {
	w := New(t)
	ann, ben, cem := w.Users["Ann"], w.Users["Ben"], w.Users["Cem"]
	start(t, w)
	if names := w.Commands(); !slices.Contains(names, "vote") || !slices.Contains(names, "Challenge this person") {
		t.Errorf("the commands are %q", names)
	}
	for deadline := time.Now().Add(time.Minute); ; {
		_, a := w.interact("slash", m{"user": ann, "name": "members"})
		if strings.Contains(a.Data.Content, cem) {
			says(t, "members", a, answerMessage, 0, "6 members", ben)
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("asked for the members it says: %+v", a)
		}
	}
	_, a := w.interact("slash", m{"user": ben, "name": "rooms"})
	says(t, "a private answer", a, answerMessage, ephemeral, "Lab")

	// Suggestions for an option.
	_, a = w.interact("complete", m{"user": ben, "name": "help",
		"options": []m{{"name": "command", "type": 3, "value": "vo", "focused": true}}})
	if a.Type != answerChoices || len(a.Data.Choices) == 0 || !strings.Contains(a.Data.Choices[0].Name, "vote") {
		t.Errorf("suggested are %+v", a)
	}

	// The menu of a person, its form, and the vote that comes of it.
	_, a = w.interact("onPerson", m{"user": ann, "name": "Challenge this person", "target": cem,
		"resolved": m{"users": m{cem: m{"id": cem, "username": "Cem", "discriminator": "0", "avatar": nil}}}})
	if a.Type != answerForm || a.Data.Title == "" {
		t.Fatalf("the menu of a person is answered by %+v", a)
	}
	field := ""
	for _, c := range a.Data.Components {
		if c.Type == 18 && c.Label != "" && c.Component != nil && c.Component.Type == 4 {
			field = c.Component.CustomID
		}
	}
	if field == "" {
		t.Fatalf("the form asks %+v", a.Data.Components)
	}
	_, a = w.interact("submit", m{"user": ann, "custom": a.Data.CustomID,
		"fields": []m{{"customId": field, "value": "advertises"}}})
	says(t, "the form", a, answerMessage, a.Data.Flags&ephemeral, "Vote 1")
	board := w.Saying("Reason: advertises")

	// Buttons.
	yes := custom(t, board.Components, "Yes")
	_, a = w.interact("press", m{"user": ben, "message": board.ID, "custom": yes})
	says(t, "a ballot", a, answerMessage, ephemeral, "Your ballot in vote 1 is yes")
	w.Saying("\n1 of ")

	// A select menu.
	w.interact("slash", m{"user": ann, "name": "vote", "options": []m{{"name": "poll", "type": 1, "options": []m{
		{"name": "question", "type": 3, "value": "Which days?"}, {"name": "option", "type": 3, "value": "Monday"},
		{"name": "option-2", "type": 3, "value": "Friday"}, {"name": "for", "type": 3, "value": "3d"}}}}})
	poll := w.Saying("Which days?")
	_, a = w.interact("choose", m{"user": ben, "message": poll.ID, "custom": custom(t, poll.Components, ""),
		"values": []string{"2"}})
	says(t, "a choice", a, answerMessage, ephemeral, "Friday")

	// An answer in more than one part: the parts after the first are followups. Escaped, the text
	// is twice as long.
	_, a = w.interact("slash", m{"user": ben, "name": "vote",
		"options": []m{{"name": "motion", "type": 1, "options": []m{
			{"name": "text", "type": 3, "value": strings.Repeat("***** ", 160) + "and this is the end"}}}}})
	says(t, "a long motion", a, answerMessage, a.Data.Flags&ephemeral, "Vote 3")
	i, a := w.interact("slash", m{"user": ben, "name": "vote",
		"options": []m{{"name": "show", "type": 1, "options": []m{{"name": "vote", "type": 3, "value": "3"}}}}})
	says(t, "the first part", a, answerMessage, 0, `\*\*\*`)
	if more := w.FollowUps(i); len(more) == 0 || !strings.Contains(a.Data.Content+more[0].Content, "the end") {
		t.Errorf("%d characters were followed by %+v", len(a.Data.Content), more)
	}
}
