package discord

import (
	"encoding/json"
	"testing"
)

// TestWhatIsForOperatorsIsShownToAdministratorsAlone: Discord's documentation wants the bits of
// permissions as a string, and takes "0" for those whom no permission has to be given. All else is
// shown to everybody.
func TestWhatIsForOperatorsIsShownToAdministratorsAlone(t *testing.T) {
	var got []map[string]any
	if err := json.Unmarshal(Register([]Command{
		{Path: []string{"override"}, Summary: "Decides alone.", Operators: true, InGuilds: true, OnPerson: "Override"},
		{Path: []string{"ping"}, Summary: "Answers.", InGuilds: true, OnPerson: "Ping"},
	}).Commands, &got); err != nil {
		t.Fatal(err)
	}
	for _, c := range got {
		bits, there := c["default_member_permissions"]
		want := map[any]any{"override": "0", "Override": "0"}[c["name"]]
		if !there || bits != want {
			t.Errorf("%s: %#v", c["name"], bits)
		}
	}
	if len(got) != 4 {
		t.Errorf("%d commands are registered", len(got))
	}
}
