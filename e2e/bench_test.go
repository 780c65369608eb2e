//go:build goolm

package e2e

import (
	"os"
	"os/exec"
	"slices"
	"testing"
	"time"

	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"

	"moot/e2e/client"
	"moot/e2e/homeserver"
	"moot/e2e/process"
)

// BenchmarkReply measures how long a command takes to be answered, from the moment at which a client begins to send it until
// the same client has the answer. The bot and the echo bot, which is mautrix as its examples use it, take turns in one run
// against one homeserver; each has a room of its own.
//
//	go test -run '^$' -bench Reply -benchtime 200x
func BenchmarkReply(b *testing.B) {
	for name, encrypted := range map[string]bool{"plain": false, "encrypted": true} {
		b.Run(name, func(b *testing.B) { benchmarkReply(b, encrypted) })
	}
}

func benchmarkReply(b *testing.B, encrypted bool) {
	own := homeserver.StartT(b) // nobody has been killed there
	direct := *own
	direct.URL = own.Direct
	ann := client.New(b, &direct, "ann")
	account := client.Register(b, &direct, "moot")
	bot := process.New(b, process.Config{Program: program, Server: &direct, Account: account})
	bot.Start()
	moot := benchRoom(b, ann, id.UserID(account.UserID), encrypted, "!moot ping")
	other := client.Register(b, &direct, "echo")
	startEcho(b, &direct, other)
	bare := benchRoom(b, ann, id.UserID(other.UserID), encrypted, "!echo")

	var took [2][]time.Duration
	once := func(i int, where id.RoomID, text string) {
		began := time.Now()
		if got := ann.Ask(where, text); got != "pong" {
			b.Fatalf("to %q it answered %q", text, got)
		}
		took[i] = append(took[i], time.Since(began))
	}
	b.ResetTimer()
	for n := range b.N {
		if n%2 == 0 {
			once(0, moot, "!moot ping")
			once(1, bare, "!echo")
		} else {
			once(1, bare, "!echo")
			once(0, moot, "!moot ping")
		}
	}
	b.StopTimer()
	ms := func(i, percent int) float64 {
		slices.Sort(took[i])
		return float64(took[i][min(len(took[i])*percent/100, len(took[i])-1)].Microseconds()) / 1000
	}
	b.ReportMetric(0, "ns/op") // of both together, which says nothing
	b.ReportMetric(ms(0, 50), "moot-median-ms")
	b.ReportMetric(ms(1, 50), "echo-median-ms")
	b.ReportMetric(ms(0, 50)/ms(1, 50), "ratio")
	b.ReportMetric(ms(0, 99), "moot-p99-ms")
	b.ReportMetric(ms(1, 99), "echo-p99-ms")
}

// benchRoom makes a room with a bot that has answered there, so that all keys are where they belong.
func benchRoom(b *testing.B, ann *client.Client, bot id.UserID, encrypted bool, ask string) id.RoomID {
	b.Helper()
	where := ann.Create(client.Room{Name: "hall", Encrypted: encrypted, Invite: []id.UserID{bot}})
	ann.AwaitMembership(where, bot, event.MembershipJoin)
	for range 3 {
		ann.Ask(where, ask)
	}
	return where
}

func startEcho(b *testing.B, s *homeserver.Server, a homeserver.Account) {
	b.Helper()
	cmd := exec.Command(echo, s.URL, a.UserID, a.Token, a.DeviceID, b.TempDir())
	cmd.Stderr = os.Stderr
	homeserver.DieWithParent(cmd)
	if err := homeserver.StartProcess(cmd); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait() // it was killed
	})
}
