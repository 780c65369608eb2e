package member

import (
	"context"
	"encoding/json"
	"log/slog"
	"reflect"
	"sync/atomic"
	"testing"
	"time"

	"moot/cluster/channel"
	"moot/cluster/redistest"
)

// TestParseStart reads both forms of arguments.
func TestParseStart(t *testing.T) {
	env := func(string) string { return "channel" }
	want := Start{Shards: []int{0, 1}, Total: 5, ID: 0, Name: "Pika", Channel: "channel"}
	for _, args := range [][]string{{"[0, 1]", "5", "0", "Pika", "0", "/dir"}, {"[1,0]", "5", "0", "Pika", "3", "channel"}} {
		if s, err := ParseStart(args, env); err != nil || !reflect.DeepEqual(s, want) {
			t.Errorf("%q: %+v, %v", args, s, err)
		}
	}
	for _, args := range [][]string{
		{"[0, 1]", "5", "0", "Pika", "0"}, {"[]", "5", "0", "Pika", "0", "/"}, {"[5]", "5", "0", "Pika", "0", "/"},
		{"[-1]", "5", "0", "Pika", "0", "/"}, {"[0]", "x", "0", "Pika", "0", "/"}, {"[0]", "1", "-1", "Pika", "0", "/"}, {"[a]", "1", "1", "Pika", "0", "/"},
	} {
		if s, err := ParseStart(args, env); err == nil {
			t.Errorf("%q: %+v", args, s)
		}
	}
	if _, err := ParseStart([]string{"[0]", "1", "0", "Pika", "0", "/"}, func(string) string { return "" }); err == nil {
		t.Error("there is no channel")
	}
}

// TestCluster says what a launcher waits for, and nothing else.
func TestCluster(t *testing.T) {
	t.Parallel()
	srv := redistest.Start(t)
	c, err := channel.Open(t.Context(), srv.Address, "town", slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	sub := srv.Subscribe(t.Context(), "town")
	defer sub.Close()
	if _, err := sub.Receive(t.Context()); err != nil {
		t.Fatal(err)
	}
	said := sub.Channel()
	next := func() (m struct {
		Scope, Action, Output string
		Args, Data            map[string]any
	}) {
		t.Helper()
		select {
		case got := <-said:
			if err := json.Unmarshal([]byte(got.Payload), &m); err != nil {
				t.Fatalf("%s: %v", got.Payload, err)
			}
		case <-time.After(time.Minute):
			t.Fatal("nothing is said")
		}
		return m
	}
	var up atomic.Int32
	health := func() []channel.ShardHealth {
		return []channel.ShardHealth{{ShardID: 2, Up: up.Load() > 0, Guilds: 7}, {ShardID: 3, Up: up.Load() > 1}}
	}
	var runs atomic.Int32
	begin := func(ctx context.Context) chan error {
		done := make(chan error, 1)
		go func() {
			done <- Run(ctx, Config{Start: Start{Shards: []int{2, 3}, Total: 4, ID: 1, Channel: "town"}, Channel: c, Health: health,
				Run: func(ctx context.Context) error { runs.Add(1); <-ctx.Done(); runs.Add(-1); return nil }, Log: slog.New(slog.DiscardHandler)})
		}()
		return done
	}
	ctx, stop := context.WithCancel(t.Context())
	first := begin(ctx)
	up.Store(1)
	publish := func(text string) {
		t.Helper()
		if err := srv.Publish(t.Context(), "town", text).Err(); err != nil {
			t.Fatal(err)
		}
		if got := next(); got.Scope == "launcher" {
			t.Fatalf("it says %+v before all of its shards are ready", got)
		}
	}
	publish(`{"id":0,"nonce":"a","diag":true}`) // of another cluster
	publish(`{"scope":"bot","action":"_eval","args":{"code":"exit"}}`)
	up.Store(2)
	if m := next(); m.Action != "action_logs" || m.Data["event"] != "shards_launched" || m.Data["cluster"] != 1. || m.Data["from"] != 2. || m.Data["to"] != 3. {
		t.Errorf("first it says %+v", m)
	}
	if m := next(); m.Action != "launch_next" || m.Args["id"] != 1. {
		t.Errorf("then it says %+v", m)
	}
	publish(`{"scope":"bot","action":"all_clusters_launched","output":""}`)
	publish(`{"id":1,"nonce":"b","diag":true}`)
	m := next()
	var a channel.Answer
	if err := json.Unmarshal([]byte(m.Output), &a); err != nil || m.Scope != "launcher" || m.Action != "diag" || a.Nonce != "b" || !reflect.DeepEqual(a.Data, health()) {
		t.Errorf("it answers %+v, %v", m, err)
	}

	// A second process waits until the first is gone.
	second := begin(t.Context())
	time.Sleep(time.Second) // long enough for it to begin, if it did
	if n := runs.Load(); n != 1 {
		t.Errorf("%d processes run as one cluster", n)
	}
	stop()
	if err := <-first; err != nil {
		t.Error(err)
	}
	if m := next(); m.Action != "action_logs" {
		t.Errorf("the second says %+v", m)
	}
	select {
	case err := <-second:
		t.Errorf("the second has ended: %v", err)
	default:
	}
}
