package main

import (
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"moot/internal/effort"
	"moot/internal/failpoint"
	"moot/protocol"
	"moot/protocol/protocoltest"
)

// A bot with services that is killed with SIGKILL, at each place at which that can be and at random, again and again: every
// job is answered once, what is safe to repeat is done at least once, under one key, and what is not at most once.

// serviceScript writes down each key that it was given, and answers with the text.
const serviceScript = `#!/bin/sh
line() {
	text=$(printf '%s' "$2" | sed 's/.*"text":"\([^"]*\)".*/\1/')
	key=$(printf '%s' "$2" | sed 's/^{"key":"\([^"]*\)".*/\1/')
	[ "$text" != tick ] || text="tick $(printf '%s' "$2" | sed 's/.*"time":"\([^"]*\)".*/\1/')"
	echo "$key $text" >> "$1"
	sleep 0.01
	echo "{\"answer\": \"did $text\"}"
}
while read -r l; do line "$1" "$l"; [ "$2" = warm ] || break; done
`

const serviceConfig = `
operators = ["console:ann"]
[commands]
rate_burst = 10000
[[service]]
name = "safe"
[[service.command]]
name = "safe"
summary = "what may be repeated"
params = ["what:text"]
[[service.task]]
name = "first"
run = ["./task", "%[1]s/first"]
[[service.task]]
name = "second"
run = ["./task", "%[1]s/second"]
[[service]]
name = "pay"
[[service.command]]
name = "pay"
summary = "what may not be repeated"
params = ["what:text"]
[[service.task]]
run = ["./task", "%[1]s/pay"]
retry = "never"
[[service]]
name = "warm"
pattern = "^warm "
rooms = ["console:lobby", "console:garden"]
[[service.task]]
run = ["./task", "%[1]s/warm", "warm"]
warm = true
min = 1
[[service]]
name = "tick"
schedule = "* * * * *"
missed = "once"
text = "tick"
to = ["console:garden"]
[[service.task]]
run = ["./task", "%[1]s/tick"]
`

// serviceRun is one run of all stages.
type serviceRun struct {
	*killed
	logs  string                      // where the tasks write down their keys
	wants map[protocol.EventID]string // what each of those asked for whom an answer belongs
	ticks int
}

func newServiceRun(t *testing.T, bin string) *serviceRun {
	t.Helper()
	dir := t.TempDir()
	r := &serviceRun{logs: filepath.Join(dir, "logs"), wants: map[protocol.EventID]string{}}
	if err := os.Mkdir(r.logs, 0o700); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"task": serviceScript, "config.toml": fmt.Sprintf(serviceConfig, r.logs)} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	r.killed = &killed{
		t: t, bin: bin, dir: filepath.Join(dir, "data"), args: []string{"--config", filepath.Join(dir, "config.toml")},
		script: protocoltest.NewScript(protocoltest.ScriptConfig{Echo: true, Overlap: 2}), kill: make(chan struct{}, 1),
	}
	r.stages = r.plan()
	return r
}

// plan is what happens: joins, and then four rounds of commands and messages in two rooms, a minute apart.
func (r *serviceRun) plan() []killStage {
	now, n := voteEpoch, 0
	event := func(room protocol.RoomID, body protocol.Body) protocol.Event {
		n++
		return protocol.Event{Room: room, ID: protocol.EventID(fmt.Sprintf("$%d", n)), Sender: "console:ann", Body: body}
	}
	tell := func(by time.Duration) func(*protocoltest.Script) {
		return func(s *protocoltest.Script) {
			now = now.Add(by)
			s.Tell(now)
		}
	}
	var joins [][]protocol.Event
	for _, room := range []protocol.RoomID{killRoom, killGarden} {
		own := event(room, protocol.MemberChange{User: "console:moot", Self: true, Bot: true, Membership: protocol.Joined})
		ann := event(room, protocol.MemberChange{User: "console:ann", Membership: protocol.Joined, Name: "ann"})
		joins = append(joins, []protocol.Event{own, ann})
	}
	stages := []killStage{{lines: joins, act: tell(30 * time.Second)}}
	sent := 0
	for round := range 4 {
		var lines [][]protocol.Event
		for _, room := range []protocol.RoomID{killRoom, killGarden} {
			for _, what := range []string{"!moot safe", "!moot pay", "warm"} {
				text := fmt.Sprintf("%d%s", round, room.Local())
				ev := event(room, protocol.Message{Text: what + " " + text})
				r.wants[ev.ID] = strings.TrimPrefix(what, "!moot ") + " " + text
				lines = append(lines, []protocol.Event{ev})
				sent++
			}
		}
		r.ticks++
		sent++
		stages = append(stages, killStage{lines: lines, act: tell(time.Minute), sent: sent})
	}
	return stages
}

// until lets lives follow each other until all is done.
func (r *serviceRun) until(most int) {
	r.t.Helper()
	for r.life(); !r.done; r.life() {
		if r.lives == most {
			r.t.Fatalf("after %d lives it is not done", r.lives)
		}
	}
	if refused := r.script.Refused(); len(refused) > 0 {
		r.t.Errorf("the bot refused lines: %q", refused)
	}
}

