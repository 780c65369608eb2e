//go:build goolm

package e2e

import (
	"strings"
	"testing"
	"time"

	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"

	"moot/e2e/client"
)

// quick are rules with which a vote of four people who have just met opens, and ends within the time of a test: as soon as
// nothing can change its outcome, but not before a minute is over.
const quick = `[votes]
member = "0s"
active_days = 0
early = "1m"
poll_shortest = "1m"
outage = "1h"
`

// again kills the bot and starts it anew.
func (w *town) again() {
	w.Helper()
	w.Bot.Kill()
	w.Bot.Start()
}

// closed waits for the message that says how a vote ended, which takes the minute that no vote is shorter than.
func (w *town) closed(where id.RoomID) client.Event {
	w.Helper()
	w.Ann.Patient(6) // a secret vote, and one for which a length was chosen, runs that out
	defer w.Ann.Patient(1)
	return w.Ann.Message(where, w.BotID, "has closed.")
}

// TestVote: a motion in a room, by reaction, by command and in private, with a kick in the middle and a kill between any
// two steps.
func TestVote(t *testing.T) {
	each(t, quick, func(w *town) {
		ben, dan, eve := w.person("ben"), w.person("dan"), w.person("eve")
		where := w.room("hall", ben, dan, eve)
		dm := w.private(eve)
		w.ping(w.Ann, where)
		w.Ann.Say(where, "!moot vote motion we meet on Tuesdays")
		message := w.Ann.Message(where, w.BotID, "we meet on Tuesdays")
		w.again()

		// A reaction is a ballot, and taking it back withdraws it.
		thumb := ben.React(where, message.ID, "👎")
		w.again()
		w.turnout(where, "1 of 4")
		ben.Redact(where, thumb)
		w.again()
		w.turnout(where, "0 of 4")
		ben.React(where, message.ID, "👍️")
		w.again()
		dan.Ticked(where, dan.Say(where, "!moot vote cast yes"), w.BotID)
		w.again()
		w.turnout(where, "2 of 4")

		// It is put out and comes back. What was voted stands, and what was done without it counts at the end.
		w.Ann.Kick(where, w.BotID, "go")
		w.again()
		late := w.Ann.React(where, message.ID, "👍")
		w.Ann.Invite(where, w.BotID)
		w.Ann.AwaitMembership(where, w.BotID, event.MembershipJoin)
		dan.AwaitMembership(where, w.BotID, event.MembershipJoin)
		w.again()
		w.knows(eve, dm, "hall")
		if got := eve.Ask(dm, "vote cast 1 no --in hall"); !strings.Contains(got, "ballot in vote 1 is no") {
			w.Errorf("a ballot in private is answered by %q", got)
		}
		w.turnout(where, "3 of 4")
		w.again()
		w.Ann.Redact(where, late)
		w.Ann.Ticked(where, w.Ann.Say(where, "!moot vote cast yes"), w.BotID)

		end := w.closed(where)
		if !strings.Contains(end.Body(), "3 yes, 1 no, 0 abstained of 4 who could vote") || !strings.Contains(end.Body(), "Passed") {
			w.Errorf("it ended with %q", end.Body())
		}
		w.again()
		w.ping(w.Ann, where)
		if n := w.Ann.Count(where, w.BotID, "has closed."); n != 1 {
			w.Errorf("it was said %d times that it has closed", n)
		}
		if out, code := w.Bot.Do("verify"); code != 0 {
			w.Errorf("moot verify: %s", out)
		}
		w.sealed(w.Ann, where)
		w.sealed(eve, dm)
		w.well()
	})
}

// turnout asks until the vote that is open shows a turnout. What was said before has been counted with the first answer;
// but secret ballots are collected for a while, so that their order tells nothing.
func (w *town) turnout(where id.RoomID, want string) {
	w.Helper()
	w.until("a turnout of "+want, func() (string, bool) {
		got := w.Ann.Ask(where, "!moot vote show")
		return got, strings.Contains(got, "\n"+want+" voted")
	})
}

