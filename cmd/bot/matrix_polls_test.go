package main

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"moot/internal/effort"
	"moot/protocol/matrix/matrixtest"
)

// pollTown is a bot with a room on a homeserver, which is killed again and again.
type pollTown struct {
	*testing.T
	s      *matrixtest.Server
	room   string
	self   string
	people map[string]string
	config string
	chance *rand.Rand
	now    *exec.Cmd
	log    *watchedLog
}

func (w *pollTown) start() {
	w.Helper()
	exe, err := os.Executable()
	if err != nil {
		w.Fatal(err)
	}
	cmd, log := exec.Command(exe, "--config", w.config), &watchedLog{}
	cmd.Args[0] = "bot" // by which testscript.Main knows what to be
	cmd.Env = append(os.Environ(), "MOOT_TOKEN=token-moot", "MOOT_CONFIG=")
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		w.Fatal(err)
	}
	w.now, w.log = cmd, log
}

func (w *pollTown) kill() {
	if w.now != nil {
		_ = w.now.Process.Kill()
		_ = w.now.Wait()
		w.now = nil
	}
}

// again kills the bot at a moment that nobody knows, and starts it anew.
func (w *pollTown) again() {
	w.Helper()
	time.Sleep(time.Duration(w.chance.IntN(60)) * time.Millisecond)
	w.kill()
	w.start()
}

// until waits for something.
func (w *pollTown) until(what string, so func() bool) {
	w.Helper()
	for end := time.Now().Add(killTimeout); !so(); time.Sleep(10 * time.Millisecond) { // the bot is a process of its own; nobody tells us
		if time.Now().After(end) {
			w.Fatalf("within %s it did not happen that %s\n%s\n%s", killTimeout, what, w.log, w.timeline())
		}
	}
}

// timeline tells what happened in the room, a line each.
func (w *pollTown) timeline() string {
	var b strings.Builder
	for _, ev := range w.s.Timeline(w.room) {
		fmt.Fprintf(&b, "%s %s %s %.200v\n", ev.ID, ev.Sender, ev.Type, ev.Content)
	}
	return b.String()
}

// by returns the events of the bot of a type.
func (w *pollTown) by(kind string) (found []matrixtest.Event) {
	for _, ev := range w.s.Timeline(w.room) {
		if ev.Sender == w.self && ev.Type == kind {
			found = append(found, ev)
		}
	}
	return found
}

// shows reports whether a message of the bot, as it stands, holds a text.
func (w *pollTown) shows(text string) bool {
	last := map[string]string{}
	for _, ev := range w.by("m.room.message") {
		rel, _ := ev.Content["m.relates_to"].(map[string]any)
		if fresh, edit := ev.Content["m.new_content"].(map[string]any); edit {
			last[fmt.Sprint(rel["event_id"])] = fmt.Sprint(fresh["body"])
			continue
		}
		last[ev.ID] = fmt.Sprint(ev.Content["body"])
	}
	for _, is := range last {
		if strings.Contains(is, text) {
			return true
		}
	}
	return false
}

// TestPollsOverKills: a vote is one poll and has one end, however often the bot dies on the way, and each response is one ballot.
func TestPollsOverKills(t *testing.T) {
	effort.Slow(t)
	t.Parallel()
	for seed := range uint64(effort.Of(1, 3, 20)) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			w := newPollTown(t, seed)
			w.start()
			w.until("the bot is there", func() bool { return w.s.Membership(w.room, w.self) == "join" })
			w.s.Say(w.room, w.people["ann"], "!moot ping")
			w.until("it answers", func() bool { return w.shows("pong") })
			w.until("it knows who may vote", func() bool { return strings.Contains(w.log.String(), "what=members-known") })

			w.s.Say(w.room, w.people["ann"], "!moot vote motion we sing")
			w.again()
			w.until("there is a poll", func() bool { return len(w.by("org.matrix.msc3381.poll.start")) > 0 })
			poll := w.by("org.matrix.msc3381.poll.start")[0]
			start, _ := poll.Content["org.matrix.msc3381.poll.start"].(map[string]any)
			answers, _ := start["answers"].([]any)
			if len(answers) != 3 {
				t.Fatalf("the poll is %v", poll.Content)
			}
			respond := func(who string, choice int) {
				option, _ := answers[choice].(map[string]any)
				w.s.Send(w.room, w.people[who], "org.matrix.msc3381.poll.response", map[string]any{
					"m.relates_to":                     map[string]any{"rel_type": "m.reference", "event_id": poll.ID},
					"org.matrix.msc3381.poll.response": map[string]any{"answers": []any{option["id"]}},
				})
			}
			respond("ann", 1)
			w.again()
			respond("ben", 0)
			respond("ann", 0)
			w.again()
			respond("cem", 1)
			w.until("three have voted", func() bool { return w.shows(" voted: 2 yes, 1 no, 0 abstained.") })

			w.s.Say(w.room, w.people["ann"], "!moot vote cancel 1 for a test")
			w.again()
			w.until("the poll has ended", func() bool { return len(w.by("org.matrix.msc3381.poll.end")) > 0 })
			w.again()
			w.s.Say(w.room, w.people["ann"], "!moot vote list")
			w.until("it is there once more", func() bool { return w.shows("No vote is open in this room.") })
			starts, ends := w.by("org.matrix.msc3381.poll.start"), w.by("org.matrix.msc3381.poll.end")
			if len(starts) != 1 || len(ends) != 1 {
				t.Errorf("there are %d polls and %d ends", len(starts), len(ends))
			}
			if text := fmt.Sprint(ends[0].Content["org.matrix.msc1767.text"]); !strings.Contains(text, "Withdrawn by") {
				t.Errorf("it ends with %q", text)
			}
		})
	}
}

func newPollTown(t *testing.T, seed uint64) *pollTown {
	s := matrixtest.New()
	t.Cleanup(s.Close)
	w := &pollTown{T: t, s: s, self: s.Account("moot", "Moot"), people: map[string]string{}, chance: rand.New(rand.NewPCG(7, seed))}
	for _, name := range []string{"ann", "ben", "cem", "dan"} {
		w.people[name] = s.Account(name, name)
	}
	w.room = s.Create(w.people["ann"], "Lab", nil)
	for _, name := range []string{"ben", "cem", "dan"} {
		s.Member(w.room, w.people[name], w.people[name], "join", nil)
	}
	s.Member(w.room, w.people["ann"], w.self, "invite", nil)
	dir := t.TempDir()
	w.config = filepath.Join(dir, "config.toml")
	text := fmt.Sprintf("data = %q\noperators = [%q]\n[invites]\ngreet = false\n[commands]\nrate_burst = 1000\n[votes]\nmember = \"0s\"\nactive_days = 0\nedits = \"1s\"\n"+
		"[matrix]\nuser = %q\nhomeserver = %q\naccess_token = { env = \"MOOT_TOKEN\" }\n", filepath.Join(dir, "data"), "matrix:"+w.people["ann"], w.self, s.URL)
	if err := os.WriteFile(w.config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.kill)
	return w
}
