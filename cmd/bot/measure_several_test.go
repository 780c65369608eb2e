//go:build unix

package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
	"time"

	"moot/events"
	"moot/internal/bot"
	"moot/internal/config"
	"moot/protocol"
	"moot/protocol/discord/discordtest"
	"moot/replica"
	"moot/replica/postgres"
	"moot/replica/redis"
	"moot/store"
)

// What several machines cost, and how long it takes until another one leads. These tests say numbers, and are for a machine that does
// nothing else:
//
//	MOOT_MEASURE=1 go test -count 1 -v -timeout 30m -run '^TestMeasureSeveral' ./cmd/bot
func measured(t *testing.T) {
	t.Helper()
	if os.Getenv("MOOT_MEASURE") == "" {
		t.Skip("it measures: with MOOT_MEASURE=1 it runs, on a machine that does nothing else")
	}
}

// middle sorts times, and returns the one in the middle.
func middle(all []time.Duration) time.Duration {
	slices.Sort(all)
	return all[len(all)/2]
}

// TestMeasureSeveralTakeOver: how long it takes from a signal until what somebody says then is answered by the other machine, with the
// lease that machines have.
func TestMeasureSeveralTakeOver(t *testing.T) {
	measured(t)
	for name, serve := range logServers {
		t.Run(name, func(t *testing.T) {
			d := newDuel(t, discordTown(t), serve(t), rand.Uint64(), replica.TTL)
			d.start(d.sides[0])
			d.leads(d.sides[0])
			d.paired()
			d.until("the network is there", d.online)
			for _, c := range []struct {
				what string
				most time.Duration
				sig  syscall.Signal
			}{{"SIGTERM", time.Second, syscall.SIGTERM}, {"SIGKILL", 7 * time.Second, syscall.SIGKILL}} {
				var led, answered []time.Duration
				for range 11 {
					l, o := d.now()
					began := time.Now()
					d.signal(l, c.sig)
					d.talk(1)
					<-l.done
					l.cmd = nil
					d.leads(o)
					led = append(led, time.Since(began))
					d.answered()
					answered = append(answered, time.Since(began))
					d.paired()
				}
				if middle(led) > c.most {
					t.Errorf("after %s another machine leads after %v", c.what, middle(led))
				}
				middle(answered)
				t.Logf("%s after %s: another machine leads after %v in the middle, %v at most; the answer to what was said meanwhile comes after %v and %v", name, c.what,
					middle(led).Round(time.Millisecond), led[len(led)-1].Round(time.Millisecond), middle(answered).Round(time.Millisecond), answered[len(answered)-1].Round(time.Millisecond))
			}
		})
	}
}

// TestMeasureSeveralReplies: how much later replies come with a log than without one.
func TestMeasureSeveralReplies(t *testing.T) {
	measured(t)
	for name, start := range engines {
		t.Run(name, func(t *testing.T) {
			e := start(t)
			towns := make([]*town, 2)
			took := make([][]time.Duration, 2)
			for i, lines := range [][]string{{"[commands]", "rate_burst = 10000"}, {"[commands]", "rate_burst = 10000", "[replica]", `url = { env = "MOOT_REPLICA" }`}} {
				b := newMeasuredBot(t, lines...)
				b.env = []string{"MOOT_REPLICA=" + e.url}
				towns[i] = b.settle("Lab")
				b.start()
				towns[i].ready()
			}
			for n := range 420 {
				for i, town := range towns {
					began := time.Now()
					town.ben.Slash(town.general, "rooms", discordtest.Options{}).Reply()
					if n >= 20 {
						took[i] = append(took[i], time.Since(began))
					}
				}
			}
			alone, shared := middle(took[0]), middle(took[1])
			t.Logf("%s: a reply comes after %v, and %v alone: %v later; one of a hundred after %v, and %v", name, shared.Round(10*time.Microsecond), alone.Round(10*time.Microsecond),
				(shared - alone).Round(10*time.Microsecond), took[1][len(took[1])*99/100].Round(10*time.Microsecond), took[0][len(took[0])*99/100].Round(10*time.Microsecond))
			if shared-alone > 5*time.Millisecond {
				t.Errorf("replies come %v later", shared-alone)
			}
		})
	}
}

// measuredNode is one machine within this process.
type measuredNode struct {
	*replica.Node
	st      *store.Store
	bus     *events.Bus
	machine *bot.Machine
	lease   *replica.Lease
}

// opens opens the store, of the base where there is none.
func (n *measuredNode) opens(ctx context.Context) (err error) {
	if n.lease, err = n.Prepare(ctx); err == nil {
		n.st, err = store.Open(store.Config{Path: filepath.Join(n.Folder, "moot.db")})
	}
	return err
}

