package services_test

import (
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"moot/commands"
	"moot/internal/bot"
	"moot/protocol"
	"moot/services"
	"moot/store"
)

func nobody(*store.Tx, protocol.RoomID, protocol.UserID) (protocol.Text, bool) { return nil, false }

func noBehalf(*store.Tx, protocol.Event, string, []string) error { return nil }

// file is what a task with a file writes, as the adapter hands it on.
func file(answer string) func(given) (map[string]any, error) {
	return func(given) (map[string]any, error) {
		all := map[string]any{"file": map[string]any{"name": "dice.csv", "type": "text/csv", "data": base64.StdEncoding.EncodeToString([]byte("1,2\n"))}}
		if answer != "" {
			all["answer"] = answer
		}
		return all, nil
	}
}

// A file goes with the answer, and where it cannot be sent, the answer goes alone and says so.
func TestAnswerWithAFile(t *testing.T) {
	for name, c := range map[string]struct {
		spec   services.Spec
		answer string
		want   []string
	}{
		"with words":    {services.Spec{}, "the rolls", []string{"the rolls, dice.csv, else: the rolls / The file dice.csv could not be sent here."}},
		"alone":         {services.Spec{}, "", []string{"dice.csv, dice.csv, else: dice.csv / The file dice.csv could not be sent here."}},
		"private":       {services.Spec{Private: true}, "the rolls", []string{"the rolls, dice.csv, else: the rolls / The file dice.csv could not be sent here."}},
		"elsewhere":     {services.Spec{To: []protocol.RoomID{hall}}, "", []string{", dice.csv, else: The file dice.csv could not be sent here.", "Done."}},
		"with progress": {services.Spec{Progress: "a moment"}, "the rolls", []string{"a moment", "dice.csv, dice.csv, else: dice.csv / The file dice.csv could not be sent here.", "the rolls, else: the rolls"}},
	} {
		t.Run(name, func(t *testing.T) {
			c.spec.Who = commands.Member
			r := open(t, roll(c.spec))
			r.says(lobby, "ben", "!moot roll")
			said := outs(r)
			r.work(file(c.answer))
			said = append(said, outs(r)...)
			if strings.Join(said, "\n") != strings.Join(c.want, "\n") {
				t.Errorf("it said\n%s\nand not\n%s", strings.Join(said, "\n"), strings.Join(c.want, "\n"))
			}
			r.states("1 done")
			r.restart(time.Minute)
			if again := outs(r); len(again) > 0 {
				t.Errorf("it says again %q", again)
			}
		})
	}
}

// outs tells what flies to chat networks, and has it arrive.
func outs(r *rig) (all []string) {
	for round := 0; round < 5; round++ {
		for _, a := range r.Flying {
			if a.Out == nil {
				continue
			}
			words := func(act protocol.Act) string {
				switch act := act.(type) {
				case protocol.Say:
					return act.Text.Plain()
				case protocol.Whisper:
					return act.Text.Plain()
				case protocol.Revise:
					return act.Text.Plain()
				}
				return protocol.KindOf(act)
			}
			line := words(a.Out.Act)
			if f := protocol.FileOf(a.Out.Act); f != nil {
				line += ", " + f.Name
			}
			for _, e := range a.Out.Else {
				line += ", else: " + strings.ReplaceAll(words(e.Act), "\n", " / ")
			}
			all = append(all, line)
		}
		r.acts()
	}
	return all
}

// A file that cannot be one is a fault of the task.
func TestAFileThatIsNone(t *testing.T) {
	for _, bad := range []any{map[string]any{"name": "../x", "type": "text/csv", "data": "eA=="}, map[string]any{"name": "x", "type": "text/csv"}, "x", 7} {
		r := open(t, roll(services.Spec{Who: commands.Member}))
		r.Buried = true
		r.says(lobby, "ben", "!moot roll")
		r.work(func(given) (map[string]any, error) { return map[string]any{"file": bad, "answer": "never said"}, nil })
		r.said("That did not work: dice has failed. Those who operate me can see why.")
		r.states("1 failed")
		r.View(func(tx *store.Tx) {
			if n := r.feature.Stuck(tx); n != 1 {
				t.Errorf("%d jobs wait for somebody", n)
			}
		})
	}
}

// turn does the tasks that fly once.
func (r *rig) turn(f func(given) (map[string]any, error)) {
	r.Helper()
	flying := r.Flying
	r.Flying = nil
	for _, a := range flying {
		want, ok := askTask(a.Ask)
		if !ok {
			r.Flying = append(r.Flying, a)
			continue
		}
		var g given
		if err := json.Unmarshal(want.Input, &g); err != nil {
			r.Fatal(err)
		}
		out, err := f(g)
		data, jerr := json.Marshal(out)
		if jerr != nil {
			r.Fatal(jerr)
		}
		r.Step(bot.Answered{Ask: *a.Ask, Attempt: a.Try.N, Result: protocol.TaskDone{Output: data}, Err: err})
	}
}

// A task may say how far the job is; what it says is edited, and the answer takes its place.
func TestTasksSayHowFarTheyAre(t *testing.T) {
	for _, first := range []string{"", "a moment"} {
		r := open(t, roll(services.Spec{Who: commands.Member, Progress: first, Tasks: []services.Task{{Name: "a"}, {Name: "b"}, {Name: "c"}}}))
		r.says(lobby, "ben", "!moot roll")
		var said []string
		var placed int
		look := func() {
			for _, a := range r.acts() {
				switch a := a.(type) {
				case protocol.Say:
					placed++
					said = append(said, a.Text.Plain())
				case protocol.Revise:
					said = append(said, a.Text.Plain())
				}
			}
		}
		look()
		for range 3 {
			r.turn(func(g given) (map[string]any, error) {
				if g.Task == "c" {
					return map[string]any{"answer": "a four", "progress": "is a name like any other in the last"}, nil
				}
				if _, is := g.Results["progress"]; is {
					t.Error("a task is given how far the one before it was")
				}
				return map[string]any{"progress": g.Task + " is **done**"}, nil
			})
			look()
		}
		want := strings.TrimPrefix(first+"\na is done\nb is done\na four", "\n")
		if got := strings.Join(said, "\n"); got != want || placed != 1 {
			t.Errorf("with %q first it said\n%s\nin %d messages, and not\n%s", first, got, placed, want)
		}
	}
}
