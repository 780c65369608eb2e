package commands_test

import (
	"strings"
	"testing"
	"time"

	"moot/commands"
	"moot/internal/say"
)

// TestRead: a line is understood as one of the commands that are allowed, with all that parameters are, and nothing runs.
func TestRead(t *testing.T) {
	never := func(*commands.Call) error {
		t.Error("it ran")
		return nil
	}
	tree, err := commands.New(commands.Config{Prefixes: []string{"!"}, MaxLength: 200},
		&commands.Command{Name: "roll", Summary: "roll dice", Run: never, Params: []commands.Param{
			{Name: "dice", Summary: "which"}, {Name: "times", Kind: commands.Integer, Min: 1, Max: 9, Summary: "how often", Optional: true},
			{Name: "for", Kind: commands.Duration, Flag: true, Summary: "how long"}, {Name: "open", Kind: commands.Switch, Summary: "seen by all"},
		}},
		&commands.Command{Name: "shut", Summary: "shut down", Run: never})
	if err != nil {
		t.Fatal(err)
	}
	allowed := []string{"roll"}
	call, m := tree.Read(say.English, `Roll "2 d6" 3 --for 2h --open`, allowed)
	if m != nil {
		t.Fatal(m)
	}
	if call.Command.Name != "roll" || call.Word("dice") != "2 d6" || call.Integer("times") != 3 || call.Duration("for") != 2*time.Hour || !call.Switch("open") {
		t.Errorf("it was read as %s, %q, %d", call.Command.Name, call.Word("dice"), call.Integer("times"))
	}
	for line, want := range map[string]string{
		"": "is no command here", "dance": "dance", "shut": "is no command here", "roll": "DICE is missing", "roll 2d6 x": "whole number", "roll 2d6 10": "1 to 9",
		`roll "2d6`: "quotation", "roll --help": "Usage", "roll a 2 b": "know what to do", "roll; rm -rf /": "is no command here",
		"$(roll)": "is no command here", "`roll`": "is no command here", "roll " + strings.Repeat("x", 2000): "too long",
	} {
		if call, m := tree.Read(say.English, line, allowed); m == nil || !strings.Contains(m.Text.Plain(), want) {
			t.Errorf("%.40q is read as %v, with %v, which is to say %q", line, call, m, want)
		}
	}
}

func FuzzRead(f *testing.F) {
	tree, err := commands.New(commands.Config{Prefixes: []string{"!"}},
		&commands.Command{Name: "roll", Summary: "roll dice", Run: func(*commands.Call) error { return nil }, Params: []commands.Param{
			{Name: "dice", Summary: "which"}, {Name: "why", Kind: commands.Text, Summary: "why", Optional: true},
		}})
	if err != nil {
		f.Fatal(err)
	}
	for _, s := range []string{"roll 2d6", "roll <@12> x", "roll --", `roll "`, "help", "roll --help", "\x00", "'\x8c"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, line string) {
		if call, m := tree.Read(say.English, line, []string{"roll"}); (call == nil) == (m == nil) {
			t.Errorf("%q is read as %v, with %v", line, call, m)
		}
	})
}
