package standard

import (
	"testing"

	"moot/internal/say/saytest"
)

// TestSaid: the catalogue and the code go together, in every language.
func TestSaid(t *testing.T) {
	saytest.Check(t, catalogue, saytest.Config{
		Least: 60, Says: map[string]int{"add": 0}, Slots: map[string]string{"titled": "Room", "id": "ID", "at": "Place", "roleOf": "Role", "endOf": "End"},
		Made: []string{"language-", "head-", "role-", "end-", "here-", "saw", "why-", "letter"},
	})
}
