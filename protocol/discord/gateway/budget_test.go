package gateway_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"moot/protocol/discord/discordtest"
	"moot/protocol/discord/gateway"
)

// memory is a Budget that survives what the test calls a restart.
type memory struct {
	mu    sync.Mutex
	value string
	saves int
	fault error
}

func (m *memory) Load() (string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.value, nil
}

func (m *memory) Save(_ context.Context, value string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.fault != nil {
		return m.fault
	}
	m.value = value
	m.saves++
	return nil
}

// spent is what a Budget holds after n identifies at the times that at gives.
func spent(n int, at func(i int) time.Time) string {
	var all []string
	for i := range n {
		all = append(all, fmt.Sprintf("[%d,0]", at(i).UnixMilli()))
	}
	return "[" + strings.Join(all, ",") + "]"
}

func TestIdentifiesAreRecordedBeforeTheyAreSent(t *testing.T) {
	t.Parallel()
	srv := discordtest.New(t)
	room(srv)
	m := &memory{fault: errors.New("no space")}
	b := start(t, srv, func(c *gateway.Config) { c.Budget = m }, nil)
	if err := b.ends(); !errors.Is(err, m.fault) {
		t.Errorf("Run: %v", err)
	}
	if n := srv.Identified(); n != 0 {
		t.Errorf("%d identifies were sent that are not recorded", n)
	}
	m.fault = nil
	for run := range 3 {
		b := start(t, srv, func(c *gateway.Config) { c.Budget = m }, nil)
		b.hears("READY", "GUILD_CREATE")
		b.stop()
		b.ends()
		if n := strings.Count(m.value, ",0]"); n != run+1 || m.saves != run+1 ||
			srv.Identified() != run+1 {
			t.Errorf("after %d runs %d are recorded in %d saves, %d were sent", run+1, n, m.saves, srv.Identified())
		}
	}
}

// The 1,001st identify of a day never happens: not in one process, not over restarts, not with a
// Discord that forgets to count.
func TestThousandAndFirstIdentify(t *testing.T) {
	t.Parallel()
	now := time.Now()
	for name, c := range map[string]struct {
		left  int // what Discord says
		value string
		goes  bool
	}{
		"Discord says none are left": {0, "", false},
		"we know of 1,000 within the last hour": {1000, spent(1000, func(i int) time.Time {
			return now.Add(-time.Duration(i) * time.Second)
		}), false},
		"we know of 2,000, most of yesterday": {1000, spent(2000, func(i int) time.Time {
			return now.Add(-time.Duration(i) * 3 * time.Minute)
		}), true},
		"half of them are left": {500, spent(499, func(i int) time.Time {
			return now.Add(-time.Duration(i) * time.Second)
		}), true},
		"few are left, the last one just now": {100, spent(900, func(i int) time.Time {
			return now.Add(-time.Duration(i) * time.Second)
		}), false},
		"few are left, the last one long ago": {100, spent(900, func(i int) time.Time {
			return now.Add(-15*time.Minute - time.Duration(i)*time.Second)
		}), true},
		"what was saved cannot be read": {1000, "?,!", true},
		"the clock was a year ahead": {1000, spent(1000, func(i int) time.Time {
			return now.Add(365 * 24 * time.Hour)
		}), false},
		"Discord says nothing of a limit": {-1, "", true},
		"nothing of it, and we know of 1,000": {-1, spent(1000, func(i int) time.Time {
			return now.Add(-time.Duration(i) * time.Second)
		}), false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv := discordtest.New(t)
			if srv.Identifies = c.left; c.left < 0 {
				srv.Identifies = 1000
				srv.Fail(100, "GET", "/gateway/bot", discordtest.Fault{Status: 200, Body: `{"url":"` +
					srv.GatewayURL() + `","shards":1}`})
			}
			room(srv)
			b := start(t, srv, func(g *gateway.Config) { g.Budget = &memory{value: c.value} }, nil)
			if c.goes {
				b.hears("READY", "GUILD_CREATE")
				return
			}
			srv.Until("it has asked", func() bool { return len(srv.Requests("GET", "/gateway/bot")) >= 2 })
			b.logs("waiting with an identify")
			b.stop()
			if err := b.ends(); err != nil || srv.Identified() != 0 {
				t.Errorf("Run: %v; %d identifies", err, srv.Identified())
			}
		})
	}
}

