package main

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"moot/internal/effort"
	"moot/protocol"
	"moot/protocol/discord/discordtest"
	"moot/store"
)

// flow is people who write at a rate. One message of so many is a command: Discord takes 50 answers a second of a bot.
type flow struct {
	*nodesBot
	said [2][]string // all messages of each town
	stop chan struct{}
	over chan struct{}
}

const flowEvery = 25

// flow begins to write, up to so many messages a second.
func (b *nodesBot) flow(rate int) *flow {
	f := &flow{nodesBot: b, stop: make(chan struct{}), over: make(chan struct{})}
	go func() {
		defer close(f.over)
		for began, n := time.Now(), 0; ; n++ {
			select {
			case <-f.stop:
				return
			case <-time.After(time.Until(began.Add(time.Duration(n) * time.Second / time.Duration(rate)))): // its rhythm, not a barrier
			}
			f.write(n)
		}
	}()
	return f
}

func (f *flow) write(n int) {
	i := n % 2
	town, text := f.towns[i], "nobody has to answer this"
	if n/2%flowEvery == 0 {
		text = "!moot ping"
	}
	u := []*discordtest.User{town.ann, town.ben, town.cem, town.dan}[n/2%4]
	id := u.Says(town.general, text).ID
	f.said[i] = append(f.said[i], id)
	if text != "nobody has to answer this" {
		f.asked[i] = append(f.asked[i], id)
	}
}

// end stops it, and waits until all is answered that is to be.
func (f *flow) end(what string) {
	f.Helper()
	close(f.stop)
	<-f.over
	f.answered(what, 0, 1)
	f.Logf("%s: %d messages, %d of them commands", what, len(f.said[0])+len(f.said[1]), len(f.asked[0])+len(f.asked[1]))
}

// kept looks into the data, when no process runs any more, for each message that was written.
func (f *flow) kept() {
	f.Helper()
	st, err := store.Open(store.Config{Path: filepath.Join(f.dir, "data", "moot.db")})
	if err != nil {
		f.Fatal(err)
	}
	lost, odd := 0, map[store.Disposition]int{}
	err = st.View(func(tx *store.Tx) error {
		for i, all := range f.said {
			room := protocol.RoomID("discord:" + f.towns[i].ID)
			for _, id := range all {
				switch d := tx.Seen(room, protocol.EventID(f.towns[i].general.ID+"-"+id)).Disposition; d {
				case store.Handled, store.Ignored:
				case store.Unseen:
					lost++
				default:
					odd[d]++
				}
			}
		}
		return nil
	})
	if err != nil {
		f.Fatal(err)
	}
	if err := st.Close(); err != nil {
		f.Fatal(err)
	}
	if lost > 0 || len(odd) > 0 {
		f.Errorf("%d messages are lost, and became other than handled: %v", lost, odd)
	}
}

// soon is within how long something has to be back: three seconds, or as long as the machine takes to start a program that does nothing,
// so many times.
func (b *nodesBot) soon(what string, took time.Duration) {
	b.Helper()
	trivial := b.trivial()
	b.Logf("%s after %s; a start of the program alone takes %s", what, took.Round(time.Millisecond), trivial.Round(time.Millisecond))
	if took > max(3*time.Second, 20*trivial) {
		b.Errorf("%s after %s", what, took)
	}
}

func (b *nodesBot) sameSessions() {
	b.Helper()
	if n := b.srv.Identified(); n != nodesShards {
		b.Errorf("%d identifies were sent for %d shards", n, nodesShards)
	}
}

