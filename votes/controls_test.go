package votes_test

import (
	"maps"
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
	if c.Param == "" && len(choose) > 0 { // what is typed into the form
		args[c.Form[0]], choose = choose[0], nil
	}
	for i, v := range choose {
		args[c.Param+[]string{"", "-2", "-3", "-4"}[i]] = v
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
	w.press("cem", m, "Say why", "I have no voice")
	w.expect("to cem: Your ballot in vote 1 is abstain, with your reason.")
	if out := w.heard(); strings.Contains(out, "@lobby: Your ballot") {
		t.Errorf("the room hears of it:\n%s", out)
	}
	w.say(lobby, "ann", "!moot vote motion --consent we dance")
	consent := w.messages[w.board(lobby)]
	w.press("ben", consent, "Object") // without a reason, as an older form
	w.expect("a no needs a reason")
	w.press("ben", consent, "Object", "my leg hurts")
	w.expect("to ben: Your ballot in vote 2 is no, with your reason.")
	w.heard()
	w.wait(49 * time.Hour)
	if out := w.heard(); !strings.Contains(out, "• Cem (abstain): «I have no voice»") || !strings.Contains(out, "• Ben (no): «my leg hurts»") {
		t.Errorf("the reasons are not said:\n%s", out)
	}
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
		c.Args = maps.Clone(c.Args)
		c.Args["of"] = "another"
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
	// What is pressed is a place, whatever the options say.
	w.say(lobby, "cem", `!moot vote poll "How many?" 2 3 1`)
	number := w.messages[w.board(lobby)]
	w.say(lobby, "cem", `!moot vote poll --multiple "Which?" 1 12 2`)
	numbers := w.messages[w.board(lobby)]
	w.press("ben", number, "Choose one", "2")
	w.press("ben", numbers, "Choose one or more", "1", "2")
	w.counts(3, 0, 1, 0)
	w.counts(4, 1, 1, 0)
	// A reaction is no ballot where ballots can be pressed.
	w.heard()
	w.react(lobby, "dan", "1️⃣")
	w.expect("to dan: In «lobby»: a reaction is no ballot, so yours was not counted.")
	w.counts(4, 1, 1, 0)
}

// TestSecretButtons: a press is seen by nobody else, so it is a way to vote in secret.
func TestSecretButtons(t *testing.T) {
	w := pressTown(t)
	w.say(lobby, "ann", "!moot vote motion --secret we sing")
	m := w.messages[w.board(lobby)]
	w.heard()
	press := func(path ...string) (quiet bool) {
		w.view(func(tx *store.Tx) {
			quiet = w.votes.Quiet(tx, protocol.Event{Room: lobby, Sender: person("ben"), Body: protocol.Invocation{Path: path}})
		})
		return quiet
	}
	if !press("vote", "cast") || !press("vote", "withdraw") || press("vote", "list") {
		t.Error("what leaves no trace of its moment is not what casts a secret ballot")
	}
	w.press("ben", m, "Yes")
	w.expect("to ben: Your ballot in vote 1 is yes")
	w.wait(time.Minute)
	if out := w.heard(); strings.Contains(out, " voted: ") || !strings.Contains(out, "1 of 5 voted.") {
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
	w.counts(1, 1, 1, 0) // nobody knows who took that of Ann away
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

// TestRankingMenu: each press of the menu of an election ranks one option more, behind those that the ballot has.
func TestRankingMenu(t *testing.T) {
	w := pressTown(t)
	for _, flags := range []string{"", "--secret "} {
		w.say(lobby, "ann", `!moot vote elect `+flags+`"Who?" Anna Bob Cleo`)
		m := w.messages[w.board(lobby)]
		w.heard()
		w.press("ben", m, "Rank the next one", "2")
		w.expect("is first «Bob». Not ranked, and so behind these: «Anna» and «Cleo».")
		w.press("ben", m, "Rank the next one", "1")
		w.expect("is first «Bob», then «Anna». Not ranked, and so behind these: «Cleo».")
		w.press("ben", m, "Rank the next one", "2")
		w.expect("«Bob» is in your ballot already: first «Bob», then «Anna». To begin anew, withdraw it")
		w.press("ben", m, "Rank the next one", "4")
		w.expect("is no choice in vote")
		w.press("ben", m, "Withdraw")
		w.heard()
		w.press("ben", m, "Rank the next one", "3")
		w.expect("is first «Cleo». Not ranked")
		w.press("cem", m, "Rank the next one", "3")
		w.press("dan", m, "Rank the next one", "1")
		w.heard()
	}
	w.wait(49 * time.Hour)
	w.expect("Vote 1: election «Who?» has closed.\nElected: «Cleo». 3 of 5 who could vote did")
}