// check says what is not as it should be, and returns how many jobs are ambiguous.
func (r *serviceRun) check() (ambiguous int) {
	r.t.Helper()
	answers, ticks := map[protocol.EventID][]string{}, map[string]int{}
	for _, e := range r.script.Transcript() {
		say, ok := e.Act.(protocol.Say)
		switch {
		case ok && say.ReplyTo != "":
			answers[say.ReplyTo] = append(answers[say.ReplyTo], say.Text.Plain())
		case ok && strings.HasPrefix(say.Text.Plain(), "did tick "):
			// The first life begins by the clock of the machine, and may have set its first tick by that.
			if at := strings.TrimPrefix(say.Text.Plain(), "did tick "); strings.HasPrefix(at, "2040-") {
				ticks[at]++
			}
		default:
			r.t.Errorf("it said %v", e.Act)
		}
	}
	for n := range r.ticks {
		at := voteEpoch.Add(time.Duration(n+1) * time.Minute).Format(time.RFC3339)
		if ticks[at] != 1 {
			r.t.Errorf("the tick of %s was answered %d times", at, ticks[at])
		}
	}
	if len(ticks) != r.ticks {
		r.t.Errorf("these ticks were answered: %v", ticks)
	}
	did := map[string]map[string]int{} // by log and what was done: how often, by key
	for _, name := range []string{"first", "second", "pay", "warm", "tick"} {
		data, err := os.ReadFile(filepath.Join(r.logs, name))
		if err != nil && !errors.Is(err, fs.ErrNotExist) { // of those that may not be repeated none may have begun
			r.t.Fatal(err)
		}
		for line := range strings.Lines(string(data)) {
			key, text, _ := strings.Cut(strings.TrimSpace(line), " ")
			if at := name + " " + text; did[at] == nil {
				did[at] = map[string]int{key: 1}
			} else {
				did[at][key]++
			}
		}
	}
	one := func(what string, least, most int) {
		keys := did[what]
		times := 0
		for _, n := range keys {
			times += n
		}
		if len(keys) > 1 || times < least || most > 0 && times > most {
			r.t.Errorf("%s was done %d times, under %d keys", what, times, len(keys))
		}
	}
	for id, what := range r.wants {
		if len(answers[id]) != 1 {
			r.t.Errorf("%s (%s) was answered with %q", id, what, answers[id])
			continue
		}
		service, text, _ := strings.Cut(what, " ")
		switch got := answers[id][0]; {
		case service == "pay" && strings.HasPrefix(got, "I was interrupted while pay"):
			ambiguous++
			one("pay pay "+text, 0, 1)
		case !strings.HasPrefix(got, "did ") || !strings.HasSuffix(got, text):
			r.t.Errorf("%s (%s) was answered with %q", id, what, got)
		case service == "safe":
			one("first safe "+text, 1, 0)
			one("second safe "+text, 1, 0)
		case service == "warm":
			one("warm warm "+text, 1, 0)
		default:
			one("pay pay "+text, 1, 1)
		}
	}
	for _, keys := range did {
		for key, n := range keys {
			if key == "" {
				r.t.Errorf("a task was given no key, %d times", n)
			}
		}
	}
	return ambiguous
}

// servicePlaces are where the bot is killed: all that a job comes by.
var servicePlaces = []failpoint.Point{
	failpoint.AskBefore, failpoint.AskAfter, failpoint.SendBefore, failpoint.SendAfter, failpoint.CommitBefore, failpoint.CommitAfter,
	failpoint.AdmitReturns, failpoint.AdmitReturned, failpoint.LogAppended,
}

func TestServicesKilledAtPlaces(t *testing.T) {
	effort.Proof(t)
	t.Parallel()
	bin := failpointBot(t)
	calm := newServiceRun(t, bin)
	calm.until(1)
	if n := calm.check(); n > 0 || t.Failed() {
		t.Fatalf("without a kill %d jobs are ambiguous, and it said\n%s", n, calm.script.Text())
	}
	for _, p := range servicePlaces {
		t.Run(string(p), func(t *testing.T) {
			t.Parallel()
			struck(t, p)
			r := newServiceRun(t, bin)
			r.env = func(life int) []string {
				if life > effort.InProof(8, 60) {
					return nil
				}
				return []string{fmt.Sprintf("MOOT_FAILPOINT=%s:%d", p, 1+life)}
			}
			r.until(200)
			ambiguous := r.check()
			if r.deaths == 0 {
				t.Error("nobody died")
			}
			t.Logf("%d kills, %d jobs, of which %d ambiguous", r.deaths, len(r.wants)+r.ticks, ambiguous)
		})
	}
}

func TestServicesKilledAtRandom(t *testing.T) {
	effort.Proof(t)
	t.Parallel()
	bin := failpointBot(t)
	want := effort.InProof(16, 256)
	deaths, jobs, ambiguous := 0, 0, 0
	for seed := uint64(1); deaths < want; seed++ {
		r := newServiceRun(t, bin)
		chance := rand.New(rand.NewPCG(seed, 19))
		r.env = func(life int) []string {
			select {
			case <-r.kill:
			default:
			}
			if life < 100 { // on a busy machine many die before they have done anything
				time.AfterFunc(time.Duration(20+chance.IntN(180))*time.Millisecond, func() {
					select {
					case r.kill <- struct{}{}:
					default:
					}
				})
			}
			return nil
		}
		r.until(200)
		ambiguous += r.check()
		deaths, jobs = deaths+r.deaths, jobs+len(r.wants)+r.ticks
		if t.Failed() {
			t.Fatalf("with the seed %d, after %d kills, it said\n%s", seed, r.deaths, r.script.Text())
		}
	}
	t.Logf("%d kills, %d jobs, of which %d ambiguous", deaths, jobs, ambiguous)
}
