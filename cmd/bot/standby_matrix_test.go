//go:build unix

package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"moot/internal/effort"
	"moot/protocol"
	"moot/protocol/matrix/crypto"
)

// TestFailOverOnMatrix: of two machines with one log the one that leads is killed, stopped or frozen while people talk, in an encrypted room
// too. The other one goes on with the same device and the same keys: each message has one answer, and all can be read.
func TestFailOverOnMatrix(t *testing.T) {
	for name, start := range engines {
		t.Run(name, func(t *testing.T) { testFailOverOnMatrix(t, start(t)) })
	}
}

func testFailOverOnMatrix(t *testing.T, e engine) {
	effort.Slow(t)
	rounds := effort.Of(3, 9, 120)
	bin := failpointBot(t)
	town := matrixTown(t)
	bot := town.command
	machine := func(name string) *netRun {
		data := filepath.Join(t.TempDir(), name)
		config := filepath.Join(filepath.Dir(data), "config.toml")
		text, err := os.ReadFile(bot().Args[2])
		if err != nil {
			t.Fatal(err)
		}
		text = fmt.Appendf(text, "[replica]\nurl = { env = \"MOOT_REPLICA\" }\nnode = %q\n", name)
		if err := os.WriteFile(config, text, 0o600); err != nil {
			t.Fatal(err)
		}
		of := *town
		of.data = data
		of.command = func(args ...string) *exec.Cmd {
			cmd := exec.Command("bot", append(args, "--config", config, "--data", data)...)
			cmd.Env = append(os.Environ(), "MOOT_TOKEN=token-moot", "MOOT_REPLICA="+e.url)
			return cmd
		}
		return &netRun{netTown: &of, t: t, bin: bin, silent: map[protocol.EventID]bool{}}
	}
	leads, stands := machine("left"), machine("right")
	leads.until("the bot is in its rooms", func() bool { return leads.moved("joined") >= leads.rooms })
	follows := func() {
		t.Helper()
		stands.start()
		if err := stands.now.log.await(t.Context(), "this node stands by", 1); err != nil {
			t.Fatalf("%v\n%s", err, stands.now.log)
		}
	}
	follows()
	for n := range rounds {
		leads.talk(4)
		if n%2 == 0 {
			leads.until("all is answered", leads.answered)
		}
		leads.talk(2)
		old := leads.now
		old.mortal = true
		switch n % 3 {
		case 0:
			_ = old.cmd.Process.Kill()
			<-old.done
		case 1:
			_ = old.cmd.Process.Signal(syscall.SIGTERM)
			<-old.done
		default:
			if err := old.cmd.Process.Signal(syscall.SIGSTOP); err != nil {
				t.Fatal(err)
			}
		}
		leads.talk(2)
		stands.asked, stands.silent = leads.asked, leads.silent
		leads, stands = stands, leads
		leads.until("the other machine has answered all", leads.answered)
		if n%3 == 2 { // what it was about to do goes out now, and it stands by
			if err := old.cmd.Process.Signal(syscall.SIGCONT); err != nil {
				t.Fatal(err)
			}
			if err := old.log.await(t.Context(), "this node stands by", 2); err != nil {
				t.Fatalf("%v\n%s", err, old.log)
			}
			continue
		}
		stands.now = nil
		follows()
	}
	leads.talk(4)
	leads.until("all is answered", leads.answered)
	stands.now.mortal = true
	stands.rest()
	leads.rest()
	for ref, texts := range leads.answers() {
		for _, text := range texts {
			if len(texts) != 1 || crypto.Able && !strings.Contains(text, "m.room.message ") || strings.Contains(text, "sealed:") || strings.Contains(text, "in clear") {
				t.Errorf("%s is answered by %q", ref, texts)
			}
		}
	}
	if n := len(leads.answers()); n != len(leads.asked) {
		t.Errorf("%d answers to %d messages", n, len(leads.asked))
	}
	if kept := keptIn(t, leads.data); crypto.Able && kept.Owner != keptIn(t, stands.data).Owner {
		t.Errorf("the machines have keys of different devices")
	}
}
