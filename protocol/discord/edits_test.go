package discord_test

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"moot/protocol"
	"moot/protocol/discord/discordtest"
)

// TestAnEditInAnArchivedThreadIsTriedAgain: what is said there next opens it.
func TestAnEditInAnArchivedThreadIsTriedAgain(t *testing.T) {
	s := newStage(t, nil)
	thread := s.general.NewThread("a thread")
	s.said("barrier")
	ref := s.send(s.say("1", "a vote", thread))
	thread.Archive(false)
	edit := s.say("2", "", thread)
	edit.Act = protocol.Revise{Text: protocol.Plain("a vote, 1 ballot")}
	_, err := s.try(edit, protocol.Attempt{Original: ref})
	var se *protocol.SendError
	if !errors.As(err, &se) || se.Final || se.RetryAfter == 0 {
		t.Errorf("the edit ends with %v", err)
	}
	s.send(s.say("3", "the outcome", thread))
	s.send(edit, ref)
	// Where it is locked nothing can be said, and what is to be said has to go elsewhere.
	thread.Archive(true)
	_, err = s.try(s.say("4", "what matters", thread), protocol.Attempt{})
	s.isFinal(err, "Thread is archived")
}

// TestAnEditThatCannotBeMadeNow is tried again, ever more slowly: the message is right soon after the
// bot sees it again, and a locked thread is not asked for ever.
func TestAnEditThatCannotBeMadeNow(t *testing.T) {
	s := newStage(t, nil)
	ref := s.send(s.say("1", "the board", s.general))
	edit := s.say("2", "", s.general)
	edit.Act = protocol.Revise{Text: protocol.Plain("the board, 1 ballot")}
	s.general.Deny(s.srv.Bot, discordtest.ViewChannel)
	s.barrier()
	last := time.Duration(0)
	for n, least := range []time.Duration{5 * time.Second, 10 * time.Second, 20 * time.Second} {
		_, err := s.try(edit, protocol.Attempt{Original: ref, N: n + 1, First: time.Now()})
		var se *protocol.SendError
		if !errors.As(err, &se) || se.Final || se.RetryAfter < least {
			t.Errorf("attempt %d ends with %v", n+1, err)
		}
	}
	for n := range 100 {
		_, err := s.try(edit, protocol.Attempt{Original: ref, N: n + 1, First: time.Now()})
		var se *protocol.SendError
		if !errors.As(err, &se) || se.RetryAfter < last || se.RetryAfter > 10*time.Minute {
			t.Fatalf("attempt %d ends with %v", n+1, err)
		}
		last = se.RetryAfter
	}
	s.general.Deny(s.srv.Bot, 0)
	s.barrier()
	s.send(edit, ref)
	if s.stands(s.general, "the board, 1 ballot") != 1 {
		t.Error("the edit is not made although it can be")
	}
}

// barrier waits until the adapter has taken in all that Discord has told so far.
func (s *stage) barrier() {
	s.Helper()
	s.asks++
	text := fmt.Sprint("barrier ", s.asks)
	s.ann.Says(s.lab.NewChannel("elsewhere"), text)
	s.next(text, of(func(_ protocol.Event, m protocol.Message) bool { return m.Text == text }))
}

// TestManyEditsOfAnOldMessage: Discord limits those of messages older than an hour by themselves. The
// outbox says so, the client does not insist, and newer messages of the channel are edited meanwhile.
func TestManyEditsOfAnOldMessage(t *testing.T) {
	s := newStage(t, nil)
	s.said("barrier")
	old, young := s.send(s.say("1", "an old vote", s.general)), s.send(s.say("2", "a new vote", s.general))
	edit := func(key, text string) protocol.Outgoing {
		out := s.say(key, "", s.general)
		out.Act = protocol.Revise{Text: protocol.Plain(text)}
		return out
	}
	s.srv.Fail(1, http.MethodPatch, "/messages/", discordtest.Fault{Status: http.StatusTooManyRequests,
		Body: `{"code":30046,"message":"Maximum number of edits to messages older than 1 hour reached. Try again later","retry_after":3.5}`})
	before := s.requests(http.MethodPatch, "/messages/")
	_, err := s.try(edit("3", "an old vote, 1 ballot"), protocol.Attempt{Original: old})
	var se *protocol.SendError
	if !errors.As(err, &se) || se.Final || se.RetryAfter < 20*time.Second || se.Limits != protocol.LimitPlace ||
		!strings.Contains(err.Error(), "few edits of messages that are older than an hour") {
		t.Errorf("the edit ends with %v", err)
	}
	s.send(edit("4", "a new vote, 1 ballot"), young)
	if n := s.requests(http.MethodPatch, "/messages/") - before; n != 2 {
		t.Errorf("%d requests were made", n)
	}
}
