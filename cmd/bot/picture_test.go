//go:build unix

package main

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"moot/internal/ptytest"
)

// pictureSteps are what is done in the moving picture of README: keys, what must then be on the screen, and how long one looks.
var pictureSteps = []struct {
	keys  string
	shows []string
	hold  time.Duration
}{
	{"", []string{"/tour", "ann in lobby"}, 2500 * time.Millisecond},
	{"!moot vote ", []string{"challenge", "elect"}, time.Second},
	{"challenge @finn floods the lobby", []string{"› !moot vote challenge @finn floods the lobby"}, time.Second},
	{"\r", []string{"Vote 1: suspend @", "0 of 5 voted"}, 2 * time.Second},
	{"/as ben\r", []string{"ben in lobby"}, time.Second},
	{"\t", []string{"y yes · n no · a abstain · Tab next"}, time.Second},
	{"y", []string{"ben votes: yes", "1 of 5 voted", "✅"}, 1500 * time.Millisecond},
	{"\x1b", []string{"Tab votes"}, 200 * time.Millisecond},
	{"/as cleo\r\ty", []string{"cleo votes: yes", "2 of 5 voted"}, time.Second},
	{"\x1b", []string{"Tab votes"}, 200 * time.Millisecond},
	{"/as dan\r\ty", []string{"dan votes: yes", "3 of 5 voted"}, time.Second},
	{"\x1b", []string{"Tab votes"}, 200 * time.Millisecond},
	{"/as eve\r\tn", []string{"eve votes: no", "4 of 5 voted"}, time.Second},
	{"\x1b", []string{"Tab votes"}, 200 * time.Millisecond},
	{"/wait 1h\r", []string{"1 hour has passed"}, time.Second}, // the message of the vote is up to date then, whatever came first
	{"/wait 1d\r", []string{"has closed", "finn is now suspended"}, 3 * time.Second},
	{"/as finn\r!moot vote motion screws for all\r", []string{"finn in lobby", "screws for all"}, 1500 * time.Millisecond},
	{"\x1b[1;3B\x1b[1;3B\x1b[1;3B", []string{"finn ⇄ moot", "since"}, 3 * time.Second},
	{"\x1b[1;3A\x1b[1;3A\x1b[1;3A", []string{"finn in lobby"}, 500 * time.Millisecond},
	{"/inside\r", []string{"seen before?", "disposition", "the person is"}, 4 * time.Second},
}

// TestPicture: the moving picture of README is what the program shows. -update draws it anew.
func TestPicture(t *testing.T) {
	t.Parallel()
	golden, picture := filepath.Join("testdata", "picture.txt"), filepath.Join("..", "..", "docs", "console.svg")
	want, err := os.ReadFile(golden)
	if err != nil && !*update {
		t.Fatal(err)
	}
	screens := strings.Split(string(want), "\f\n")
	tm := ptytest.Start(t, ptyBot(t, "--clock", "2026-11-21T08:00:00Z"), 110, 32)
	var frames []ptytest.Frame
	var got []string
	for i, step := range pictureSteps {
		tm.Type(step.keys)
		screen := tm.Shows(step.shows...)
		if *update {
			screen = still(tm)
		} else {
			screen = tm.Until("screen "+screen, func(screen string) bool { return screen+"\n" == screens[i] })
		}
		got = append(got, screen+"\n")
		frames = append(frames, tm.Frame(step.hold))
	}
	tm.Type("/quit\r")
	leaves(t, tm, exitOK)
	drawn := ptytest.Picture("Six people decide in the console whether one of them may use the bot", frames)
	if *update {
		for file, text := range map[string]string{golden: strings.Join(got, "\f\n"), picture: drawn} {
			if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		return
	}
	have, err := os.ReadFile(picture)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(linesOf(string(have)), linesOf(drawn)); d != "" {
		t.Errorf("docs/console.svg is not what the program shows; -update draws it anew:\n%s", d)
	}
}

var markup = regexp.MustCompile(`<[^>]*>|\s`)

// linesOf returns the lines of text that a picture draws, without their looks.
func linesOf(svg string) (lines []string) {
	for l := range strings.SplitSeq(svg, "\n") {
		if text := markup.ReplaceAllString(l, ""); text != "" {
			lines = append(lines, text)
		}
	}
	slices.Sort(lines)
	return slices.Compact(lines)
}

// still waits until a screen has not changed for a while, and returns it.
func still(tm *ptytest.Terminal) string {
	for last := ""; ; time.Sleep(400 * time.Millisecond) {
		if now := tm.Screen(); now == last {
			return now
		} else {
			last = now
		}
	}
}
