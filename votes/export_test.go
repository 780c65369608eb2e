package votes_test

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// TestExportedFilesArePaged: no file is longer than one commit can make, every vote is in one, and in one alone.
func TestExportedFilesArePaged(t *testing.T) {
	w := newTown(t)
	w.settle(lobby, "ann", "ben", "cem")
	const votes = 250
	for range votes {
		w.say(lobby, "ann", "!moot vote motion --for 1h "+strings.Repeat("ü", 900))
		w.heard()
		w.wait(2 * time.Hour)
	}
	w.heard()
	w.tell("ben", "vote export --json --in lobby")
	first := w.heard()
	w.tell("ben", "vote export --json --page 2 --in lobby")
	second := w.heard()
	if !strings.Contains(first, "There is more: vote export --json --page 2 --in lobby.") || strings.Contains(second, "There is more") {
		t.Errorf("the first begins with %.200q\nand the second with %.200q", first, second)
	}
	for n := 1; n <= votes; n++ {
		line := fmt.Sprintf(`{"vote":%d,`, n)
		if strings.Count(first, line)+strings.Count(second, line) != 1 {
			t.Errorf("vote %d stands %d times", n, strings.Count(first, line)+strings.Count(second, line))
		}
	}
}

// TestAnExportWhereNoFilesAreTaken: the person is told so in a sentence, and the way that remains works.
func TestAnExportWhereNoFilesAreTaken(t *testing.T) {
	w := newTown(t)
	w.settle(lobby, "ann", "ben", "cem")
	w.say(lobby, "ann", "!moot vote motion we sing")
	w.heard()
	w.noFiles = true
	for line, text := range map[string]string{
		"vote export":          "vote export --csv --text",
		"vote export 1 --json": "vote export 1 --json --text",
	} {
		w.say(lobby, "ben", "!moot "+line)
		if got := w.heard(); got != "to ben: In «lobby»: The file could not be sent to you here. This gives you the same in words: !moot "+text+"." {
			t.Errorf("%s: %s", line, got)
		}
		w.tell("ben", text+" --in lobby")
		w.expect("we sing")
	}
}
