package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"moot/internal/effort"
	"moot/internal/failpoint"
	"moot/protocol"
	"moot/store"
)

// TestCrashInCompaction: a compaction that dies leaves the old file or the new one, whole, and the next one clears up.
func TestCrashInCompaction(t *testing.T) {
	effort.Proof(t)
	t.Parallel()
	bin := failpointBot(t)
	for _, p := range []failpoint.Point{failpoint.CompactBefore, failpoint.CompactAfter} {
		t.Run(string(p), func(t *testing.T) {
			dir := agedFolder(t, protocol.Console)
			compact := func(env ...string) string {
				cmd := exec.Command(bin, "compact", "--data", dir)
				cmd.Env = append(os.Environ(), env...)
				out, err := cmd.CombinedOutput()
				if (err != nil) != (len(env) > 0) {
					t.Fatalf("it ended with %v and said %s", err, out)
				}
				return string(out)
			}
			compact()
			want := stateOf(t, dir, nil)
			compact("MOOT_FAILPOINT=" + string(p) + ":1")
			if got := stateOf(t, dir, nil); got != want {
				t.Errorf("the death changed something:\n%s", firstDifference(got, want))
			}
			struck(t, p)
			if said := compact(); !strings.Contains(said, "KiB now.") {
				t.Errorf("it said %q", said)
			}
			if got := stateOf(t, dir, nil); got != want {
				t.Errorf("the next one changed something:\n%s", firstDifference(got, want))
			}
			if left, _ := filepath.Glob(filepath.Join(dir, "*.compact")); len(left) > 0 {
				t.Errorf("left are %q", left)
			}
			s, err := store.Open(store.Config{Path: filepath.Join(dir, "moot.db"), ReadOnly: true})
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			if err := s.Check(); err != nil {
				t.Error(err)
			}
		})
	}
}
