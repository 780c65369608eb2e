package screen

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"
	"github.com/google/go-cmp/cmp"

	"moot/protocol"
	"moot/protocol/console"
)

var update = flag.Bool("update", false, "write the screens of testdata anew")

var start = time.Date(2026, 11, 21, 9, 0, 0, 0, time.UTC)

// stage is a screen without a terminal: keys go in, and what would be shown comes out.
type stage struct {
	*model
	t     testing.TB
	world *console.World
}

func newStage(t testing.TB, width, height int, change ...func(*Config)) *stage {
	t.Helper()
	w, err := console.Open(console.Config{Frozen: true, Start: start})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.Close() })
	cfg := Config{}
	for _, c := range change {
		c(&cfg)
	}
	cfg.Terminal, err = console.NewTerminal(console.TerminalConfig{World: w, Complete: complete})
	if err != nil {
		t.Fatal(err)
	}
	s := &stage{newModel(t.Context(), cfg), t, w}
	s.send(tea.WindowSizeMsg{Width: width, Height: height})
	return s
}

// complete is what a bot with two commands suggests.
func complete(t console.Typing) []console.Suggestion {
	if !strings.HasPrefix(t.Line, "!moot ") && !t.Private {
		return nil
	}
	return []console.Suggestion{{Text: "help", Summary: "says what I can do"}, {Text: "vote", Summary: "decides together"}}
}

// send brings a message, and then what has come of it in the world.
func (s *stage) send(msgs ...tea.Msg) {
	for _, msg := range msgs {
		s.Update(msg)
		s.Update(worldGrew{})
	}
}

// keys presses keys by their names; a word that is none is typed.
func (s *stage) keys(names ...string) {
	for _, name := range names {
		if k, ok := named[name]; ok {
			s.send(tea.KeyPressMsg(k))
			continue
		}
		for _, c := range split(name) {
			s.send(tea.KeyPressMsg{Code: []rune(c)[0], Text: c})
		}
	}
}

var named = map[string]tea.Key{
	"enter": {Code: tea.KeyEnter}, "tab": {Code: tea.KeyTab}, "esc": {Code: tea.KeyEscape}, "up": {Code: tea.KeyUp},
	"down": {Code: tea.KeyDown}, "left": {Code: tea.KeyLeft}, "right": {Code: tea.KeyRight}, "home": {Code: tea.KeyHome},
	"end": {Code: tea.KeyEnd}, "backspace": {Code: tea.KeyBackspace}, "pgup": {Code: tea.KeyPgUp}, "pgdown": {Code: tea.KeyPgDown},
	"alt+enter": {Code: tea.KeyEnter, Mod: tea.ModAlt}, "alt+down": {Code: tea.KeyDown, Mod: tea.ModAlt},
	"ctrl+c": {Code: 'c', Mod: tea.ModCtrl}, "ctrl+d": {Code: 'd', Mod: tea.ModCtrl}, "ctrl+w": {Code: 'w', Mod: tea.ModCtrl},
	"ctrl+y": {Code: 'y', Mod: tea.ModCtrl}, "ctrl+u": {Code: 'u', Mod: tea.ModCtrl},
}

// shown is the screen as it is without colours, with the cursor as ▮.
func (s *stage) shown() string {
	s.t.Helper()
	v := s.View()
	lines := strings.Split(ansi.Strip(v.Content), "\n")
	if len(lines) != s.height {
		s.t.Errorf("the screen has %d lines in a window of %d", len(lines), s.height)
	}
	for i, l := range lines {
		if w := s.cells.StringWidth(l); w > s.width {
			s.t.Errorf("line %d is %d wide in a window of %d: %q", i+1, w, s.width, l)
		}
		if i == v.Cursor.Y {
			head := s.cells.Truncate(l, v.Cursor.X, "")
			l = head + "▮" + strings.TrimPrefix(l, head)
		}
		lines[i] = strings.TrimRight(l, " ")
	}
	return strings.Join(lines, "\n") + "\n"
}

// golden compares the screen with the one in testdata.
func (s *stage) golden(name string) {
	s.t.Helper()
	got, file := s.shown(), filepath.Join("testdata", name+".txt")
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			s.t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		s.t.Fatal(err)
	}
	if d := cmp.Diff(string(want), got); d != "" {
		s.t.Errorf("another screen than %s (-want +got); -update writes it anew:\n%s", file, d)
	}
}

func twoVotes(cfg *Config) {
	cfg.Votes = func() []Card {
		choices := []Choice{{"y", "yes", "!moot vote cast 1 yes"}, {"n", "no", "!moot vote cast 1 no"}, {"a", "abstain", "!moot vote cast 1 abstain"}}
		return []Card{
			{
				Room: "console:lobby", Where: "lobby", Name: "Vote 1", Title: "challenge finn: floods the lobby with screws", Turnout: 4, Size: 6,
				Quorum: 3, Closes: start.Add(23 * time.Hour), Choices: choices, Bars: []Bar{{"yes", 3}, {"no", 1}, {"abstain", 0}},
			},
			{
				Room: "console:garden", Where: "garden", Name: "Vote 2", Title: "Who waters the 番茄?", Turnout: 1, Size: 4,
				Closes:  start.Add(30 * time.Minute),
				Choices: []Choice{{"1", "ann", "!moot vote cast 2 #1"}, {"2", "cleo 🌻", "!moot vote cast 2 #2"}}, Bars: []Bar{{"ann", 0}, {"cleo 🌻", 1}},
			},
		}
	}
}

