package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"moot/internal/failpoint"
	"moot/protocol/discord/discordtest"
	"moot/protocol/matrix/matrixtest"
)

// The crash matrix once more, at a Discord and at a homeserver that tests play: commands that were given while the bot was
// away, while it catches up and afterwards have one answer each, wherever it dies.

// netTown is a room on one of the networks.
type netTown struct {
	command func() *exec.Cmd // starts the bot
	ready   func() bool      // whether the bot is there and knows the room
	say     func(n int) string
	answers func() map[string]int // how many answers each message has
	data    string
}

func discordTown(t *testing.T) *netTown {
	b := &discordBot{T: t, srv: discordtest.New(t), dir: t.TempDir()}
	b.configure("message_content = true")
	town := b.settle("Lab")
	return &netTown{
		command: func() *exec.Cmd { return b.command() },
		ready: func() bool {
			return b.srv.Online() > 0 && len(b.srv.Commands()) > 0 &&
				strings.Contains(town.ann.Slash(town.general, "members", nil).Reply().Content, town.dan.ID)
		},
		say: func(n int) string {
			who := []*discordtest.User{town.ann, town.ben, town.cem, town.dan}[n%4]
			return who.Says(town.general, "!moot ping").ID
		},
		answers: func() map[string]int {
			n := map[string]int{}
			for _, m := range town.ann.Sees(town.general) {
				if m.AuthorID == b.srv.Bot.ID && m.ReplyTo != "" {
					n[m.ReplyTo]++
				}
			}
			return n
		},
		data: filepath.Join(b.dir, "data"),
	}
}

func matrixTown(t *testing.T) *netTown {
	s := matrixtest.New()
	t.Cleanup(s.Close)
	self := s.Account("moot", "Moot")
	var people []string
	for _, name := range []string{"ann", "ben", "cem", "dan"} {
		people = append(people, s.Account(name, name))
	}
	room := s.Create(people[0], "Lab", nil)
	for _, p := range people[1:] {
		s.Member(room, p, p, "join", nil)
	}
	s.Member(room, people[0], self, "invite", nil)
	dir := t.TempDir()
	data := filepath.Join(dir, "data")
	config := filepath.Join(dir, "config.toml")
	text := fmt.Sprintf("data = %q\n[matrix]\nuser = %q\nhomeserver = %q\naccess_token = { env = \"MOOT_TOKEN\" }\n", data, self, s.URL)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return &netTown{
		command: func() *exec.Cmd {
			cmd := exec.Command("bot", "--config", config)
			cmd.Env = append(os.Environ(), "MOOT_TOKEN=token-moot")
			return cmd
		},
		ready: func() bool {
			return s.Membership(room, self) == "join" && s.Count("/members") > 0 && s.Count("GET /_matrix/client/v3/sync") > 1
		},
		say: func(n int) string { return s.Say(room, people[n%4], "!moot ping") },
		answers: func() map[string]int {
			n := map[string]int{}
			for _, ev := range s.Timeline(room) {
				if ev.Sender != self || ev.Type != "m.room.message" {
					continue
				}
				relates, _ := ev.Content["m.relates_to"].(map[string]any)
				to, _ := relates["m.in_reply_to"].(map[string]any)
				if id, _ := to["event_id"].(string); id != "" {
					n[id]++
				}
			}
			return n
		},
		data: data,
	}
}

// netLife is one life of a bot.
type netLife struct {
	cmd  *exec.Cmd
	log  *watchedLog
	done chan struct{} // closed when it has ended
}

func (n *netTown) start(t *testing.T, bin string, env ...string) *netLife {
	t.Helper()
	l := &netLife{cmd: n.command(), log: &watchedLog{}, done: make(chan struct{})}
	l.cmd.Path, l.cmd.Args[0], l.cmd.Err = bin, bin, nil
	l.cmd.Env = append(l.cmd.Env, env...)
	l.cmd.Stdout, l.cmd.Stderr = l.log, l.log
	if err := l.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		_ = l.cmd.Wait()
		close(l.done)
	}()
	t.Cleanup(func() {
		_ = l.cmd.Process.Kill()
		<-l.done
	})
	return l
}

// until waits for something, and returns false where the bot has died before.
func (l *netLife) until(t *testing.T, what string, so func() bool) bool {
	t.Helper()
	deadline := time.After(2 * killTimeout)
	for !so() {
		select {
		case <-l.done:
			return so()
		case <-deadline:
			t.Fatalf("waited in vain until %s\n%s", what, l.log)
		case <-time.After(5 * time.Millisecond): // the bot is a process of its own; nobody tells us
		}
	}
	return true
}

