//go:build goolm

package e2e

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"

	"moot/e2e/client"
	"moot/e2e/process"
	"moot/e2e/witness"
	"moot/replica/postgres/postgrestest"
)

// TestFailOver: of two machines with one log in PostgreSQL the one that leads is killed, and then frozen past its lease, while people
// and a foreign client give commands in encrypted rooms. The other one goes on with the same device and the same keys: each command
// has one answer, which all can read, nothing is said in clear, and no program warns of the bot.
func TestFailOver(t *testing.T) {
	t.Parallel()
	w := newTown(t, true, "")
	url := postgrestest.Start(t).URL
	account := client.Register(w, server, "moot")
	w.BotID = id.UserID(account.UserID)
	machine := func(name string) *process.Bot {
		return process.New(w, process.Config{
			Program: program, Server: server, Account: account, ByToken: true, Operators: w.Bot.Operators, Env: []string{"MOOT_REPLICA=" + url},
			Extra: fmt.Sprintf("[replica]\nurl = { env = \"MOOT_REPLICA\" }\nnode = %q\n", name),
		})
	}
	leads, stands := machine("left"), machine("right")
	w.Bot = leads
	leads.Start()
	where := w.room("hall")
	will := witness.New(t, server, client.Register(t, server, "will"))
	den := will.Create(witness.Room{Direct: true, Encrypted: true, Invite: string(w.BotID)})
	will.Await(den, string(w.BotID), "join")
	stands.Start()
	stands.Says("this node stands by")

	var asked []id.EventID
	var pinged []string
	talk := func(n int) {
		for range n {
			asked = append(asked, w.Ann.Say(where, "!moot ping"))
		}
		pinged = append(pinged, will.Say(den, "ping"))
	}
	answered := func() {
		t.Helper()
		for _, a := range asked {
			if got := w.Ann.Answer(where, a).Body(); got != "pong" {
				t.Errorf("it answered %q", got)
			}
		}
		for _, p := range pinged {
			pong := will.Answer(den, p)
			looks(t, pong)
			if pong.Body() != "pong" {
				t.Errorf("the answer to a ping was %q", pong.Body())
			}
		}
	}
	talk(3)
	answered()
	device := w.Ann.Devices(w.BotID)
	for _, how := range []string{"killed", "frozen", "killed"} {
		talk(2) // it may be about to answer them
		began := time.Now()
		if how == "killed" {
			leads.Kill()
		} else {
			leads.Freeze()
		}
		talk(2)
		leads, stands = stands, leads
		answered()
		t.Logf("%s: everything is answered after %v", how, time.Since(began).Round(time.Millisecond))
		if how == "killed" {
			stands.Start()
		} else {
			stands.Thaw() // what it was about to do goes out now, and it stands by
		}
		for end := time.Now().Add(time.Minute); ; time.Sleep(100 * time.Millisecond) {
			out, _ := stands.Do("check")
			if strings.Contains(out, "standing by as process") {
				break
			}
			if time.Now().After(end) {
				t.Fatalf("%s: the other machine does not stand by again:\n%s", how, out)
			}
		}
	}
	talk(2)
	answered()
	w.Bot = leads
	w.ping(w.Ann, where)
	for _, a := range asked {
		w.answered(w.Ann, where, a, 1)
	}
	for _, p := range pinged {
		if n := will.Answers(den, p); n != 1 {
			t.Errorf("a ping of the foreign client was answered %d times", n)
		}
	}
	w.sealed(w.Ann, where)
	w.Ann.Await("all that is sealed to be opened", func() bool { return w.Ann.Unreadable(where) == 0 })
	if is := w.Ann.Devices(w.BotID); fmt.Sprint(is) != fmt.Sprint(device) {
		t.Errorf("the devices of the bot were %v and are %v", device, is)
	}
	if is := w.Ann.Membership(where, w.BotID); is != event.MembershipJoin {
		t.Errorf("the bot is %s", is)
	}
	stands.Stop()
	leads.Stop()
	w.does("verify")
}
