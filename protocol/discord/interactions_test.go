package discord_test

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"moot/protocol"
	"moot/protocol/discord"
	"moot/protocol/discord/discordtest"
)

func soon(c *discord.Config) { c.DeferAfter = time.Millisecond }

func TestACommandIsAnswered(t *testing.T) {
	s := newStage(t, nil)
	i := s.ben.Slash(s.general, "vote challenge", discordtest.Options{"person": s.ann, "reason": "spam", "secret": true, "days": 3})
	ev, inv := s.invoked()
	want := protocol.Invocation{Path: []string{"vote", "challenge"}, Args: map[string]string{
		"person": "<@discord:" + s.ann.ID + ">", "reason": "spam", "secret": "yes", "days": "3",
	}}
	if d := cmp.Diff(want, inv); d != "" {
		t.Error(d)
	}
	if ev.Room != s.Room() || ev.Place != protocol.PlaceID(s.general.ID) || ev.Sender != protocol.UserID("discord:"+s.ben.ID) ||
		ev.Private || ev.ID != protocol.EventID("interaction-"+i.ID) || ev.Time.IsZero() {
		t.Errorf("the event is %+v", ev)
	}
	ref := s.send(reply(ev, "1", "so be it", false))
	m := i.Reply()
	if m.Content != "so be it" || m.Ephemeral || ref != (protocol.Ref{Room: s.Room(), Event: protocol.EventID(m.Channel + "-" + m.ID)}) {
		t.Errorf("%+v stands at %v", m, ref)
	}
	if n := s.requests(http.MethodPost, "/callback"); n != 1 {
		t.Errorf("%d first answers", n)
	}
	// The message can be edited as any other.
	s.send(protocol.Outgoing{Key: protocol.DeriveKey("edit"), Room: s.Room(), Act: protocol.Revise{Text: protocol.Plain("x")}, Cause: ev.Ref()}, ref)
}

func TestAPrivateAnswerIsSeenByOne(t *testing.T) {
	s := newStage(t, nil)
	i := s.ben.Slash(s.general, "whoami", nil)
	ev, _ := s.invoked()
	s.send(reply(ev, "1", "you are Ben", true))
	if m := i.Reply(); !m.Ephemeral || m.Content != "you are Ben" {
		t.Errorf("it is %+v", m)
	}
	for _, m := range s.ann.Sees(s.general) {
		if strings.Contains(m.Content, "Ben") {
			t.Errorf("another person sees %q", m.Content)
		}
	}
	// In private nobody else could see it.
	i = s.ben.Slash(s.ben.DM(), "whoami", nil)
	ev, _ = s.invoked()
	if !ev.Private || ev.Room != protocol.RoomID("discord:@"+s.ben.DM().ID) {
		t.Errorf("the event is %+v", ev)
	}
	s.send(reply(ev, "1", "you are Ben", false))
	if m := i.Reply(); m.Ephemeral {
		t.Error("an answer in private vanishes")
	}
}

// TestTheDefer: it goes out by itself, before anything is admitted, seen by whom the answer will be for, which then stands
// in its place.
func TestTheDefer(t *testing.T) {
	for name, tt := range map[string]struct {
		command          string
		loading, private bool // how it is announced, and how answered
		followups        int  // answers beside the original
	}{
		"public":               {"ping", false, false, 0},
		"private":              {"whoami", true, true, 0},
		"announced publicly":   {"ping", false, true, 1},
		"announced in private": {"whoami", true, false, 1},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStage(t, soon)
			i := s.ben.Slash(s.general, tt.command, nil)
			if got := i.Ack(); got != 5 {
				t.Fatalf("the first answer is of type %d", got)
			}
			ev, _ := s.invoked()
			out := reply(ev, "1", "here it is", tt.private)
			ref := s.send(out)
			if tt.followups == 0 { // an edit of the original can be repeated
				if again := s.send(out); again != ref {
					t.Errorf("the second time it stands at %v, the first at %v", again, ref)
				}
			}
			var got discordtest.Message
			if tt.followups == 0 {
				got = i.Reply()
			} else {
				got = i.Followups(1)[0]
			}
			if got.Content != "here it is" || got.Ephemeral != tt.private {
				t.Errorf("the answer is %+v", got)
			}
			standing := 0
			for _, m := range s.ben.Sees(s.general) {
				if m.Loading {
					t.Error("it still says that the bot is thinking")
				}
				if m.Content == "here it is" {
					standing++
				}
			}
			if standing != 1 && tt.followups == 0 {
				t.Errorf("the answer stands %d times", standing)
			}
		})
	}
}

