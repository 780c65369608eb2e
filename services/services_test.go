package services_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"moot/commands"
	"moot/internal/bot"
	"moot/protocol"
	"moot/services"
	"moot/store"
)

func TestCommandIsAnswered(t *testing.T) {
	r := open(t, roll(services.Spec{Who: commands.Member}))
	r.says(lobby, "ben", "!moot roll 2d6 3")
	r.said()
	got := r.work(answers("ben rolls **9**, `4 + 5`"))
	if len(got) != 1 || got[0].Kind != "command" || got[0].Args["dice"] != "2d6" || got[0].Args["times"] != 3.0 || got[0].Person != "console:ben" ||
		got[0].Name != "ben" || got[0].Room != string(lobby) || got[0].Text != "roll 2d6 3" || got[0].Key == "" {
		t.Errorf("the task was given %+v", got)
	}
	r.said("ben rolls 9, 4 + 5")
	r.states("1 done")
	r.restart(time.Minute)
	r.work(answers("again"))
	r.said()
	r.Later(time.Hour + time.Minute)
	r.states("")
}

// Whoever has not what it takes is told so, and no job comes of it.
func TestWhoMayUseIt(t *testing.T) {
	r := open(t, roll(services.Spec{Who: commands.Operator, Rooms: []protocol.RoomID{lobby}}),
		services.Spec{Name: "greet", Who: commands.Operator, Pattern: pattern("(?i)^hello (.*)"), Rooms: []protocol.RoomID{lobby}})
	for _, say := range []struct {
		room     protocol.RoomID
		by, text string
	}{
		{lobby, "ben", "!moot roll"}, {hall, "ann", "!moot roll"}, {lobby, "ben", "hello bot"}, {hall, "ann", "hello bot"}, {lobby, "ann", "say hello"},
	} {
		r.says(say.room, say.by, say.text)
	}
	r.said("!moot roll is for those who operate me.", "roll is not for this room.")
	r.states("")
	r.challenged = "console:ann"
	r.says(lobby, "ann", "hello bot")
	r.states("")
	r.challenged = ""
	r.says(lobby, "ann", "Hello bot")
	got := r.work(answers("hello ann"))
	if len(got) != 1 || !slices.Equal(got[0].Groups, []string{"Hello bot", "bot"}) || got[0].Kind != "pattern" {
		t.Errorf("the task was given %+v", got)
	}
	r.said("hello ann")
}

// What a message does not say, an edit, a bot or an old one does not say either.
func TestPatternLooksAtFreshWordsOfPeople(t *testing.T) {
	r := open(t, services.Spec{Name: "greet", Pattern: pattern("hello"), Rooms: []protocol.RoomID{lobby}})
	old := r.Event(lobby, "console:ann", protocol.Message{Text: "hello"})
	old.Backlog, old.Age = true, time.Hour
	before := r.Event(lobby, "console:ann", protocol.Message{Text: "hello"})
	before.History = true
	r.Admit(old, before,
		r.Event(lobby, "console:ann", protocol.Message{Text: "hello", Bot: true}),
		r.Event(lobby, "console:ann", protocol.Edit{Target: "$1", Text: "hello"}),
		r.Event(lobby, "console:ann", protocol.Message{Text: "!moot hello"}))
	r.Said()
	r.states("")
}

// Each task gets what those before it have found out, and a later one overwrites.
func TestTasksGoOneAfterAnother(t *testing.T) {
	r := open(t, roll(services.Spec{Who: commands.Member, Tasks: []services.Task{{Name: "a"}, {Name: "b"}, {Name: "c"}}}))
	r.says(lobby, "ben", "!moot roll")
	var keys []string
	for i, g := range r.work(func(g given) (map[string]any, error) {
		return map[string]any{"answer": g.Task, g.Task: len(g.Results)}, nil
	}) {
		if want := string("abc"[i]); g.Task != want || len(g.Results) != []int{0, 2, 3}[i] {
			t.Errorf("task %d was given %+v", i, g)
		}
		keys = append(keys, g.Key)
	}
	if slices.Sort(keys); len(slices.Compact(keys)) != 3 {
		t.Errorf("the keys are %q", keys)
	}
	r.said("c")
}

func TestCommandWithoutAnAnswer(t *testing.T) {
	r := open(t, roll(services.Spec{Who: commands.Member}))
	r.says(lobby, "ben", "!moot roll")
	r.work(func(given) (map[string]any, error) { return nil, nil })
	r.said("Done.")
}