// stop ends it in good order; mortal is whether it may come by the place where it dies on its way out.
func (l *netLife) stop(t *testing.T, mortal bool) {
	t.Helper()
	_ = l.cmd.Process.Signal(syscall.SIGTERM)
	if <-l.done; mortal && wasKilled(l.cmd) {
		return
	}
	if code := l.cmd.ProcessState.ExitCode(); code != exitOK {
		t.Errorf("it ended with %d\n%s", code, l.log)
	}
}

// crash lets the bot die by env, and returns whether it did. What was said before, meanwhile and afterwards has one answer.
func (n *netTown) crash(t *testing.T, bin string, env ...string) bool {
	t.Helper()
	var asked []string
	talk := func(k int) {
		for range k {
			asked = append(asked, n.say(len(asked)))
		}
	}
	answered := func() bool {
		got := n.answers()
		for _, id := range asked {
			if got[id] == 0 {
				return false
			}
		}
		return true
	}
	l := n.start(t, bin)
	if !l.until(t, "the bot is there", n.ready) {
		t.Fatalf("the bot ended by itself:\n%s", l.log)
	}
	l.stop(t, false)
	talk(3)
	l = n.start(t, bin, env...)
	if l.until(t, "what was missed is answered", answered) {
		talk(3)
		l.until(t, "all is answered", answered)
	}
	died := false
	select {
	case <-l.done:
		if died = wasKilled(l.cmd); !died {
			t.Fatalf("the bot ended by itself:\n%s", l.log)
		}
	default:
		l.stop(t, true)
		died = wasKilled(l.cmd)
	}
	talk(2)
	l = n.start(t, bin)
	l.until(t, "all is answered", answered)
	l.stop(t, false)
	got := n.answers()
	for _, id := range asked {
		if got[id] != 1 {
			t.Errorf("%s has %d answers", id, got[id])
		}
	}
	for _, line := range strings.Split(stateOf(t, n.data, nil), "\n") {
		if strings.HasPrefix(line, "sent ") && !strings.Contains(line, ": sent, ") || strings.HasPrefix(line, "dead letter") {
			t.Errorf("at the end there is: %s", line)
		}
	}
	return died
}

func TestCrashOnNetworks(t *testing.T) {
	bin := failpointBot(t)
	places := []failpoint.Point{
		failpoint.AdmitReturned, failpoint.SendAfter, failpoint.CommitAfter,
		failpoint.CommitBefore, failpoint.AdmitReturns, failpoint.SendBefore,
	}
	places = places[:effort(2, len(places), len(places))]
	tell(os.Stdout, "\n%-16s %-8s %8s %8s   %s", "killed at", "network", "come by", "kills", "each command has one answer")
	for _, net := range []struct {
		name string
		make func(*testing.T) *netTown
	}{{"matrix", matrixTown}, {"discord", discordTown}} {
		t.Run(net.name, func(t *testing.T) {
			log := filepath.Join(t.TempDir(), "hits")
			net.make(t).crash(t, bin, "MOOT_FAILPOINT_LOG="+log)
			text, err := os.ReadFile(log)
			if err != nil {
				t.Fatal(err)
			}
			hits := map[failpoint.Point]int{}
			for _, name := range strings.Fields(string(text)) {
				hits[failpoint.Point(name)]++
			}
			slots := make(chan struct{}, 4) // they wait more than they work
			var wg sync.WaitGroup
			var mu sync.Mutex
			kills := map[failpoint.Point]int{}
			for _, p := range places {
				for _, at := range spread(hits[p], effort(1, 3, 12)) {
					slots <- struct{}{}
					wg.Go(func() {
						defer func() { <-slots }()
						t.Run(fmt.Sprintf("%s-%d", p, at), func(t *testing.T) {
							if net.make(t).crash(t, bin, fmt.Sprintf("MOOT_FAILPOINT=%s:%d", p, at)) {
								mu.Lock()
								kills[p]++
								mu.Unlock()
							}
						})
					})
				}
			}
			wg.Wait()
			verdict := "yes"
			if t.Failed() {
				verdict = "NO"
			}
			for _, p := range places {
				if kills[p] == 0 {
					t.Errorf("nobody died at %s", p)
				}
				tell(os.Stdout, "%-16s %-8s %8d %8d   %s", p, net.name, hits[p], kills[p], verdict)
			}
		})
	}
}
