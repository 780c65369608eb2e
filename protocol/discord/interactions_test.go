package discord_test

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
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
	i := s.ben.Slash(s.general, "vote challenge",
		discordtest.Options{"person": s.ann, "reason": "spam", "secret": true, "days": 3})
	ev, inv := s.invoked()
	want := protocol.Invocation{Path: []string{"vote", "challenge"}, Args: map[string]string{
		"person": "<@discord:" + s.ann.ID + ">", "reason": "spam", "secret": "yes", "days": "3",
	}, Locale: "en-US"}
	if d := cmp.Diff(want, inv); d != "" {
		t.Error(d)
	}
	if ev.Room != s.Room() || ev.Place != protocol.PlaceID(s.general.ID) ||
		ev.Sender != protocol.UserID("discord:"+s.ben.ID) ||
		ev.Private || ev.ID != protocol.EventID("interaction-"+i.ID) || ev.Time.IsZero() {
		t.Errorf("the event is %+v", ev)
	}
	ref := s.send(reply(ev, "1", "so be it", false))
	m := i.Reply()
	if m.Content != "so be it" || m.Ephemeral ||
		ref != (protocol.Ref{Room: s.Room(), Event: protocol.EventID(m.Channel + "-" + m.ID)}) {
		t.Errorf("%+v stands at %v", m, ref)
	}
	if n := s.requests(http.MethodPost, "/callback"); n != 1 {
		t.Errorf("%d first answers", n)
	}
	// The message can be edited as any other.
	s.send(protocol.Outgoing{Key: protocol.DeriveKey("edit"), Room: s.Room(),
		Act: protocol.Revise{Text: protocol.Plain("x")}, Cause: ev.Ref()}, ref)
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

// TestTheDefer: it goes out by itself, before anything is admitted, seen by whom the answer will be
// for, which then stands in its place.
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

// TestTheDeferWaitsForNothing: it is sent while nothing can be committed, and an interaction that
// is not committed changes nothing.
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

// TestAnAcknowledgementWithoutAnAnswer: it becomes a sentence, and an answer that comes after all
// still arrives.
func TestAnAcknowledgementWithoutAnAnswer(t *testing.T) {
	s := newStage(t, func(c *discord.Config) { c.DeferAfter, c.ForgetAfter = time.Millisecond, time.Millisecond })
	i := s.ben.Slash(s.general, "ping", nil)
	ev, _ := s.invoked()
	if got := i.Reply(); !strings.Contains(got.Content, "not come to this yet") {
		t.Errorf("what stands is %+v", got)
	}
	s.send(reply(ev, "1", "pong", false))
	if got := i.Followups(1)[0]; got.Content != "pong" {
		t.Errorf("the answer is %+v", got)
	}
}

// TestTheMenuOfAPersonAnswersInPrivate: nobody else has seen that it was used.
func TestTheMenuOfAPersonAnswersInPrivate(t *testing.T) {
	s := newStage(t, nil)
	i := s.ben.UsesOn(s.general, "Votes about this person", s.ann)
	ev, _ := s.invoked()
	s.send(reply(ev, "1", "none", false))
	if got := i.Reply(); !got.Ephemeral {
		t.Errorf("all read %+v", got)
	}
	i = s.ben.Slash(s.general, "history", discordtest.Options{"person": s.ann})
	ev, _ = s.invoked()
	s.send(reply(ev, "1", "none", false))
	if got := i.Reply(); got.Ephemeral {
		t.Errorf("what was asked for all to see is answered by %+v", got)
	}
}

// TestTheRoleOfTheBotNamesItToo: it has its name, and stands beside it where people choose whom to mention.
func TestTheRoleOfTheBotNamesItToo(t *testing.T) {
	s := newStage(t, nil)
	other := s.lab.NewRole("helpers", 0)
	s.lab.Give(s.srv.Bot, other)
	s.said("barrier")
	for role, addressed := range map[*discordtest.Role]bool{s.lab.BotRole(): true, other: false} {
		s.ben.Says(s.general, "<@&"+role.ID+"> ping")
		ev := s.next("a message", of[protocol.Message](nil))
		if m := ev.Body.(protocol.Message); m.Addressed != addressed || addressed && m.Text != "ping" {
			t.Errorf("%s: it came as %+v", role.Name, m)
		}
	}
}

