//go:build goolm

package e2e

import (
	"strings"
	"testing"
	"time"

	"moot/e2e/client"
	"moot/e2e/witness"
)

// refused waits until moot why says of an event that it was refused, and for what.
func (w *town) refused(event, why string) {
	w.Helper()
	said := ""
	for until := time.Now().Add(30 * time.Second); time.Now().Before(until); time.Sleep(200 * time.Millisecond) {
		if said, _ = w.Bot.Do("why", event); strings.Contains(said, why) {
			return
		}
	}
	w.Errorf("moot why does not say %q of it:\n%s", why, said)
}

// TestInClearAndUnsigned: in an encrypted room a command in clear runs nothing, nor one of a device that nobody has signed.
// Both are told so, and the others go on.
func TestInClearAndUnsigned(t *testing.T) {
	t.Parallel()
	w := newTown(t, true, "")
	w.Bot.Start()
	uma := client.NewUnsigned(w, server, "uma")
	where := w.room("hall", uma)
	w.ping(w.Ann, where)
	unsigned := uma.Say(where, "!moot ping")
	w.refused(string(unsigned), "from a device that its owner has not signed")
	w.answered(uma, where, unsigned, 0)

	will := witness.New(t, server, client.Register(t, server, "will"))
	room := will.Create(witness.Room{Direct: true, Encrypted: true, Invite: string(w.BotID)})
	will.Await(room, string(w.BotID), "join")
	if pong := will.Answer(room, will.Say(room, "ping")); pong.Body() != "pong" {
		t.Errorf("the answer to a ping was %q", pong.Body())
	}
	forged := will.Clear(room, "!moot ping")
	w.refused(forged, "in clear in an encrypted room")
	told := will.Answer(room, forged)
	if !told.Encrypted || !strings.Contains(told.Body(), "it came in clear") {
		t.Errorf("they are told %q", told.Body())
	}
	w.ping(w.Ann, where)
}

// TestWithheldKeys: a program that gives keys to verified devices only keeps them from the bot, which says so at once, and
// what helps.
func TestWithheldKeys(t *testing.T) {
	t.Parallel()
	w := newTown(t, true, "")
	w.Bot.Start()
	will := witness.New(t, server, client.Register(t, server, "will"))
	room := will.Create(witness.Room{Direct: true, Encrypted: true, Invite: string(w.BotID)})
	will.Await(room, string(w.BotID), "join")
	if pong := will.Answer(room, will.Say(room, "ping")); pong.Body() != "pong" {
		t.Errorf("the answer to a ping was %q", pong.Body())
	}
	will.Withhold()
	will.Say(room, "ping")
	told := will.Message(room, string(w.BotID), "does not give me the key")
	if !strings.Contains(told.Body(), "verify my account") {
		t.Errorf("the room is told %q", told.Body())
	}
}
