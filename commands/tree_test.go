package commands_test

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"moot/commands"
	"moot/commands/standard"
	"moot/protocol"
)

func run(*commands.Call) error { return nil }

func TestNewNamesTheCommandThatCannotBe(t *testing.T) {
	p := func(name string, more ...func(*commands.Param)) commands.Param {
		p := commands.Param{Name: name, Summary: "something"}
		for _, m := range more {
			m(&p)
		}
		return p
	}
	kind := func(k commands.Kind) func(*commands.Param) { return func(p *commands.Param) { p.Kind = k } }
	optional := func(p *commands.Param) { p.Optional = true }
	with := func(params ...commands.Param) *commands.Command {
		return &commands.Command{Name: "cmd", Summary: "does", Params: params, Run: run}
	}
	many := make([]commands.Param, commands.MaxEntries+1)
	for i := range many {
		many[i] = p(fmt.Sprint("p", i))
	}
	for name, test := range map[string]struct {
		command *commands.Command
		wants   string
	}{
		"no name":                 {&commands.Command{Summary: "does", Run: run}, "1 to 32"},
		"a long name":             {&commands.Command{Name: strings.Repeat("a", 33), Summary: "does", Run: run}, "1 to 32"},
		"capitals":                {&commands.Command{Name: "Cmd", Summary: "does", Run: run}, "a-z"},
		"a leading hyphen":        {&commands.Command{Name: "-cmd", Summary: "does", Run: run}, "begin with -"},
		"no summary":              {&commands.Command{Name: "cmd", Run: run}, "summary"},
		"a long summary":          {&commands.Command{Name: "cmd", Summary: strings.Repeat("ä", 101), Run: run}, "101"},
		"two lines":               {&commands.Command{Name: "cmd", Summary: "a\nb", Run: run}, "one clean line"},
		"nothing to do":           {&commands.Command{Name: "cmd", Summary: "does"}, "neither Run"},
		"a group that runs":       {&commands.Command{Name: "cmd", Summary: "does", Run: run, Sub: []*commands.Command{{Name: "a", Summary: "a", Run: run}}}, "group"},
		"a stand-in that is none": {&commands.Command{Name: "cmd", Summary: "does", Else: "b", Takes: func(string) bool { return true }, Sub: []*commands.Command{{Name: "a", Summary: "a", Run: run}}}, "cannot take"},
		"a moderator nowhere": {&commands.Command{Name: "cmd", Summary: "does", Run: run, Who: commands.Moderator},
			"needs one"},
		"an unknown place":   {&commands.Command{Name: "cmd", Summary: "does", Run: run, Where: 9}, "place"},
		"an unknown role":    {&commands.Command{Name: "cmd", Summary: "does", Run: run, Who: 9}, "role"},
		"the menu of nobody": {&commands.Command{Name: "cmd", Summary: "does", Run: run, OnPerson: "Do it"}, "menu of a person"},
		"what is hidden stands": {&commands.Command{Name: "cmd", Summary: "does", Run: run, Params: []commands.Param{
			{Name: "a", Summary: "s", Hidden: true}}}, "given by name"},
		"an unknown visibility":  {&commands.Command{Name: "cmd", Summary: "does", Run: run, Visibility: 9}, "visibility"},
		"a nil":                  {&commands.Command{Name: "cmd", Summary: "does", Sub: []*commands.Command{nil}}, "nil"},
		"two of a name":          {with(p("a"), p("a")), `"a"`},
		"text not last":          {with(p("a", kind(commands.Text)), p("b")), "takes all the rest"},
		"required after":         {with(p("a", optional), p("b")), "may be left out"},
		"reserved":               {with(p("in")), "every command"},
		"reserved help":          {with(p("help")), "every command"},
		"no choices":             {with(p("a", kind(commands.Choice))), "choices"},
		"a person without room":  {with(p("a", kind(commands.Person))), "needs one"},
		"choices of a word":      {with(p("a", func(p *commands.Param) { p.Choices = []string{"x"} })), "cannot have"},
		"a choice twice":         {with(p("a", kind(commands.Choice), func(p *commands.Param) { p.Choices = []string{"x", "X"} })), "twice"},
		"bounds of a room":       {with(p("a", kind(commands.Room), func(p *commands.Param) { p.Max = 3 })), "bounds"},
		"bounds the wrong way":   {with(p("a", kind(commands.Integer), func(p *commands.Param) { p.Min = 3; p.Max = 2 })), "below"},
		"repeated text":          {with(p("a", kind(commands.Text), func(p *commands.Param) { p.Repeat = 2 })), "repeated"},
		"repeated not last":      {with(p("a", func(p *commands.Param) { p.Repeat = 2 }), p("b")), "comes last"},
		"text by name":           {with(p("a", kind(commands.Text), func(p *commands.Param) { p.Flag = true })), "by name"},
		"a slot that is taken":   {with(p("a-2", func(p *commands.Param) { p.Flag = true }), p("a", func(p *commands.Param) { p.Repeat = 2 })), "two of that name"},
		"too many parameters":    {with(many...), "more than 25"},
		"no summary of a param":  {with(commands.Param{Name: "a"}), "summary"},
		"an unknown kind":        {with(p("a", kind(99))), "kind"},
		"too deep":               {&commands.Command{Name: "a", Summary: "a", Sub: []*commands.Command{{Name: "b", Summary: "b", Sub: []*commands.Command{{Name: "c", Summary: "c", Sub: []*commands.Command{{Name: "d", Summary: "d", Run: run}}}}}}}, "3 words"},
		"the same one twice":     {&commands.Command{Name: "good", Summary: "does", Run: run}, `"good"`},
		"one that differs by it": {&commands.Command{Name: "cmd", Summary: "a\u202eb", Run: run}, "clean"},
	} {
		t.Run(name, func(t *testing.T) {
			good := &commands.Command{Name: "good", Summary: "is good", Run: run}
			_, err := commands.New(commands.Config{Prefixes: []string{"!"}}, good, test.command)
			if !errors.Is(err, commands.ErrCommand) {
				t.Fatalf("the error is %v", err)
			}
			if !strings.Contains(err.Error(), test.wants) || test.command.Name != "good" && !strings.Contains(err.Error(), test.command.Name) {
				t.Errorf("%q does not say %q or not of which command", err, test.wants)
			}
		})
	}
}