// anElection is a card whose options are ranked one after another.
func anElection(cfg *Config) {
	cfg.Votes = func() []Card {
		return []Card{{
			Room: "console:lobby", Where: "lobby", Name: "Vote 3", Title: "Who keeps the garden?", Turnout: 2, Size: 6, Quorum: 3, Ranks: true,
			Closes: start.Add(30 * time.Hour), Choices: []Choice{{"1", "ann", "!moot vote cast 3 --place 1"},
				{"2", "cleo 🌻", "!moot vote cast 3 --place 2"}, {"0", "begin anew", "!moot vote withdraw 3"}},
		}}
	}
}

func inside(cfg *Config) {
	cfg.Inside = func(ref protocol.Ref) []Step {
		return []Step{
			{"event", []string{string(ref.Event) + " in " + string(ref.Room)}}, {"seen before?", []string{"not then"}},
			{Name: "facts"}, {"outbox", []string{"Say for the lobby"}}, {"receipt", []string{"sent as e47"}}, {"disposition", []string{"handled: command ping"}},
		}
	}
}

// The screens, wide and narrow: the first, a talk, votes, the menu, a long answer, a private conversation, the inside.
// TestNothingIsMissed: what is said while the screen is made anew is shown, and not only once more is said.
func TestNothingIsMissed(t *testing.T) {
	var world *console.World
	late := true
	s := newStage(t, 80, 24, func(cfg *Config) {
		cfg.Votes = func() []Card { // which are asked for after the world was read
			if late && world != nil {
				late = false
				if _, err := world.Say("console:lobby", "console:ben", "said at the wrong moment", ""); err != nil {
					t.Error(err)
				}
			}
			return nil
		}
	})
	world = s.world
	_, cmd := s.Update(worldGrew{})
	came := make(chan tea.Msg, 1)
	go func() { came <- cmd() }()
	select {
	case msg := <-came:
		s.Update(msg)
	case <-time.After(time.Minute):
		t.Fatal("the screen waits for something else to be said")
	}
	if shown := s.shown(); !strings.Contains(shown, "said at the wrong moment") {
		t.Errorf("it is not shown:\n%s", shown)
	}
}

func TestScreens(t *testing.T) {
	for _, size := range [][2]int{{100, 40}, {60, 20}} {
		golden := func(name string, change func(*Config), do func(s *stage)) {
			name = fmt.Sprintf("%s-%dx%d", name, size[0], size[1])
			t.Run(name, func(t *testing.T) {
				s := newStage(t, size[0], size[1], change)
				do(s)
				s.golden(name)
			})
		}
		none := func(*Config) {}
		golden("first", none, func(*stage) {})
		golden("talk", none, func(s *stage) {
			s.keys("hello, @ben 👩‍🌾", "enter", "/as ben", "enter")
			s.send(tea.PasteMsg{Content: "three\nlines, of which the last is long enough to be broken in a narrow window\n日本語の、メッセージ。"})
			s.keys("enter")
			s.do("/react 14 👍")
			s.do("/reply 14 hello to you")
			s.do("/edit 15 fewer lines")
			s.do("/in garden")
			s.do("The beans need water.")
			s.do("/in lobby")
			s.keys("half a line")
		})
		golden("votes", twoVotes, func(s *stage) { s.keys("tab") })
		golden("election", anElection, func(s *stage) { s.keys("tab") })
		golden("menu", none, func(s *stage) { s.keys("/re", "down") })
		golden("bot-menu", none, func(s *stage) { s.keys("!moot ") })
		golden("help", none, func(s *stage) { s.keys("/help", "enter") })
		golden("private", none, func(s *stage) {
			s.keys("/dm", "enter", "what am I?", "enter")
			s.do("/as ben")
		})
		golden("inside", inside, func(s *stage) {
			s.keys("hello", "enter", "/inside", "enter", "up")
		})
	}
}

// TestBackspaceTakesAwayWhatIsSeen: one press takes away one character as people see it: a family, a flag, an accent, a letter.
func TestBackspaceTakesAwayWhatIsSeen(t *testing.T) {
	s := newStage(t, 80, 24)
	s.Update(tea.PasteMsg{Content: "a番👨‍👩‍👧🇩🇪é"})
	for _, want := range []string{"a番👨‍👩‍👧🇩🇪", "a番👨‍👩‍👧", "a番", "a", ""} {
		s.keys("backspace")
		if got := s.editor.value(); got != want {
			t.Errorf("left is %q, not %q", got, want)
		}
	}
}