func TestAnswerGoesElsewhere(t *testing.T) {
	r := open(t, roll(services.Spec{Who: commands.Member, To: []protocol.RoomID{hall}}))
	r.says(lobby, "ben", "!moot roll")
	r.work(answers("a four"))
	r.said("a four", "Done.")
}

func TestPrivateAnswer(t *testing.T) {
	r := open(t, roll(services.Spec{Who: commands.Member, Private: true}))
	r.says(lobby, "ben", "!moot roll")
	r.work(answers("a four"))
	if len(r.Flying) != 1 || r.Flying[0].Out.Act.(protocol.Whisper).User != "console:ben" {
		t.Errorf("it flies %+v", r.Flying)
	}
}

// Jobs of one conversation go one after another, those of several beside each other, and only so many may wait.
func TestOrderAndQueue(t *testing.T) {
	r := open(t, roll(services.Spec{Who: commands.Member, Queue: 3}))
	for n := range 4 {
		r.says(lobby, "ben", fmt.Sprintf("!moot roll %d", n))
	}
	r.says(hall, "ben", "!moot roll 9")
	if len(r.Flying) != 3 { // one in each room, and the refusal
		t.Errorf("%d attempts fly", len(r.Flying))
	}
	r.said("dice has too much to do here. Try again later.")
	var order []string
	for _, g := range r.work(func(g given) (map[string]any, error) { return map[string]any{"answer": g.Args["dice"]}, nil }) {
		if g.Room == string(lobby) {
			order = append(order, g.Args["dice"].(string))
		}
	}
	if strings.Join(order, "") != "012" {
		t.Errorf("the jobs were done in the order %q", order)
	}
	r.states("4 done")
}

// What has failed for good is told, kept, and a dead letter without secrets; it can be tried again, either way.
func TestFailedJob(t *testing.T) {
	r := open(t, roll(services.Spec{Who: commands.Member, Redact: []string{"Dice"}}))
	r.Buried = true
	fails := func(given) (map[string]any, error) {
		return nil, &protocol.SendError{Final: true, Err: errTask}
	}
	r.says(lobby, "ben", "!moot roll hunter2")
	first := r.work(fails)
	r.said("That did not work: dice has failed. Those who operate me can see why.")
	r.states("1 failed")
	letter := r.letter()
	if !strings.Contains(letter.Error, errTask.Error()) || !strings.Contains(letter.Error, `"dice":"(hidden)"`) || strings.Contains(letter.Error, `"hunter2"`) {
		t.Errorf("the dead letter says %s", letter.Error)
	}
	r.Step(bot.RetryDead{ID: letter.ID})
	second := r.work(fails)
	if len(second) != 1 || first[0].Key != second[0].Key {
		t.Errorf("%+v was tried again as %+v", first, second)
	}
	r.said("That did not work: dice has failed. Those who operate me can see why.")
	letter = r.letter()
	job := r.jobs()[0]
	order := protocol.Event{Room: protocol.RoomID(job.Scope), ID: "o1", Private: true, Body: protocol.Order{What: protocol.OrderRetry, Job: job.Job}}
	r.Step(bot.Admitted{Batch: &bot.Batch{Events: []protocol.Event{order}}})
	r.work(answers("a four"))
	r.said("a four")
	r.states("1 done")
	r.noLetter()
}

