package screen

import (
	"fmt"
	"strings"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"

	"moot/internal/effort"
)

// newCrowd is a screen with 10,000 messages in the lobby and 200 rooms beside it.
func newCrowd(t testing.TB) *stage {
	s := newStage(t, 100, 40, twoVotes)
	for i := range 200 {
		if _, err := s.world.CreateRoom("console:eve", fmt.Sprintf("room-%d", i)); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 10_000 {
		if _, err := s.world.Say("console:lobby", "console:ann", fmt.Sprintf("message %d, which is so long that it takes two lines in a window of this size 番茄 🌻", i), ""); err != nil {
			t.Fatal(err)
		}
	}
	s.send(worldGrew{})
	return s
}

// TestCrowd: in a world of 200 rooms and 10,000 messages no key is dropped, and a frame costs a fraction of a sixtieth of a second.
func TestCrowd(t *testing.T) {
	s := newCrowd(t)
	text := strings.Repeat("words that are typed fast ", 20)
	began := time.Now()
	for _, c := range split(text) {
		s.Update(tea.KeyPressMsg{Code: []rune(c)[0], Text: c})
		s.View()
	}
	each := time.Since(began) / time.Duration(len(text))
	if got := s.editor.value(); got != text {
		t.Errorf("typed were %d characters, and %d came", len(text), len(got))
	}
	for range 3000 {
		s.Update(tea.KeyPressMsg(named["pgup"]))
	}
	if shown := s.shown(); !strings.Contains(shown, "Good morning, everybody.") {
		t.Errorf("the first message is not reached:\n%s", shown)
	}
	t.Logf("a key and its frame cost %s", each)
	if each > time.Second/60 && !effort.Quick() {
		t.Errorf("a key and its frame cost %s", each)
	}
}

func BenchmarkKey(b *testing.B) {
	s := newCrowd(b)
	for b.Loop() {
		s.Update(tea.KeyPressMsg{Code: 'x', Text: "x"})
		s.Update(tea.KeyPressMsg(named["backspace"]))
		s.View()
	}
}