// What was recorded while the clock was wrong keeps the bot away for a day at most, and no identify
// is forgotten when somebody sets the clock meanwhile.
func TestIdentifiesAndTheClock(t *testing.T) {
	t.Parallel()
	srv := discordtest.New(t)
	room(srv)
	m := &memory{value: spent(600, func(int) time.Time { return time.Now().Add(365 * 24 * time.Hour) })}
	b := start(t, srv, func(g *gateway.Config) { g.Budget = m }, nil)
	b.logs("waiting with an identify")
	_, line, _ := strings.Cut(b.log.String(), "waiting with an identify")
	_, wait, _ := strings.Cut(line, "for=")
	wait, _, _ = strings.Cut(wait, "\n")
	if d, err := time.ParseDuration(wait); err != nil || d > time.Hour { // a 400th of a day
		t.Errorf("it waits for %s", wait)
	}
	if srv.Identified() != 0 {
		t.Error("it identified all the same")
	}
}

// While nobody can be asked how many are left, none is sent.
func TestNoIdentifyIsSentUnasked(t *testing.T) {
	t.Parallel()
	srv := discordtest.New(t)
	room(srv)
	b := start(t, srv, nil, nil)
	b.hears("READY", "GUILD_CREATE")
	asked := len(srv.Requests("GET", "/gateway/bot"))
	srv.Fail(1_000_000, "GET", "/gateway/bot", discordtest.Fault{Status: 503})
	srv.Invalidate(false)
	srv.Until("it has asked in vain", func() bool { return len(srv.Requests("GET", "/gateway/bot")) >= asked+6 })
	if n := srv.Identified(); n != 1 {
		t.Errorf("identified %d times", n)
	}
}

// Shards that ask at the same time are told of the same few that are left: they do not all take the
// last one.
func TestShardsDoNotAllTakeTheLastIdentify(t *testing.T) {
	for name, concurrency := range map[string]int{"side by side": 6, "in turn": 1} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv := discordtest.New(t)
			srv.Shards, srv.MaxConcurrency, srv.Identifies = 6, concurrency, 3
			room(srv)
			b := start(t, srv, nil, nil)
			b.logs("waiting with an identify")
			srv.Until("everybody has asked", func() bool { return len(srv.Requests("GET", "/gateway/bot")) >= 7 })
			if n := srv.Identified(); n > 1 { // the others come later, and over the day
				t.Errorf("%d identifies were sent of three that were left", n)
			}
		})
	}
}

// A session that is refused again and again costs ever fewer identifies, and never all.
func TestIdentifiesAreNotSpentInALoop(t *testing.T) {
	t.Parallel()
	srv := discordtest.New(t)
	srv.Identifies = 505 // of 1,000
	room(srv)
	var scripts []discordtest.Script
	for range 100 {
		scripts = append(scripts, discordtest.Script{Invalid: true})
	}
	srv.NextConnections(scripts...)
	b := start(t, srv, func(c *gateway.Config) { c.Backoff = time.Millisecond }, nil)
	b.logs("waiting with an identify")
	if n := srv.Identified(); n < 5 || n > 8 {
		t.Errorf("%d identifies were spent before it took its time", n)
	}
}

func TestShardsIdentifyInTurn(t *testing.T) {
	t.Parallel()
	srv := discordtest.New(t)
	srv.Shards, srv.MaxConcurrency, srv.IdentifyGap = 6, 2, 200*time.Millisecond
	ann := srv.NewUser("ann")
	var guilds []*discordtest.Guild
	var channels []*discordtest.Channel
	for i := range 12 {
		g := srv.NewGuild(fmt.Sprint("guild ", i))
		g.Join(ann)
		g.Invite()
		guilds, channels = append(guilds, g), append(channels, g.NewChannel("general"))
		srv.Advance(time.Millisecond) // so that ids fall to different shards
	}
	b := start(t, srv, func(c *gateway.Config) { c.IdentifyEvery = time.Second }, nil)
	srv.Until("all shards are there", func() bool { return srv.Online() == 6 })
	if n := srv.Identified(); n != 6 {
		t.Errorf("%d identifies for six shards: their turns were not kept", n)
	}
	for i, g := range guilds {
		ann.Says(channels[i], "hello from "+g.ID)
	}
	for _, g := range guilds {
		b.hearsTimes(1, "hello from "+g.ID)
	}
	for _, e := range b.all() {
		for _, w := range words([]gateway.Event{e}) {
			if id, ok := strings.CutPrefix(w, "hello from "); ok && e.Shard != gateway.ShardOf(id, 6) {
				t.Errorf("guild %s spoke on shard %d, not %d", id, e.Shard, gateway.ShardOf(id, 6))
			}
		}
	}
	srv.Cut()
	srv.Until("all shards are there again", func() bool { return srv.Online() == 6 })
	if n := srv.Identified(); n != 6 {
		t.Errorf("%d identifies after a cut", n)
	}
}
