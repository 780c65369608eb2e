package activity

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"moot/events"
	"moot/protocol"
	"moot/rooms"
	"moot/store"
)

// The defaults of Config.
const (
	DefaultInterval = 10 * time.Minute
	DefaultCall     = 10 * time.Minute
	DefaultWindow   = 10 * dayLength
)

// Config says how activity is counted.
type Config struct {
	// Bus holds the facts. Kind is among its kinds.
	Bus *events.Bus
	// Interval is how far apart two facts about one person in one room are at least; zero means DefaultInterval.
	Interval time.Duration
	// Call is how long somebody has to be in a voice call, and a little more; zero means DefaultCall.
	Call time.Duration
	// Quiet reports whether an event must leave no trace of its moment, such as a press that casts a secret ballot.
	// Such an event is no sign of life. Nil means that there are none.
	Quiet func(tx *store.Tx, ev protocol.Event) bool
	// Window is how far back something may lie that is caught up after a pause, in whole days, today included; zero
	// means DefaultWindow. It is not longer than the window of the Bus.
	Window time.Duration
}

// Feature watches who takes part. It keeps nothing but what is in the store, and is used as the loop uses a feature:
// its methods are called within transactions, one after another.
type Feature struct{ Config }

// New returns the feature.
func New(c Config) (*Feature, error) {
	if c.Bus == nil {
		return nil, errors.New("activity: it needs a bus")
	}
	for name, d := range map[string]*time.Duration{"interval": &c.Interval, "call": &c.Call, "window": &c.Window} {
		if *d < 0 {
			return nil, fmt.Errorf("activity: the %s is negative: %s", name, *d)
		}
	}
	if c.Interval == 0 {
		c.Interval = DefaultInterval
	}
	if c.Call == 0 {
		c.Call = DefaultCall
	}
	if c.Window == 0 {
		c.Window = DefaultWindow
	}
	return &Feature{c}, nil
}

const (
	timerCall  = "activity.call."
	timerSweep = "activity.sweep"
	tellForget = "activity.forget"
)

// Handle looks for a sign of life in an event. It is called after the state of the room was brought up to date.
func (f *Feature) Handle(tx *store.Tx, ev protocol.Event) (store.Outcome, error) {
	if ev.Private || ev.History {
		return store.Outcome{}, nil
	}
	switch b := ev.Body.(type) {
	case protocol.Message:
		return f.act(tx, ev, byMessage, b.Bot)
	case protocol.ReactionAdded:
		return f.act(tx, ev, byReaction, b.Bot)
	case protocol.PollResponse:
		_, err := f.act(tx, ev, byReaction, false)
		return store.Outcome{}, err // whether it is a ballot is what people ask of it
	case protocol.Invocation:
		if f.Quiet != nil && f.Quiet(tx, ev) {
			return store.Outcome{}, nil
		}
		return f.act(tx, ev, byCommand, b.Bot)
	case protocol.VoicePresence:
		return f.voice(tx, ev, b)
	case protocol.MemberChange:
		return store.Outcome{}, f.memberChange(tx, ev, b)
	case protocol.RoomChange:
		return store.Outcome{}, f.roomChange(tx, ev, b)
	}
	return store.Outcome{}, nil
}

// Told handles what another scope tells the room, and returns false where that is not of this package.
func (f *Feature) Told(tx *store.Tx, what protocol.Internal) (bool, error) {
	if what.Kind != tellForget {
		return false, nil
	}
	var user protocol.UserID
	if err := json.Unmarshal(what.Data, &user); err != nil {
		return true, fmt.Errorf("decode %s: %w", what.Kind, err)
	}
	f.look(tx, protocol.RoomID(tx.Scope()), moment{at: tx.Now()}).restart(user)
	return true, nil
}

// Timed handles a timer of the room, and returns false where that is not of this package.
func (f *Feature) Timed(tx *store.Tx, t protocol.Timer) (bool, error) {
	c := f.look(tx, protocol.RoomID(tx.Scope()), moment{at: tx.Now()})
	switch {
	case t.Name == timerSweep:
		c.sweep(string(t.Data))
		return true, nil
	case strings.HasPrefix(t.Name, timerCall):
		if len(t.Data) < 8 {
			return true, fmt.Errorf("timer %s: its data has %d bytes", t.Name, len(t.Data))
		}
		return true, c.timeUp(protocol.UserID(t.Data[8:]), store.ParseTime(string(t.Data)))
	}
	return false, nil
}

// Reasons why something does not count.
const (
	ofBot   = "bots do not count as active"
	ofOld   = "too long ago to count as active"
	already = "counted as active a moment ago"
)

// act handles something that a person did in a room.
func (f *Feature) act(tx *store.Tx, ev protocol.Event, by string, bot bool) (store.Outcome, error) {
	switch {
	case ev.Sender == "":
		return store.Outcome{}, nil
	case bot:
		return store.WasIgnored(ofBot), nil
	}
	if !ev.Backlog {
		hear(tx, ev.Room)
	}
	m := f.momentOf(tx, ev)
	if m.old {
		return store.WasIgnored(ofOld), nil
	}
	// Most messages end here, so it comes before what reads more.
	if f.recently(tx, ev.Sender, m.at) {
		return store.WasIgnored(already), nil
	}
	if isBot(tx, ev.Room, ev.Sender) {
		return store.WasIgnored(ofBot), nil
	}
	return store.WasHandled("counted as active"), f.publish(tx, ev.Sender, m.at, by)
}

func isBot(tx *store.Tx, room protocol.RoomID, user protocol.UserID) bool {
	m, ok := rooms.Lookup(tx, room, user)
	return ok && (m.Bot || m.Self)
}
