package main

import (
	"bytes"
	"fmt"
	"net/http"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"moot/internal/effort"
	"moot/protocol/discord/discordtest"
	"moot/protocol/discord/gateway"
)

// nodesBot is a bot whose shards are in processes of their own.
type nodesBot struct {
	*discordBot
	towns [2]*town // one whose shard is among the first half, one of the second
	asked [2][]string
	n     int
}

// nodeProcess is one process of it.
type nodeProcess struct {
	cmd  *exec.Cmd
	log  lockedBuffer
	done chan struct{}
}

type lockedBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

const nodesShards = 4

// newNodesBot takes further lines for [nodes].
func newNodesBot(t *testing.T, nodes ...string) *nodesBot {
	b := &nodesBot{discordBot: newDiscordBot(t)}
	b.configure(append([]string{"message_content = true\n[commands]\nrate_burst = 10000\n[nodes]\nlisten = \"unix:nodes.sock\""}, nodes...)...)
	b.srv.Set(func(s *discordtest.Server) {
		s.MaxConcurrency, s.Patience, s.AnswerWithin, s.Bucket = nodesShards, 2*time.Minute, 2*time.Minute, 100000
	})
	for i := 0; b.towns[0] == nil || b.towns[1] == nil; i++ {
		b.srv.Advance(2 * time.Millisecond) // ids are of a millisecond, and shards of ids
		town := b.settle(fmt.Sprint("town ", i))
		half := gateway.ShardOf(town.ID, nodesShards) / (nodesShards / 2)
		if b.towns[half] == nil {
			b.towns[half] = town
		}
	}
	return b
}

// begin starts a process.
func (b *nodesBot) begin(args ...string) *nodeProcess {
	b.Helper()
	return b.beginCommand(b.command(args...))
}

func (b *nodesBot) beginCommand(cmd *exec.Cmd) *nodeProcess {
	b.Helper()
	p := &nodeProcess{cmd: cmd, done: make(chan struct{})}
	p.cmd.Stdout, p.cmd.Stderr = &p.log, &p.log
	if err := p.cmd.Start(); err != nil {
		b.Fatal(err)
	}
	go func() {
		_ = p.cmd.Wait()
		close(p.done)
	}()
	b.Cleanup(func() {
		p.kill()
		if b.Failed() {
			b.Logf("the log of %q:\n%s", cmd.Args, p.log.String())
		}
	})
	return p
}

func (p *nodeProcess) kill() {
	_ = p.cmd.Process.Kill()
	<-p.done
}

// ends tells a process to end in good order.
func (b *nodesBot) ends(p *nodeProcess) {
	b.Helper()
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	<-p.done
	if code := p.cmd.ProcessState.ExitCode(); code != 0 {
		b.Errorf("it ended with %d:\n%s", code, p.log.String())
	}
}

// talk has so many commands given in both towns.
func (b *nodesBot) talk(n int) {
	for range n {
		for i, town := range b.towns {
			b.n++
			u := []*discordtest.User{town.ann, town.ben, town.cem, town.dan}[b.n%4]
			b.asked[i] = append(b.asked[i], u.Says(town.general, "!moot ping").ID)
		}
	}
}

// answers counts the answers to each message of a town.
func (b *nodesBot) answers(i int) map[string]int {
	n := map[string]int{}
	for _, m := range b.towns[i].ann.Sees(b.towns[i].general) {
		if m.AuthorID == b.srv.Bot.ID && m.ReplyTo != "" {
			n[m.ReplyTo]++
		}
	}
	return n
}

// answered waits until all is answered, and fails where something is answered twice.
func (b *nodesBot) answered(what string, towns ...int) {
	b.Helper()
	for _, i := range towns {
		b.srv.Until("all is answered "+what, func() bool {
			got := b.answers(i)
			for _, id := range b.asked[i] {
				if got[id] == 0 {
					return false
				}
			}
			return true
		})
		for id, n := range b.answers(i) {
			if n != 1 {
				b.Errorf("%s: message %s is answered %d times", what, id, n)
			}
		}
	}
}

func (b *nodesBot) online(n int) {
	b.Helper()
	b.srv.Until(fmt.Sprintf("%d shards are connected", n), func() bool { return b.srv.Online() == n })
}

// connects waits until a node says that so many shards are connected. Right after a kill the connections of the
// killed node still count as online, so that only the node itself can tell.
func (b *nodesBot) connects(p *nodeProcess, n int) {
	b.Helper()
	b.srv.Until(fmt.Sprintf("the node has %d shards", n), func() bool {
		return strings.Count(p.log.String(), "msg=connected ") == n
	})
}

// TestNodes kills each process of a bot whose shards are in nodes, under events: nothing is lost or doubled, and no session is begun
// anew.
func TestNodes(t *testing.T) {
	effort.Slow(t)
	b := newNodesBot(t)
	burst := 20
	if effort.Long() {
		burst = 200 // Discord takes 50 answers a second of a bot
	}
	first, second := b.begin("node", "--shards", "0-1/4"), b.begin("node", "--shards", "2,3/4") // before there is a writer
	writer := b.begin()
	b.online(nodesShards)
	for _, town := range b.towns {
		town.ready()
	}
	b.talk(burst)
	b.answered("at first", 0, 1)

	// A node dies, and the next one goes on with its sessions. The other one notices nothing.
	b.talk(burst)
	first.kill()
	b.online(2)
	b.talk(burst)
	b.answered("while a node is away", 1)
	began := time.Now()
	first = b.begin("node", "--shards", "0-1/4")
	b.online(nodesShards)
	t.Logf("the sessions of a node that was killed are resumed after %s", time.Since(began).Round(time.Millisecond))
	b.answered("when it is back", 0, 1)

	// One that waits takes over.
	spare := b.begin("node", "--shards", "0-1/4")
	b.srv.Until("the spare one waits", func() bool { return strings.Contains(spare.log.String(), "has some of the shards") })
	b.talk(burst)
	first.kill()
	began = time.Now()
	b.talk(burst)
	b.answered("by the spare one", 0, 1)
	t.Logf("the spare node has answered all after %s", time.Since(began).Round(time.Millisecond))

	for _, r := range b.srv.Requests("", "") {
		if r.Status == http.StatusTooManyRequests {
			t.Errorf("nodes ask more of Discord than it allows: %s %s", r.Method, r.Path)
		}
	}

	// The writer dies: nodes keep their connections, acknowledge commands, and wait.
	b.talk(burst)
	b.connects(spare, 2)
	b.online(nodesShards)
	connections := b.srv.Connections()
	writer.kill()
	b.talk(burst)
	var replies []*discordtest.Interaction
	for _, town := range b.towns {
		replies = append(replies, town.ben.Slash(town.general, "members", nil))
	}
	for _, i := range replies {
		i.Ack() // which takes no writer
	}
	writer = b.begin()
	for i, r := range replies {
		b.expect("an answer", r.Reply().Content, "6 members", b.towns[i].dan.ID)
	}
	b.answered("by the next writer", 0, 1)
	if n := b.srv.Connections(); n != connections {
		t.Errorf("while the writer was away nodes connected to Discord %d times", n-connections)
	}
	if n := b.srv.Identified(); n != nodesShards {
		t.Errorf("%d identifies were sent for %d shards", n, nodesShards)
	}

	b.ends(spare)
	b.online(2)
	b.ends(second)
	b.ends(writer)
	if n := b.srv.Identified(); n != nodesShards {
		t.Errorf("%d identifies were sent", n)
	}
	b.run("verify")
	if got := b.run("check"); strings.Contains(got, "missed") {
		t.Errorf("moot check says:\n%s", got)
	}
}
