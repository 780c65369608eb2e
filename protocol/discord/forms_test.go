package discord_test

import (
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"moot/protocol"
	"moot/protocol/discord"
	"moot/protocol/discord/discordtest"
)

func TestAFormAsksForWhatIsMissing(t *testing.T) {
	s := newStage(t, nil)
	form := s.ben.UsesOn(s.general, "Challenge this person", s.ann)
	f := form.Form()
	fields := []discordtest.Field{{Label: "Why, for all to read.", CustomID: "reason", Required: true, Long: true,
		Labelled: true}}
	if d := cmp.Diff(discordtest.Form{Title: "Challenge this person", CustomID: f.CustomID,
		Fields: fields}, f); d != "" {
		t.Fatal(d)
	}
	s.said("barrier")
	i := form.Submit(map[string]string{"reason": "spam,\nall week"})
	ev, inv := s.invoked()
	want := map[string]string{"person": "<@discord:" + s.ann.ID + ">", "reason": "spam,\nall week"}
	if d := cmp.Diff(want, inv.Args); d != "" {
		t.Error(d)
	}
	s.send(reply(ev, "1", "opened", false))
	if i.Reply().Content != "opened" {
		t.Errorf("answered by %+v", i.Reply())
	}
	n := 0
	for _, e := range s.rec.Events() {
		if _, ok := e.Body.(protocol.Invocation); ok {
			n++
		}
	}
	if n != 1 {
		t.Errorf("%d commands were admitted; the form itself is none", n)
	}
}

// TestALongQuestionOfAForm: what does not fit into the label of an input stands below it, and a
// number has no length.
func TestALongQuestionOfAForm(t *testing.T) {
	long := "how many days it runs, which are at least one and at most seven"
	s := newStage(t, func(c *discord.Config) {
		c.Commands = append(slices.Clone(commands), discord.Command{Path: []string{"wait"}, Summary: "Waits.",
			InGuilds: true, Params: []discord.Param{
				{Name: "days", Summary: long, Kind: discord.Integer, Slots: []string{"days"}, Min: 1, Max: 7},
			}})
	})
	s.send(protocol.Outgoing{Key: protocol.DeriveKey("board"), Room: s.Room(), Act: protocol.Say{
		Text: protocol.Plain("board"), Controls: []protocol.Control{{Label: "Wait", Path: []string{"wait"},
			Form: []string{"days"}}},
	}})
	board := s.ben.SeesOne(s.general, "the board", func(m discordtest.Message) bool { return m.Content == "board" })
	form := s.ben.Press(board, board.Button("Wait"))
	f := form.Form().Fields[0]
	if want := "How" + long[3:]; f.Label != "How many days it runs" || f.Detail != want || f.Long || !f.Required {
		t.Errorf("it asks %+v", f)
	}
	form.Submit(map[string]string{"days": "3"})
	if _, inv := s.invoked(); inv.Args["days"] != "3" {
		t.Errorf("the form brought %+v", inv)
	}
}

func TestControlsComeBackAsCommands(t *testing.T) {
	s := newStage(t, nil)
	cast := func(args map[string]string) protocol.Control {
		return protocol.Control{Label: "Yes", Tone: protocol.ToneGood, Path: []string{"vote", "cast"}, Args: args}
	}
	menu := cast(map[string]string{"ballot": "3"})
	menu.Label, menu.Param, menu.Most = "Choose", "ballot", 2
	menu.Options = []protocol.Option{{Label: "Monday", Value: "1"}, {Label: "Tuesday", Value: "2"},
		{Label: "Friday", Value: "3"}}
	ask := protocol.Control{Label: "Cast", Path: []string{"vote", "cast"}, Form: []string{"ballot"}}
	s.send(protocol.Outgoing{Key: protocol.DeriveKey("board"), Room: s.Room(), Act: protocol.Say{
		Text: protocol.Plain("vote"), Controls: []protocol.Control{cast(map[string]string{"ballot": "3",
			"ballot-2": "yes"}), menu, ask},
	}})
	board := s.ben.SeesOne(s.general, "the board", func(m discordtest.Message) bool { return m.Content == "vote" })

	i := s.ben.Press(board, board.Button("Yes"))
	ev, inv := s.invoked()
	if d := cmp.Diff(protocol.Invocation{Path: []string{"vote", "cast"},
		Args: map[string]string{"ballot": "3", "ballot-2": "yes"}, Locale: "en-US"}, inv); d != "" {
		t.Error(d)
	}
	s.send(reply(ev, "1", "counted", true))
	if m := i.Reply(); !m.Ephemeral || m.Content != "counted" {
		t.Errorf("a press was answered by %+v", m)
	}
	if board.Now().Content != "vote" {
		t.Errorf("the answer replaced the message with the button: %q", board.Now().Content)
	}
	s.ben.Choose(board, board.Menus[0].CustomID, "1", "3")
	if _, inv = s.invoked(); cmp.Diff(map[string]string{"ballot": "3", "ballot-2": "1", "ballot-3": "3"},
		inv.Args) != "" {
		t.Errorf("chosen is %+v", inv)
	}
	s.ben.Press(board, board.Button("Cast")).Submit(map[string]string{"ballot": "no"})
	if _, inv = s.invoked(); cmp.Diff(map[string]string{"ballot": "no"}, inv.Args) != "" {
		t.Errorf("the form brought %+v", inv)
	}
	// A revision without controls takes them away.
	s.send(protocol.Outgoing{Key: protocol.DeriveKey("closed"), Room: s.Room(),
		Act: protocol.Revise{Text: protocol.Plain("closed")}},
		protocol.Ref{Room: s.Room(), Event: protocol.EventID(board.Channel + "-" + board.ID)})
	if now := board.Now(); len(now.Buttons) != 0 || now.Content != "closed" {
		t.Errorf("the closed vote is %+v", now)
	}
}

// TestAFormThatComesTooLateIsNotSent: Discord replays what was pressed while the bot was away, and has told the person that it
// did not answer.
func TestAFormThatComesTooLateIsNotSent(t *testing.T) {
	s := newStage(t, nil)
	i := s.ben.UsesOn(s.general, "Challenge this person", s.ann)
	i.Form()
	s.srv.Advance(10 * time.Second)
	s.send(s.say("1", "from which the bot knows the time", s.general))
	before := s.requests(http.MethodPost, "/callback")
	i.Again()
	s.said("barrier")
	if n := s.requests(http.MethodPost, "/callback") - before; n != 0 {
		t.Errorf("it was answered %d times", n)
	}
}
