//go:build goolm

package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

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
