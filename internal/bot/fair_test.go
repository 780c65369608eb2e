package bot

import (
	"context"
	"fmt"
	"testing"
	"time"

	"moot/protocol"
	"moot/store"
)

// busy returns many messages in each of many rooms.
func (r *rig) busy(rooms, each int) (evs []protocol.Event) {
	for i := range each {
		for room := range rooms {
			ev := r.say(protocol.RoomID(fmt.Sprintf("console:busy%d", room)), fmt.Sprint(i))
			ev.Private = true // without a join
			ev.Sender = protocol.UserID(fmt.Sprintf("console:person%d", room))
			evs = append(evs, ev)
		}
	}
	return evs
}

// TestAQuietRoomIsServedFirst: however many scopes have more to do than a commit takes, a message elsewhere is in the next one.
func TestAQuietRoomIsServedFirst(t *testing.T) {
	r := newRig(t)
	r.joined(lobby)
	r.one(Admitted{&Batch{Network: protocol.Console, Events: r.busy(500, 30)}})
	for range 5 {
		ev := r.say(lobby, "hello")
		r.one(Admitted{&Batch{Network: protocol.Console, Events: []protocol.Event{ev}}})
		if s := r.seen(ev); s.Disposition == store.Unseen {
			t.Error("a message in a quiet room waited for busy ones")
		}
		for range 40 { // until its lane has had its turn among the old ones
			r.one()
		}
	}
}

// TestNewScopesDoNotStarveOldOnes: the old ones have half of a commit, however many new ones come with each.
func TestNewScopesDoNotStarveOldOnes(t *testing.T) {
	r := newRig(t)
	r.joined(lobby)
	old := r.busy(20, 100)
	r.one(Admitted{&Batch{Network: protocol.Console, Events: old}})
	for n := range 40 {
		var fresh []protocol.Event
		for i := range 1000 {
			ev := r.say(protocol.RoomID(fmt.Sprintf("console:new%d.%d", n, i)), "hi")
			ev.Private, ev.Sender = true, protocol.UserID(ev.Room)
			fresh = append(fresh, ev)
		}
		r.one(Admitted{&Batch{Network: protocol.Console, Events: fresh}})
	}
	if n := handled(r, old); n != len(old) {
		t.Errorf("%d of %d old ones were handled in 40 commits", n, len(old))
	}
}

