package matrix_test

import (
	"image"
	"image/png"
	"maps"
	"os"
	"path/filepath"
	"testing"

	"maunium.net/go/mautrix/id"

	"moot/protocol"
	"moot/protocol/matrix"
)

// picture writes an image with a width to a file.
func picture(t *testing.T, file string, width int) {
	f, err := os.Create(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := png.Encode(f, image.NewGray(image.Rect(0, 0, width, 1))); err != nil {
		t.Fatal(err)
	}
}

// TestTheAccountIsPresentedAsConfigured: with its name and its picture, which is uploaded once, and again when it is another.
func TestTheAccountIsPresentedAsConfigured(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	file := filepath.Join(t.TempDir(), "avatar.png")
	picture(t, file, 4)
	w.config = func(c *matrix.Config) { c.Name, c.Avatar = "Moot of the Town", file }
	standing := func() string { _, avatar := w.Profile(w.bot); return avatar }
	w.start()
	w.eventually(func() bool { name, avatar := w.Profile(w.bot); return name == "Moot of the Town" && avatar != "" })
	w.stop()
	first := standing()
	w.start()
	w.stop()
	if n := w.Count("/upload"); n != 1 || standing() != first || first == "" {
		t.Errorf("%d uploads; the picture stands at %q, and stood at %q\n%s", n, standing(), first, w.log)
	}
	picture(t, file, 400)
	w.start()
	w.eventually(func() bool { return standing() != first })
	if n := w.Count("/upload"); n != 2 {
		t.Errorf("%d uploads", n)
	}
	w.stop()
	if err := os.WriteFile(file, []byte("a letter"), 0o600); err != nil {
		t.Fatal(err)
	}
	w.start()
	w.eventually(func() bool { return w.log.count("the account could not be given its picture") == 1 })
	if n := w.log.count("it is no picture of at most 10 MiB"); n != 1 {
		t.Errorf("what is no picture is told %d times\n%s", n, w.log)
	}
}

// TestTheServerIsToldWhatIsHandledAndCountsNothing: receipts in each room, and notifications off.
func TestTheServerIsToldWhatIsHandledAndCountsNothing(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	w.start()
	said := w.Server.Say(w.town, w.ann, "ping 1")
	w.eventually(func() bool { return w.ReadUpTo(w.town, w.bot) == said })
	if got := w.ReadUpTo(w.town, w.bot); got != said {
		t.Errorf("the bot has read up to %q and not %q", got, said)
	}
	w.eventually(func() bool { return w.Rule(w.bot, ".m.rule.master") })
	if !w.Rule(w.bot, ".m.rule.master") {
		t.Error("the server counts what is unread")
	}
	if w.Online(w.bot) {
		t.Error("the bot is shown as online to all whom it shares a room with")
	}
}

// TestARequestInARoomToVerifyTheBotIsAnsweredOnce, in clear and sealed: the program of who asks would wait for somebody.
func TestARequestInARoomToVerifyTheBotIsAnsweredOnce(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	w.encrypt(&toy{})
	vault := w.Create(w.ann, "Vault", encrypted)
	w.enter(vault)
	w.start()
	request := map[string]any{"msgtype": "m.key.verification.request", "body": "verify me", "to": w.bot, "from_device": "A", "methods": []string{"m.sas.v1"}}
	to := func(who string) map[string]any {
		c := maps.Clone(request)
		c["to"] = who
		return c
	}
	w.Send(w.town, w.ann, "m.room.message", to(w.ben))
	first := w.Send(w.town, w.ann, "m.room.message", request)
	for range 20 {
		w.Send(w.town, w.ann, "m.room.message", request)
	}
	w.Send(vault, w.ann, "m.room.message", request) // in clear where nothing should be
	w.Send(vault, w.ann, "m.room.encrypted", map[string]any{"algorithm": string(id.AlgorithmMegolmV1), "session_id": "s", "sender_key": "k", "device_id": "D",
		"ciphertext": string(seal("m.room.message", request))})
	cancelled := func() (n int) {
		for _, ev := range w.Timeline(w.town) {
			rel, _ := ev.Content["m.relates_to"].(map[string]any)
			if ev.Sender == w.bot && ev.Type == "m.key.verification.cancel" && rel["event_id"] == first {
				n++
			}
		}
		return n
	}
	w.eventually(func() bool { return cancelled() == 1 && w.clear(w.town) == 1 && len(w.sealed(vault)) == 2 })
	w.settle()
	if n, c, v := cancelled(), w.clear(w.town), w.sealed(vault); n != 1 || c != 1 || len(v) != 2 || w.clear(vault) != 0 {
		t.Errorf("%d cancels and %d sentences in clear, %q sealed, %d in clear among them", n, c, v, w.clear(vault))
	}
}

// TestTheBotIsCalledByItsNewName from when it is renamed on, without a restart.
func TestTheBotIsCalledByItsNewName(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	w.start()
	w.Server.Rename(w.bot, "Bob the Bot")
	w.Member(w.town, w.bot, w.bot, "join", nil)
	w.settle()
	w.Server.Say(w.town, w.ann, "Bob the Bot: ping 1")
	w.settle()
	for _, ev := range w.feature.events(w.town) {
		if m, ok := ev.Body.(protocol.Message); ok && m.Addressed && m.Text == "ping 1" {
			return
		}
	}
	t.Errorf("it does not know its new name\n%s", w.log)
}
