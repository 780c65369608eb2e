package main

import (
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// exampleCalls are how each of the examples is tried, and what it then answers.
var exampleCalls = map[string]struct {
	args []string
	want string
}{
	"dice":     {[]string{"dice", "roll", "3d6"}, `(?s)The answer is\n  ann rolls 3d6: \d+ \(\d \+ \d \+ \d\)`},
	"feed":     {[]string{"feed"}, `(?s)The answer is\n  Something new`},
	"filter":   {[]string{"filter", "Oh,", "Heck!"}, `(?s)The answer is\n  ann, we do without that word here\.`},
	"webhook":  {[]string{"announce"}, `There is no answer`},
	"disk":     {[]string{"disk"}, `There is no answer|The disk of / is \d+ % full\.`},
	"reminder": {[]string{"reminder"}, `(?s)The answer is\n  [A-Z][a-z]+day\. The stand-up begins in fifteen minutes\.`},
}

// Each example is whole: its lines are a configuration, its program runs, and its answer is what the page says.
func TestExamplesOfServices(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("python3"); err != nil {
		t.Skip("they are written in Python, and there is none")
	}
	folders, err := filepath.Glob("../../examples/services/*/config.toml")
	if err != nil || len(folders) != len(exampleCalls) {
		t.Fatalf("there are %d examples, and %d are tried; %v", len(folders), len(exampleCalls), err)
	}
	for _, file := range folders {
		name := filepath.Base(filepath.Dir(file))
		t.Run(name, func(t *testing.T) {
			call := exampleCalls[name]
			if name == "filter" {
				file = builtFilter(t, filepath.Dir(file))
			}
			var out strings.Builder
			args := append([]string{"--config", file, "--data", t.TempDir(), "service", "test"}, call.args...)
			if code := run(t.Context(), nil, args, strings.NewReader(""), &out, io.Discard); code != exitOK || !regexp.MustCompile(call.want).MatchString(out.String()) {
				t.Errorf("it ended with %d and wrote\n%s", code, out.String())
			}
		})
	}
}

// builtFilter builds the module of the filter, as its lines say, in a folder of its own, and returns its configuration there.
func builtFilter(t *testing.T, folder string) string {
	t.Helper()
	dir := t.TempDir()
	build := exec.Command("go", "build", "-o", filepath.Join(dir, "filter.wasm"), "filter.go")
	build.Dir, build.Env = folder, append(os.Environ(), "GOOS=wasip1", "GOARCH=wasm")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	lines, err := os.ReadFile(filepath.Join(folder, "config.toml"))
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "config.toml")
	if err := os.WriteFile(file, lines, 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}
