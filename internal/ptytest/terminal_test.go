//go:build unix

package ptytest

import (
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// A terminal shows what a program writes, brings it what is typed and how large the window is, and knows what it leaves behind.
func TestTerminal(t *testing.T) {
	tm := Start(t, exec.Command("sh", "-c", `printf 'a\033[1;31mb\033[0m\n'; read -r l; stty size; echo "heard $l"; exit 3`), 40, 10)
	tm.Shows("ab")
	tm.Resize(50, 12)
	tm.Type("日本\n")
	tm.Shows("12 50", "heard 日本")
	if code := tm.Wait(); code != 3 {
		t.Errorf("it ended with %d", code)
	}
	if all := tm.Changed(); len(all) > 0 {
		t.Errorf("changed: %q", all)
	}
	for left, want := range map[string]string{
		`stty -echo`:                       "settings of the line",
		`printf '\033[?1049h'`:             "the screen is the other one",
		`printf '\033[?25l'`:               "mode ansi.DECMode 25 is false",
		`printf '\033[?2004h'`:             "mode ansi.DECMode 2004 is true",
		`printf '\033[>1u\033[>1u\033[<u'`: "the keyboard reports more",
		`printf '\033[>4;2m'`:              "the keyboard reports modified keys otherwise",
	} {
		tm := Start(t, exec.Command("sh", "-c", left), 40, 10)
		tm.Wait()
		if all := tm.Changed(); !slices.Contains(all, want) {
			t.Errorf("%s: changed is %q, which should have %q", left, all, want)
		}
	}
}

// A program that draws for the window as it was a moment ago scrolls what the window has.
func TestDrawnForALargerWindow(t *testing.T) {
	tm := Start(t, exec.Command("sh", "-c", `printf 'gone\r\nstays\033[1;20r\033[1S\033[3Hdrawn'`), 40, 10)
	tm.Shows("stays", "drawn")
	if screen := tm.Screen(); strings.Contains(screen, "gone") {
		t.Errorf("nothing has scrolled:\n%s", screen)
	}
	tm.Wait()
}
