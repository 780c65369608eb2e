package commands_test

import (
	"testing"
	"time"

	"moot/commands"
	"moot/protocol"
	"moot/store"
)

// TestNativeLines: what is shown can be pasted where each parameter has a field of its own.
func TestNativeLines(t *testing.T) {
	w := newWorld(t, &commands.Command{
		Name: "poll", Summary: "asks", Run: func(*commands.Call) error { return nil }, Where: commands.NeedsRoom,
		Params: []commands.Param{
			{Name: "secret", Kind: commands.Switch, Summary: "hides it"},
			{Name: "for", Kind: commands.Duration, Flag: true, Summary: "how long"},
			{Name: "of", Kind: commands.Word, Flag: true, Hidden: true, Summary: "for controls"},
			{Name: "question", Kind: commands.Word, Summary: "what is asked"},
			{Name: "option", Kind: commands.Word, Repeat: 5, Summary: "an option"},
		},
	})
	for typed, want := range map[string]string{
		"rooms":                              "/rooms",
		"help forget me":                     "/help command:forget me",
		"use ROOM":                           "/use room:ROOM",
		`members --in "The Garden" --page 2`: "/members page:2 in:The Garden",
		`poll --for 3d "Which day?" Monday "any other day" --secret`: "/poll secret:True for:3d question:Which day? option:Monday option-2:any other day",
		"forget":          "/forget",
		"forget me":       "/forget me",
		"members --wrong": "/members --wrong",
		"no such thing":   "/no such thing",
		`poll "open`:      `/poll "open`,
	} {
		if got := w.commands.Native(typed); got != want {
			t.Errorf("%s is shown as %s, not %s", typed, got, want)
		}
	}
}

// TestNativeMistakesAreNobodyElsesBusiness: neither what was wrong nor that somebody was too fast is for all to read, where
// nobody saw the command. What is typed stands there for all, and so does its answer.
func TestNativeMistakesAreNobodyElsesBusiness(t *testing.T) {
	w := newWorldWith(t, commands.Config{Burst: 2, Every: time.Minute})
	w.room("console:lobby", "lobby", "ann", "ben")
	const ann, ben protocol.UserID = "console:ann", "console:ben"
	const lobby protocol.RoomID = "console:lobby"
	ask := func(who protocol.UserID, body protocol.Body) protocol.Act {
		a := w.event(protocol.Event{Room: lobby, Sender: who, Body: body})
		if a.err != nil || len(a.out) != 1 {
			t.Fatalf("%v, answered by %v", a.err, a.out)
		}
		return a.out[0].Act
	}
	press := func(command string) protocol.Body { return protocol.Invocation{Path: []string{command}} }
	if act, ok := ask(ann, press("ping")).(protocol.Say); !ok {
		t.Errorf("a public answer is %T", act)
	}
	for _, command := range []string{"pnig", "ping", "ping", "pnig"} { // from the second on they are too many, and each is answered
		if act, ok := ask(ann, press(command)).(protocol.Whisper); !ok {
			t.Errorf("/%s is answered by %T", command, act)
		}
	}
	for range 3 {
		if act, ok := ask(ben, protocol.Message{Text: "!moot pnig"}).(protocol.Say); !ok {
			t.Errorf("what was typed is answered by %T", act)
		}
	}
}

// TestMentionsWithinWords: who is mentioned in words that are kept is called by an id that says something to people, or by
// the name in the room.
func TestMentionsWithinWords(t *testing.T) {
	var got []string
	w := newWorld(t, &commands.Command{
		Name: "note", Summary: "notes something", Where: commands.NeedsRoom,
		Params: []commands.Param{{Name: "text", Kind: commands.Text, Summary: "what"}},
		Run: func(c *commands.Call) error {
			got = append(got, c.Word("text"))
			return c.Answerf("noted")
		},
	})
	w.room("console:lobby", "lobby", "ann", "ben")
	w.bodies("console:lobby", protocol.MemberChange{User: "console:1575", Membership: protocol.Joined, Name: "Cem"})
	w.say("console:ann", "console:lobby", "!moot note <@console:ben>, <@console:1575> and <@console:999>")
	if want := "@ben, @Cem and @999"; len(got) != 1 || got[0] != want {
		t.Errorf("noted is %q, not %q", got, want)
	}
}

// TestAGroupIsOfferedToWhomAnyOfItIs: help names no group of which somebody can use nothing.
func TestAGroupIsOfferedToWhomAnyOfItIs(t *testing.T) {
	run := func(*commands.Call) error { return nil }
	w := newWorld(t, &commands.Command{Name: "rule", Summary: "rules", Sub: []*commands.Command{
		{Name: "all", Summary: "rules all", Who: commands.Operator, Run: run},
	}})
	w.view(func(tx *store.Tx) {
		for who, want := range map[protocol.UserID]int{"console:ann": 0, "console:olga": 1} {
			where := commands.CompletionContext{Person: who, Room: dm(who), Private: true}
			if got := w.commands.Complete(tx, where, "rul"); len(got) != want {
				t.Errorf("%s is offered %q", who, got)
			}
		}
	})
}
