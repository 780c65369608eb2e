//go:build !goolm

package e2e

import (
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// tagged are the packages of which tests need the tag; those of all others run without it already.
var tagged = []string{".", "./client", "./witness", "./pictures"}

// TestMain runs the tests that need the tag with it, and with the flags that were given: so that `go test ./...` is the whole
// command.
func TestMain(*testing.M) {
	args := []string{"test", "-tags", "goolm"}
	for _, arg := range os.Args[1:] {
		name, value, ok := strings.Cut(strings.TrimPrefix(arg, "-test."), "=")
		switch {
		case !strings.HasPrefix(arg, "-test.") || !ok:
			continue
		case slices.Contains([]string{"run", "skip", "v", "count", "timeout", "short", "failfast", "parallel", "bench", "benchtime"}, name):
			args = append(args, "-"+name+"="+value)
		}
	}
	cmd := exec.Command("go", append(args, tagged...)...)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	err := cmd.Run()
	uncached()
	if err != nil {
		os.Exit(1)
	}
}
