package cannon

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"moot/cluster/redistest"
	"moot/internal/pause"
	"moot/protocol/service/servicetest"
)

const stream = "DEFAULT|streams:weather:taskback"

func start(t *testing.T) (*redistest.Server, *Collector) {
	t.Helper()
	server := redistest.Start(t)
	c, err := New(Config{Service: "s", Name: "c", Address: server.Address, Namespace: "DEFAULT", Stream: "weather"})
	if err != nil {
		t.Fatal(err)
	}
	c.backoff, c.trim = pause.Backoff{First: time.Millisecond, Most: 10 * time.Millisecond}, 0
	return server, c
}

func add(t *testing.T, s *redistest.Server, text string) {
	t.Helper()
	if err := s.XAdd(t.Context(), &redis.XAddArgs{Stream: stream, Values: []any{"text", text, "temperature", "21"}}).Err(); err != nil {
		t.Fatal(err)
	}
}

// What a service of botcannon answers is brought once, beside its own group, however often the one who reads it dies; what both are
// done with is trimmed, and what the other is not done with stays.
func TestEachAnswerIsBroughtOnce(t *testing.T) {
	server, c := start(t)
	ctx := t.Context()
	if err := server.XGroupCreateMkStream(ctx, stream, "CANNON", "$").Err(); err != nil {
		t.Fatal(err)
	}
	add(t, server, "old")
	to := servicetest.New()
	stop := servicetest.Run(t, c, to)
	for to.Marks() == 0 {
		time.Sleep(time.Millisecond)
	}
	var want []string
	for round := range 6 {
		stop()
		for n := range 5 {
			want = append(want, fmt.Sprint(round, " ", n))
			add(t, server, want[len(want)-1])
		}
		for died := range 4 {
			to.DieAfter(died)
			stop = servicetest.Run(t, c, to)
			to.Wait(ctx, len(want)-5+died)
			stop()
		}
		to.DieAfter(-1)
		stop = servicetest.Run(t, c, to)
		to.Wait(ctx, len(want))
	}
	if got := to.Texts(); !slices.Equal(got, want) || string(to.Items()[0].Data) != `{"temperature":"21","text":"0 0"}` {
		t.Errorf("it brought %q, the first as %s", got, to.Items()[0].Data)
	}
	// The other has read and acknowledged all but the last three.
	read, err := server.XReadGroup(ctx, &redis.XReadGroupArgs{Group: "CANNON", Consumer: "CANNON.c1", Streams: []string{stream, ">"}, Count: 100}).Result()
	if err != nil || len(read) != 1 || len(read[0].Messages) != len(want)+1 {
		t.Fatalf("the other group reads %v, %v", read, err)
	}
	for _, m := range read[0].Messages[:len(want)-2] {
		if err := server.XAck(ctx, stream, "CANNON", m.ID).Err(); err != nil {
			t.Fatal(err)
		}
	}
	add(t, server, "last")
	to.Wait(ctx, len(want)+1)
	for { // it is trimmed behind what was brought
		n, err := server.XLen(ctx, stream).Result()
		if err != nil {
			t.Fatal(err)
		}
		if n == 4 {
			break
		}
		time.Sleep(time.Millisecond)
	}
	stop()
	groups, err := server.XInfoGroups(ctx, stream).Result()
	if err != nil || len(groups) != 2 {
		t.Errorf("the groups are %v, %v", groups, err)
	}
}

// Redis may go away and come back, and may have lost what it had: then what comes is read.
func TestRedisThatForgets(t *testing.T) {
	server, c := start(t)
	to := servicetest.New()
	stop := servicetest.Run(t, c, to)
	for to.Marks() == 0 {
		time.Sleep(time.Millisecond)
	}
	add(t, server, "a")
	to.Wait(t.Context(), 1)
	stop()
	if err := server.FlushAll(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
	time.Sleep(2 * time.Millisecond) // ids are milliseconds, and Redis has forgotten which there were
	stop = servicetest.Run(t, c, to)
	for n := range 5 {
		add(t, server, fmt.Sprint("b", n))
	}
	to.Wait(t.Context(), 6)
	stop()
	if got := to.Texts(); !slices.Equal(got, []string{"a", "b0", "b1", "b2", "b3", "b4"}) {
		t.Errorf("it brought %q", got)
	}
}

func TestOrderOfIDs(t *testing.T) {
	for _, pair := range [][2]string{{"0-0", "1-0"}, {"9-1", "10-0"}, {"10-2", "10-11"}} {
		if !before(pair[0], pair[1]) || before(pair[1], pair[0]) || before(pair[0], pair[0]) {
			t.Errorf("%s and %s are out of order", pair[0], pair[1])
		}
	}
}

// What a service of botcannon writes without measure does not go into a job as a whole; what is left is the text first.
func TestEntryWithoutMeasure(t *testing.T) {
	server, c := start(t)
	var log strings.Builder // written to by the collector alone until it has stopped
	c.cfg.Log = slog.New(slog.NewTextHandler(&log, nil))
	to := servicetest.New()
	stop := servicetest.Run(t, c, to)
	for to.Marks() == 0 {
		time.Sleep(time.Millisecond)
	}
	large := strings.Repeat("ä", 1<<19)
	values := []any{strings.Repeat("n", 1000), "x", "a", large, "b", large, "c", large, "d", large, "e", "short", "text", large}
	if err := server.XAdd(t.Context(), &redis.XAddArgs{Stream: stream, Values: values}).Err(); err != nil {
		t.Fatal(err)
	}
	add(t, server, "fine")
	to.Wait(t.Context(), 2)
	stop()
	items := to.Items()
	var fields map[string]string
	if err := json.Unmarshal(items[0].Data, &fields); err != nil || len(items[0].Data) > maxEntry+1000 || len(items[0].Text) != maxValue {
		t.Errorf("it has %d bytes, the text %d, %v", len(items[0].Data), len(items[0].Text), err)
	}
	if got := slices.Sorted(maps.Keys(fields)); !slices.Equal(got, []string{"a", "b", "e", "text"}) || fields["e"] != "short" {
		t.Errorf("it has the fields %q", got)
	}
	if items[1].Text != "fine" || strings.Count(log.String(), "too large to be handed on") != 1 {
		t.Errorf("the next is %q, and the log says %.300s", items[1].Text, log.String())
	}
}
