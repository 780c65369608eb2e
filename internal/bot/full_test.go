package bot

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"strings"
	"sync"
	"testing"
	"time"

	"moot/events"
	"moot/protocol"
	"moot/store"
)

// disk is one that a test fills and empties.
type disk struct {
	mu      sync.Mutex
	full    bool
	refused chan struct{} // gets a value for each commit that found no room
}

func newDisk() *disk { return &disk{refused: make(chan struct{}, 10_000)} }

func (d *disk) room() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.full {
		return nil
	}
	d.refused <- struct{}{}
	return fmt.Errorf("%w: as told", store.ErrFull)
}

func (d *disk) set(full bool) {
	d.mu.Lock()
	d.full = full
	d.mu.Unlock()
}

// await returns when so many commits more have found no room.
func (d *disk) await(t *testing.T, n int) {
	t.Helper()
	for len(d.refused) > 0 {
		<-d.refused
	}
	for range n {
		select {
		case <-d.refused:
		case <-time.After(20 * time.Second):
			t.Fatal("nobody tries")
		}
	}
}

func fullRig(t *testing.T) (*rig, *disk) {
	d := newDisk()
	r := newRig(t)
	r.close()
	r.room = d.room
	r.open()
	return r, d
}

func quick(c *RunnerConfig) { c.holdRetry = time.Millisecond }

// While the disk is full nobody's Admit returns, and what is taken waits; afterwards each event is handled once, and what
// was being sent meanwhile is not sent again.
func TestAFullDiskHoldsEverythingUp(t *testing.T) {
	defer noLeaks(t)
	r, d := fullRig(t)
	r.answering()
	w := newWire()
	sending, goOn := make(chan struct{}), make(chan struct{})
	w.reply = func(out protocol.Outgoing) error {
		if strings.Contains(out.Act.(protocol.Say).Text.Plain(), "slow") {
			close(sending)
			<-goOn
		}
		return nil
	}
	var log strings.Builder
	run := play(t, r, w, func(c *RunnerConfig) { quick(c); c.Log = slog.New(slog.NewTextHandler(&log, nil)) })
	run.join(t)
	admitted := make(chan error, 100)
	admit := func(evs ...protocol.Event) {
		go func() {
			admitted <- run.to.Admit(t.Context(), evs, protocol.Cursor{Name: "c", Value: string(evs[0].ID)})
		}()
	}
	admit(r.say(lobby, "slow"))
	if err := <-admitted; err != nil {
		t.Fatal(err)
	}
	<-sending

	d.set(true)
	var evs []protocol.Event
	for i := range 100 {
		ev := r.say(lobby, fmt.Sprint("fast ", i))
		evs = append(evs, ev)
		admit(ev)
	}
	d.await(t, 3)
	close(goOn) // the slow one is sent while the disk is full
	d.await(t, 3)
	if len(admitted) > 0 {
		t.Fatalf("Admit returned while the disk was full: %v", <-admitted)
	}
	for _, ev := range evs {
		if s := r.seen(ev); s.Disposition != store.Unseen {
			t.Fatalf("%s is %s", ev.ID, s.Disposition)
		}
	}
	if !run.to.(protocol.Loaded).Held() {
		t.Error("the network is not told that the bot holds still")
	}

	d.set(false)
	for range evs {
		if err := <-admitted; err != nil {
			t.Fatal(err)
		}
	}
	if err := run.Settle(t.Context()); err != nil {
		t.Fatal(err)
	}
	if run.to.(protocol.Loaded).Held() {
		t.Error("the network is told that the bot holds still, and it does not")
	}
	sent := map[protocol.Key]int{}
	for len(w.sent) > 0 {
		sent[(<-w.sent).Key]++
	}
	if len(sent) != 101 {
		t.Errorf("%d answers were sent", len(sent))
	}
	for key, n := range sent {
		if s := r.sent(key); n != 1 || s.State != store.StateSent || s.Attempts != 1 {
			t.Errorf("%s was sent %d times, and is %+v", key, n, s)
		}
	}
	if err := run.end(t); err != nil {
		t.Error(err)
	}
	for _, words := range []string{"the disk is full", "there is space on the disk again"} {
		if n := strings.Count(log.String(), words); n != 1 {
			t.Errorf("it says %d times that %s:\n%s", n, words, &log)
		}
	}
}

