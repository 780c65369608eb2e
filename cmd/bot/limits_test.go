package main

import (
	"os"
	"os/exec"
	"strings"
	"testing"

	"moot/protocol/matrix/matrixtest"
)

// TestCheckTellsOfLimits: a homeserver that puts the bot off is named by moot check, with what to do; one that does not is not.
func TestCheckTellsOfLimits(t *testing.T) {
	t.Parallel()
	w := newPollTown(t, 1)
	w.start()
	w.until("the bot is there", func() bool { return w.s.Membership(w.room, w.self) == "join" })
	answered := func(n int) {
		t.Helper()
		w.s.Say(w.room, w.people["ann"], "!moot ping")
		w.until("it answers", func() bool { return strings.Count(said(w), "pong") == n })
	}
	check := func() string {
		t.Helper()
		cmd := exec.Command(w.now.Path, "check", "--config", w.config)
		cmd.Args[0], cmd.Env = "bot", append(os.Environ(), "MOOT_TOKEN=token-moot", "MOOT_CONFIG=")
		out, _ := cmd.CombinedOutput() // other findings are of no interest here
		return string(out)
	}
	answered(1)
	const untold, off = "does not tell the bot whether it limits", "the homeserver has put the bot off 1 time since it started"
	if got := check(); strings.Contains(got, "put the bot off 1") || !strings.Contains(got, untold) {
		t.Errorf("before that moot check says:\n%s", got)
	}
	w.s.Break("/send/m.room.message", 1, matrixtest.TooMany("100"))
	answered(2)
	if got := check(); !strings.Contains(got, off) || !strings.Contains(got, "ask who runs the homeserver to exempt it") {
		t.Errorf("afterwards moot check says:\n%s", got)
	}
}

// said is all that the bot has said in the room.
func said(w *pollTown) string {
	var all strings.Builder
	for _, ev := range w.by("m.room.message") {
		body, _ := ev.Content["body"].(string)
		all.WriteString(body + "\n")
	}
	return all.String()
}
