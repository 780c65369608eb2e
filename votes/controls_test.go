package votes_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"moot/commands"
	"moot/protocol"
	"moot/store"
)

// pressTown is a town whose network shows controls.
func pressTown(t *testing.T) *town {
	w := newTown(t, func(w *town) { w.buttons = []protocol.Network{protocol.Console} })
	w.mods[person("mia")] = true
	w.settle(lobby, "ann", "ben", "cem", "dan", "mia")
	return w
}

// press presses a control of a message by its label; a menu with what is chosen in it.
func (w *town) press(who string, m *message, label string, choose ...string) {
	w.t.Helper()
	i := slices.IndexFunc(m.controls, func(c protocol.Control) bool { return c.Label == label })
	if i < 0 {
		w.t.Fatalf("there is no %q among %+v", label, m.controls)
	}
	w.pressed(who, m.controls[i], choose...)
}

func (w *town) pressed(who string, c protocol.Control, choose ...string) {
	w.t.Helper()
	if err := c.Check(); err != nil {
		w.t.Fatal(err)
	}
	args := map[string]string{}
	for k, v := range c.Args {
		args[k] = v
	}
	for i, v := range choose {
		slot := c.Param + []string{"-2", "-3", "-4", "-5"}[i] // the first is the number of the vote
		args[slot] = v
	}
	w.admit(protocol.Event{Room: lobby, Sender: person(who), Handle: "token", Body: protocol.Invocation{Path: c.Path, Args: args}})
}

func TestButtons(t *testing.T) {
	w := pressTown(t)
	w.say(lobby, "ann", "!moot vote motion we sing")
	m := w.messages[w.board(lobby)]
	w.heard()
	w.press("ann", m, "Yes")
	w.expect("to ann: Your ballot in vote 1 is yes")
	w.press("ben", m, "No")
	w.press("cem", m, "Abstain")
	w.press("ann", m, "No")
	w.counts(1, 0, 2, 1)
	w.press("ben", m, "Withdraw")
	w.expect("to ben: Your ballot in vote 1 is withdrawn.")
	w.counts(1, 0, 1, 1)
	if out := w.heard(); strings.Contains(out, "@lobby: Your ballot") {
		t.Errorf("the room hears of it:\n%s", out)
	}
	w.wait(49 * time.Hour)
	if len(m.controls) > 0 {
		t.Errorf("a vote that has closed still has %+v", m.controls)
	}
}

func TestOldButtons(t *testing.T) {
	w := pressTown(t)
	w.say(lobby, "ann", "!moot vote motion we sing")
	old := slices.Clone(w.messages[w.board(lobby)].controls)
	w.heard()
	for _, c := range old {
		c.Args = map[string]string{"of": "another"}
		for k, v := range old[0].Args {
			if k != "of" {
				c.Args[k] = v
			}
		}
		if c.Label == "Withdraw" {
			c.Args = map[string]string{"of": "another", "vote": "1"}
		}
		w.pressed("cem", c)
		w.expect("What you pressed belongs to a vote that I do not know any more. Its number, 1, is now that of another one")
	}
	w.counts(1, 0, 0, 0)
	w.say(lobby, "ann", "!moot vote cancel 1")
	w.heard()
	w.pressed("cem", old[0])
	w.expect("to cem: Vote 1 has closed.")
	w.say(lobby, "mia", "!moot vote motion --secret we dance")
	w.heard()
	w.pressed("cem", old[0]) // still that of vote 1
	w.expect("to cem: Vote 1 has closed.")
}

func TestMenus(t *testing.T) {
	w := pressTown(t)
	w.say(lobby, "ann", `!moot vote poll "Which?" one two three`)
	one := w.messages[w.board(lobby)]
	w.say(lobby, "ann", `!moot vote poll --multiple "Which fruit?" apple pear plum`)
	many := w.messages[w.board(lobby)]
	w.press("ben", one, "Choose one", "2")
	w.press("ben", many, "Choose one or more", "1", "3")
	w.press("cem", many, "Choose one or more", "3")
	w.counts(1, 0, 1, 0)
	w.counts(2, 1, 0, 2)
	w.press("cem", many, "Withdraw")
	w.counts(2, 1, 0, 1)
}