// TestNodesUnderLoad kills a node, and then the writer, under 500 events a second. All of them are kept, no command is answered
// twice, and no session is begun anew.
func TestNodesUnderLoad(t *testing.T) {
	effort.Proof(t)
	b := newNodesBot(t)
	rate, pause := 100, time.Second
	if effort.Long() {
		rate, pause = 500, 5*time.Second
	}
	writer := b.begin()
	first, second := b.begin("node", "--shards", "0-1/4"), b.begin("node", "--shards", "2,3/4")
	b.online(nodesShards)
	for _, town := range b.towns {
		town.ready()
	}
	f := b.flow(rate)
	time.Sleep(pause) // for as long people write before, between and after

	first.kill()
	began := time.Now()
	first = b.begin("node", "--shards", "0-1/4")
	b.connects(first, 2)
	b.soon("the node is back", time.Since(began))
	time.Sleep(pause)

	spare := b.begin("node", "--shards", "0-1/4")
	b.srv.Until("the spare one waits", func() bool { return strings.Contains(spare.log.String(), "has some of the shards") })
	first.kill()
	began = time.Now()
	b.connects(spare, 2)
	b.soon("the spare one has its shards", time.Since(began))
	time.Sleep(pause)

	b.online(nodesShards)
	connections := b.srv.Connections()
	writer.kill()
	time.Sleep(pause)
	writer = b.begin()
	time.Sleep(pause)
	f.end("under load")
	if n := b.srv.Connections(); n != connections {
		t.Errorf("while the writer was away nodes connected to Discord %d times", n-connections)
	}
	b.sameSessions()
	b.ends(spare)
	b.ends(second)
	b.ends(writer)
	b.run("verify")
	f.kept()
}

// TestNodesBuffer: while the writer is away a node keeps what comes within bounds. Then it stops reading, and Discord waits; when the
// writer is back all of it is taken.
func TestNodesBuffer(t *testing.T) {
	if !effort.Long() {
		t.Skip("many thousand messages have to wait; MOOT_LONG runs it")
	}
	const many = 120_000 // 10,000 wait in each node, and some more in sockets
	b := newNodesBot(t)
	b.srv.NoCompression = true // messages that are all alike would find room in sockets
	writer := b.begin()
	nodes := []*nodeProcess{b.begin("node", "--shards", "0-1/4"), b.begin("node", "--shards", "2,3/4")}
	b.online(nodesShards)
	for _, town := range b.towns {
		town.ready()
	}
	writer.kill()
	memory := func() (most int64) {
		for _, n := range nodes {
			own, err := anonymous(n.cmd.Process.Pid)
			if err != nil {
				t.Fatal(err)
			}
			most = max(most, own)
		}
		return most
	}
	f := &flow{nodesBot: b, stop: make(chan struct{}), over: make(chan struct{})}
	close(f.over)
	var samples []int64
	for n := range many {
		switch { // as rarely as Discord takes the answers
		case n%20_000 < 2:
			f.write(n % 2)
		default:
			f.write(n%2 + 2)
		}
		if n%(many/10) == 0 {
			samples = append(samples, memory()>>20)
		}
	}
	waits := -1
	for began := time.Now(); waits != b.srv.Unsent(); time.Sleep(2 * time.Second) { // until nobody reads any more
		if waits = b.srv.Unsent(); time.Since(began) > time.Minute {
			t.Fatal("nodes never stop reading")
		}
	}
	samples = append(samples, memory()>>20)
	t.Logf("of %d messages %d wait at Discord; a node has had %v MB", many, waits, samples)
	if waits == 0 {
		t.Error("nodes have taken all of it")
	}
	if most := slices.Max(samples); most > 150 {
		t.Errorf("a node has %d MB", most)
	}
	connections := b.srv.Connections()
	writer = b.begin()
	b.srv.Set(func(s *discordtest.Server) { s.Patience = 5 * time.Minute })
	f.end("that waited")
	b.sameSessions()
	t.Logf("nodes connected %d times meanwhile", b.srv.Connections()-connections)
	for _, n := range nodes {
		b.ends(n)
	}
	b.ends(writer)
	f.kept()
}

// shardList is the first argument of a cluster with so many shards.
func shardList(n int) string {
	all := make([]string, n)
	for i := range all {
		all[i] = fmt.Sprint(i)
	}
	return "[" + strings.Join(all, ", ") + "]"
}