// TestMeasureSeveralEvents: how many events a second a machine that leads takes in batches, and how many a standby that is far behind.
func TestMeasureSeveralEvents(t *testing.T) {
	measured(t)
	const most, batch, rooms = 10 * time.Second, 400, 50
	for name, start := range engines {
		t.Run(name, func(t *testing.T) {
			e, ctx, dir := start(t), t.Context(), t.TempDir()
			open := func() (l replica.Log, err error) {
				if name == "postgres" {
					return postgres.Open(ctx, e.url, "moot")
				}
				return redis.Open(e.url, "moot")
			}
			nodes := make([]*measuredNode, 2)
			for i := range nodes {
				l, err := open()
				if err != nil {
					t.Fatal(err)
				}
				defer l.Close()
				if _, err := l.Check(ctx); err != nil {
					t.Fatal(err)
				}
				folder := filepath.Join(dir, fmt.Sprint(i))
				if err := os.Mkdir(folder, 0o700); err != nil {
					t.Fatal(err)
				}
				nodes[i] = &measuredNode{Node: &replica.Node{Log: l, Name: fmt.Sprint(i), Folder: folder, Version: "measured", Logger: slog.New(slog.DiscardHandler)}}
			}
			lead, follow := nodes[0], nodes[1]
			err := lead.opens(ctx)
			if err == nil {
				lead.lease, err = lead.Stand(ctx, lead.st, lead.lease)
			}
			if err == nil {
				err = follow.opens(ctx)
			}
			if err == nil {
				lead.bus, err = events.Open(events.Config{Store: lead.st, Kinds: kinds()})
			}
			if err != nil {
				t.Fatal(err)
			}
			lead.st.Ship(lead.lease.Ship)
			cfg := config.Default()
			cfg.Data = lead.Folder
			features, err := newFeatures(cfg, lead.bus)
			if err == nil {
				lead.machine, err = bot.NewMachine(bot.MachineConfig{Store: lead.st, Bus: lead.bus, Features: features.list(), Retention: cfg.Store.Retention})
			}
			if err != nil {
				t.Fatal(err)
			}
			step := func(in ...bot.Input) {
				for {
					fx, err := lead.machine.Step(time.Now(), in)
					if err != nil {
						t.Fatal(err)
					}
					if in = nil; !fx.More {
						return
					}
				}
			}
			step(bot.Online{Network: "discord", Up: true})
			r, events := rand.New(rand.NewPCG(21, 0)), 0
			next := func(body func(room protocol.RoomID, n int) protocol.Event) (evs []protocol.Event) {
				for range batch {
					events++
					evs = append(evs, body(protocol.RoomID(fmt.Sprintf("discord:%d", r.IntN(rooms))), events))
				}
				return evs
			}
			for i := range rooms {
				room := protocol.RoomID(fmt.Sprintf("discord:%d", i))
				step(bot.Admitted{Batch: &bot.Batch{Network: "discord", Events: []protocol.Event{{
					Room: room, ID: "join", Sender: "discord:moot", Body: protocol.MemberChange{User: "discord:moot", Self: true, Bot: true, Membership: protocol.Joined},
				}}}})
			}
			began := time.Now()
			for time.Since(began) < most {
				step(bot.Admitted{Batch: &bot.Batch{Network: "discord", Events: next(func(room protocol.RoomID, n int) protocol.Event {
					return protocol.Event{
						Room: room, ID: protocol.EventID(fmt.Sprintf("%d-%d", r.Uint64(), n)), Sender: protocol.UserID(fmt.Sprintf("discord:%d", n%400)), Time: time.Now(),
						Body: protocol.Message{Text: "nobody has to answer this, but everybody may read it"},
					}
				})}})
			}
			rate := float64(events) / time.Since(began).Seconds()
			changes := lead.st.Change() - follow.st.Change()
			if err := lead.lease.Release(ctx); err != nil {
				t.Fatal(err)
			}
			began = time.Now()
			if follow.lease, err = follow.Stand(ctx, follow.st, nil); err != nil {
				t.Fatal(err)
			}
			catching := float64(events) / time.Since(began).Seconds()
			if follow.st.Change() != lead.st.Change() {
				t.Errorf("the standby is at change %d, and the leader at %d", follow.st.Change(), lead.st.Change())
			}
			t.Logf("%s: %d events in %d changes; the leader takes %.0f a second, and a standby that is behind %.0f", name, events, changes, rate, catching)
			if rate < 20_000 || catching < 50_000 {
				t.Errorf("%.0f and %.0f events a second", rate, catching)
			}
			if err := errors.Join(lead.bus.Close(), lead.st.Close(), follow.lease.Release(ctx), follow.st.Close()); err != nil {
				t.Fatal(err)
			}
		})
	}
}