// TestTheDeferWaitsForNothing: it is sent while nothing can be committed, and an interaction that is not committed changes
// nothing.
func TestTheDeferWaitsForNothing(t *testing.T) {
	s := newStage(t, soon)
	block, blocked := make(chan struct{}), make(chan struct{})
	s.stop()
	c := s.config()
	c.Commands, c.DeferAfter = commands, time.Millisecond
	s.adapter = discord.New(c)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.adapter.Run(ctx, stuck{s.rec, block, blocked}) }()
	s.Ready()
	s.ann.Says(s.general, "first")
	<-blocked
	i := s.ben.Slash(s.general, "ping", nil)
	if got := i.Ack(); got != 5 {
		t.Errorf("the first answer is of type %d", got)
	}
	cancel()
	close(block)
	if err := <-done; err != nil {
		t.Error(err)
	}
	for _, e := range s.rec.Events() {
		if _, ok := e.Body.(protocol.Invocation); ok {
			t.Errorf("it was admitted although nothing could be: %+v", e)
		}
	}
}

// TestAnAcknowledgementWithoutAnAnswer: it is taken back, and an answer that comes after all still arrives.
func TestAnAcknowledgementWithoutAnAnswer(t *testing.T) {
	s := newStage(t, func(c *discord.Config) { c.DeferAfter, c.ForgetAfter = time.Millisecond, time.Millisecond })
	i := s.ben.Slash(s.general, "ping", nil)
	ev, _ := s.invoked()
	s.srv.Until("it is taken back", func() bool { return s.requests(http.MethodDelete, "/messages/@original") == 1 })
	if got := s.ben.Sees(s.general); len(got) != 0 {
		t.Errorf("what stands is %+v", got)
	}
	s.send(reply(ev, "1", "pong", false))
	if got := i.Followups(1)[0]; got.Content != "pong" {
		t.Errorf("the answer is %+v", got)
	}
}

// TestAnInteractionShowsWhatItsPersonMayDo: where the store has it otherwise, that is put right before the command.
func TestAnInteractionShowsWhatItsPersonMayDo(t *testing.T) {
	s := newStage(t, nil)
	s.settled()
	s.ledger.fold(protocol.Event{Room: s.Room(), Body: protocol.MemberChange{User: user(s.ann), Membership: protocol.Joined, Profile: true, Power: protocol.PowerMember}})
	s.ann.Slash(s.general, "ping", nil)
	ev, _ := s.invoked()
	if m, _ := s.ledger.Member(s.Room(), user(s.ann)); !m.Moderator {
		t.Error("Ann moderates, and the command came before that was known")
	}
	s.ann.Slash(s.general, "ping", nil)
	again, _ := s.invoked()
	if ev.ID == again.ID {
		t.Error("two commands have one id")
	}
	if n := s.count(about(s.ann)); n != 1 {
		t.Errorf("%d events say so", n)
	}
}

func TestAnswersAfterTheFirstFollowUp(t *testing.T) {
	s := newStage(t, nil)
	i := s.ben.Slash(s.general, "ping", nil)
	ev, _ := s.invoked()
	s.send(reply(ev, "1", "one", false))
	s.send(reply(ev, "2", "two", false))
	s.send(reply(ev, "3", "three", true))
	got := i.Followups(2)
	if i.Reply().Content != "one" || got[0].Content != "two" || got[0].Ephemeral || got[1].Content != "three" || !got[1].Ephemeral {
		t.Errorf("it was answered by %+v, %+v", i.Reply(), got)
	}
}

// TestALostFirstAnswer: Discord has taken the first answer, and its confirmation was lost. It is not said twice.
func TestALostFirstAnswer(t *testing.T) {
	s := newStage(t, nil)
	i := s.ben.Slash(s.general, "ping", nil)
	ev, _ := s.invoked()
	s.srv.Fail(1, http.MethodPost, "/callback", discordtest.Fault{Done: true, Drop: true})
	out := reply(ev, "1", "pong", false)
	if _, err := s.try(out, protocol.Attempt{}); err == nil {
		t.Fatal("a lost answer counts as sent")
	}
	ref, err := s.try(out, protocol.Attempt{N: 2, First: time.Now()})
	if m := i.Reply(); err != nil || ref.Event != protocol.EventID(m.Channel+"-"+m.ID) {
		t.Errorf("the second attempt stands at %v, %v", ref, err)
	}
	if n := len(s.ben.Sees(s.general)); n != 1 || i.Reply().Content != "pong" {
		t.Errorf("%d messages stand: %+v", n, s.ben.Sees(s.general))
	}
}

