package discord

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"sync/atomic"
	"testing"
	"time"

	"github.com/bwmarrin/discordgo"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"moot/protocol"
	"moot/protocol/discord/gateway"
)

// TestThreadsAreForgotten when they are archived, when their channel is deleted, and when Discord
// lists all that there are.
func TestThreadsAreForgotten(t *testing.T) {
	a, end := alone(nobody{true}, &sink{})
	defer end()
	seq := int64(0)
	hear := func(kind, data string, args ...any) {
		t.Helper()
		seq++
		if err := a.arrive(a.ctx, gateway.Event{Session: "s", Seq: seq, Type: kind,
			Raw: fmt.Appendf(nil, data, args...)}); err != nil {
			t.Fatal(err)
		}
	}
	const thread = `{"id":"%d","guild_id":"5","parent_id":"%d","type":11,"name":"t","thread_metadata":{"archived":%v}}`
	known := func() (n int) {
		a.guilds.with("5", func(g *guild) { n = len(g.channels) })
		return n
	}
	for forum := 20; forum < 23; forum++ {
		hear("CHANNEL_CREATE", `{"id":"%d","guild_id":"5","type":15}`, forum)
		for i := range 1000 {
			hear("THREAD_CREATE", thread, 1000*forum+i, forum, false)
		}
	}
	hear("THREAD_UPDATE", thread, 20_007, 20, true)
	hear("THREAD_UPDATE", thread, 20_008, 20, true)
	if n := known(); n != 3001 {
		t.Errorf("%d channels and threads are known after two were archived", n)
	}
	hear("THREAD_UPDATE", thread, 20_007, 20, false)
	hear("CHANNEL_DELETE", `{"id":"21","guild_id":"5"}`)
	if n := known(); n != 2001 {
		t.Errorf("%d are known after a forum was deleted", n)
	}
	hear("THREAD_LIST_SYNC", `{"guild_id":"5","channel_ids":["20"],"threads":[`+thread+`]}`, 99, 20, false)
	if n := known(); n != 1003 {
		t.Errorf("%d are known after a list of the threads of one channel", n)
	}
	hear("THREAD_LIST_SYNC", `{"guild_id":"5","threads":[`+thread+`,`+thread+`]}`, 99, 20, false, 98, 77, false)
	if n := known(); n != 4 {
		t.Errorf("%d are known after a list of all threads", n)
	}
	a.guilds.change("5", func(g *guild) { g.roles["5"] = role{allows: mayView} })
	if a.guilds.hidden("5", "99") || !a.guilds.hidden("5", "98") || !a.guilds.hidden("5", "97") {
		t.Error("a thread of a channel that is not known counts as seen by all, or one that all see does not")
	}
}

// TestWhatIsAskedWaitsForAReplay: a session that was taken up tells again how the bot left and came
// back, of which the store knows the end. What is asked meanwhile is not told that the guild is no
// longer there.
func TestWhatIsAskedWaitsForAReplay(t *testing.T) {
	var left leaving
	a, end := alone(&left, &sink{})
	defer end()
	a.shards[0].ready = true
	hear := func(seq int64, kind, data string) {
		t.Helper()
		if err := a.arrive(a.ctx, gateway.Event{Session: "s", Seq: seq, Type: kind, Raw: []byte(data)}); err != nil {
			t.Fatal(err)
		}
	}
	hear(1, "GUILD_DELETE", `{"id":"5"}`)
	short, cancel := context.WithTimeout(a.ctx, 10*time.Millisecond)
	defer cancel()
	if err := a.here(short, "5"); err == nil || errors.Is(err, protocol.ErrGone) {
		t.Errorf("between the two: %v", err)
	}
	answer := make(chan error, 1)
	go func() { answer <- a.here(a.ctx, "5") }()
	hear(2, "GUILD_CREATE", `{"id":"5","owner_id":"7","joined_at":"2024-01-02T03:04:05.678000+00:00"}`)
	if err := <-answer; err != nil {
		t.Errorf("after the return: %v", err)
	}
	left.Store(true)
	hear(3, "GUILD_DELETE", `{"id":"5"}`)
	if err := a.here(a.ctx, "5"); !errors.Is(err, protocol.ErrGone) {
		t.Errorf("after the end: %v", err)
	}
}

