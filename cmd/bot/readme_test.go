package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// conversation is a block of a page: the lines that are typed, in a comment, and what is then shown.
var conversation = regexp.MustCompile("(?s)<!-- The tests type these lines[^\n]*\n(.*?)\n-->\n```console\n(.*?)```\n")

// TestReadme: the conversations in README are what the program says.
func TestReadme(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile(filepath.Join("..", "..", "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	all := conversation.FindAllStringSubmatch(string(page), -1)
	if len(all) < 2 || len(all) != strings.Count(string(page), "```console\n") {
		t.Fatalf("found %d conversations", len(all))
	}
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range all {
		dir := t.TempDir()
		cmd := exec.Command(exe, "--data", filepath.Join(dir, "data"), "--clock", "2026-11-21T08:00:00Z")
		cmd.Args[0], cmd.Dir = "moot", dir
		cmd.Env = append(os.Environ(), "MOOT_CONFIG=", "XDG_RUNTIME_DIR="+dir)
		cmd.Stdin = strings.NewReader(c[1] + "\n")
		said, err := cmd.Output()
		if err != nil && !strings.Contains(string(said), "\n! ") { // one that is refused may belong to it
			t.Fatal(err)
		}
		if at := firstUntrue(c[2], string(said)); at != "" {
			t.Errorf("README shows\n%s\nand this is not what comes, or not there:\n%s\nThe program says:\n%s", c[2], at, said)
		}
	}
}

// firstUntrue returns the first piece between … of what a page shows that does not come, in order and in whole lines, in what is said.
func firstUntrue(shown, said string) string {
	pieces := strings.Split("\n"+shown, "\n…\n")
	said = "\n" + said
	for i, piece := range pieces {
		piece = strings.TrimSuffix(piece, "\n") + "\n"
		if !strings.HasPrefix(piece, "\n") {
			piece = "\n" + piece
		}
		if strings.TrimSpace(piece) == "" {
			continue
		}
		at := strings.Index(said, piece)
		if at < 0 || i == 0 && at > 0 || i == len(pieces)-1 && at+len(piece) < len(said) {
			return piece
		}
		said = said[at+len(piece)-1:]
	}
	return ""
}
