package main

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"moot/internal/effort"
	"moot/protocol/discord/discordtest"
)

// TestShardsInOneProcess and TestShardsOnNodes give a bot with many shards as many events as it takes: in one process, and with
// the shards in nodes. What is measured is worth nothing while the machine does something else, such as the other of the two:
// -parallel 1. MOOT_LONG runs them with 64 shards, on 4 nodes; otherwise all is less, and only that everything is answered counts.
func TestShardsInOneProcess(t *testing.T) { manyShards(t, 0) }

// TestShardsOnNodes is the other one.
func TestShardsOnNodes(t *testing.T) {
	if effort.Long() {
		manyShards(t, 4)
		return
	}
	manyShards(t, 2)
}

func manyShards(t *testing.T, nodes int) {
	effort.Slow(t)
	shards, guilds, each, n := 8, 8, 20, 2000
	if effort.Long() {
		shards, guilds, each, n = 64, 128, 100, 200_000
	}
	lines := []string{fmt.Sprintf("shards = %d", shards)}
	if nodes > 0 {
		lines = append(lines, "[nodes]", `listen = "unix:nodes.sock"`)
	}
	b := newDiscordBot(t, lines...)
	b.srv.Set(func(s *discordtest.Server) {
		s.MaxConcurrency, s.Patience, s.AnswerWithin = shards, 5*time.Minute, 5*time.Minute
	})
	c := newCrowd(b, guilds, each)
	for k := range nodes {
		per := shards / nodes
		c.beside = append(c.beside, (&nodesBot{discordBot: b}).begin("node", "--shards", fmt.Sprintf("%d-%d/%d", k*per, (k+1)*per-1, shards)))
	}
	c.arrive()
	b.srv.Until("all shards are connected", func() bool { return b.srv.Online() == shards })
	r := c.send(n, 0)
	t.Logf("%d shards in %d nodes: %d events in %.1f s, %.0f a second; %.0f for each second of the processors; at most %d not taken",
		shards, nodes, n, r.took.Seconds(), float64(n)/r.took.Seconds(), float64(n)/r.cpu.Seconds(), r.unsent)
	var memory []string
	connected := int64(0) // memory of the processes that have the shards
	for i, cmd := range c.processes() {
		own, err := anonymous(cmd.Process.Pid)
		if err != nil {
			t.Error(err)
		}
		memory = append(memory, fmt.Sprintf("%.1f MB", float64(own)/(1<<20)))
		if nodes == 0 || i > 0 {
			connected += own
		}
	}
	t.Logf("memory of its processes: %s; where the shards are %.0f kB for each", strings.Join(memory, ", "), float64(connected)/float64(shards)/1024)
	for _, p := range c.beside {
		(&nodesBot{discordBot: b}).ends(p)
	}
	c.done()
}
