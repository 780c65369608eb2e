//go:build goolm

package e2e

import (
	"os"
	"strings"
	"testing"

	"maunium.net/go/mautrix/id"
)

// TestLateKey: the key to a command comes after the command. Meanwhile the bot says why it does nothing, goes on with
// everything else, is killed and started again; then it answers, once.
func TestLateKey(t *testing.T) {
	t.Parallel()
	w := newTown(t, true, "")
	w.Bot.Start()
	ben := w.person("ben")
	where, dm := w.room("hall", ben), w.private(w.Ann)
	w.ping(w.Ann, dm)
	ben.HoldKeys()
	var sealed []id.EventID
	for range 3 {
		sealed = append(sealed, ben.Say(where, "!moot ping"))
	}
	w.ping(w.Ann, where) // behind them in the same room
	why, _ := w.Bot.Do("why", string(sealed[0]))
	if !strings.Contains(why, "waiting for key") {
		w.Errorf("moot why says of a command without its key:\n%s", why)
	}
	w.again()
	w.ping(w.Ann, where)
	for _, s := range sealed {
		w.answered(w.Ann, where, s, 0)
	}
	ben.ReleaseKeys()
	for _, s := range sealed {
		if got := ben.Answer(where, s).Body(); got != "pong" {
			w.Errorf("it answered %q", got)
		}
	}
	w.again()
	w.ping(w.Ann, where)
	for _, s := range sealed {
		w.answered(w.Ann, where, s, 1)
	}
	w.sealed(w.Ann, where)
	w.well()
}

// TestKeyWhileAway: the key comes while the bot is away, the command before or after it.
func TestKeyWhileAway(t *testing.T) {
	t.Parallel()
	w := newTown(t, true, "")
	w.Bot.Start()
	ben := w.person("ben")
	where := w.room("hall", ben)
	w.ping(w.Ann, where)
	ben.HoldKeys()
	before := ben.Say(where, "!moot ping")
	w.ping(w.Ann, where)
	w.Bot.Stop()
	during := ben.Say(where, "!moot ping")
	ben.ReleaseKeys()
	w.Bot.Start()
	for _, s := range []id.EventID{before, during} {
		if got := ben.Answer(where, s).Body(); got != "pong" {
			w.Errorf("it answered %q", got)
		}
	}
	w.ping(w.Ann, where)
	w.answered(w.Ann, where, before, 1)
	w.answered(w.Ann, where, during, 1)
}

// TestKeyNeverCame: when the time is over for which a message waits for its key, the room is told, once, and not again after
// a restart; the key that comes after that changes nothing.
func TestKeyNeverCame(t *testing.T) {
	if os.Getenv("MOOT_LONG") == "" {
		t.Skip("takes the ten minutes for which the bot waits; MOOT_LONG=1 runs it")
	}
	t.Parallel()
	w := newTown(t, true, "")
	w.Bot.Start()
	ben := w.person("ben")
	where := w.room("hall", ben)
	w.ping(w.Ann, where)
	ben.HoldKeys()
	var sealed []id.EventID
	for range 3 {
		sealed = append(sealed, ben.Say(where, "!moot ping"))
	}
	w.ping(w.Ann, where)
	w.Ann.Patient(12)
	told := w.Ann.Message(where, w.BotID, "could not read")
	w.Logf("the room is told: %s", told.Body())
	w.again()
	ben.ReleaseKeys()
	w.ping(w.Ann, where)
	w.ping(ben, where)
	if n := w.Ann.Count(where, w.BotID, "could not read"); n != 1 {
		w.Errorf("the room was told %d times", n)
	}
	for _, s := range sealed {
		w.answered(w.Ann, where, s, 0)
	}
	w.well()
}

// TestOpenedEncryption: a room becomes encrypted while the bot is in it, and while it is away. From there on nothing that it
// says is in clear.
func TestOpenedEncryption(t *testing.T) {
	for name, offline := range map[string]bool{"while it runs": false, "while it is away": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newTown(t, false, "")
			w.Bot.Start()
			where := w.room("hall")
			w.ping(w.Ann, where)
			w.Ann.Message(where, w.BotID, "Hello, I am") // when the room is at rest; it may not be on its way when the room changes
			var missed id.EventID
			if offline {
				missed = w.Ann.Say(where, "!moot ping")
				w.Bot.Stop()
			}
			w.Ann.Encrypt(where)
			if offline {
				w.Bot.Start()
				w.Ann.Await("an answer to "+string(missed), func() bool { return len(w.Ann.AnswersIn(where, missed)) > 0 })
			}
			for range 3 {
				w.ping(w.Ann, where)
			}
			since := false
			for _, ev := range w.Ann.Timeline(where) {
				since = since || ev.Type.Type == "m.room.encryption"
				if since && ev.Sender == w.BotID && ev.Body() != "" && !ev.Encrypted {
					w.Errorf("after the room was encrypted it said %q in clear", ev.Body())
				}
			}
		})
	}
}

// TestForgottenIdentity: with its database the bot loses its recovery key. It makes no other identity without being told
// to, and says what to do.
func TestForgottenIdentity(t *testing.T) {
	t.Parallel()
	w := newTown(t, true, "")
	w.Bot.Start()
	where := w.room("hall")
	w.ping(w.Ann, where)
	before := w.Ann.Identity(w.BotID)
	if before == "" {
		t.Fatal("the bot has no identity")
	}
	w.Bot.Stop()
	w.Bot.Forget()
	w.Bot.Start()
	w.private(w.Ann)
	if after := w.Ann.Identity(w.BotID); after != before {
		t.Errorf("its identity was %s and is %s", before, after)
	}
	check, _ := w.Bot.Do("check")
	if !strings.Contains(check, "recovery") {
		t.Errorf("moot check does not say what to do:\n%s", check)
	}
}