// What is to be hidden is so wherever it stands and however JSON writes it, also where the configuration has changed meanwhile.
func TestSecretsAreHidden(t *testing.T) {
	secrets := []string{`pa<"ss>\word`, "hunter2", "hunter2-and-more", "48151623"}
	spec := roll(services.Spec{Who: commands.Member, Redact: []string{"password"}})
	spec.Tasks = []services.Task{{Name: "login"}, {Name: "use"}}
	leaks := func(t *testing.T, what, text string) {
		for _, s := range append(secrets, `pa\u003c`, "ss\\u003e", "-and-more") {
			if strings.Contains(text, s) {
				t.Errorf("%s shows %q: %s", what, s, text)
			}
		}
	}
	short, other := spec, spec
	short.Tasks, other.Name = spec.Tasks[:1], "other"
	for name, config := range map[string]struct{ meanwhile, later *services.Spec }{
		"a task that fails":      {},
		"a task that is gone":    {meanwhile: &short},
		"a service that is gone": {later: &other},
	} {
		t.Run(name, func(t *testing.T) {
			r := open(t, spec)
			r.Buried = true
			r.says(lobby, "ben", "!moot roll 2d6")
			r.turn(func(given) (map[string]any, error) {
				return map[string]any{
					"password": map[string]any{"a": secrets[0], "b": []any{secrets[1], secrets[2]}, "pin": 48151623},
					"log":      "with " + strings.Join(secrets, " and "), "number": 48151623,
				}, nil
			})
			if config.meanwhile != nil {
				r.restart(time.Minute, *config.meanwhile)
			}
			r.work(func(given) (map[string]any, error) {
				return nil, &protocol.SendError{Final: true, Err: fmt.Errorf("refused: %s", strings.Join(secrets, " "))}
			})
			leaks(t, "the dead letter", r.letter().Error)
			if config.later != nil {
				r.restart(time.Minute, *config.later)
			}
			jobs := r.jobs()
			if len(jobs) != 1 || jobs[0].State != services.Failed || !strings.Contains(jobs[0].Input, "(hidden)") {
				t.Errorf("the jobs are %+v", jobs)
			}
			for _, job := range jobs {
				leaks(t, "the job", job.Input+" "+job.Fault)
			}
		})
	}
}

// The line that a task reads is UTF-8, whatever came from elsewhere.
func TestLineIsUTF8(t *testing.T) {
	bad := json.RawMessage("{\"a\":\"x\xff\"}")
	line, err := services.Line("k", "s", "t", services.Input{Kind: "webhook", Data: bad}, map[string]json.RawMessage{"b": bad})
	if err != nil || !utf8.Valid(line) || strings.Count(string(line), "x\uFFFD") != 2 {
		t.Errorf("it is %q, %v", line, err)
	}
}

func (r *rig) letter() (found store.Letter) {
	r.Helper()
	n := 0
	r.View(func(tx *store.Tx) {
		for l := range tx.Letters(0) {
			found, n = l, n+1
		}
	})
	if n != 1 {
		r.Fatalf("there are %d dead letters", n)
	}
	return found
}

func (r *rig) noLetter() {
	r.Helper()
	r.View(func(tx *store.Tx) {
		for l := range tx.Letters(0) {
			r.Errorf("there is the dead letter %+v", l)
		}
	})
}

func (r *rig) jobs() (lines []services.JobLine) {
	r.View(func(tx *store.Tx) { lines = r.feature.Jobs(tx, services.JobQuery{}).Jobs })
	return lines
}

// A task that may run only once is ambiguous where it may have run; only somebody who looks can say that it is to run again.
func TestAmbiguousJob(t *testing.T) {
	r := open(t, roll(services.Spec{Who: commands.Member, Tasks: []services.Task{{Name: "pay", Once: true}}}))
	r.says(lobby, "ben", "!moot roll")
	ask, _ := askTask(r.Flying[0].Ask)
	if !ask.Once {
		t.Error("the network was not told that it may run only once")
	}
	first := r.work(func(given) (map[string]any, error) {
		return nil, &protocol.SendError{Ambiguous: true, Err: errTask}
	})
	r.said("I was interrupted while dice worked on that, and it cannot be known whether it was done. Look before you ask again.")
	r.states("1 ambiguous")
	job := r.jobs()[0]
	order := protocol.Event{Room: protocol.RoomID(job.Scope), ID: "o1", Private: true, Body: protocol.Order{What: protocol.OrderRetry, Job: job.Job}}
	r.Step(bot.Admitted{Batch: &bot.Batch{Events: []protocol.Event{order}}})
	second := r.work(answers("paid"))
	if len(second) != 1 || first[0].Key == second[0].Key {
		t.Errorf("what an operator orders again has the same key %+v", second)
	}
	r.said("paid")
}

// A job that is dropped says nothing any more, also where its task is under way.
func TestDropped(t *testing.T) {
	r := open(t, roll(services.Spec{Who: commands.Member}))
	r.says(lobby, "ben", "!moot roll 1")
	r.says(lobby, "ben", "!moot roll 2")
	r.states("1 pending, 1 running")
	r.View(func(tx *store.Tx) {
		if n := r.feature.Unfinished(tx); n != 2 {
			t.Errorf("%d jobs are unfinished", n)
		}
	})
	for i, job := range r.jobs() {
		order := protocol.Event{Room: protocol.RoomID(job.Scope), ID: protocol.EventID(fmt.Sprint("o", i)), Private: true, Body: protocol.Order{What: protocol.OrderDrop, Job: job.Job}}
		r.Step(bot.Admitted{Batch: &bot.Batch{Events: []protocol.Event{order}}})
	}
	r.states("")
	r.work(answers("too late"))
	r.said()
	r.says(lobby, "ben", "!moot roll 3")
	r.work(answers("three"))
	r.said("three")
}