// TestAPlaceWhereTheBotMayNotWriteIsMute: an interaction says so, and so do the permissions that it
// knows.
func TestAPlaceWhereTheBotMayNotWriteIsMute(t *testing.T) {
	s := newStage(t, nil)
	silent := s.lab.NewChannel("silent")
	silent.Deny(s.srv.Bot, discordtest.SendMessages)
	thread := silent.NewThread("a thread")
	for place, mute := range map[*discordtest.Channel]bool{s.general: false, silent: true, thread: false} {
		s.ben.Slash(place, "ping", nil)
		if ev, _ := s.invoked(); ev.Mute != mute {
			t.Errorf("a command in %s: mute is %v", place.Name, ev.Mute)
		}
	}
	s.ben.Says(silent, "hello")
	said := func(e protocol.Event) bool { m, ok := e.Body.(protocol.Message); return ok && m.Text == "hello" }
	if ev := s.next("a message", said); !ev.Mute {
		t.Error("a message where it may not write is not mute")
	}
}

// TestACommandFromAServerThatIsNotKnownYet is answered with a sentence, and nothing comes of it.
func TestACommandFromAServerThatIsNotKnownYet(t *testing.T) {
	s := newStage(t, nil)
	i := s.ben.Slash(s.general, "ping", nil)
	s.invoked()
	i.AgainFrom("7777")
	if got := i.Reply(); !strings.Contains(got.Content, "try again in a moment") || !got.Ephemeral {
		t.Errorf("the answer is %+v", got)
	}
	s.said("barrier")
	for _, e := range s.rec.Events() {
		if e.Room == "discord:7777" {
			t.Errorf("something came of it: %+v", e)
		}
	}
}

// TestAReplayedInteractionKeepsItsAnswer: the run before had taken it in and answered it. The
// replay is no second command, and the answer is not touched.
func TestAReplayedInteractionKeepsItsAnswer(t *testing.T) {
	quick := func(c *discord.Config) { c.DeferAfter, c.ForgetAfter = time.Millisecond, time.Millisecond }
	s := newStage(t, nil)
	i := s.ben.Slash(s.general, "ping", nil)
	ev, _ := s.invoked()
	s.send(reply(ev, "1", "pong", false))
	s.stop()
	i.Again() // as Discord tells some things twice
	s.start(quick)
	s.said("barrier")
	s.srv.Until("it was asked what stands there", func() bool {
		return s.requests(http.MethodGet, "/messages/@original") > 0
	})
	if got := i.Reply(); got.Content != "pong" || s.requests(http.MethodPatch, "/messages/@original") > 0 ||
		s.requests(http.MethodDelete, "/messages/@original") > 0 {
		t.Errorf("what stands is %+v", got)
	}
}

// TestAnInteractionShowsWhatItsPersonMayDo: where the store has it otherwise, that is put right
// before the command.
func TestAnInteractionShowsWhatItsPersonMayDo(t *testing.T) {
	s := newStage(t, nil)
	s.settled()
	s.ledger.fold(protocol.Event{Room: s.Room(),
		Body: protocol.MemberChange{User: user(s.ann), Membership: protocol.Joined, Profile: true,
			Power: protocol.PowerMember}})
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
	if i.Reply().Content != "one" || got[0].Content != "two" || got[0].Ephemeral || got[1].Content != "three" ||
		!got[1].Ephemeral {
		t.Errorf("it was answered by %+v, %+v", i.Reply(), got)
	}
}

// TestALostFirstAnswer: Discord has taken the first answer, and its confirmation was lost. It is
// not said twice.
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

// TestAnAnswerByTheNextRun: the bot died between the command and its answer. What was acknowledged
// is answered in its place; what was not is too late. What is private is then told in private; what
// all were to read is given up.
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
	late := s.ben.Slash(s.general, "whoami", nil)
	ev, _ = s.invoked()
	s.srv.Advance(4 * time.Second)
	_, err = s.try(reply(ev, "1", "for all", false), protocol.Attempt{})
	s.isFinal(err, "cannot be delivered any more")
	s.send(reply(ev, "2", "you are Ben", true))
	found := s.ben.SeesOne(s.ben.DM(), "the late answer", func(m discordtest.Message) bool {
		return strings.Contains(m.Content, "you are Ben")
	})
	if !strings.Contains(found.Content, "asked") || late.Answered() != 0 {
		t.Errorf("the late answer is %q", found.Content)
	}
	if n := len(s.ben.Sees(s.ben.DM())); n != 1 {
		t.Errorf("%d private messages stand", n)
	}
}

// TestLateAnswersDoNotOpenManyConversations: ten within a minute, and the others wait.
func TestLateAnswersDoNotOpenManyConversations(t *testing.T) {
	s := newStage(t, nil)
	var waits int
	for i, u := range s.lab.Populate(15) {
		u.Slash(s.general, "whoami", nil)
		ev, _ := s.invoked()
		ev.Handle = older(ev.Handle, 15*time.Minute)
		_, err := s.try(reply(ev, "1", "you", true), protocol.Attempt{})
		var se *protocol.SendError
		switch {
		case err == nil && i < maxLate:
		case errors.As(err, &se) && !se.Final && se.RetryAfter > 30*time.Second && i >= maxLate:
			waits++
		default:
			t.Errorf("answer %d: %v", i, err)
		}
	}
	if opened := s.requests(http.MethodPost, "/users/@me/channels"); waits != 5 || opened != 10 {
		t.Errorf("%d wait, %d conversations were opened", waits, opened)
	}
}

