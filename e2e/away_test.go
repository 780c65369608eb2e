//go:build goolm

package e2e

import (
	"slices"
	"strings"
	"testing"

	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"
)

// missed is more than any timeline that a server sends unasked: the bot has to fetch the rest.
const missed = 70

// TestAway: the bot is away for longer than a timeline reaches. Every command that it has missed is answered once and in
// order, and who came meanwhile is known. In an encrypted room the order is that of each person: the devices of somebody who came
// meanwhile are asked for while the words of others are acted on.
func TestAway(t *testing.T) {
	each(t, "", func(w *town) {
		ben := w.person("ben")
		where := w.room("hall")
		w.ping(w.Ann, where)
		w.Bot.Stop()
		w.Ann.Invite(where, ben.UserID)
		ben.Accept(where)
		w.Ann.AwaitMembership(where, ben.UserID, event.MembershipJoin)
		var asked, ofBen, ofAnn []id.EventID
		for n := range missed {
			if n%3 == 0 {
				ofBen = append(ofBen, ben.Say(where, "!moot ping"))
				asked = append(asked, ofBen[len(ofBen)-1])
			} else {
				ofAnn = append(ofAnn, w.Ann.Say(where, "!moot ping"))
				asked = append(asked, ofAnn[len(ofAnn)-1])
			}
		}
		w.Bot.Start()
		if w.Encrypted {
			w.inOrder(where, ofAnn)
			w.inOrder(where, ofBen)
		} else {
			w.inOrder(where, asked)
		}
		if got := w.members(where); !strings.Contains(got, "3 members") {
			w.Errorf("the members are told as %q", got)
		}
		w.sealed(w.Ann, where)
	})
}

// inOrder waits for the answer to the last of several commands and fails where one of them was not answered once and in
// its turn.
func (w *town) inOrder(where id.RoomID, asked []id.EventID) {
	w.Helper()
	w.Ann.Answer(where, asked[len(asked)-1])
	w.ping(w.Ann, where)
	at := 0
	var answered []int // which of them, as the answers came
	for _, ev := range w.Ann.Timeline(where) {
		if ev.Sender != w.BotID || ev.RepliesTo() == "" || at == len(asked) {
			continue
		}
		answered = append(answered, slices.Index(asked, ev.RepliesTo()))
		if ev.RepliesTo() == asked[at] {
			at++
		}
	}
	if at != len(asked) {
		w.Errorf("of %d commands %d were answered in order; answered were, from 0 on, %d", len(asked), at, answered)
	}
	for _, a := range asked {
		w.answered(w.Ann, where, a, 1)
	}
}

// TestKilledInABurst: the bot is killed again and again in the middle of a burst of commands. Each is answered exactly once.
func TestKilledInABurst(t *testing.T) {
	each(t, "", func(w *town) {
		const size = 12
		ben := w.person("ben")
		where := w.room("hall", ben)
		w.ping(w.Ann, where)
		var asked []id.EventID
		for round := range 4 {
			var burst []id.EventID
			for n := range size {
				who := w.Ann
				if n%2 == 1 {
					who = ben
				}
				burst = append(burst, who.Say(where, "!moot ping"))
			}
			// It dies when some of the burst has been answered, another number each time.
			at := burst[1+round*size/5]
			w.Ann.Await("an answer in the middle of the burst", func() bool { return len(w.Ann.AnswersIn(where, at)) > 0 })
			w.Bot.Kill()
			w.Bot.Start()
			asked = append(asked, burst...)
		}
		w.Ann.Answer(where, asked[len(asked)-1])
		w.ping(w.Ann, where)
		for n, a := range asked {
			if got := len(w.Ann.Answers(where, a)); got != 1 {
				why, _ := w.Bot.Do("why", string(a))
				w.Errorf("command %d, %s, was answered %d times\n%s", n, a, got, why)
			}
		}
		w.sealed(w.Ann, where)
		w.well()
	})
}

// well fails where the bot itself finds something wrong with what it has stored.
func (w *town) well() {
	w.Helper()
	if out, code := w.Bot.Do("dead"); code != 0 || !strings.Contains(out, "no dead letters") {
		w.Errorf("dead letters: %s", out)
	}
	w.Bot.Stop()
	if out, code := w.Bot.Do("check", "--full"); code != 0 {
		w.Errorf("moot check: %s", out)
	}
}

// TestLost: the database is lost and the account kept. The bot comes back as a new device, acts on nothing old, and says
// nothing in clear.
func TestLost(t *testing.T) {
	each(t, "", func(w *town) {
		where := w.room("hall")
		w.Ann.Message(where, w.BotID, "Hello, I am") // a room is greeted when it has come to rest
		first := w.Ann.Say(where, "!moot ping")
		w.Ann.Answer(where, first)
		w.Bot.Stop()
		meanwhile := w.Ann.Say(where, "!moot ping")
		before := w.Ann.Devices(w.BotID)
		w.Bot.Forget()
		w.Bot.Start()
		if w.Encrypted { // until Ann's client knows of the new device, it encrypts to the old one alone
			w.Ann.AwaitNewDevice(w.BotID, before)
		}
		w.private(w.Ann) // that the bot comes shows that its first reading of the rooms is over
		w.ping(w.Ann, where)
		w.answered(w.Ann, where, first, 1)
		w.answered(w.Ann, where, meanwhile, 0)
		if n := w.Ann.Count(where, w.BotID, "Hello, I am"); n != 1 {
			w.Errorf("it greeted %d times", n)
		}
		w.sealed(w.Ann, where)
	})
}
