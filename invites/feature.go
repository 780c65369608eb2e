package invites

import (
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"slices"
	"time"

	"moot/events"
	"moot/protocol"
	"moot/rooms"
	"moot/store"
)

// The defaults of Config.
const (
	DefaultPerHour = 10
	DefaultAlone   = 24 * time.Hour
)

const (
	// maxOpen is how many invitations may be open at a time, and maxOpenEach how many of one person.
	maxOpen     = 1000
	maxOpenEach = 50
)

// Config says whose invitations are accepted.
type Config struct {
	// Bus holds the facts. Kind is among its kinds.
	Bus *events.Bus
	// Networks are those whose rooms the bot is invited to. Nil means none: the feature then does nothing.
	Networks []protocol.Network
	// Added are those to whose rooms the bot is added instead, by somebody who may do that. It greets them, and that is all.
	Added []protocol.Network
	// Typed writes a command as people give it on a network; nil puts Prefix before it.
	Typed func(network protocol.Network, line string) string
	// Operators may always invite.
	Operators []protocol.UserID
	// OwnServer is whether everybody may who has their account on the server of the bot.
	OwnServer bool
	// Servers are those whose people may invite, and People those who may whatever their server.
	Servers []string
	People  []protocol.UserID
	// PerHour is how many invitations of one person are accepted within an hour; zero means DefaultPerHour.
	PerHour int
	// Alone is how long the bot stays in a room where it is alone; zero means DefaultAlone.
	Alone time.Duration
	// Greet is whether it greets a room that it was invited or added to.
	Greet bool
	// Settle is for how long a room of a network must be at rest before it is greeted; zero means not at all. People who are
	// invited together with the bot, and their keys, come a moment later.
	Settle map[protocol.Network]time.Duration
	// Name is what it calls itself then, and Prefix what a command in a room begins with; zero means "moot" and "!moot".
	Name, Prefix string
}

// Feature takes care of invitations. It keeps nothing but what is in the store, and is used as the loop uses a feature:
// its methods are called within transactions, one after another.
type Feature struct {
	Config
	operators map[protocol.UserID]bool
}

// New returns the feature.
func New(c Config) (*Feature, error) {
	switch {
	case c.Bus == nil:
		return nil, errors.New("invites: they need a bus")
	case c.PerHour < 0 || c.Alone < 0:
		return nil, errors.New("invites: a limit is negative")
	}
	if c.PerHour == 0 {
		c.PerHour = DefaultPerHour
	}
	if c.Alone == 0 {
		c.Alone = DefaultAlone
	}
	if c.Name == "" {
		c.Name = "moot"
	}
	if c.Prefix == "" {
		c.Prefix = "!moot"
	}
	if c.Typed == nil {
		c.Typed = func(_ protocol.Network, line string) string { return c.Prefix + " " + line }
	}
	f := &Feature{Config: c, operators: map[protocol.UserID]bool{}}
	for _, id := range c.Operators {
		f.operators[id] = true
	}
	return f, nil
}

// The timers, and what scopes tell each other.
const (
	timerHeld  = "invites.held"
	timerJoin  = "invites.join"
	timerAlone = "invites.alone"
	timerRates = "invites.rates"
	timerGreet = "invites.greet"

	tellMay     = "invites.may"     // to a person: may this room be joined?
	tellGo      = "invites.go"      // to a room: yes
	tellHold    = "invites.hold"    // to a room: not before
	tellAgain   = "invites.again"   // to a room: look at the invitation again
	tellDecline = "invites.decline" // to a room, by an operator
	tellAccept  = "invites.accept"  // to a room, by an operator
)

// note is the data of what scopes tell each other.
type note struct {
	Room  protocol.RoomID `json:",omitempty"`
	By    protocol.UserID `json:",omitempty"`
	Own   bool            `json:",omitempty"`
	Until time.Time       `json:",omitzero"`
}