// until asks until the answer is the one that is wanted.
func (w *town) until(what string, ask func() (got string, done bool)) {
	w.Helper()
	for deadline := time.Now().Add(3 * client.Patience); ; {
		got, done := ask()
		switch {
		case done:
			return
		case time.Now().After(deadline):
			w.Fatalf("there is not %s:\n%s", what, got)
		}
	}
}

// knows waits until the bot knows that somebody is in a room, whose list of members it may still be reading.
func (w *town) knows(who *client.Client, dm id.RoomID, name string) {
	w.Helper()
	w.until("the room "+name+" among those that are shared", func() (string, bool) {
		got := who.Ask(dm, "rooms")
		return got, strings.Contains(got, "«"+name+"»")
	})
}

// TestSecretVote: ballots in private only, and until the end nothing is shown but the turnout.
func TestSecretVote(t *testing.T) {
	each(t, quick, func(w *town) {
		ben, dan := w.person("ben"), w.person("dan")
		where := w.room("hall", ben, dan)
		dms := map[*client.Client]id.RoomID{w.Ann: w.private(w.Ann), ben: w.private(ben), dan: w.private(dan)}
		for who, dm := range dms {
			who.Message(dm, w.BotID, "Hello, I am moot.")
		}
		w.Ann.Say(where, "!moot vote motion --secret --for 4m we meet in secret")
		message := w.Ann.Message(where, w.BotID, "we meet in secret")

		// What all can see is no ballot, and whoever tries is told so in private.
		ben.React(where, message.ID, "👎")
		ben.Message(dms[ben], w.BotID, "is secret")
		cast := dan.Say(where, "!moot vote cast 1 no")
		w.turnout(where, "0 of 3")
		for _, ev := range dan.Answers(where, cast) {
			if !strings.Contains(ev.Body(), "secret") {
				w.Errorf("a ballot of a secret vote in the room is answered by %q", ev.Body())
			}
		}
		for who, ballot := range map[*client.Client]string{w.Ann: "yes", ben: "yes", dan: "no"} {
			if got := who.Ask(dms[who], "vote cast 1 "+ballot+" --in hall"); !strings.Contains(got, "allot") {
				w.Errorf("a secret ballot is answered by %q", got)
			}
			w.again()
		}
		w.turnout(where, "3 of 3")
		for _, ev := range w.Ann.Timeline(where) {
			if ev.Sender == w.BotID && strings.Contains(ev.Body(), " voted: ") {
				w.Errorf("a secret vote shows how it stands: %q", ev.Body())
			}
		}
		end := w.closed(where)
		if !strings.Contains(end.Body(), "2 yes, 1 no, 0 abstained of 3 who could vote") {
			w.Errorf("it ended with %q", end.Body())
		}
		w.sealed(w.Ann, where)
		w.well()
	})
}

// TestChallenged: an operator challenges somebody, who may then not use the bot in that room, hears so in a kind sentence,
// and is restored.
func TestChallenged(t *testing.T) {
	each(t, "", func(w *town) {
		ben := w.person("ben")
		where := w.room("hall", ben)
		w.ping(ben, where)
		w.Ann.Say(where, "!moot override challenge "+string(ben.UserID)+" floods the room")
		w.Ann.Message(where, w.BotID, "is now suspended")
		ben.Say(where, "!moot members")
		dm := ben.Invitation(w.BotID)
		ben.Accept(dm)
		ben.Message(dm, w.BotID, "You have been suspended")
		w.again()
		w.Ann.Say(where, "!moot override restore "+string(ben.UserID)+" has stopped")
		w.Ann.Message(where, w.BotID, "is restored by decision")
		ben.Answer(where, ben.Say(where, "!moot members"))
		if got := w.members(where); !strings.Contains(got, "3 members") {
			w.Errorf("Ben, who is restored, is told %q", got)
		}
		w.sealed(ben, where)
		w.sealed(ben, dm)
	})
}