// A bot that is told to stop while the disk is full does stop, and the next run handles what it could not.
func TestAStopWhileTheDiskIsFull(t *testing.T) {
	defer noLeaks(t)
	r, d := fullRig(t)
	r.answering()
	run1 := play(t, r, newWire(), func(c *RunnerConfig) { quick(c); c.StopTimeout = 50 * time.Millisecond })
	run1.join(t)
	d.set(true)
	ev := r.say(lobby, "hi")
	admitted := make(chan error, 1)
	go func() { admitted <- run1.to.Admit(context.Background(), []protocol.Event{ev}, protocol.Cursor{}) }()
	d.await(t, 2)
	if err := run1.end(t); !errors.Is(err, store.ErrFull) {
		t.Errorf("it ended with %v", err)
	}
	if err := <-admitted; !errors.Is(err, ErrStopping) {
		t.Errorf("Admit returned %v", err)
	}
	d.set(false)
	r.crash()
	run2 := play(t, r, newWire(), quick)
	if err := run2.to.Admit(t.Context(), []protocol.Event{ev}, protocol.Cursor{}); err != nil {
		t.Fatal(err)
	}
	if err := run2.Settle(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := len(run2.wire.sent); n != 1 {
		t.Errorf("%d answers", n)
	}
	if err := run2.end(t); err != nil {
		t.Error(err)
	}
}

// A machine that finds no room can be stepped again with the same inputs, and does then what it would have done.
func TestAStepWithoutRoomHasNotHappened(t *testing.T) {
	r, d := fullRig(t)
	r.answering()
	r.joined(lobby)
	in := []Input{Admitted{&Batch{Network: protocol.Console, Events: []protocol.Event{r.say(lobby, "hi")}}}}
	d.set(true)
	for range 3 {
		if fx, err := r.machine.Step(r.now, in); !errors.Is(err, store.ErrFull) || len(fx.Done) > 0 || len(fx.Attempts) > 0 {
			t.Fatalf("a step without room: %+v, %v", fx, err)
		}
	}
	d.set(false)
	if a := r.step(in...); len(a) != 1 || len(r.done) == 0 {
		t.Errorf("then there are %d attempts", len(a))
	}
}

// laterClock is the clock of the machine at another time.
type laterClock struct {
	RealClock
	by time.Duration
}

func (c laterClock) Now() time.Time { return c.RealClock.Now().Add(c.by) }

// TestArchiveTriesAgain: where only the archive finds the disk full it says so once, and old facts follow as soon as there is
// space.
func TestArchiveTriesAgain(t *testing.T) {
	defer noLeaks(t)
	r, d := fullRig(t)
	r.joined(lobby) // a fact
	r.close()
	r.room = func() error {
		if bytes.Contains(debug.Stack(), []byte("ArchiveStep")) {
			return d.room()
		}
		return nil
	}
	r.open()
	d.set(true)
	var log strings.Builder
	run := play(t, r, newWire(), func(c *RunnerConfig) {
		quick(c)
		c.Clock = laterClock{by: 100 * 24 * time.Hour}
		c.Log = slog.New(slog.NewTextHandler(&log, nil))
	})
	d.await(t, 3) // without an event that could cause it
	d.set(false)
	archived := func() (begun bool) {
		r.view(func(tx *store.Tx) { begun = events.Committed(tx).Begun })
		return begun
	}
	for deadline := time.Now().Add(20 * time.Second); !archived(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("nothing is archived")
		}
	}
	if err := run.end(t); err != nil {
		t.Error(err)
	}
	for _, words := range []string{"old facts are not archived", "old facts are archived"} {
		if n := strings.Count(log.String(), words); n != 1 {
			t.Errorf("it says %d times that %s:\n%s", n, words, &log)
		}
	}
}