func tell[S ~string](tx *store.Tx, to S, kind string, n note) {
	data, err := json.Marshal(n)
	if err != nil {
		panic(err) // strings, a bool and a time of this century can be encoded
	}
	tx.Tell(protocol.Scope(to), protocol.Internal{Kind: kind, Data: data})
}

func (f *Feature) cares(network protocol.Network) bool { return slices.Contains(f.Networks, network) }

// Handle handles an event in its scope, after the state of the room was brought up to date.
func (f *Feature) Handle(tx *store.Tx, ev protocol.Event) (store.Outcome, error) {
	if slices.Contains(f.Added, ev.Room.Network()) {
		return store.Outcome{}, f.added(tx, ev)
	}
	if !f.cares(ev.Room.Network()) {
		return store.Outcome{}, nil
	}
	f.moves(tx, ev)
	switch b := ev.Body.(type) {
	case protocol.MemberChange:
		if b.Self {
			return f.own(tx, ev, b)
		}
		f.look(tx, ev.Room, true)
	case protocol.MemberList:
		f.look(tx, ev.Room, false)
	case protocol.Answer:
		return store.Outcome{}, f.answered(tx, ev.Room, b)
	case protocol.RoomChange:
		for _, c := range b.Changes {
			if up, ok := c.(protocol.Upgraded); ok && up.Successor != ev.Room {
				tell(tx, up.Successor, tellAgain, note{})
			}
		}
	}
	return store.Outcome{}, nil
}

// own handles a change of the bot's own membership.
func (f *Feature) own(tx *store.Tx, ev protocol.Event, c protocol.MemberChange) (store.Outcome, error) {
	switch {
	case c.Membership == protocol.Invited:
		return f.invited(tx, ev.Room, ev.Sender, ev.Sender != "" && Server(ev.Sender) == Server(c.User))
	case c.Membership == protocol.Joined && c.Profile, c.Membership == protocol.Knocking:
		return store.Outcome{}, nil
	case c.Membership == protocol.Joined:
		return store.Outcome{}, f.joined(tx, ev)
	}
	tx.StopTimer(timerAlone)
	tx.StopTimer(timerGreet)
	return store.Outcome{}, f.over(tx, ev.Room, Withdrawn)
}

// invited takes in an invitation.
func (f *Feature) invited(tx *store.Tx, room protocol.RoomID, by protocol.UserID, own bool) (store.Outcome, error) {
	was, is := find(tx, room)
	number := f.Bus.Lookup(tx, by)
	same := is && was.By == number
	admitted := f.admits(tx, room, by, own)
	switch {
	case is && was.State == Accepted && (same || !admitted):
		// Anybody in the room may invite whom somebody else has invited, and so must not be able to put an end to that.
		return store.WasHandled("the bot is on its way there"), nil
	case is && was.State == Held && !same && !admitted:
		return store.WasHandled("the bot has another invitation there"), nil
	case !f.operators[by] && full(tx, room, number, admitted):
		return store.WasIgnored("too many invitations are open to keep another one"), nil
	case admitted:
		return store.WasHandled("an invitation by somebody who may invite"), f.admit(tx, room, by, own)
	case same && was.State == Waiting:
		return store.WasHandled("an invitation that waits already"), nil
	}
	f.stop(tx, room)
	return store.WasHandled("an invitation by somebody who may not invite: it waits"), f.publish(tx, Waiting, by, own)
}

// full reports whether another invitation of a person has no place, that of the room itself not counted. Those who may invite
// are bound by their own number only, so that strangers take the place of nobody.
func full(tx *store.Tx, room protocol.RoomID, by events.Number, admitted bool) bool {
	all, each := 0, 0
	for k, v := range tx.Range(open, "", "") {
		var i invitation
		if k == string(room) || json.Unmarshal(v, &i) != nil {
			continue
		}
		if all++; by != 0 && i.By == by {
			each++
		}
	}
	return each >= maxOpenEach || !admitted && all >= maxOpen
}