// maxLate is how many late answers become private messages within a minute.
const maxLate = 10

// TestWhereMuchWaitsACommandIsAcknowledgedAtOnce: it would be late otherwise.
func TestWhereMuchWaitsACommandIsAcknowledgedAtOnce(t *testing.T) {
	s := newStage(t, nil)
	s.stop()
	c := s.config()
	c.Commands, c.DeferAfter = commands, time.Hour
	s.adapter = discord.New(c)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	load := &loaded{Admitter: s.rec}
	go func() { done <- s.adapter.Run(ctx, load) }()
	s.Ready()
	load.waits.Store(51)
	if got := s.ben.Slash(s.general, "ping", nil).Ack(); got != 5 {
		t.Errorf("the first answer is of type %d", got)
	}
	load.waits.Store(0)
	i := s.ben.Slash(s.general, "ping", nil)
	s.said("barrier")
	if got := i.Answered(); got != 0 {
		t.Errorf("where nothing waits the first answer is of type %d", got)
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// loaded is an Admitter of which a test says how much waits.
type loaded struct {
	protocol.Admitter
	waits atomic.Int64
}

func (l *loaded) Backlog() int { return int(l.waits.Load()) }
func (l *loaded) Held() bool   { return false }

// TestAfterFifteenMinutes: an answer that late goes by private message, or is undeliverable.
func TestAfterFifteenMinutes(t *testing.T) {
	s := newStage(t, nil)
	s.ben.Slash(s.general, "whoami", nil)
	ev, _ := s.invoked()
	ev.Handle = older(ev.Handle, 15*time.Minute)
	before := s.requests("", "/webhooks/") + s.requests("", "/callback")
	s.send(reply(ev, "1", "you are Ben", true))
	s.ben.SeesOne(s.ben.DM(), "the late answer", func(m discordtest.Message) bool {
		return strings.Contains(m.Content, "you are Ben")
	})
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

// TestTheCommandsAreRegisteredWhereTheyDiffer from those that stand with Discord, which allows 200
// registrations a day; and so they come back where somebody has removed them.
func TestTheCommandsAreRegisteredWhereTheyDiffer(t *testing.T) {
	s := newStage(t, nil)
	looked := func() int { return s.requests(http.MethodGet, "/commands") }
	again := func(change func(*discord.Config), registered int) {
		t.Helper()
		before := looked()
		s.stop()
		s.start(change)
		s.srv.Until("it has looked", func() bool { return looked() > before })
		s.srv.Until("they are registered", func() bool { return s.requests(http.MethodPut, "/commands") >= registered })
		s.said("barrier")
		if n := s.requests(http.MethodPut, "/commands"); n != registered {
			t.Errorf("they were registered %d times, not %d", n, registered)
		}
	}
	again(nil, 1)
	again(func(c *discord.Config) { c.Commands = commands[:2] }, 2)
	again(func(c *discord.Config) { c.Commands = commands[:2] }, 2)
	hidden := slices.Clone(commands)
	hidden[0].Operators = true
	again(func(c *discord.Config) { c.Commands = hidden }, 3)
	again(func(c *discord.Config) { c.Commands = hidden }, 3)
	s.srv.RemoveCommands()
	again(func(c *discord.Config) { c.Commands = hidden }, 4)
}

func TestCompletionsAreNotRecorded(t *testing.T) {
	var c completer
	s := newStage(t, func(cfg *discord.Config) { cfg.Completer = &c })
	got := s.ben.Completes(s.general, "vote cast", "ballot-2", "ye", discordtest.Options{"ballot": "3"}).Choices()
	if len(got) != 3 || got[0].Value != "vote cast ballot" || got[1].Value != "ye" || got[2].Value != "map[ballot:3]" {
		t.Errorf("completed are %+v", got)
	}
	if d := cmp.Diff([]discord.Where{{User: protocol.UserID("discord:" + s.ben.ID), Room: s.Room()}},
		c.asked); d != "" {
		t.Error(d)
	}
	s.said("barrier")
	for _, e := range s.rec.Events() {
		if _, ok := e.Body.(protocol.Invocation); ok {
			t.Errorf("a completion was admitted: %+v", e)
		}
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
	if got := i.Reply(); !got.Ephemeral || len(got.Content) > 2000 || !more[0].Ephemeral ||
		strings.Count(got.Content+more[0].Content, "word") != 600 {
		t.Errorf("%d and %d characters", len(got.Content), len(more[0].Content))
	}
}