func TestNewSaysAllThatIsWrong(t *testing.T) {
	_, err := commands.New(commands.Config{Prefixes: []string{"a b"}, Operators: []protocol.UserID{"nobody"}, Burst: -1},
		&commands.Command{Name: "A", Summary: "a", Run: run}, &commands.Command{Name: "B", Summary: "b", Run: run})
	for _, want := range []string{`"a b"`, `"nobody"`, "positive", `"A"`, `"B"`} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v does not say %s", err, want)
		}
	}
	if _, err := commands.New(commands.Config{}); !errors.Is(err, commands.ErrConfig) {
		t.Errorf("without a prefix: %v", err)
	}
}

func TestTheTreeCanBeWalked(t *testing.T) {
	w := newWorld(t)
	var titles []string
	for n := range w.commands.Walk() {
		titles = append(titles, n.Title())
		if found, ok := w.commands.Find(n.Path...); !ok || found != n {
			t.Errorf("%s is not found by its path", n.Title())
		}
		if len(n.Name) > 32 || len([]rune(n.Summary)) > 100 {
			t.Errorf("%s does not fit a slash command", n.Title())
		}
	}
	if *update {
		if err := os.WriteFile(goldenCommands, []byte(strings.Join(titles, "\n")+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if want := standardCommands(t); !slices.Equal(titles, want) {
		t.Errorf("walked through %q; if that is so, -update writes it", titles)
	}
	for range w.commands.Walk() {
		break // which is no harm
	}
	if _, ok := w.commands.Find(); ok {
		t.Error("no words lead to a command")
	}
	if n, ok := w.commands.Find("FORGET", "Me"); !ok || n.Title() != "forget me" {
		t.Error("capitals matter")
	}
	if n, _ := w.commands.Find("forget"); len(n.Subs()) != 1 || n.Subs()[0].Title() != "forget me" {
		t.Errorf("forget holds %v", n.Subs())
	}
	slots := commands.Param{Name: "option", Repeat: 3}.Slots()
	if !slices.Equal(slots, []string{"option", "option-2", "option-3"}) {
		t.Errorf("slots: %q", slots)
	}
}

// goldenCommands has the commands that ship with every bot, one a line, as help shows them. -update writes it.
const goldenCommands = "testdata/commands.txt"

func standardCommands(t *testing.T) []string {
	t.Helper()
	data, err := os.ReadFile(goldenCommands)
	if err != nil {
		t.Fatal(err)
	}
	return strings.Split(strings.TrimSpace(string(data)), "\n")
}

// standardWords are the first words of them, as completion brings them.
func standardWords(t *testing.T) string {
	t.Helper()
	words := slices.DeleteFunc(standardCommands(t), func(title string) bool { return strings.Contains(title, " ") })
	return strings.Join(words, "|")
}

func TestTheStandardCommandsAreWholeByThemselves(t *testing.T) {
	if _, err := commands.New(commands.Config{Prefixes: []string{"!moot"}}, standard.Commands(standard.Config{})...); err != nil {
		t.Error(err)
	}
}
