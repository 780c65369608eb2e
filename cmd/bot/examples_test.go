package main

import (
	"io"
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
	"webhook":  {[]string{"announce"}, `There is no answer`},
	"disk":     {[]string{"disk"}, `There is no answer|The disk of / is \d+ % full\.`},
	"reminder": {[]string{"reminder", "Tea", "is", "ready."}, `(?s)The answer is\n  [A-Z][a-z]+day\. Tea is ready\.`},
}

// Each example is whole: its lines are a configuration, its program runs, and its answer is what the page says.
func TestExamplesOfServices(t *testing.T) {
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
			var out strings.Builder
			args := append([]string{"--config", file, "--data", t.TempDir(), "service", "test"}, call.args...)
			if code := run(t.Context(), nil, args, strings.NewReader(""), &out, io.Discard); code != exitOK || !regexp.MustCompile(call.want).MatchString(out.String()) {
				t.Errorf("it ended with %d and wrote\n%s", code, out.String())
			}
		})
	}
}
