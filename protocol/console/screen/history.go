package screen

import (
	"os"
	"path/filepath"
	"strings"
)

// HistoryName is the name of the file that keeps what was typed, a line each; what has several lines is not kept there.
const HistoryName = "console_history"

const maxHistory = 1000

// history is what was typed, the newest last.
type history struct {
	path  string // zero keeps nothing
	lines []string
	at    int    // where a person looks at it; len(lines) means at what they are typing
	draft string // what they were typing before they looked
}

func openHistory(dir string) *history {
	h := &history{}
	if dir != "" {
		h.path = filepath.Join(dir, HistoryName)
		if data, err := os.ReadFile(h.path); err == nil {
			for line := range strings.SplitSeq(string(data), "\n") {
				if line != "" {
					h.lines = append(h.lines, line)
				}
			}
		}
	}
	h.lines = h.lines[max(0, len(h.lines)-maxHistory):]
	h.at = len(h.lines)
	return h
}

// add keeps a line that was sent. A history that cannot be written is no reason to disturb anybody.
func (h *history) add(line string) {
	if line != "" && (len(h.lines) == 0 || h.lines[len(h.lines)-1] != line) {
		h.lines = append(h.lines, line)
		h.lines = h.lines[max(0, len(h.lines)-maxHistory):]
		if h.path != "" {
			var b strings.Builder
			for _, l := range h.lines {
				if !strings.Contains(l, "\n") {
					b.WriteString(l + "\n")
				}
			}
			_ = os.WriteFile(h.path, []byte(b.String()), 0o600)
		}
	}
	h.at, h.draft = len(h.lines), ""
}

// look goes back or forth and returns the line there.
func (h *history) look(back bool, typed string) (line string, ok bool) {
	if h.at == len(h.lines) {
		h.draft = typed
	}
	switch {
	case back && h.at > 0:
		h.at--
	case !back && h.at < len(h.lines):
		h.at++
	default:
		return "", false
	}
	if h.at == len(h.lines) {
		return h.draft, true
	}
	return h.lines[h.at], true
}

// suggest returns the rest of the newest line that begins with what is typed.
func (h *history) suggest(typed string) string {
	if typed == "" || strings.Contains(typed, "\n") {
		return ""
	}
	for i := len(h.lines) - 1; i >= 0; i-- {
		if rest, ok := strings.CutPrefix(h.lines[i], typed); ok && rest != "" && !strings.Contains(rest, "\n") {
			return rest
		}
	}
	return ""
}
