package invites

import (
	"testing"

	"moot/internal/say/saytest"
)

// TestSaid: the catalogue and the code go together, in every language.
func TestSaid(t *testing.T) {
	saytest.Check(t, catalogue, saytest.Config{
		Least: 15, Slots: map[string]string{"placeSlot": "Room", "idSlot": "ID"}, Made: []string{"coming", "declined"},
	})
}
