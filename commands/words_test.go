package commands

import (
	"testing"

	"moot/internal/say/saytest"
)

// TestSaid: the catalogue and the code go together, in every language.
func TestSaid(t *testing.T) {
	saytest.Check(t, catalogue, saytest.Config{
		Least: 40, Says: map[string]int{"mistake": 1, "add": 0, "section": 0}, Adds: []string{"section"},
		Slots: map[string]string{"typed": "Word", "flagSlot": "Flag", "labelSlot": "Param", "commandSlot": "Command", "inSlot": "In",
			"useSlot": "Use", "summarySlot": "Summary"},
		Made: []string{"which-room", "help-rooms", "help-which-room", "named-in", "hint-number", "hint-time", "number", "time"},
	})
}
