package console

import (
	"testing"

	"moot/internal/say/saytest"
)

// TestWords: every language has every sentence, the code says those and no others, and fills their slots.
func TestWords(t *testing.T) {
	saytest.Check(t, catalogue, saytest.Config{
		Least: 80, Says: map[string]int{"refuse": 1, "sorry": 2, "tell": 0},
		Made: []string{"weekday-", "month-", "do-", "param-"},
	})
}