// TestSecretButtons: a press is seen by nobody else, so it is a way to vote in secret.
func TestSecretButtons(t *testing.T) {
	w := pressTown(t)
	w.say(lobby, "ann", "!moot vote motion --secret we sing")
	m := w.messages[w.board(lobby)]
	w.heard()
	w.press("ben", m, "Yes")
	w.expect("to ben: Your ballot in vote 1 is yes")
	w.wait(time.Minute)
	w.counts(1, 1, 0, 0)
	if out := w.heard(); strings.Contains(out, "So far") || !strings.Contains(out, "Turnout: 1 of 5") {
		t.Errorf("it shows:\n%s", out)
	}
}

// TestReactionsThatWereMissed are asked for when the network says that it has not told of everything.
func TestReactionsThatWereMissed(t *testing.T) {
	w := opened(t)
	gone := w.react(lobby, "ann", "👍")
	w.unreact(lobby, "ann", gone, true)
	m := w.messages[w.board(lobby)]
	m.reactions = append(m.reactions, protocol.Reaction{User: person("cem"), Reaction: "👎", Event: "$missed"})
	w.admit(protocol.Event{Room: lobby, Body: protocol.Gap{Until: w.now}})
	w.counts(1, 0, 1, 0)
}

// TestABallotInOneField: where a command has fields, the number of the vote and the choice may stand in one, and it is
// completed from what is open.
func TestABallotInOneField(t *testing.T) {
	w := pressTown(t)
	field := func(who, ballot string) {
		w.pressed(who, protocol.Control{Label: "field", Path: []string{"vote", "cast"}, Args: map[string]string{"ballot": ballot}})
	}
	completed := func(typed string) string {
		var got []string
		w.view(func(tx *store.Tx) {
			where := commands.CompletionContext{Person: person("ann"), Room: lobby}
			got = w.commands.CompleteValue(tx, where, []string{"vote", "cast"}, "ballot", typed, nil)
		})
		return strings.Join(got, "|")
	}
	if got := completed(""); got != "" {
		t.Errorf("with no vote open it is %q", got)
	}
	w.say(lobby, "ann", "!moot vote motion we sing")
	if got := completed(""); got != "yes|no|abstain" {
		t.Errorf("with one vote open it is %q", got)
	}
	w.say(lobby, "ben", `!moot vote poll "Which day?" Monday "any other day"`)
	if got := completed(""); got != "1 yes|1 no|1 abstain|2 Monday|2 any other day" {
		t.Errorf("with two votes open it is %q", got)
	}
	if got := completed("2 a"); got != "2 any other day" {
		t.Errorf("behind a number it is %q", got)
	}
	w.heard()
	field("ann", "1 yes")
	w.expect("to ann: Your ballot in vote 1 is yes")
	field("cem", "2 any other day")
	w.expect("to cem: Your ballot in vote 2 is «any other day»")
	field("dan", "2 1")
	w.expect("to dan: Your ballot in vote 2 is «Monday»")
	field("dan", "9 yes")
	w.expect("to dan: There is no vote «9»")
	// What is typed is completed word by word.
	w.view(func(tx *store.Tx) {
		where := commands.CompletionContext{Person: person("ann"), Room: lobby}
		if got := w.commands.Complete(tx, where, "!moot vote cast "); strings.Join(got, "|") != "1|2" {
			t.Errorf("the first word is %q", got)
		}
		if got := w.commands.Complete(tx, where, "!moot vote cast 2 "); strings.Join(got, "|") != `Monday|"any other day"` {
			t.Errorf("the second word is %q", got)
		}
	})
}
