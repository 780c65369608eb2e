package challenges

import (
	"testing"

	"moot/internal/say/saytest"
)

// TestWords: every language has every sentence, the code says those and no others, and fills their slots.
func TestWords(t *testing.T) {
	saytest.Check(t, catalogue, saytest.Config{Least: 8, Says: map[string]int{"sorry": 1, "until": 0}, Adds: []string{"until"}, Made: []string{"fact-", "own-", "override-"}})
}
