package fit_test

import (
	"os"
	"path/filepath"
	"testing"

	"moot/internal/fit"
)

func TestWords(t *testing.T) {
	for _, c := range []struct {
		text          string
		width, indent int
		want          string
	}{
		{"nothing is broken here", 0, 4, "nothing is broken here"},
		{"it fits", 7, 4, "it fits"},
		{"one two three", 8, 4, "one two\n  three"}, // a narrow one
		{"write it with the name, a colon and the server, such as @moot:example.org, and then the name once more.", 80, 4,
			"write it with the name, a colon and the server, such as @moot:example.org, and\n    then the name once more."},
		{"one\ntwo three", 5, 0, "one\ntwo\nthree"},
		{"see https://example.org/a-long-link and --api-url", 12, 0, "see\nhttps://example.org/a-long-link\nand\n--api-url"},
		{"日本語 日本語 日本語", 14, 0, "日本語 日本語\n日本語"},
		{"→ \x1b[31mred words\x1b[0m go on", 12, 2, "→ \x1b[31mred words\x1b[0m\n  go on"},
	} {
		if got := fit.Words(c.text, c.width, c.indent); got != c.want {
			t.Errorf("%q in %d is\n%q, want\n%q", c.text, c.width, got, c.want)
		}
	}
}

// TestWidth: a file is no terminal.
func TestWidth(t *testing.T) {
	f, err := os.Create(filepath.Join(t.TempDir(), "out"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if got := fit.Width(f); got != 0 {
		t.Errorf("a file is %d wide", got)
	}
}