// TestAnAnswerByTheNextRun: the bot died between the command and its answer. What was acknowledged is answered in its
// place; what was not is too late, and is answered in private.
func TestAnAnswerByTheNextRun(t *testing.T) {
	s := newStage(t, soon)
	i := s.ben.Slash(s.general, "ping", nil)
	i.Ack()
	ev, _ := s.invoked()
	s.stop()
	s.start(nil)
	s.send(reply(ev, "1", "pong", false))
	if got := i.Reply().Content; got != "pong" {
		t.Errorf("it is answered by %q", got)
	}
	// What follows up cannot be known to stand.
	_, err := s.try(reply(ev, "2", "more", false), protocol.Attempt{N: 2, First: time.Now()})
	s.isAmbiguous(err)

	s.stop()
	s.start(nil)
	s.srv.HoldClock()
	late := s.ben.Slash(s.general, "ping", nil)
	ev, _ = s.invoked()
	s.srv.Advance(4 * time.Second)
	s.send(reply(ev, "1", "pong, late", false))
	found := s.ben.SeesOne(s.ben.DM(), "the late answer", func(m discordtest.Message) bool { return strings.Contains(m.Content, "pong, late") })
	if !strings.Contains(found.Content, "asked") || late.Answered() != 0 {
		t.Errorf("the late answer is %q", found.Content)
	}
}

// TestAfterFifteenMinutes: an answer that late goes by private message, or is undeliverable.
func TestAfterFifteenMinutes(t *testing.T) {
	s := newStage(t, nil)
	s.ben.Slash(s.general, "whoami", nil)
	ev, _ := s.invoked()
	ev.Handle = older(ev.Handle, 15*time.Minute)
	before := s.requests("", "/webhooks/") + s.requests("", "/callback")
	s.send(reply(ev, "1", "you are Ben", true))
	s.ben.SeesOne(s.ben.DM(), "the late answer", func(m discordtest.Message) bool { return strings.Contains(m.Content, "you are Ben") })
	if after := s.requests("", "/webhooks/") + s.requests("", "/callback"); after != before {
		t.Error("the token was used all the same")
	}
	s.ann.RefuseDMs(true)
	s.ann.Slash(s.general, "whoami", nil)
	ev, _ = s.invoked()
	ev.Handle = older(ev.Handle, 15*time.Minute)
	_, err := s.try(reply(ev, "1", "you are Ann", true), protocol.Attempt{})
	s.isFinal(err, "private messages")
}

// TestTheCommandsAreRegisteredWhereTheyChanged: Discord allows 200 registrations a day.
func TestTheCommandsAreRegisteredWhereTheyChanged(t *testing.T) {
	s := newStage(t, nil)
	saved := func() string {
		value, err := s.rec.Cursor("discord/commands")
		if err != nil {
			t.Fatal(err)
		}
		return value
	}
	for saved() == "" { // which comes soon after the answer of Discord
		s.said("first")
	}
	first := saved()
	s.stop()
	s.start(nil)
	for range 5 {
		s.said("second")
	}
	s.stop()
	s.start(func(c *discord.Config) { c.Commands = commands[:2] })
	for saved() == first {
		s.said("third")
	}
	if n := s.requests(http.MethodPut, "/commands"); n != 2 {
		t.Errorf("they were registered %d times", n)
	}
}

func TestCompletionsAreNotRecorded(t *testing.T) {
	var c completer
	s := newStage(t, func(cfg *discord.Config) { cfg.Completer = &c })
	got := s.ben.Completes(s.general, "vote cast", "ballot-2", "ye", discordtest.Options{"ballot": "3"}).Choices()
	if len(got) != 3 || got[0].Value != "vote cast ballot" || got[1].Value != "ye" || got[2].Value != "map[ballot:3]" {
		t.Errorf("completed are %+v", got)
	}
	if d := cmp.Diff([]discord.Where{{User: protocol.UserID("discord:" + s.ben.ID), Room: s.Room()}}, c.asked); d != "" {
		t.Error(d)
	}
	s.said("barrier")
	for _, e := range s.rec.Events() {
		if _, ok := e.Body.(protocol.Invocation); ok {
			t.Errorf("a completion was admitted: %+v", e)
		}
	}
}