// admit accepts an invitation, as far as the person has not invited too often.
func (f *Feature) admit(tx *store.Tx, room protocol.RoomID, by protocol.UserID, own bool) error {
	if f.operators[by] || by == "" {
		return f.accept(tx, room, by, own)
	}
	tell(tx, by, tellMay, note{Room: room, Own: own})
	return nil
}

// Told handles what another scope tells this one, and returns false where that is not of this package.
func (f *Feature) Told(tx *store.Tx, what protocol.Internal) (bool, error) {
	switch what.Kind {
	case tellMay, tellGo, tellHold, tellAgain, tellDecline, tellAccept:
	default:
		return false, nil
	}
	var n note
	if err := json.Unmarshal(what.Data, &n); err != nil {
		return true, fmt.Errorf("decode %s: %w", what.Kind, err)
	}
	room := protocol.RoomID(tx.Scope())
	switch what.Kind {
	case tellMay:
		f.may(tx, n)
	case tellGo:
		return true, f.accept(tx, room, n.By, n.Own)
	case tellHold:
		return true, f.hold(tx, room, n)
	case tellAgain:
		return true, f.again(tx, room)
	case tellDecline:
		return true, f.decline(tx, room)
	case tellAccept:
		if i, ok := find(tx, room); ok && i.State != Accepted {
			by, _ := f.Bus.Who(tx, i.By)
			return true, f.accept(tx, room, by, i.Own)
		}
	}
	return true, nil
}

// Timed handles a timer of the scope, and returns false where it was not set by this package.
func (f *Feature) Timed(tx *store.Tx, t protocol.Timer) (bool, error) {
	switch t.Name {
	case timerHeld:
		return true, f.again(tx, protocol.RoomID(tx.Scope()))
	case timerJoin:
		return true, f.ask(tx, protocol.RoomID(tx.Scope()))
	case timerAlone:
		return true, f.leave(tx, protocol.RoomID(tx.Scope()))
	case timerGreet:
		return true, f.greetSettled(tx, protocol.RoomID(tx.Scope()))
	case timerRates:
		clearRates(tx)
		return true, nil
	}
	return false, nil
}

// again looks once more at an invitation that waits or is held.
func (f *Feature) again(tx *store.Tx, room protocol.RoomID) error {
	i, ok := find(tx, room)
	if !ok || i.State != Waiting && i.State != Held {
		return nil
	}
	by, _ := f.Bus.Who(tx, i.By)
	switch {
	case f.admits(tx, room, by, i.Own):
		return f.admit(tx, room, by, i.Own)
	case i.State == Held: // they no longer may
		return f.publish(tx, Waiting, by, i.Own)
	}
	return nil
}

// hold notes that a person has invited too often.
func (f *Feature) hold(tx *store.Tx, room protocol.RoomID, n note) error {
	tx.SetTimer(timerHeld, n.Until, nil)
	if i, ok := find(tx, room); ok && i.State == Held && i.By == f.Bus.Lookup(tx, n.By) {
		return nil
	}
	return f.publish(tx, Held, n.By, n.Own)
}

// Reach has what waits looked at once more when its network comes into reach: the configuration may have changed.
func (f *Feature) Reach(tx *store.Tx, network protocol.Network, up bool, _ time.Time) iter.Seq[store.Told] {
	return func(yield func(store.Told) bool) {
		if !up || !f.cares(network) {
			return
		}
		for k, v := range tx.Range(open, "", "") {
			var i invitation
			if protocol.RoomID(k).Network() != network || json.Unmarshal(v, &i) != nil || i.State != Waiting {
				continue
			}
			if !yield(store.Told{To: protocol.Scope(k), What: protocol.Internal{Kind: tellAgain, Data: []byte("{}")}}) {
				return
			}
		}
	}
}

// title is what to call a room that the bot may never have been in.
func title(tx *store.Tx, room protocol.RoomID) string {
	info, _ := rooms.Get(tx, room)
	return info.Title()
}
