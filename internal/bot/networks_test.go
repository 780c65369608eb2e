package bot

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"moot/internal/pause"
	"moot/outbox"
	"moot/protocol"
	"moot/store"
)

// impatient lets networks be tried again at once.
func impatient(c *RunnerConfig) {
	c.soon = pause.Backoff{First: time.Millisecond, Most: time.Millisecond}
	c.slowly = c.soon
}

// pair is a bot on two networks, of which the test plays both.
func pair(t *testing.T, r *rig, change func(*RunnerConfig)) (run *runningBot, other *wire, there protocol.Admitter) {
	t.Helper()
	first := newWire()
	other = newWire()
	other.name = "other"
	run = play(t, r, first, func(c *RunnerConfig) {
		c.Adapters = append(c.Adapters, other)
		if change != nil {
			change(c)
		}
	})
	return run, other, <-other.to
}

// until waits for something that another goroutine does.
func until(t *testing.T, what string, so func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); !so(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited in vain until %s", what)
		}
	}
}

func (r *runningBot) fares(network protocol.Network) NetworkStatus {
	for _, n := range r.Networks() {
		if n.Network == network {
			return n
		}
	}
	return NetworkStatus{}
}

func TestANetworkThatEndsLeavesTheOthersAlone(t *testing.T) {
	for name, end := range map[string]func(*wire){
		"locked":  func(w *wire) { w.fail <- protocol.Ends(protocol.RetrySlowly, errors.New("the account is locked")) },
		"wrong":   func(w *wire) { w.fail <- protocol.Ends(protocol.RetryNever, errors.New("the account is locked")) },
		"broken":  func(w *wire) { w.fail <- errors.New("the account is locked") },
		"a panic": func(w *wire) { w.panics <- "the account is locked" },
	} {
		t.Run(name, func(t *testing.T) {
			defer noLeaks(t)
			r := newRig(t)
			r.answering()
			run, other, _ := pair(t, r, nil)
			run.join(t)
			end(other)
			until(t, "the end is noticed", func() bool { return run.fares("other").Fault != "" })
			ill := run.fares("other")
			if ill.Up || !strings.Contains(ill.Fault, "the account is locked") || ill.Since.IsZero() {
				t.Errorf("the network that has ended: %+v", ill)
			}
			if again := !ill.Again.IsZero(); again != (name != "wrong") {
				t.Errorf("it is tried again at %v", ill.Again)
			}
			if well := run.fares(protocol.Console); !well.Up || well.Fault != "" {
				t.Errorf("the other network: %+v", well)
			}
			if err := run.to.Admit(t.Context(), []protocol.Event{r.say(lobby, "hi")}, protocol.Cursor{}); err != nil {
				t.Fatal(err)
			}
			if out := <-run.wire.sent; out.Act.(protocol.Say).Text.Plain() != "hi" {
				t.Errorf("sent %+v", out)
			}
			if err := run.end(t); err != nil {
				t.Errorf("a bot that is stopped while one network is away ended with %v", err)
			}
		})
	}
}

func TestANetworkThatComesBackGetsWhatWaitedForIt(t *testing.T) {
	defer noLeaks(t)
	r := newRig(t)
	run, other, there := pair(t, r, impatient)
	r.feature.handle = func(tx *store.Tx, ev protocol.Event) (store.Outcome, error) {
		if _, ok := ev.Body.(protocol.Message); !ok {
			return store.Outcome{}, nil
		}
		_, err := outbox.Send(tx, protocol.Outgoing{Act: protocol.Whisper{User: "other:ben", Text: protocol.Plain("psst")}})
		return store.WasHandled(""), err
	}
	stuck := make(chan context.Context, 1)
	var once atomic.Bool
	other.send = func(ctx context.Context) error {
		if once.Swap(true) {
			return nil
		}
		stuck <- ctx
		<-ctx.Done() // as a request to a server that hangs
		return ctx.Err()
	}
	run.join(t)
	if err := run.to.Admit(t.Context(), []protocol.Event{r.say(lobby, "hi")}, protocol.Cursor{}); err != nil {
		t.Fatal(err)
	}
	<-stuck
	other.fail <- errors.New("it broke")
	back := <-other.to
	if back == there {
		t.Error("the second Run has the Admitter of the first")
	}
	there.(protocol.Connectivity).Connected(false) // the first Run has no say any more
	select {
	case out := <-other.sent:
		if out.Act.(protocol.Whisper).Text.Plain() != "psst" {
			t.Errorf("sent %+v", out)
		}
	case <-time.After(20 * time.Second):
		t.Fatal("what waited is not sent")
	}
	if n := run.fares("other"); !n.Up || n.Fault != "" || !n.Again.IsZero() {
		t.Errorf("the network that is back: %+v", n)
	}
	if err := run.end(t); err != nil {
		t.Error(err)
	}
}