func TestAFormAsksForWhatIsMissing(t *testing.T) {
	s := newStage(t, nil)
	form := s.ben.UsesOn(s.general, "Challenge this person", s.ann)
	f := form.Form()
	fields := []discordtest.Field{{Label: "Why, for all to read.", CustomID: "reason", Required: true, Long: true, Labelled: true}}
	if d := cmp.Diff(discordtest.Form{Title: "Challenge this person", CustomID: f.CustomID, Fields: fields}, f); d != "" {
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

// TestALongQuestionOfAForm: what does not fit into the label of an input stands below it, and a number has no length.
func TestALongQuestionOfAForm(t *testing.T) {
	long := "how many days it runs, which are at least one and at most seven"
	s := newStage(t, func(c *discord.Config) {
		c.Commands = append(slices.Clone(commands), discord.Command{Path: []string{"wait"}, Summary: "Waits.", InGuilds: true, Params: []discord.Param{
			{Name: "days", Summary: long, Kind: discord.Integer, Slots: []string{"days"}, Min: 1, Max: 7},
		}})
	})
	s.send(protocol.Outgoing{Key: protocol.DeriveKey("board"), Room: s.Room(), Act: protocol.Say{
		Text: protocol.Plain("board"), Controls: []protocol.Control{{Label: "Wait", Path: []string{"wait"}, Form: []string{"days"}}},
	}})
	board := s.ben.SeesOne(s.general, "the board", func(m discordtest.Message) bool { return m.Content == "board" })
	form := s.ben.Press(board, board.Button("Wait"))
	f := form.Form().Fields[0]
	if want := "How" + long[3:]; len([]rune(f.Label)) != 45 || f.Detail != want || f.Long || !f.Required {
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
	menu.Options = []protocol.Option{{Label: "Monday", Value: "1"}, {Label: "Tuesday", Value: "2"}, {Label: "Friday", Value: "3"}}
	ask := protocol.Control{Label: "Cast", Path: []string{"vote", "cast"}, Form: []string{"ballot"}}
	s.send(protocol.Outgoing{Key: protocol.DeriveKey("board"), Room: s.Room(), Act: protocol.Say{
		Text: protocol.Plain("vote"), Controls: []protocol.Control{cast(map[string]string{"ballot": "3", "ballot-2": "yes"}), menu, ask},
	}})
	board := s.ben.SeesOne(s.general, "the board", func(m discordtest.Message) bool { return m.Content == "vote" })

	i := s.ben.Press(board, board.Button("Yes"))
	ev, inv := s.invoked()
	if d := cmp.Diff(protocol.Invocation{Path: []string{"vote", "cast"}, Args: map[string]string{"ballot": "3", "ballot-2": "yes"}}, inv); d != "" {
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
	if _, inv = s.invoked(); cmp.Diff(map[string]string{"ballot": "3", "ballot-2": "1", "ballot-3": "3"}, inv.Args) != "" {
		t.Errorf("chosen is %+v", inv)
	}
	s.ben.Press(board, board.Button("Cast")).Submit(map[string]string{"ballot": "no"})
	if _, inv = s.invoked(); cmp.Diff(map[string]string{"ballot": "no"}, inv.Args) != "" {
		t.Errorf("the form brought %+v", inv)
	}
	// A revision without controls takes them away.
	s.send(protocol.Outgoing{Key: protocol.DeriveKey("closed"), Room: s.Room(), Act: protocol.Revise{Text: protocol.Plain("closed")}},
		protocol.Ref{Room: s.Room(), Event: protocol.EventID(board.Channel + "-" + board.ID)})
	if now := board.Now(); len(now.Buttons) != 0 || now.Content != "closed" {
		t.Errorf("the closed vote is %+v", now)
	}
}

func TestWhatIsNotUnderstoodIsAnsweredKindly(t *testing.T) {
	s := newStage(t, nil)
	m := s.ben.Says(s.general, "x")
	for _, id := range []string{"vote:1", "9vote.cast", "1vote.cast~ballot=3>nowhere"} {
		got := s.ben.Press(m, id).Reply()
		if !got.Ephemeral || !strings.Contains(got.Content, "another version") {
			t.Errorf("%s is answered by %+v", id, got)
		}
	}
}

func TestAnInteractionThatComesTwiceIsAdmittedOnce(t *testing.T) {
	s := newStage(t, nil)
	i := s.ben.Slash(s.general, "ping", nil)
	i.Again()
	ev, _ := s.invoked()
	s.send(reply(ev, "1", "pong", false))
	i.Again()
	s.said("barrier")
	n := 0
	for _, e := range s.rec.Events() {
		if e.ID == ev.ID {
			n++
		}
	}
	if n != 1 {
		t.Errorf("it was admitted %d times", n)
	}
}

func TestALongAnswerComesInPieces(t *testing.T) {
	s := newStage(t, nil)
	i := s.ben.Slash(s.general, "ping", nil)
	ev, _ := s.invoked()
	line := strings.TrimSpace(strings.Repeat("word ", 100))
	s.send(reply(ev, "1", strings.Repeat(line+"\n", 6), true))
	more := i.Followups(1)
	if got := i.Reply(); !got.Ephemeral || len(got.Content) > 2000 || !more[0].Ephemeral || strings.Count(got.Content+more[0].Content, "word") != 600 {
		t.Errorf("%d and %d characters", len(got.Content), len(more[0].Content))
	}
}