func TestRunByHand(t *testing.T) {
	r := open(t, services.Spec{Name: "say", To: []protocol.RoomID{hall}})
	order := protocol.Event{Room: "service.say:run", ID: "o1", Private: true, Body: protocol.Order{What: protocol.OrderRun, Text: "hi"}}
	for range 2 { // it is delivered twice
		r.Step(bot.Admitted{Batch: &bot.Batch{Events: []protocol.Event{order}}})
	}
	if got := r.work(answers("hi all")); len(got) != 1 || got[0].Text != "hi" || got[0].Kind != "run" {
		t.Errorf("the task was given %+v", got)
	}
	r.said("hi all")
	r.says(lobby, "ann", "an order that is none")
	if s := r.Admit(r.Event(lobby, "console:ann", protocol.Order{What: protocol.OrderRun})); s.Disposition != store.Refused {
		t.Errorf("an order of a chat network is %s", s.Disposition)
	}
}

func TestSchedule(t *testing.T) {
	for name, tc := range map[string]struct {
		late       bool
		afterAways int
	}{"skipped": {false, 0}, "made up for once": {true, 1}} {
		t.Run(name, func(t *testing.T) {
			spec := services.Spec{Name: "daily", To: []protocol.RoomID{lobby}, Schedule: sched(t, "0 9 * * *", "Europe/Berlin"), Text: "morning", Late: tc.late}
			r := open(t, spec) // at 8:00 UTC, which is 9:00 there: the next is tomorrow's
			r.Later(23*time.Hour + 59*time.Minute)
			if got := r.work(answers("too early")); len(got) != 0 {
				t.Errorf("it was early: %+v", got)
			}
			r.Later(time.Minute)
			got := r.work(answers("good morning"))
			if len(got) != 1 || got[0].Text != "morning" || !got[0].Time.Equal(time.Date(2026, 11, 22, 8, 0, 0, 0, time.UTC)) {
				t.Errorf("the task was given %+v", got)
			}
			r.said("good morning")
			r.restart(72*time.Hour + 30*time.Minute) // three are missed
			if got := r.work(answers("late")); len(got) != tc.afterAways {
				t.Errorf("after it was away the bot did %+v", got)
			}
			r.Said()
			r.restart(0)
			if got := r.work(answers("twice")); len(got) != 0 {
				t.Errorf("after a start it did %+v", got)
			}
			r.Later(24 * time.Hour)
			if got := r.work(answers("next")); len(got) != 1 {
				t.Errorf("the next day it did %+v", got)
			}
		})
	}
}

// Another schedule in the configuration holds from the next start on, and none ends it.
func TestScheduleChanges(t *testing.T) {
	spec := services.Spec{Name: "daily", To: []protocol.RoomID{lobby}, Schedule: sched(t, "0 9 * * *", "UTC")}
	r := open(t, spec)
	other := spec
	other.Schedule = sched(t, "30 8 * * *", "UTC")
	r.restart(time.Minute, other)
	r.Later(30 * time.Minute)
	if got := r.work(answers("half past")); len(got) != 1 {
		t.Errorf("at half past eight it did %+v", got)
	}
	r.restart(time.Minute, services.Spec{Name: "daily"})
	r.Later(48 * time.Hour)
	if got := r.work(answers("gone")); len(got) != 0 {
		t.Errorf("without a schedule it did %+v", got)
	}
}

// While a service is paused no command is taken, no tick makes a job, and nothing is missed.
func TestPaused(t *testing.T) {
	dice := roll(services.Spec{Who: commands.Member, Schedule: sched(t, "0 * * * *", "UTC"), To: []protocol.RoomID{lobby}, Late: true})
	r := open(t, dice)
	pause := func(value string) {
		r.Step(bot.Admitted{Batch: &bot.Batch{Cursor: protocol.Cursor{Name: services.PausedCursor("dice"), Value: value}}})
		r.up(value != services.PausedYes)
	}
	pause(services.PausedYes)
	r.says(lobby, "ben", "!moot roll")
	r.said("dice is paused by those who operate me. Try again later.")
	r.Later(3 * time.Hour)
	r.states("")
	pause("no")
	r.states("")
	r.Later(time.Hour)
	if got := r.work(answers("one")); len(got) != 1 {
		t.Errorf("it did %+v", got)
	}
}

