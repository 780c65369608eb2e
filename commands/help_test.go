package commands_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"moot/commands"
	"moot/protocol"
)

// TestHelpIsForWhomItIs: a group shows somebody the commands that are for them, in the overview and by itself, and what is too much
// is said with the number that there can be.
func TestHelpIsForWhomItIs(t *testing.T) {
	const lobby = protocol.RoomID("console:lobby")
	run := func(c *commands.Call) error { return c.Answerf("done") }
	w := newWorld(t,
		&commands.Command{Name: "garden", Summary: "is about the garden", Sub: []*commands.Command{
			{Name: "show", Summary: "shows it", Where: commands.NeedsRoom, Run: run},
			{Name: "dig", Summary: "digs it up", Where: commands.NeedsRoom, Who: commands.Moderator, Run: run},
		}},
		&commands.Command{Name: "plant", Summary: "plants", Ageless: true, Params: []commands.Param{
			{Name: "row", Kind: commands.Word, Summary: "where"}, {Name: "seed", Kind: commands.Word, Summary: "what", Repeat: 3},
		}, Run: run},
		&commands.Command{Name: "choose", Summary: "chooses", Params: []commands.Param{
			{Name: "words", Kind: commands.Word, Summary: "what", Repeat: 11, Joined: true},
		}, Run: run},
	)
	w.room(lobby, "lobby", "*ann", "ben")
	for who, more := range map[protocol.UserID]bool{"console:ann": true, "console:ben": false} {
		for _, line := range []string{"!moot help", "!moot help garden"} {
			got := w.say(who, lobby, line).text()
			if !strings.Contains(got, "show") || strings.Contains(got, "dig") != more {
				t.Errorf("%s is told of %q:\n%s", who, line, got)
			}
		}
	}
	for line, want := range map[string]string{
		"!moot plant here a b c d": "There can be at most 3 of SEED; «d» is one too many.",
		"!moot help plant":         "unless what it is about has ended",
		"!moot help garden dig":    "It is for moderators.",
	} {
		w.pass(time.Minute)
		if got := w.say("console:ben", lobby, line).text(); !strings.Contains(got, want) {
			t.Errorf("%s: %s", line, got)
		}
	}
	if got := w.say("console:ben", lobby, "!moot help choose").text(); strings.Contains(got, "up to") {
		t.Errorf("words that are read together are no list: %s", got)
	}
}

// TestHelpBeginsWithWhatPeopleWant: an example of each of these stands first, of those that are for the person, and a group of many
// commands takes few words.
func TestHelpBeginsWithWhatPeopleWant(t *testing.T) {
	const lobby = protocol.RoomID("console:lobby")
	run := func(c *commands.Call) error { return c.Answerf("done") }
	garden := &commands.Command{Name: "garden", Summary: "is about the garden"}
	for _, name := range []string{"plant", "water", "dig", "mow", "rake", "rest"} {
		garden.Sub = append(garden.Sub, &commands.Command{Name: name, Summary: name + "s it", Where: commands.NeedsRoom, Run: run})
	}
	garden.Sub[0].Examples = []string{"garden plant beans", "garden plant peas"}
	garden.Sub[2].Who = commands.Moderator
	w := newWorldWith(t, commands.Config{First: []string{"garden plant", "garden dig", "garden mow"}}, garden)
	w.room(lobby, "lobby", "*ann", "ben")
	got := w.say("console:ben", lobby, "!moot help").text()
	want := "For example:\n• !moot garden plant beans — plants it\n• !moot garden mow — mows it\nWhat you can ask of me:\n"
	if !strings.HasPrefix(got, want) || !strings.Contains(got, "\n• !moot garden … — is about the garden\n") {
		t.Errorf("the help is:\n%s", got)
	}
	for _, title := range []string{"garden", "garden sow", ""} {
		if _, err := commands.New(commands.Config{Prefixes: []string{"!"}, First: []string{title}}, garden); !errors.Is(err, commands.ErrConfig) {
			t.Errorf("help begins with %q: %v", title, err)
		}
	}
}
