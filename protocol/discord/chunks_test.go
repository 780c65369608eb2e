package discord

import (
	"context"
	"fmt"
	"testing"
	"time"
)

// TestPagesArePaced: however often the members of a guild are asked for, they are read page by page
// three times in ten seconds, and nothing is remembered of guilds for longer.
func TestPagesArePaced(t *testing.T) {
	c, now := newChunks(), time.Now()
	went := 0
	for i := range 1000 { // over a hundred seconds
		at := now.Add(time.Duration(i) * 100 * time.Millisecond)
		switch wait := c.page("1", at); {
		case wait == 0:
			went++
		case wait > pagePace:
			t.Fatalf("it is to wait %s", wait)
		case c.page("1", at.Add(wait-time.Millisecond)) == 0:
			t.Fatalf("after less than %s it goes", wait)
		}
	}
	if went != 30 {
		t.Errorf("the members were read %d times", went)
	}
	for i := range 1000 {
		if c.page(fmt.Sprint(i), now.Add(time.Hour)) != 0 {
			t.Errorf("guild %d waits for another", i)
		}
	}
	if c.page("1", now.Add(2*time.Hour)); len(c.paged) != 1 {
		t.Errorf("%d guilds are remembered", len(c.paged))
	}
}

// TestTheListOfAGuildWhereSomebodyAsksComesFirst, of those that wait; the others keep their order.
func TestTheListOfAGuildWhereSomebodyAsksComesFirst(t *testing.T) {
	c := newChunks()
	for range maxReading {
		if err := c.turn(t.Context(), "0"); err != nil {
			t.Fatal(err)
		}
	}
	came := make(chan string)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	for i := range 5 {
		guild := fmt.Sprint(i + 1)
		go func() {
			if c.turn(ctx, guild) == nil {
				came <- guild
			}
		}()
		for waits := 0; waits <= i; { // one after another
			c.mu.Lock()
			waits = len(c.waiting)
			c.mu.Unlock()
		}
	}
	c.hurry("4")
	c.hurry("77")
	for _, want := range []string{"4", "1", "2"} {
		if c.over(); <-came != want {
			t.Fatalf("it is not the turn of %s", want)
		}
	}
	cancel()
	for waits := 2; waits > 0; { // those that are given up leave no turn behind
		c.mu.Lock()
		waits = len(c.waiting)
		c.mu.Unlock()
	}
	if c.over(); c.free != 1 || len(c.urgent) != 0 {
		t.Errorf("%d are free, %d are urgent", c.free, len(c.urgent))
	}
}

// TestChunksArePaced: the gateway is asked for all members of a guild once in 30 seconds.
func TestChunksArePaced(t *testing.T) {
	c, now := newChunks(), time.Now()
	went := 0
	for i := range 1000 {
		r, wait := c.begin("1", "", fmt.Sprint(i), now.Add(time.Duration(i)*100*time.Millisecond))
		if r != nil {
			went++
			c.end(fmt.Sprint(i))
		} else if wait <= 0 || wait > chunkPace {
			t.Fatalf("it is to wait %s", wait)
		}
	}
	if went != 4 || len(c.byNonce) != 0 || len(c.last) != 1 {
		t.Errorf("asked %d times; %d readings and %d guilds are remembered", went, len(c.byNonce), len(c.last))
	}
}
