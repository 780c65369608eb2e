//go:build goolm

package e2e

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"

	"moot/e2e/client"
	"moot/e2e/witness"
)

// fast are the quick rules with a message that is edited each second, and ballots that wait no longer for one another.
const fast = quick + `edits = "1s"
`

// idOf returns the id of an answer of a poll.
func idOf(t *testing.T, p witness.Poll, text string) string {
	t.Helper()
	answers, _ := dig(p.Event.Content, event.EventUnstablePollStart.Type, "answers").([]any)
	for _, a := range answers {
		if dig(a, "org.matrix.msc1767.text") == text {
			return fmt.Sprint(dig(a, "id"))
		}
	}
	t.Fatalf("the poll %q has no answer %q", p.Question, text)
	return ""
}

// gathering is a room that the witness will has made, with the bot, Ann and others in it.
func (w *town) gathering(will *witness.Witness, people ...*client.Client) id.RoomID {
	w.Helper()
	room := will.Create(witness.Room{Name: "hall", Encrypted: w.Encrypted, Invite: string(w.BotID)})
	will.Await(room, string(w.BotID), "join")
	for _, who := range append(people, w.Ann) {
		will.Invite(room, string(who.UserID))
		who.Accept(id.RoomID(room))
		will.Await(room, string(who.UserID), "join")
	}
	w.until("a list of all members", func() (string, bool) {
		got := w.Ann.Ask(id.RoomID(room), "!moot members")
		return got, strings.Contains(got, fmt.Sprintf("%d members", len(people)+3))
	})
	return id.RoomID(room)
}

// TestPolls: people vote in the poll of a motion, in the model of polls that the common clients have, and by a client of another
// library: what they choose, change, choose twice, take back, or have removed by somebody else, with a kill of the bot between
// any two steps. The outcome is the same as by command.
func TestPolls(t *testing.T) {
	each(t, fast, func(w *town) {
		ben, dan := w.person("ben"), w.person("dan")
		will := witness.New(w.T, server, client.Register(w.T, server, "will"))
		where := w.gathering(will, ben, dan)
		room, bot := string(where), string(w.BotID)
		will.Say(room, "!moot vote motion we meet on Tuesdays")
		poll := will.Poll(room, bot, "we meet on Tuesdays")
		if !slices.Equal(poll.Answers, []string{"Yes", "No", "Abstain"}) || !poll.Disclosed || poll.Most != 1 || poll.Event.Encrypted != w.Encrypted {
			w.Errorf("the poll is %+v", poll)
		}
		if w.Encrypted && !poll.Event.Shield.None {
			w.Errorf("beside the poll there is a warning: %+v", poll.Event.Shield)
		}
		yes, no, abstain := idOf(w.T, poll, "Yes"), idOf(w.T, poll, "No"), idOf(w.T, poll, "Abstain")

		// Until Ben has voted, who is the last, his ballot could change the outcome: nothing ends before.
		will.Respond(room, poll.ID, "No")
		will.Respond(room, poll.ID, "No") // twice
		w.turnout(where, "1 of 4")
		w.again()
		will.Respond(room, poll.ID, "Abstain") // changed
		w.standsAt(where, "0 yes, 0 no, 1 abstained")
		w.Ann.Ticked(where, w.Ann.Say(where, "!moot vote cast no"), w.BotID)
		w.again()
		w.Ann.Respond(where, id.EventID(poll.ID), yes) // by command, and then by poll: the last counts
		w.standsAt(where, "1 yes, 0 no, 1 abstained")
		removed := dan.Respond(where, id.EventID(poll.ID), no)
		w.standsAt(where, "1 yes, 1 no, 1 abstained")
		will.Redact(room, string(removed)) // by somebody else: the ballot stands
		w.again()
		w.removedByOthers(where)
		back := dan.Respond(where, id.EventID(poll.ID), abstain)
		w.standsAt(where, "1 yes, 0 no, 2 abstained")
		dan.Redact(where, back) // by themselves: they are back at what was before
		w.standsAt(where, "1 yes, 1 no, 1 abstained")
		w.again()

		// Nobody has a ballot who was not there when it opened, and a poll of somebody else is none.
		eve := w.person("eve")
		will.Invite(room, string(eve.UserID))
		eve.Accept(where)
		w.Ann.AwaitMembership(where, eve.UserID, event.MembershipJoin)
		eve.AwaitMembership(where, w.BotID, event.MembershipJoin)
		stranger := eve.Respond(where, id.EventID(poll.ID), yes)
		w.refused(string(stranger), "a response by somebody who cannot vote")
		pizza := will.Start(room, "Pizza?", "Yes", "No")
		w.refused(will.Respond(room, pizza, "Yes"), "a poll that the bot has not started")
		w.refused(pizza, "nothing to do with it")
		eve.Leave(where)

		ben.Respond(where, id.EventID(poll.ID), yes)
		end := w.closed(where)
		const outcome = "2 yes, 1 no, 1 abstained of 4 who could vote"
		if !strings.Contains(end.Body(), outcome) || !strings.Contains(end.Body(), "Passed") {
			w.Errorf("it ended with %q", end.Body())
		}
		ended := will.Ended(room, bot, "we meet on Tuesdays")
		if !strings.Contains(ended.End, outcome) || !strings.Contains(ended.End, "has closed") {
			w.Errorf("the poll ended with %q", ended.End)
		}
		late := dan.Respond(where, id.EventID(poll.ID), yes)
		w.refused(string(late), "has closed")
		w.again()
		w.ping(w.Ann, where)
		if n := w.Ann.Count(where, w.BotID, "has closed."); n != 1 {
			w.Errorf("it was said %d times that it has closed", n)
		}
		starts, ends := 0, 0
		for _, ev := range w.Ann.Timeline(where) {
			if ev.Sender == w.BotID {
				starts += count(ev.Type.Type == event.EventUnstablePollStart.Type)
				ends += count(ev.Type.Type == event.EventUnstablePollEnd.Type)
			}
		}
		if starts != 1 || ends != 1 {
			w.Errorf("there are %d polls and %d ends", starts, ends)
		}

		// The same by command ends in the same way.
		w.until("a list without Eve", func() (string, bool) {
			got := w.Ann.Ask(where, "!moot members")
			return got, strings.Contains(got, "5 members")
		})
		w.Ann.Say(where, "!moot vote motion we meet on Fridays")
		w.Ann.Message(where, w.BotID, "we meet on Fridays")
		w.Ann.Ticked(where, id.EventID(will.Say(room, "!moot vote 2 abstain")), w.BotID)
		for _, b := range []struct {
			who    *client.Client
			ballot string
		}{{w.Ann, "yes"}, {dan, "no"}, {ben, "yes"}} {
			b.who.Ticked(where, b.who.Say(where, "!moot vote 2 "+b.ballot), w.BotID)
		}
		w.Ann.Patient(6)
		same := w.Ann.Message(where, w.BotID, "we meet on Fridays» has closed.")
		w.Ann.Patient(1)
		if by := after(end.Body()); by != after(same.Body()) {
			w.Errorf("by command it ended with %q, and by poll with %q", after(same.Body()), by)
		}
		w.sealed(w.Ann, where)
		w.well()
	})
}

