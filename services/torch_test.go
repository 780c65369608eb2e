package services_test

import (
	"strings"
	"testing"

	"moot/commands"
	"moot/internal/bot"
	"moot/internal/languages"
	"moot/internal/say"
	"moot/protocol"
	"moot/services"
	"moot/store"
)

// torchSpec is a service whose pattern finds what is to be read as a command.
func torchSpec() services.Spec {
	s := roll(services.Spec{
		Who: commands.Member, Pattern: pattern("(?i)^dice, (.*)"), Rooms: []protocol.RoomID{lobby},
		Tasks: []services.Task{{Name: "look"}, {Name: "torch", Torch: []string{"roll"}}, {Name: "work"}},
	})
	s.Commands = append(s.Commands, services.Command{Name: "melt", Summary: "melt the dice"})
	return s
}

// What a pattern has found is read as a command of the service, if it is one of those allowed; the tasks behind it are given it as if
// somebody had given the command.
func TestTorch(t *testing.T) {
	r := open(t, torchSpec())
	r.says(lobby, "ben", "dice, roll 2d6 3")
	got := r.work(answers("a nine"))
	if len(got) != 2 || got[0].Task != "look" || got[0].Command != "" || got[1].Task != "work" || got[1].Command != "roll" ||
		got[1].Args["dice"] != "2d6" || got[1].Args["times"] != 3.0 || got[1].Kind != "pattern" {
		t.Errorf("the tasks were given %+v", got)
	}
	r.said("a nine")
	r.says(lobby, "ben", "dice, melt")
	r.says(lobby, "ben", "dice, roll; rm -rf /")
	r.says(lobby, "ben", "dice, roll 2d6 often")
	if got := r.work(answers("never said")); len(got) != 3 {
		t.Errorf("the tasks were given %+v", got)
	}
	said := outs(r)
	if len(said) != 3 || !strings.Contains(said[0], "«melt» is no command here") || !strings.Contains(said[1], "is no command here") || !strings.Contains(said[2], "whole number") {
		t.Errorf("it said %q", said)
	}
	r.states("4 done")
}

// A collector that takes back is told also of a text that is no command, and what a task before has wanted done is not.
func TestTorchTellsTheCollector(t *testing.T) {
	spec := torchSpec()
	spec.To, spec.Pattern, spec.Rooms = []protocol.RoomID{hall}, nil, nil
	spec.As, spec.Allow = "console:ann", []string{"roll"}
	spec.Back = map[string]services.Task{"mail": {Name: "back/mail"}}
	r := open(t, spec)
	for i, tc := range []struct{ text, tasks, answer string }{
		{"roll 2d6", "look work back/mail", "a nine"},
		{"melt", "look back/mail", "«melt» is no command here"},
	} {
		ev := protocol.Event{
			Room: "service.dice:mail", ID: protocol.EventID("m" + tc.text), Private: true,
			Body: protocol.Collected{Kind: "program", Text: tc.text, Data: []byte(`{}`)},
		}
		r.Step(bot.Admitted{Batch: &bot.Batch{Network: "service.dice", Events: []protocol.Event{ev}}})
		var names []string
		for _, g := range r.work(func(g given) (map[string]any, error) {
			switch g.Task {
			case "look":
				return map[string]any{"command": "nothing that is allowed", "reaction": "🎲"}, nil
			case "work":
				return map[string]any{"answer": "a nine", "command": ""}, nil
			}
			return nil, nil
		}) {
			names = append(names, g.Task)
			if g.Task != "back/mail" {
				continue
			}
			answer, _ := g.Results["answer"].(string)
			if !strings.Contains(answer, tc.answer) || (g.Results["refused"] == true) != (i == 1) {
				t.Errorf("of %q the collector is told %+v", tc.text, g.Results)
			}
		}
		if got := strings.Join(names, " "); got != tc.tasks {
			t.Errorf("of %q the tasks are %s", tc.text, got)
		}
		if said := outs(r); len(said) != 1 || !strings.Contains(said[0], tc.answer) {
			t.Errorf("of %q it said %q", tc.text, said)
		}
	}
	r.states("2 done")
}

// What a torch refuses is said in the language of the room, or of the person alone.
func TestTorchInGerman(t *testing.T) {
	r := open(t, torchSpec())
	for room, l := range map[protocol.RoomID]say.Language{lobby: say.German, hall: say.English} {
		err := r.Store.Commit(r.Now, func(c *store.Commit) error {
			return c.Run(protocol.Scope(room), protocol.Ref{}, func(tx *store.Tx) error {
				languages.SetRoom(tx, room, l)
				return nil
			})
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	for line, want := range map[string]string{
		"dice, melt":           "«melt» ist hier kein Befehl",
		"dice, roll 2d6 often": "ganze Zahl",
	} {
		r.says(lobby, "ben", line)
		r.work(answers("never said"))
		if said := outs(r); len(said) == 0 || !strings.Contains(said[len(said)-1], want) {
			t.Errorf("to %q it said %q, and not %q", line, said, want)
		}
	}
}

func TestTorchThatCannotBe(t *testing.T) {
	for name, change := range map[string]func(*services.Spec){
		"nothing follows": func(s *services.Spec) { s.Tasks = s.Tasks[:2] },
		"has no command":  func(s *services.Spec) { s.Tasks[1].Torch = []string{"dance"} },
		"is a person": func(s *services.Spec) {
			s.Commands[0].Params = append(s.Commands[0].Params, commands.Param{Name: "who", Kind: commands.Person, Summary: "who"})
		},
	} {
		s := fill(torchSpec())
		change(&s)
		_, err := services.New(services.Config{
			Services: []services.Spec{s}, Meant: func(protocol.Event, protocol.Message) bool { return false }, Challenged: nobody, Behalf: noBehalf,
		})
		if err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: it says %v", name, err)
		}
	}
}