func TestTheBotEndsOnlyWhenAllNetworksHaveEndedForGood(t *testing.T) {
	defer noLeaks(t)
	r := newRig(t)
	run, other, _ := pair(t, r, nil)
	other.fail <- protocol.Ends(protocol.RetryNever, errors.New("the wrong folder"))
	until(t, "the end is noticed", func() bool { return run.fares("other").Fault != "" })
	select {
	case err := <-run.ended:
		t.Fatalf("the bot ended while a network runs: %v", err)
	default:
	}
	run.wire.fail <- protocol.Ends(protocol.RetrySlowly, errors.New("the account is locked"))
	err := <-run.ended
	var ends NetworkEnds
	if !errors.As(err, &ends) || len(ends) != 2 || !strings.Contains(err.Error(), "the wrong folder") || !strings.Contains(err.Error(), "the account is locked") {
		t.Errorf("the bot ended with %v", err)
	}
}

func TestTheBotWaitsForANetworkThatMayComeBack(t *testing.T) {
	defer noLeaks(t)
	r := newRig(t)
	run, other, _ := pair(t, r, impatient)
	other.fail <- protocol.Ends(protocol.RetryNever, errors.New("the wrong folder"))
	until(t, "the end is noticed", func() bool { return run.fares("other").Fault != "" })
	for range 3 {
		run.wire.fail <- errors.New("it broke")
		run.to = <-run.wire.to
	}
	run.join(t)
	if err := run.end(t); err != nil {
		t.Error(err)
	}
}

// aside is a network that is no chat network.
type aside struct {
	*wire
	paused bool
}

func (a aside) Paused() bool { return a.paused }
func (a aside) AtOnce() int  { return 1 }

// A service keeps no bot alive whose networks have ended, and begins out of reach where it is paused.
func TestAServiceIsBesideTheNetworks(t *testing.T) {
	defer noLeaks(t)
	r := newRig(t)
	up, paused := newWire(), newWire()
	up.name, paused.name = "service.up", "service.paused"
	run := play(t, r, newWire(), func(c *RunnerConfig) {
		c.Adapters = append(c.Adapters, aside{up, false}, aside{paused, true})
	})
	<-up.to
	to := <-paused.to
	if u, p := run.fares("service.up"), run.fares("service.paused"); !u.Up || p.Up {
		t.Errorf("they begin as %+v and %+v", u, p)
	}
	to.(protocol.Connectivity).Connected(true)
	until(t, "the pause ends", func() bool { return run.fares("service.paused").Up })
	run.wire.fail <- protocol.Ends(protocol.RetryNever, errors.New("the wrong folder"))
	var ends NetworkEnds
	if err := <-run.ended; !errors.As(err, &ends) || len(ends) != 1 {
		t.Errorf("the bot ended with %v", err)
	}
}

// tardy is a service that takes its time before it says whether it is there.
type tardy struct {
	aside
	said *atomic.Bool
}

func (l tardy) Paused() bool {
	time.Sleep(50 * time.Millisecond)
	l.said.Store(true)
	return false
}

func (l tardy) AtOnce() int { return 1 }

// Where somebody asks for a service with the first thing that is said, the answer is waited for.
func TestServicesAreThereBeforeAnybodySpeaks(t *testing.T) {
	defer noLeaks(t)
	w, said := newWire(), &atomic.Bool{}
	w.name = "service.late"
	run := play(t, newRig(t), newWire(), func(c *RunnerConfig) {
		c.Adapters = append(c.Adapters, tardy{aside{w, false}, said})
	})
	if !said.Load() {
		t.Error("a network has begun before it was known that the service is there")
	}
	<-w.to
	if err := run.end(t); err != nil {
		t.Error(err)
	}
}

// A feature may want somebody to see to an event, and what it has written stays.
func TestAFaultOfAFeatureThatHasHandledTheEvent(t *testing.T) {
	r := newRig(t)
	r.answering()
	r.joined(lobby)
	answer, fault := r.feature.handle, "the dice are lost"
	r.feature.handle = func(tx *store.Tx, ev protocol.Event) (store.Outcome, error) {
		out, err := answer(tx, ev)
		out.Fault = fault
		return out, err
	}
	ev := r.say(lobby, "roll")
	if sent := r.admit(ev); len(sent) != 1 {
		t.Errorf("what it wrote is gone: %+v", sent)
	}
	r.view(func(tx *store.Tx) {
		l, ok := tx.Letter(1)
		if seen := tx.Seen(ev.Room, ev.ID); !ok || l.Error != "the dice are lost" || seen.Disposition != store.Failed {
			t.Errorf("it is %+v, and the dead letter %+v", seen, l)
		}
	})
	fault = ""
	r.step(RetryDead{ID: 1})
	r.view(func(tx *store.Tx) {
		if _, ok := tx.Letter(1); ok {
			t.Error("the dead letter is there when all went well")
		}
	})
}
