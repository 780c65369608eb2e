package standard

import (
	"testing"

	"moot/internal/say/saytest"
)

// TestSaid: the catalogue and the code go together, in every language.
func TestSaid(t *testing.T) {
	saytest.Check(t, catalogue, saytest.Config{Least: 3, Made: []string{"language-"}})
}
