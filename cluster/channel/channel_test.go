package channel

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"time"

	"context"

	"moot/cluster/redistest"
	"moot/internal/effort"
)

// open opens a channel, which listens and sends until the test ends.
func open(t *testing.T, s *redistest.Server, message func(Message), ping func(Ping)) *Channel {
	t.Helper()
	c, err := Open(t.Context(), s.Address, "bots", slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var work sync.WaitGroup
	ready := make(chan struct{})
	work.Go(func() { c.Send(ctx) })
	work.Go(func() {
		if err := c.Listen(ctx, func() { close(ready) }, message, ping); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(func() {
		cancel()
		work.Wait()
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	<-ready
	return c
}

// TestMessages: what bots write is understood, in all forms that were seen, and the rest is left out.
func TestMessages(t *testing.T) {
	s := redistest.Start(t)
	got := make(chan any, 100)
	c := open(t, s, func(m Message) { got <- m }, func(p Ping) { got <- p })
	for _, text := range []string{
		"no JSON", `[1]`, `{"scope":"bot","action":"launch_next"}`, `{"scope":"launcher","action":[1]}`,
		`{"scope":"launcher","action":"launch_next","args":{"id":3,"pid":99}}`,
		`{"scope":"launcher","action":"launch_next","args":{"id":"4"},"command_id":17}`,
		`{"scope":"launcher","action":"launch_next","args":{"id":1.5}}`,
		`{"scope":"launcher","action":"diag","output":"{\"Nonce\":\"abc\",\"Data\":[{\"shard_id\":2,\"up\":true,\"latency\":12.5,\"guilds\":7,\"users\":70,\"more\":1}],\"cluster_id\":1}"}`,
		`{"scope":"launcher","action":"action_logs","data":{"event":"shards_launched","cluster":1}}`,
	} {
		c.Publish([]byte(text))
	}
	c.Ping(7, "nonce")
	next := func() any {
		t.Helper()
		select {
		case m := <-got:
			return m
		case <-time.After(time.Minute):
			t.Fatal("nothing comes")
			return nil
		}
	}
	if id, ok := next().(Message).ID(); id != 3 || !ok {
		t.Errorf("the id is %d, %v", id, ok)
	}
	m := next().(Message)
	if id, ok := m.ID(); id != 4 || !ok || m.CommandID != "17" {
		t.Errorf("the id is %d, %v, that of the command %q", id, ok, m.CommandID)
	}
	if id, ok := next().(Message).ID(); ok {
		t.Errorf("half a number is %d", id)
	}
	a, err := next().(Message).Answer()
	if err != nil || a.Nonce != "abc" || len(a.Data) != 1 || a.Data[0] != (ShardHealth{2, true, 12.5, 7, 70}) {
		t.Errorf("the answer is %+v, %v", a, err)
	}
	if m := next().(Message); m.Data["event"] != "shards_launched" {
		t.Errorf("the action is %v", m.Data)
	}
	if p := next().(Ping); p != (Ping{7, "nonce", true}) {
		t.Errorf("the ping is %+v", p)
	}
}

// TestWire: what is sent is what mewld sends, byte for byte.
func TestWire(t *testing.T) {
	s := redistest.Start(t)
	sub := s.Subscribe(t.Context(), "bots")
	defer sub.Close()
	if _, err := sub.Receive(t.Context()); err != nil {
		t.Fatal(err)
	}
	c := open(t, s, func(Message) {}, func(Ping) {})
	c.Reply("c1", "ok", "")
	c.Reply("", "", "all_clusters_launched")
	c.Ping(0, "abcdefghij")
	for _, want := range []string{
		`{"command_id":"c1","output":"ok","scope":"bot","action":""}`, `{"command_id":"","output":"","scope":"bot","action":"all_clusters_launched"}`,
		`{"id":0,"nonce":"abcdefghij","diag":true}`,
	} {
		m, err := sub.ReceiveMessage(t.Context())
		if err != nil || m.Payload != want {
			t.Errorf("it sends %v, %v, want %s", m, err, want)
		}
	}
}

// TestActions: the log is a list that stays short, and goes on from what either mewld has left there.
func TestActions(t *testing.T) {
	s := redistest.Start(t)
	c := open(t, s, func(Message) {}, func(Ping) {})
	at := time.UnixMicro(1_700_000_000_000_001)
	if err := s.Set(t.Context(), "bots/actlogs", `{"event":"old","ts":1}`, 0).Err(); err != nil {
		t.Fatal(err)
	}
	if all, err := c.Actions(t.Context()); err != nil || len(all) != 1 || all[0]["event"] != "old" {
		t.Errorf("of mewld's string it reads %v, %v", all, err)
	}
	wait := func(n int, last string) []map[string]any {
		t.Helper()
		for began := time.Now(); ; time.Sleep(time.Millisecond) {
			all, err := c.Actions(t.Context())
			if err == nil && len(all) == n && all[n-1]["event"] == last {
				return all
			}
			if time.Since(began) > time.Minute {
				t.Fatalf("the log is %v, %v", all, err)
			}
		}
	}
	c.Record(map[string]any{"event": "new"}, at)
	if all := wait(2, "new"); all[0]["event"] != "old" || all[1]["ts"] != 1_700_000_000_000_001.0 {
		t.Errorf("the log is %v", all)
	}
	for i := range MaxActions {
		c.Record(map[string]any{"event": fmt.Sprint(i)}, at)
		if i%500 == 0 {
			wait(min(i+3, MaxActions), fmt.Sprint(i))
		}
	}
	if all := wait(MaxActions, fmt.Sprint(MaxActions-1)); all[0]["event"] != "0" {
		t.Errorf("it begins with %v", all[0])
	}
}

// TestHold: one launcher has the channel, and the next one gets it when it is gone.
func TestHold(t *testing.T) {
	effort.Slow(t)
	s := redistest.Start(t)
	c := open(t, s, func(Message) {}, func(Ping) {})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var work sync.WaitGroup
	first := make(chan struct{})
	work.Go(func() {
		if err := c.Hold(ctx, "first", func() { close(first) }); err != nil {
			t.Error(err)
		}
	})
	<-first
	if err := c.Hold(t.Context(), "second", func() { t.Error("both have it") }); !errors.Is(err, ErrHeld) {
		t.Errorf("a second launcher is told %v", err)
	}
	cancel()
	work.Wait()
	again, stop := context.WithCancel(t.Context())
	if err := c.Hold(again, "second", stop); err != nil {
		t.Error(err)
	}
}

// TestLateAnswer: a ping whose answer Redis does not take at once is not answered later either.
func TestLateAnswer(t *testing.T) {
	effort.Slow(t)
	t.Parallel()
	s := redistest.Start(t)
	got := make(chan string, 100)
	c := open(t, s, func(m Message) {
		a, err := m.Answer()
		if err != nil {
			t.Error(err)
		}
		got <- a.Nonce
	}, func(Ping) {})
	c.SayDiag(Answer{Nonce: "before"})
	if nonce := <-got; nonce != "before" {
		t.Errorf("the answer is to %s", nonce)
	}
	thaw := s.Freeze()
	c.SayDiag(Answer{Nonce: "frozen"})
	time.Sleep(patience + patience/5)
	c.SayDiag(Answer{Nonce: "after"})
	thaw()
	select {
	case nonce := <-got:
		if nonce != "after" {
			t.Errorf("the answer to %s comes late", nonce)
		}
	case <-time.After(time.Minute):
		t.Error("nothing comes any more")
	}
}

// TestRedisGoesAway: what is published while Redis is away is sent when it is back, or dropped, and nobody waits for it.
func TestRedisGoesAway(t *testing.T) {
	s := redistest.Start(t)
	got := make(chan string, 10_000)
	c := open(t, s, func(m Message) { got <- m.Action }, func(Ping) {})
	s.Kill()
	for range 3 * waiting {
		c.Publish([]byte(`{"scope":"launcher","action":"before"}`))
	}
	s.Run()
	say, err := json.Marshal(map[string]string{"scope": "launcher", "action": "after"})
	if err != nil {
		t.Fatal(err)
	}
	for began := time.Now(); ; {
		c.Publish(say)
		select {
		case action := <-got:
			if action == "after" {
				return
			}
		case <-time.After(100 * time.Millisecond):
		}
		if time.Since(began) > 2*time.Minute {
			t.Fatal("the channel does not come back")
		}
	}
}