// A service that the configuration has no more leaves nothing that nobody answers.
func TestServiceIsGone(t *testing.T) {
	r := open(t, roll(services.Spec{Who: commands.Member}))
	r.Buried = true
	r.says(lobby, "ben", "!moot roll")
	flying := r.Flying
	r.restart(time.Minute, services.Spec{Name: "other"})
	r.Step(bot.Answered{Ask: *flying[0].Ask, Attempt: 1, Result: protocol.TaskDone{Output: []byte(`{}`)}})
	r.said("That did not work: dice has failed. Those who operate me can see why.")
}

func TestForget(t *testing.T) {
	r := open(t, roll(services.Spec{Who: commands.Member}))
	r.says(lobby, "ben", "!moot roll 1")
	r.work(answers("one"))
	r.says(lobby, "ben", "!moot roll 2")
	r.says(hall, "ann", "!moot roll 3")
	exported := 0
	r.View(func(tx *store.Tx) {
		for range r.feature.Export(tx, "console:ben") {
			exported++
		}
	})
	var removed, stays protocol.Text
	err := r.Store.Commit(r.Now, func(c *store.Commit) error {
		return c.Run("console:ben", protocol.Ref{}, func(tx *store.Tx) error {
			removed, stays = r.feature.Forget(tx, "console:ben")
			return nil
		})
	})
	if err != nil || exported != 2 || removed == nil || stays == nil {
		t.Errorf("it shows %d, forgets %q and keeps %q, %v", exported, removed.Plain(), stays.Plain(), err)
	}
	r.states("2 running")
}

// What a webhook brings is one job however often it comes, and where too many wait it is kept as a dead letter.
func TestWebhook(t *testing.T) {
	r := open(t, services.Spec{Name: "news", To: []protocol.RoomID{hall}, Queue: 1})
	r.Buried = true
	post := func(id protocol.EventID, data string) {
		ev := protocol.Event{Room: "service.news:webhook", ID: id, Private: true, Body: protocol.Collected{Kind: "webhook", Name: "push", Data: []byte(data)}}
		r.Step(bot.Admitted{Batch: &bot.Batch{Network: "service.news", Events: []protocol.Event{ev}}})
	}
	post("h1", `{"n":1}`)
	post("h1", `{"n":1}`)
	post("h2", `{"n":2}`)
	if l := r.letter(); l.Event.ID != "h2" || !strings.Contains(l.Error, "as many jobs wait as may") {
		t.Errorf("the dead letter is %+v", l)
	}
	got := r.work(answers("one"))
	if len(got) != 1 || got[0].Kind != "webhook" || got[0].Event != "push" || got[0].Data["n"] != 1.0 {
		t.Errorf("the task was given %+v", got)
	}
	r.said("one")
	r.Step(bot.RetryDead{ID: r.letter().ID})
	r.work(answers("two"))
	r.said("two")
	r.noLetter()
}

// What a collector has found is one job, whose last task is its collector, where that takes back; what is said is said then.
func TestCollector(t *testing.T) {
	r := open(t, services.Spec{Name: "news", To: []protocol.RoomID{hall}, Queue: 2, Back: map[string]services.Task{"mail": {Name: "back/mail"}}})
	bring := func(collector string, id protocol.EventID) {
		ev := protocol.Event{Room: protocol.RoomID("service.news:" + collector), ID: id, Private: true, Body: protocol.Collected{Kind: "program", Text: "hi", Data: []byte(`{"n":1}`)}}
		r.Step(bot.Admitted{Batch: &bot.Batch{Network: "service.news", Events: []protocol.Event{ev}}})
	}
	free := func() (n int) {
		r.View(func(tx *store.Tx) { n = r.feature.Free(tx, "service.news:mail") })
		return n
	}
	bring("mail", "a")
	bring("mail", "a")
	if n := free(); n != 1 {
		t.Errorf("%d more may be brought", n)
	}
	got := r.work(func(g given) (map[string]any, error) {
		if g.Task == "back/mail" {
			for _, a := range r.Flying {
				if a.Out != nil {
					t.Errorf("before it has acknowledged %+v is said", a.Out)
				}
			}
			return map[string]any{"more": 1}, nil
		}
		return map[string]any{"answer": "you have mail"}, nil
	})
	if len(got) != 2 || got[0].Task != "work" || got[0].Text != "hi" || got[0].Data["n"] != 1.0 || got[0].Kind != "program" ||
		got[1].Task != "back/mail" || got[1].Results["answer"] != "you have mail" || got[0].Key == got[1].Key {
		t.Errorf("the tasks were given %+v", got)
	}
	r.said("you have mail")
	if n := free(); n != 2 {
		t.Errorf("%d may be brought in the end", n)
	}
	bring("log", "b")
	if got := r.work(answers("a line")); len(got) != 1 {
		t.Errorf("where none takes back the tasks are %+v", got)
	}
	r.said("a line")
}