// TestOneNetworkLeavesTheOthersTheirSpace: one that brings as much as may wait does not keep the others waiting at the door.
func TestOneNetworkLeavesTheOthersTheirSpace(t *testing.T) {
	defer noLeaks(t)
	r := newRig(t)
	r.joined(lobby)
	loud, quiet := newWire(), &other{newWire()}
	runner, err := NewRunner(RunnerConfig{Machine: r.machine, Adapters: []protocol.Adapter{loud, quiet}, MaxQueued: 1000})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	ended := make(chan error, 1)
	go func() { ended <- runner.Run(ctx) }()
	from, to := <-loud.to, <-quiet.to
	flood := r.busy(1, 10_000)
	admitted := make(chan error, 1)
	go func() { admitted <- from.Admit(ctx, flood, protocol.Cursor{}) }()
	for len(runner.inbox) == 0 && r.seen(flood[0]).Disposition == store.Unseen {
		time.Sleep(time.Millisecond) // until the flood has taken the space
	}
	began := time.Now()
	ev := protocol.Event{Room: "other:dm", ID: "$1", Sender: "other:ann", Private: true, Body: protocol.Message{Text: "hi"}}
	if err := to.Admit(t.Context(), []protocol.Event{ev}, protocol.Cursor{}); err != nil {
		t.Fatal(err)
	}
	waited := time.Since(began)
	select {
	case err := <-admitted:
		t.Errorf("the other network waited until the flood was over, %v", err)
	default:
	}
	if err := <-admitted; err != nil {
		t.Error(err)
	}
	t.Logf("one message waited %s of %s", waited.Round(time.Millisecond), time.Since(began).Round(time.Millisecond))
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// crowd returns a message each of so many people of another network, who had nothing to say before.
func crowd(n int, of string) (evs []protocol.Event) {
	for i := range n {
		id := fmt.Sprintf("other:%s%d", of, i)
		evs = append(evs, protocol.Event{
			Room: protocol.RoomID(id), ID: "$1", Sender: protocol.UserID(id), Private: true, Body: protocol.Message{Text: "hi"},
		})
	}
	return evs
}

// TestACrowdOnOneNetworkLeavesTheOthersTheirShare: however many new scopes one network brings, what comes from another is in
// the next commit.
func TestACrowdOnOneNetworkLeavesTheOthersTheirShare(t *testing.T) {
	r := newRig(t)
	r.joined(lobby)
	r.one(Admitted{&Batch{Network: "other", Events: crowd(10_000, "a")}})
	var evs []protocol.Event
	for i := range 50 {
		ev := r.say(protocol.RoomID(fmt.Sprintf("console:dm%d", i)), "hello")
		ev.Private, ev.Sender = true, protocol.UserID(ev.Room)
		evs = append(evs, ev)
	}
	r.one(Admitted{&Batch{Network: protocol.Console, Events: evs}})
	if n := handled(r, evs); n != len(evs) {
		t.Errorf("%d of %d messages were in the next commit", n, len(evs))
	}
}

// TestANetworkTakesWhatTheOthersDoNotNeed: a commit is as large as ever where one network has a flood and another a little.
func TestANetworkTakesWhatTheOthersDoNotNeed(t *testing.T) {
	r := newRig(t)
	r.joined(lobby)
	flood := crowd(2*commitTurn, "b")
	r.one(Admitted{&Batch{Network: "other", Events: flood}}, Admitted{&Batch{Network: protocol.Console, Events: []protocol.Event{r.say(lobby, "hello")}}})
	if n := handled(r, flood); n != commitTurn-1 {
		t.Errorf("beside one message %d of a flood were handled, and there was room for %d", n, commitTurn-1)
	}
}

// TestAFloodOnOneNetworkIsNotFeltOnAnother measures how long people wait for the bot while another network brings as much as
// it can, from people who were silent before.
func TestAFloodOnOneNetworkIsNotFeltOnAnother(t *testing.T) {
	defer noLeaks(t)
	r := newRig(t)
	r.joined(lobby)
	run, _, there := pair(t, r, nil)
	slowest := func() (most time.Duration) {
		for i := range 50 {
			ev := r.say(lobby, "hi")
			ev.ID = protocol.EventID(fmt.Sprintf("$slow%d.%d", i, time.Now().UnixNano()))
			began := time.Now()
			if err := run.to.Admit(t.Context(), []protocol.Event{ev}, protocol.Cursor{}); err != nil {
				t.Fatal(err)
			}
			most = max(most, time.Since(began))
		}
		return most
	}
	calm := slowest()
	ctx, stop := context.WithCancel(t.Context())
	flooded := make(chan int, 1)
	go func() {
		n := 0
		for ctx.Err() == nil {
			evs := crowd(5000, fmt.Sprintf("%d.", n))
			if err := there.Admit(ctx, evs, protocol.Cursor{}); err == nil {
				n += len(evs)
			}
		}
		flooded <- n
	}()
	until(t, "the flood has come", func() bool { return there.(protocol.Loaded).Backlog() > 1000 })
	flood := slowest()
	stop()
	t.Logf("the slowest of 50 messages waited %s, and %s while another network brought %d", calm, flood, <-flooded)
	if flood > calm+500*time.Millisecond {
		t.Errorf("a message waited %s, and %s while another network was flooded", calm, flood)
	}
	if err := run.end(t); err != nil {
		t.Error(err)
	}
}

// other is a wire of another network.
type other struct{ *wire }

func (other) Network() protocol.Network { return "other" }
