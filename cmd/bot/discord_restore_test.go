package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"moot/protocol/discord/discordtest"
)

// TestDiscordRestore: a bot whose disk is lost, and that goes on from a backup, answers each message exactly once: those that
// it had answered before the backup, those that it had answered after it, and those that came when it was gone. What it had
// posted of its own accord stands once too. Discord gives it the lost time back by the session or, where that is lost as well,
// as what stands in the channels; and it knows the nonces no more.
func TestDiscordRestore(t *testing.T) {
	for name, forget := range map[string]bool{"by the session": false, "by what stands there": true} {
		t.Run(name, func(t *testing.T) {
			b := newDiscordBot(t, "message_content = true\n[commands]\nrate_burst = 1000")
			b.srv.Advance(-10 * time.Minute) // what was said is old by the clock of the bot
			w := &killedTown{town: b.settle("Lab")}
			b.start()
			w.ready()
			answered := func(ids ...string) {
				t.Helper()
				for _, id := range ids {
					b.srv.Until("an answer to "+id, func() bool { return w.answers()[id] > 0 })
				}
			}
			told := func(u *discordtest.User) {
				t.Helper()
				u.Says(u.DM(), "ping")
				b.shows(u, u.DM(), "pong")
			}
			answered(w.asks())
			backups := filepath.Join(b.dir, "backups")
			b.run("backup", backups)

			lost := []string{w.asks(), w.asks()}
			answered(lost...)
			told(w.ben)
			w.ann.Says(w.general, "!moot vote motion we sing")
			b.shows(w.ben, w.general, "moves: we sing")
			b.kill()
			if err := os.RemoveAll(filepath.Join(b.dir, "data")); err != nil {
				t.Fatal(err)
			}
			missed := w.asks()
			b.srv.Advance(6 * time.Minute)
			if forget {
				b.srv.Forget()
			}
			b.run("restore", backups)
			b.start()
			answered(missed, w.asks())
			told(w.cem)
			told(w.dan)
			b.stop() // everything that waits is sent
			for id, n := range w.answers() {
				if n != 1 {
					t.Errorf("message %s is answered %d times", id, n)
				}
			}
			if n := len(w.answers()); n != len(w.asked) {
				t.Errorf("%d messages are answered, and %d were asked", n, len(w.asked))
			}
			count := func(u *discordtest.User, c *discordtest.Channel, part string) (n int) {
				for _, m := range u.Sees(c) {
					if strings.Contains(m.Content, part) {
						n++
					}
				}
				return n
			}
			if n := count(w.ben, w.general, "moves: we sing"); n != 1 {
				t.Errorf("the motion stands %d times", n)
			}
			for _, u := range []*discordtest.User{w.ben, w.cem, w.dan} {
				if n := count(u, u.DM(), "pong"); n != 1 {
					t.Errorf("%s is answered %d times in private", u.Name, n)
				}
			}
			b.run("verify")
			if t.Failed() {
				t.Log(fmt.Sprint(w.answers()), "\n", b.run("outbox"))
			}
		})
	}
}
