package failpoint_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"moot/internal/failpoint"
)

// All has every place that is named, and each once: the proof goes through All.
func TestAll(t *testing.T) {
	file, err := parser.ParseFile(token.NewFileSet(), "point.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var named []string
	ast.Inspect(file, func(n ast.Node) bool {
		if c, ok := n.(*ast.ValueSpec); ok {
			for _, v := range c.Values {
				named = append(named, strings.Trim(v.(*ast.BasicLit).Value, `"`))
			}
		}
		return true
	})
	var all []string
	for _, p := range failpoint.All() {
		all = append(all, string(p))
	}
	slices.Sort(named)
	slices.Sort(all)
	if !slices.Equal(named, all) || len(slices.Compact(slices.Clone(all))) != len(all) {
		t.Errorf("named are\n%q, all are\n%q", named, all)
	}
}

// The program below with the tag dies at the hit it was told, and says which it came by.
func TestHit(t *testing.T) {
	dir := t.TempDir()
	bin := filepath.Join(dir, "prog")
	if out, err := exec.Command("go", "build", "-tags", "failpoints", "-o", bin, "./testdata/prog").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, c := range []struct {
		spec, printed, logged string
		killed                bool
	}{
		{"", "1\n2\n3\n", "commit-before\ncommit-after\ncommit-before\n", false},
		{"commit-before:1", "", "commit-before\n", true},
		{"commit-after:1", "1\n", "commit-before\ncommit-after\n", true},
		{"commit-before:2", "1\n2\n", "commit-before\ncommit-after\ncommit-before\n", true},
		{"commit-before:3", "1\n2\n3\n", "commit-before\ncommit-after\ncommit-before\n", false},
	} {
		log := filepath.Join(t.TempDir(), "log")
		cmd := exec.Command(bin)
		cmd.Env = append(os.Environ(), "MOOT_FAILPOINT="+c.spec, "MOOT_FAILPOINT_LOG="+log)
		out, _ := cmd.Output()
		if killed := cmd.ProcessState.Sys().(syscall.WaitStatus).Signal() == syscall.SIGKILL; killed != c.killed {
			t.Errorf("%q: killed: %v", c.spec, killed)
		}
		if string(out) != c.printed {
			t.Errorf("%q: it printed %q", c.spec, out)
		}
		if logged, err := os.ReadFile(log); string(logged) != c.logged {
			t.Errorf("%q: it logged %q (%v)", c.spec, logged, err)
		}
	}
	for _, bad := range []string{"commit-before", "commit-before:0", "commit-before:x", "nowhere:1"} {
		cmd := exec.Command(bin)
		cmd.Env = append(os.Environ(), "MOOT_FAILPOINT="+bad)
		if out, err := cmd.Output(); err == nil || len(out) > 0 {
			t.Errorf("%q was taken: %s", bad, out)
		}
	}
}
