package apart

import (
	"testing"

	"moot/internal/say/saytest"
)

// TestWords: every language has every sentence, the code says those and no others, and fills their slots.
func TestWords(t *testing.T) {
	saytest.Check(t, catalogue, saytest.Config{Least: 5, Made: []string{"now", "times-", "arrival", "commit", "sending", "receipt", "killed"}})
}