// after returns what stands after the first line.
func after(text string) string {
	_, rest, _ := strings.Cut(text, "\n")
	return rest
}

func count(is bool) int {
	if is {
		return 1
	}
	return 0
}

// removedByOthers waits until the message of the vote that is open says that somebody else has removed a ballot.
func (w *town) removedByOthers(where id.RoomID) {
	w.Helper()
	w.until("that one was removed", func() (string, bool) {
		got := w.Ann.Ask(where, "!moot vote show")
		return got, strings.Contains(got, "removed by somebody else")
	})
}

// standsAt asks until the vote that is open stands so.
func (w *town) standsAt(where id.RoomID, want string) {
	w.Helper()
	w.until(want, func() (string, bool) {
		got := w.Ann.Ask(where, "!moot vote show")
		return got, strings.Contains(got, " voted: "+want)
	})
}

// TestSecretAndHiddenPolls: the poll of a hidden vote shows no count, but whoever is in the room holds who chose what. So a secret
// vote has no poll there, and is put to who asks for it alone. A device that nobody has signed casts no ballot.
func TestSecretAndHiddenPolls(t *testing.T) {
	t.Parallel()
	w := newTown(t, true, fast)
	w.Bot.Start()
	ben, uma := w.person("ben"), client.NewUnsigned(w, server, "uma")
	will := witness.New(t, server, client.Register(t, server, "will"))
	where := w.gathering(will, ben, uma)
	room, bot := string(where), string(w.BotID)
	will.Say(room, `!moot vote poll --hidden --multiple --for 1h "Which day?" Mon Tue "any other"`)
	poll := will.Poll(room, bot, "Which day?")
	if poll.Disclosed || poll.Most != 3 || !slices.Equal(poll.Answers, []string{"Mon", "Tue", "any other"}) {
		t.Errorf("the poll is %+v", poll)
	}
	will.Respond(room, poll.ID, "Mon", "any other")
	ben.Respond(where, id.EventID(poll.ID), idOf(t, poll, "Tue"))
	w.turnout(where, "2 of 4")
	unsigned := uma.Respond(where, id.EventID(poll.ID), idOf(t, poll, "Tue"))
	w.refused(string(unsigned), "from a device that its owner has not signed")
	if got := will.Poll(room, bot, "Which day?").Responses[string(ben.UserID)]; !slices.Equal(got, []string{"Tue"}) {
		t.Errorf("of what Ben chose, somebody else in the room holds %q: if it is nothing, a secret vote could be a poll", got)
	}

	will.Say(room, "!moot vote motion --secret --for 1h we whisper")
	will.Message(room, bot, "we whisper")
	dm := will.Create(witness.Room{Direct: true, Encrypted: true, Invite: bot})
	will.Await(dm, bot, "join")
	w.until("the room in private", func() (string, bool) {
		got := will.Answer(dm, will.Say(dm, "rooms")).Body()
		return got, strings.Contains(got, "«hall»")
	})
	will.Answer(dm, will.Say(dm, "vote show 2 --in hall"))
	alone := will.Poll(dm, bot, "we whisper")
	if alone.Disclosed || !alone.Event.Encrypted || !slices.Equal(alone.Answers, []string{"Yes", "No", "Abstain"}) {
		t.Errorf("the poll in private is %+v", alone)
	}
	will.Respond(dm, alone.ID, "No")
	will.Message(dm, bot, "Your ballot in vote 2 is no")
	w.again()
	will.Respond(dm, alone.ID, "Yes")
	will.Message(dm, bot, "Your ballot in vote 2 is yes")
	w.until("a turnout of 1 of 4", func() (string, bool) {
		got := w.Ann.Ask(where, "!moot vote show 2")
		return got, strings.Contains(got, "\n1 of 4 voted")
	})
	if n := will.Polls(room); n != 1 {
		t.Errorf("there are %d polls in the room, and the secret vote has none", n)
	}
	w.Ann.Say(where, "!moot vote cancel 2 for a test")
	if ended := will.Ended(dm, bot, "we whisper"); !strings.Contains(ended.End, "Cancelled") {
		t.Errorf("the poll in private ended with %q", ended.End)
	}
	w.sealed(w.Ann, where)
	w.well()
}
