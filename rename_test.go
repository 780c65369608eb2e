package moot

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"moot/internal/effort"
)

// TestRenameModule: the command of CONTRIBUTING gives the module another path, and what comes of it hangs together.
func TestRenameModule(t *testing.T) {
	effort.Slow(t)
	known, err := exec.Command("git", "ls-files", "-z").Output()
	if err != nil {
		t.Skip("this is no clone")
	}
	dir := t.TempDir()
	for name := range strings.SplitSeq(strings.TrimSuffix(string(known), "\x00"), "\x00") {
		if err := copyFile(name, filepath.Join(dir, name)); err != nil && !os.IsNotExist(err) { // which was removed since
			t.Fatal(err)
		}
	}
	in := func(args ...string) string {
		t.Helper()
		cmd := exec.Command(args[0], args[1:]...)
		cmd.Dir = dir
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%s: %v\n%s", strings.Join(args, " "), err, out)
		}
		return string(out)
	}
	in("git", "init", "-q")
	in("git", "add", "-A")
	in(filepath.Join(dir, ".ci", "rename-module"), "example.org/some-body/moot")
	left := exec.Command("git", "grep", "-lE", `^\s*"moot(/|"$)`, "--", "*.go")
	left.Dir = dir
	if out, _ := left.Output(); len(out) > 0 { // it fails where it finds none
		t.Errorf("imports of the old path are left in\n%s", out)
	}
	if got := in("go", "list", "./cmd/bot"); got != "example.org/some-body/moot/cmd/bot\n" {
		t.Errorf("the package is now %s", got)
	}
	in("go", "list", "-deps", "./...") // which finds every import
	in("go", "build", "./commands", "./internal/config")
	in("go", "test", "-run", "Imports", ".")
}

func copyFile(from, to string) error {
	data, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	info, err := os.Stat(from)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return err
	}
	return os.WriteFile(to, data, info.Mode())
}
