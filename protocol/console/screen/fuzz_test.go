package screen

import (
	"fmt"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"
)

// fuzzKeys are what a fuzzed person presses: a byte is one of them.
var fuzzKeys = []string{
	"enter", "tab", "esc", "up", "down", "left", "right", "home", "end", "backspace", "pgup", "pgdown", "alt+enter", "alt+down",
	"ctrl+c", "ctrl+w", "ctrl+y", "ctrl+u", "/", "!moot ", "/re", "/inside", "/help", "/tour", "/dm", "/as ben", "/in garden",
	"y", "1", "hello", "👩‍🌾", "番茄", "é", "/wait 3d", "/clear", "/react 1 👍", "/rooms", "/leave", "/kick moot",
}

// fuzzSizes are windows, some of which nobody would work in.
var fuzzSizes = [][2]int{{1, 1}, {2, 2}, {5, 3}, {12, 4}, {20, 5}, {30, 6}, {40, 7}, {60, 8}, {83, 6}, {84, 6}, {84, 12}, {100, 40}, {200, 3}, {0, 0}}

// FuzzScreen presses keys in windows of any size, with votes open and what happened to a message shown: no frame is larger
// than the window, and the cursor is in it. A byte is a key, a size, or a change of what the bot knows.
func FuzzScreen(f *testing.F) {
	for size := range fuzzSizes {
		var script []byte
		for key := range fuzzKeys {
			script = append(script, byte(100+size), byte(200+size%8), byte(key), byte(0))
		}
		f.Add(script)
	}
	f.Add([]byte{20, 4, 2, 0})                            // a menu that is closed, with a suggestion picked
	f.Add([]byte{105, 204, 12, 12, 12, 12})               // two votes above an editor of several lines
	f.Add([]byte{100, 255, 29, 0, 21, 0, 3, 3, 105, 100}) // what happened to a message, in fewer lines than it takes
	f.Fuzz(func(t *testing.T, script []byte) {
		if len(script) > 200 {
			t.Skip()
		}
		open := 0
		s := newStage(t, 60, 20, inside, func(cfg *Config) {
			cfg.Votes = func() (cards []Card) {
				for i := range open {
					c := Card{
						Room: "console:lobby", Where: "lobby 番茄", Name: fmt.Sprintf("Vote %d", i+1), Title: "a title of\nmany words 👩‍🌾 " + fmt.Sprint(script),
						Turnout: i, Size: 6 * i, Quorum: i / 2, Closes: start.Add(time.Duration(i) * time.Hour), Private: i%2 == 1,
					}
					for k := range i {
						c.Bars = append(c.Bars, Bar{"番茄 label", k * 3})
						c.Choices = append(c.Choices, Choice{fmt.Sprint(k + 1), "番茄 label", "!moot vote cast"})
					}
					cards = append(cards, c)
				}
				return cards
			}
		})
		for _, b := range script {
			switch {
			case int(b) < len(fuzzKeys):
				s.keys(fuzzKeys[b])
			case b >= 200:
				open = int(b-200) % 8
				s.send(botActed{})
			case b >= 100:
				size := fuzzSizes[int(b-100)%len(fuzzSizes)]
				s.send(tea.WindowSizeMsg{Width: size[0], Height: size[1]})
			default:
				s.send(tea.PasteMsg{Content: string(script)}, stepDue{s.term.Steps()}, tea.BackgroundColorMsg{})
			}
			if y := s.View().Cursor.Y; y < 0 || y >= s.height {
				t.Fatalf("the cursor is in line %d of %d", y, s.height)
			}
			s.shown()
		}
	})
}
