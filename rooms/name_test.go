package rooms

import "testing"

func TestReadsOn(t *testing.T) {
	for name, want := range map[string]bool{
		"Ann": false, "Ann Lee": false, "ann.lee": false, "@ann:example.org": false, "Anne-Marie": false, "O'Neil": false, "Ann 🦊": false, "安": false,
		"Ann has been restored": true, "Nobody.": true, "Ann. Passed": true, "Ann: yes": true, "«Ann": true, "Ann, Ben": true, "Ann!": true,
	} {
		if got := readsOn(name); got != want {
			t.Errorf("%q: %v", name, got)
		}
	}
}

func TestWordsOfRooms(t *testing.T) {
	for title, want := range map[string]string{
		"lobby": "lobby", "The lobby": `"The lobby"`, "#lobby:example.org": "#lobby:example.org", "Café 2.0": `"Café 2.0"`,
		"«lobby": "console:r", `a"b`: "console:r", "-x": "console:r", "--in": "console:r", `a\b`: "console:r", "“x”": "console:r", "'x'": "console:r",
		"ㅤ": "console:r", "lobbyㅤ": "lobbyㅤ", // a letter that shows nothing
	} {
		if got := (Info{ID: "console:r", Name: title}).Word(); got != want {
			t.Errorf("%q is typed as %s", title, got)
		}
	}
}
