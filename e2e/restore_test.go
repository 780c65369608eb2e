//go:build goolm

package e2e

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"maunium.net/go/mautrix/id"

	"moot/e2e/client"
	"moot/e2e/witness"
)

// TestRestoredFolder: the data folder is put back by hand, as it was before the last run. It is refused as the older copy. Where the
// server does not know that, nothing is answered twice, a foreign client reads what the bot goes on to say, and check tells what happened.
func TestRestoredFolder(t *testing.T) {
	t.Parallel()
	w := newTown(t, true, "")
	w.Bot.Start()
	will := witness.New(t, server, client.Register(t, server, "will"))
	room := will.Create(witness.Room{Direct: true, Encrypted: true, Invite: string(w.BotID)})
	will.Await(room, string(w.BotID), "join")
	ping := func() (asked string) {
		t.Helper()
		asked = will.Say(room, "ping")
		pong := will.Answer(room, asked)
		looks(t, pong)
		if pong.Body() != "pong" {
			t.Errorf("the answer to a ping was %q", pong.Body())
		}
		return asked
	}
	ping()
	w.Bot.Stop()
	data, backup := filepath.Join(w.Bot.Dir, "data"), filepath.Join(t.TempDir(), "data")
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(os.CopyFS(backup, os.DirFS(data)))
	w.Bot.Start()
	lost := []string{ping(), ping(), ping()}
	w.Bot.Stop()
	must(os.RemoveAll(data))
	must(os.CopyFS(data, os.DirFS(backup)))
	if out, code := w.Bot.Do("run"); code != 78 || !strings.Contains(out, "nother copy of this data folder") {
		t.Fatalf("the older copy ends with %d:\n%s", code, out)
	}
	must(server.ForgetData(t.Context(), w.Bot.Account, "moot.generation"))
	w.Bot.Start()
	w.Bot.Says("the bot begins new sessions with all devices")
	ping()
	ping()
	for _, asked := range lost {
		if n := will.Answers(room, asked); n != 1 {
			t.Errorf("what was answered after the backup was answered %d times", n)
		}
	}
	if check, _ := w.Bot.Do("check"); !strings.Contains(check, "was put back from a backup") {
		t.Errorf("moot check says\n%s", check)
	}
}

// TestRestored: the disk of the bot is lost after it has answered more than its backup knows, and moot restore makes another folder.
// Each answer stands in the room once. What was asked in clear while the bot was gone is answered too. The folder that was replaced is
// refused.
func TestRestored(t *testing.T) {
	each(t, "", func(w *town) {
		where := w.room("hall")
		ask := func() id.EventID { return w.Ann.Say(where, "!moot ping") }
		answered := func(asked ...id.EventID) {
			w.Helper()
			for _, a := range asked {
				w.Ann.Answer(where, a)
			}
		}
		known := []id.EventID{ask(), ask()}
		answered(known...)
		backups, data, lost := filepath.Join(w.Bot.Dir, "backups"), filepath.Join(w.Bot.Dir, "data"), filepath.Join(w.Bot.Dir, "lost")
		w.does("backup", backups)
		after := []id.EventID{ask(), ask(), ask()}
		answered(after...)
		w.Bot.Kill()
		if err := os.Rename(data, lost); err != nil {
			w.Fatal(err)
		}
		var missed []id.EventID
		if !w.Encrypted { // what is sealed while the bot is gone is sealed for a device that does not come back
			missed = append(missed, ask(), ask())
		}
		w.does("restore", backups)
		before := w.Ann.Devices(w.BotID)
		w.Bot.Start()
		if w.Encrypted { // until Ann's client knows of the new device, it encrypts to the old one alone
			w.Ann.AwaitNewDevice(w.BotID, before)
		}
		answered(missed...)
		w.ping(w.Ann, where)
		w.Bot.Stop() // all that waits is sent
		w.does("verify")
		for _, asked := range slices.Concat(known, after, missed) {
			w.answered(w.Ann, where, asked, 1)
		}

		if err := os.Rename(data, data+"-restored"); err != nil {
			w.Fatal(err)
		}
		if err := os.Rename(lost, data); err != nil {
			w.Fatal(err)
		}
		if out, code := w.Bot.Do("run"); code != 78 || !strings.Contains(out, "nother copy of this data folder") {
			w.Errorf("the folder that was replaced ends with %d:\n%s", code, out)
		}
	})
}

// does runs a command that must succeed.
func (w *town) does(args ...string) {
	w.Helper()
	if out, code := w.Bot.Do(args...); code != 0 {
		w.Fatalf("moot %s ends with %d:\n%s", strings.Join(args, " "), code, out)
	}
}

// TestResetIdentity: somebody resets the identity of the bot's account with another program. The account vouches for the bot again,
// without a restart, and a client that speaks with signed devices only goes on to read it.
func TestResetIdentity(t *testing.T) {
	t.Parallel()
	w := newTown(t, true, "")
	w.Bot.Start()
	w.ping(w.Ann, w.room("hall"))
	recovery, err := os.ReadFile(filepath.Join(w.Bot.Dir, "data", "matrix-recovery-key.txt"))
	if err != nil {
		t.Fatal(err)
	}
	other, err := server.Login(t.Context(), w.Bot.Account)
	if err != nil {
		t.Fatal(err)
	}
	before := w.Ann.Identity(w.BotID)
	will := witness.New(t, server, client.Register(t, server, "will"))
	will.Reset(server, other, strings.TrimSpace(string(recovery)))
	if after := w.Ann.Identity(w.BotID); after == before || after == "" {
		t.Fatalf("the identity was %q and is %q", before, after)
	}
	w.Bot.Says("the account vouches for the device of the bot")
	room := will.Create(witness.Room{Direct: true, Encrypted: true, Invite: string(w.BotID)})
	will.Await(room, string(w.BotID), "join")
	pong := will.Answer(room, will.Say(room, "ping"))
	looks(t, pong)
	if pong.Body() != "pong" {
		t.Errorf("the answer to a ping was %q", pong.Body())
	}
}
