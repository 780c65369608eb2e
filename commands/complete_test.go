package commands_test

import (
	"slices"
	"strings"
	"testing"

	"moot/commands"
	"moot/protocol"
	"moot/store"
)

func TestCompletion(t *testing.T) {
	w := newWorld(t)
	w.meet(ann, cleo)
	w.room("console:lobby", "lobby", "ann", "ben", "dan")
	w.room("console:garden", "The Garden", "ann", "dan")
	w.room("console:vault", "Vault", "dan")
	w.join("console:lobby", "console:lee", "Ann Lee")
	w.join("console:lobby", "console:dan2", "dan")
	lobby, private := protocol.RoomID("console:lobby"), dm(ann)
	for _, test := range []struct {
		where protocol.RoomID
		line  string
		want  string
	}{
		{lobby, "!m", "!moot"}, {lobby, "!", "!moot|!m"},
		{lobby, "!moo", "!moot"},
		{lobby, "!moot", ""},
		{lobby, "hello", ""},
		{lobby, "", ""},
		{lobby, "!moot ", standardWords(t)},
		{lobby, "!moot roo", "room|rooms"},
		{lobby, "!MOOT ROO", "room|rooms"},
		{lobby, "!moot forget ", "me"},
		{lobby, "!moot nothing ", ""},
		{lobby, "!moot members --", "--page|--help"},
		{private, "members --", "--page|--in|--help"},
		{private, "members --page 1 --", "--in|--help"},
		{private, "roo", "room|rooms"},
		{private, "!moot roo", "room|rooms"},
		{private, "use ", `lobby|"The Garden"|-`},
		{private, "use l", "lobby"},
		{private, `use "The G`, `"The Garden"`},
		{private, "use v", ""},
		{private, "room --in v", ""},
		{private, "room --in console:v", ""},
		{private, "room --in=the", `--in="The Garden"`},
		{private, "room --in the", `"The Garden"`},
		{lobby, "!moot events --person a", `ann|"Ann Lee"`},
		{lobby, "!moot events --person @be", "ben"},
		{lobby, "!moot events --person d", "console:dan|console:dan2"},
		{private, "events --person b", ""},
		{private, "events --in lobby --person b", "ben"},
		{private, "events --in garden --person b", ""},
		{lobby, "!moot help ", standardWords(t)},
		{lobby, "!moot help forget ", "me"},
		{lobby, "!moot ping ", ""},
		{lobby, "!moot members --nothing=", ""},
		{lobby, "!moot members --nothing ", ""},
		{lobby, "!moot " + strings.Repeat("x", 5000), ""},
	} {
		if got := strings.Join(w.complete(ann, test.where, test.line), "|"); got != test.want {
			t.Errorf("%.40q in %s goes on with %q, not %q", test.line, test.where, got, test.want)
		}
	}
	if got := w.complete(cleo, lobby, "!moot events --person "); len(got) > 0 {
		t.Errorf("who is not in the room is shown %q", got)
	}
	w.view(func(tx *store.Tx) {
		where := commands.CompletionContext{Person: ann, Room: private, Private: true}
		for param, want := range map[string]string{"room": "The Garden", "nothing": "", "in": "The Garden"} {
			if got := w.commands.CompleteValue(tx, where, []string{"use"}, param, "the", nil); strings.Join(got, "|") != want {
				t.Errorf("%s goes on with %q", param, got)
			}
		}
		got := w.commands.CompleteValue(tx, where, []string{"events"}, "person", "b", map[string]string{"in": "lobby"})
		if !slices.Equal(got, []string{"ben"}) {
			t.Errorf("people of the room that is named: %q", got)
		}
		if got := w.commands.CompleteValue(tx, where, []string{"help"}, "command", "forget m", nil); !slices.Equal(got, []string{"forget me"}) {
			t.Errorf("the words of a command in one field: %q", got)
		}
	})
}

// TestCompletionAsksForTheRole: what a command may be given tells those alone something who may give it.
func TestCompletionAsksForTheRole(t *testing.T) {
	w := newWorld(t, &commands.Command{
		Name: "invited", Summary: "tells of invitations", Who: commands.Operator,
		Params: []commands.Param{{Name: "room", Kind: commands.Choice, Choices: []string{"matrix:!yard:here.org"}, Summary: "which"}},
		Run:    func(*commands.Call) error { return nil },
	})
	w.meet(ann)
	w.room("console:lobby", "lobby", "ann", "olga")
	if got := w.complete(ann, "console:lobby", "!moot invited "); len(got) > 0 {
		t.Errorf("a member is told %q", got)
	}
	if got := w.complete("console:olga", "console:lobby", "!moot invited "); len(got) != 1 {
		t.Errorf("an operator is told %q", got)
	}
}