// TestWhatIsSaidToAllGoesWhereAllCanRead: to the channel for the guild's own messages, or to the
// first one, but not to one that is hidden from somebody, as long as there is another.
func TestWhatIsSaidToAllGoesWhereAllCanRead(t *testing.T) {
	const may = mayView | maySend
	hide := []overwrite{{id: "5", deny: mayView}, {id: "8", allow: mayView}}
	g := &guild{id: "5", owner: "7", own: []string{"8"}, system: "30",
		roles: map[string]role{"5": {allows: may}, "8": {allows: may}},
		channels: map[string]channel{"10": {overwrites: hide}, "20": {position: 1}, "30": {position: 2},
			"40": {position: 3}}}
	if id, ok := g.home("9"); id != "30" || !ok {
		t.Errorf("it is %s, %v", id, ok)
	}
	g.channels["30"] = channel{position: 2, overwrites: hide}
	if id, _ := g.home("9"); id != "20" {
		t.Errorf("where that for its own messages is hidden it is %s", id)
	}
	delete(g.channels, "20")
	delete(g.channels, "40")
	if id, _ := g.home("9"); id != "30" {
		t.Errorf("where all are hidden it is %s", id)
	}
	g.roles["8"], g.roles["5"] = role{}, role{}
	if id, ok := g.home("9"); ok {
		t.Errorf("where it may not write it is %s", id)
	}
}

// TestGuildsAreKeptAsTheyAre: whatever a guild is, it is the same after it was kept, and written in
// the same way.
func TestGuildsAreKeptAsTheyAre(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		id := rapid.StringMatching(`[1-9][0-9]{0,18}`)
		some := func(what string) int { return rapid.IntRange(0, 4).Draw(t, what) }
		g := &guild{id: "5", owner: id.Draw(t, "owner"), afk: id.Draw(t, "afk"), system: id.Draw(t, "system"),
			away:  rapid.Bool().Draw(t, "away"),
			roles: map[string]role{}, channels: map[string]channel{}}
		for range some("own") {
			g.own = append(g.own, id.Draw(t, "own role"))
		}
		for range some("roles") {
			g.roles[id.Draw(t, "role")] = role{rapid.StringN(0, 20, -1).Draw(t, "name"), some("position"),
				rapid.Int64().Draw(t, "allows"), rapid.Bool().Draw(t, "managed")}
		}
		for range some("channels") {
			c := channel{name: rapid.StringN(0, 20, -1).Draw(t, "name"), kind: discordgo.ChannelType(some("kind")),
				parent:   id.Draw(t, "parent"),
				position: some("position"), thread: rapid.Bool().Draw(t, "thread")}
			for range some("overwrites") {
				c.overwrites = append(c.overwrites, overwrite{id.Draw(t, "who"), rapid.Bool().Draw(t, "member"),
					rapid.Int64().Draw(t, "allow"), rapid.Int64().Draw(t, "deny")})
			}
			g.channels[id.Draw(t, "channel")] = c
		}
		value := g.String()
		got := parseGuild("5", value)
		if got == nil || got.String() != value {
			t.Fatalf("%s is kept as %v", value, got)
		}
		if d := cmp.Diff(g, got, cmp.AllowUnexported(guild{}, role{}, channel{}, overwrite{})); d != "" {
			t.Fatal(d)
		}
		if other := parseGuild("5", value); maps.Equal(map[string]role{}, other.roles) != (len(g.roles) == 0) {
			t.Fatal("roles are missing")
		}
	})
}

// leaving is nobody, who is in the room until it says that they have left.
type leaving struct {
	nobody
	atomic.Bool
}

func (l *leaving) Room(room protocol.RoomID) Room { return nobody{!l.Load()}.Room(room) }