// What is said at once is edited into the answer, and into what went wrong.
func TestProgress(t *testing.T) {
	r := open(t, roll(services.Spec{Who: commands.Member, Progress: "A moment…"}))
	r.Buried = true
	for _, tc := range []struct {
		do   func(given) (map[string]any, error)
		want string
	}{
		{answers("a four"), "a four"},
		{answers(""), "Done."},
		{func(given) (map[string]any, error) {
			return nil, &protocol.SendError{Final: true, Err: errTask}
		}, "That did not work: dice has failed. Those who operate me can see why."},
	} {
		r.says(lobby, "ben", "!moot roll")
		r.said("A moment…")
		r.work(tc.do)
		acts := r.acts()
		if len(acts) != 1 {
			t.Fatalf("it did %+v", acts)
		}
		if e, ok := acts[0].(protocol.Revise); !ok || e.Text.Plain() != tc.want || e.Original == "" {
			t.Errorf("it did %+v", acts[0])
		}
	}
}

// A task may react to the message, and then need not answer. What is no reaction is none.
func TestReaction(t *testing.T) {
	r := open(t, roll(services.Spec{Who: commands.Member}))
	r.says(lobby, "ben", "!moot roll")
	r.work(func(given) (map[string]any, error) { return map[string]any{"reaction": "🎲"}, nil })
	acts := r.acts()
	if len(acts) != 1 {
		t.Fatalf("it did %+v", acts)
	}
	if act, ok := acts[0].(protocol.React); !ok || act.Reaction != "🎲" || act.Target == "" {
		t.Errorf("it did %+v", acts[0])
	}
	for _, odd := range []any{"two words", strings.Repeat("x", 50), 3, "a\nb"} {
		r.says(lobby, "ben", "!moot roll")
		r.work(func(given) (map[string]any, error) { return map[string]any{"reaction": odd}, nil })
		r.said("Done.")
	}
}

// A task may have a command given for an operator, once, where it is allowed; otherwise the job has failed.
func TestCommandOfATask(t *testing.T) {
	gave := func(line string) func(given) (map[string]any, error) {
		return func(given) (map[string]any, error) { return map[string]any{"command": line}, nil }
	}
	spec := roll(services.Spec{Who: commands.Member, As: "console:ann", Allow: []string{"greet"}})
	spec.Commands = append(spec.Commands, services.Command{Name: "greet", Summary: "greet", Params: []commands.Param{{Name: "whom", Summary: "whom", Optional: true}}})
	r := open(t, spec)
	r.Buried = true
	r.says(lobby, "ben", "!moot roll")
	r.work(gave("greet world"))
	r.said("That did not work: dice has failed. Those who operate me can see why.") // greet needs no room
	spec.Rooms = []protocol.RoomID{lobby}                                           // now it does
	r.restart(time.Minute, spec)
	for _, tc := range []struct{ line, want string }{
		{"greet world", "Done."}, {"", "Done."}, {"roll", ""}, {"help", ""}, {"nonsense", ""}, {"greet a b c", ""},
	} {
		r.says(lobby, "ben", "!moot roll")
		first := true
		work := func(g given) (map[string]any, error) {
			if !first {
				return map[string]any{"answer": "greets " + fmt.Sprint(g.Args["whom"]) + " for " + g.Person}, nil
			}
			first = false
			return gave(tc.line)(g)
		}
		got := r.work(work)
		r.Step() // the command runs in the room
		got = append(got, r.work(work)...)
		want := []string{"That did not work: dice has failed. Those who operate me can see why."}
		if tc.want != "" {
			want = []string{tc.want}
		}
		r.said(want...)
		if tc.line == "greet world" {
			if len(got) != 2 || got[1].Command != "greet" {
				t.Errorf("the tasks were given %+v", got)
			}
			r.said("greets world for console:ann")
		}
	}
}
