package services_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"moot/commands"
	"moot/events"
	"moot/internal/bot"
	"moot/internal/bot/bottest"
	"moot/protocol"
	"moot/protocol/service/schedule"
	"moot/rooms"
	"moot/services"
	"moot/store"
)

const (
	lobby protocol.RoomID = "console:lobby"
	hall  protocol.RoomID = "console:hall"
)

// rig is a bot with services, whose tasks the test does by hand.
type rig struct {
	*bottest.Rig
	t     *testing.T
	specs []services.Spec
	// challenged is who may not use anything.
	challenged protocol.UserID
	feature    *services.Feature
}

// fill fills in what a test does not care about.
func fill(s services.Spec) services.Spec {
	if s.Tasks == nil {
		s.Tasks = []services.Task{{Name: "work"}}
	}
	if s.Queue == 0 {
		s.Queue = 10
	}
	if s.Keep == 0 {
		s.Keep = time.Hour
	}
	return s
}

func open(t *testing.T, specs ...services.Spec) *rig {
	r := &rig{t: t, specs: specs}
	r.Rig = &bottest.Rig{TB: t, Dir: t.TempDir(), Network: protocol.Console, Kinds: []events.Kind{rooms.Kind}, Features: r.features}
	r.Open()
	t.Cleanup(r.Close)
	r.up(true)
	for _, room := range []protocol.RoomID{lobby, hall} {
		joins := []protocol.Event{r.Event(room, "console:moot", protocol.MemberChange{User: "console:moot", Self: true, Bot: true, Membership: protocol.Joined})}
		for _, name := range []string{"ann", "ben"} {
			user := protocol.UserID("console:" + name)
			joins = append(joins, r.Event(room, user, protocol.MemberChange{User: user, Membership: protocol.Joined, Name: name}))
		}
		r.Admit(joins...)
	}
	r.Flying = nil
	return r
}

func (r *rig) features(*bottest.Rig) []bot.Feature {
	for i := range r.specs {
		r.specs[i] = fill(r.specs[i])
	}
	var tree *commands.Commands
	challenged := func(_ *store.Tx, _ protocol.RoomID, user protocol.UserID) (protocol.Text, bool) {
		return protocol.Plain("You are challenged."), user == r.challenged
	}
	var err error
	r.feature, err = services.New(services.Config{
		Services: r.specs, Operators: []protocol.UserID{"console:ann"}, Challenged: challenged,
		Behalf: func(tx *store.Tx, ev protocol.Event, line string, allowed []string) error {
			return tree.Behalf(tx, ev, line, allowed)
		},
		Meant: func(ev protocol.Event, m protocol.Message) bool { return tree.Meant(ev, m) },
	})
	if err != nil {
		r.Fatal(err)
	}
	tree, err = commands.New(commands.Config{
		Prefixes: []string{"!moot"}, Operators: []protocol.UserID{"console:ann"}, Challenged: challenged, Burst: 1000,
	}, r.feature.Commands()...)
	if err != nil {
		r.Fatal(err)
	}
	return []bot.Feature{tree, r.feature}
}

// up says whether the services can be reached.
func (r *rig) up(up bool) {
	for _, s := range r.specs {
		r.Step(bot.Online{Network: protocol.ServiceNetwork(s.Name), Up: up})
	}
}

// restart stops the bot for a while, and starts it with other services where some are given.
func (r *rig) restart(d time.Duration, specs ...services.Spec) {
	if specs != nil {
		r.specs = specs
	}
	r.Down(d)
	r.up(true)
}

func (r *rig) says(room protocol.RoomID, by, text string) store.Seen {
	r.Helper()
	return r.Admit(r.Event(room, protocol.UserID("console:"+by), protocol.Message{Text: text}))
}

// given is what a task was given.
type given struct {
	Key     string
	Job     string
	Service string
	Task    string
	Kind    string
	Command string
	Text    string
	Args    map[string]any
	Groups  []string
	Person  string
	Name    string
	Room    string
	Time    time.Time
	Event   string
	Data    map[string]any
	Results map[string]any
}

// work does the tasks that fly, by f, and returns what they were given.
func (r *rig) work(f func(given) (map[string]any, error)) (all []given) {
	r.Helper()
	for {
		var in []bot.Input
		rest := r.Flying[:0]
		for _, a := range r.Flying {
			want, ok := askTask(a.Ask)
			if !ok {
				rest = append(rest, a)
				continue
			}
			var g given
			if err := json.Unmarshal(want.Input, &g); err != nil {
				r.Fatal(err)
			}
			all = append(all, g)
			out, err := f(g)
			data, jerr := json.Marshal(out)
			if jerr != nil {
				r.Fatal(jerr)
			}
			in = append(in, bot.Answered{Ask: *a.Ask, Attempt: a.Try.N, Result: protocol.TaskDone{Output: data}, Err: err})
		}
		r.Flying = rest
		if len(in) == 0 {
			return all
		}
		r.Step(in...)
	}
}

func askTask(a *protocol.Ask) (want protocol.AskTask, ok bool) {
	if a != nil {
		want, ok = a.Want.(protocol.AskTask)
	}
	return want, ok
}

func answers(text string) func(given) (map[string]any, error) {
	return func(given) (map[string]any, error) { return map[string]any{"answer": text}, nil }
}

// said checks what was said since the last time.
func (r *rig) said(want ...string) {
	r.Helper()
	if got := r.Said(); strings.Join(got, "\n") != strings.Join(want, "\n") {
		r.Errorf("it said\n%s\nand should have said\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// states checks how many jobs are in which state.
func (r *rig) states(want string) {
	r.Helper()
	n := map[services.State]int{}
	r.View(func(tx *store.Tx) {
		for _, j := range r.feature.Jobs(tx, services.JobQuery{}).Jobs {
			n[j.State]++
		}
	})
	var words []string
	for _, s := range services.States() {
		if n[s] > 0 {
			words = append(words, fmt.Sprintf("%d %s", n[s], s))
		}
	}
	if got := strings.Join(words, ", "); got != want {
		r.Errorf("there are %q, and should be %q", got, want)
	}
}

func roll(s services.Spec) services.Spec {
	s.Name = "dice"
	s.Commands = []services.Command{{
		Name: "roll", Summary: "roll dice",
		Params: []commands.Param{{Name: "dice", Summary: "which", Optional: true}, {Name: "times", Kind: commands.Integer, Summary: "how often", Optional: true}},
	}}
	return s
}

func sched(t *testing.T, text, zone string) *schedule.Schedule {
	t.Helper()
	s, err := schedule.Parse(text, zone)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

var errTask = errors.New("the dice are lost")

func pattern(s string) *regexp.Regexp { return regexp.MustCompile(s) }

// acts returns what flies to chat networks, and has it arrive.
func (r *rig) acts() (all []protocol.Act) {
	var in []bot.Input
	rest := r.Flying[:0]
	for _, a := range r.Flying {
		if a.Out == nil {
			rest = append(rest, a)
			continue
		}
		all = append(all, a.Out.Act)
		in = append(in, bot.Sent{Key: a.Key, Ref: protocol.Ref{Room: a.Out.Room, Event: protocol.EventID("$sent-" + a.Key)}})
	}
	r.Flying = rest
	r.Step(in...)
	return all
}
