// Package inspect answers the questions of whoever runs the bot: what became of an event, what the log of facts says, what
// waits to be sent, what failed, and whether all is well.
//
// # Promises
//
//   - It changes nothing.
//   - Each method reads one page in one short read transaction: at most [PageSize] rows, and no more than a few megabytes.
//     What it returns can be written as JSON and holds no value of the store.
//   - An answer that is not there is an error with a sentence that says what to do, and wraps one of [ErrNotFound] and
//     [ErrAmbiguous].
//   - What people wrote in private is not shown, except by [Inspector.Letter], which is asked for one event that failed.
package inspect

import (
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"time"

	"moot/events"
	"moot/internal/alike"
	"moot/internal/finding"
	"moot/protocol"
	"moot/rooms"
	"moot/store"
)

// PageSize is how many rows a page has at most.
const PageSize = 200

// pageBytes is how long the payloads of a page may be together, give or take one.
const pageBytes = 4 << 20

// Errors of questions that have no answer.
var (
	ErrNotFound  = errors.New("not found")
	ErrAmbiguous = errors.New("ambiguous")
)

// sentence is an error for people that has one of the errors above as its kind.
type sentence struct {
	text string
	kind error
}

func (s *sentence) Error() string { return s.text }
func (s *sentence) Unwrap() error { return s.kind }

func notFound(format string, args ...any) error {
	return &sentence{fmt.Sprintf(format, args...), ErrNotFound}
}

func ambiguous(format string, args ...any) error {
	return &sentence{fmt.Sprintf(format, args...), ErrAmbiguous}
}

// Inspector answers questions about one store. Its methods may be called concurrently.
type Inspector struct {
	Store *store.Store
	// Networks are those that are configured; nil means that it is not known which.
	Networks []protocol.Network
	// Bus is the way to the log. Nil means that it cannot be opened; BusErr is then why.
	Bus    *events.Bus
	BusErr error
	// Features says what features have to say in a check; nil means nothing.
	Features func(tx *store.Tx) []finding.Finding
	// Shown returns an event as it may be shown; nil means as it is.
	Shown func(tx *store.Tx, ev protocol.Event) protocol.Event
	// Running is whether the bot runs in this process: what takes long then leaves it the processors.
	Running bool
}

// bus returns the bus, or why there is none.
func (in *Inspector) bus() (*events.Bus, error) {
	if in.Bus == nil {
		return nil, fmt.Errorf("the log of facts cannot be read: %w", in.BusErr)
	}
	return in.Bus, nil
}

// Ref is the address of an event.
type Ref struct {
	Room  protocol.RoomID  `json:"room"`
	Event protocol.EventID `json:"event"`
}

func refOf(r protocol.Ref) *Ref {
	if r == (protocol.Ref{}) {
		return nil
	}
	return &Ref{r.Room, r.Event}
}

// String is the room and the event as `moot why` takes them.
func (r Ref) String() string { return string(r.Room) + " " + string(r.Event) }

// findRooms returns the rooms that somebody may mean by a text: the one with that id, else those that are called so by
// their network, their name or their alias.
func findRooms(tx *store.Tx, text string) []rooms.Info {
	if info, ok := rooms.Get(tx, protocol.RoomID(text)); ok {
		return []rooms.Info{info}
	}
	var found []rooms.Info
	text = alike.Fold(text)
	for info := range rooms.All(tx) {
		if slices.ContainsFunc([]string{info.ID.Local(), info.Name, info.Alias}, func(name string) bool {
			return name != "" && alike.Fold(name) == text
		}) {
			found = append(found, info)
		}
	}
	return found
}

// oneRoom is findRooms where one is wanted.
func oneRoom(tx *store.Tx, text string) (rooms.Info, error) {
	found := findRooms(tx, text)
	switch len(found) {
	case 0:
		return rooms.Info{}, notFound("The bot does not know the room %s. %s", protocol.Quoted(text, 0), roomList(tx))
	case 1:
		return found[0], nil
	}
	return rooms.Info{}, ambiguous("%d rooms are called %s; name one by its id: %s.", len(found), protocol.Quoted(text, 0), ids(found))
}

// roomList names the rooms that the bot is in.
func roomList(tx *store.Tx) string {
	var joined []rooms.Info
	for info := range rooms.All(tx) {
		if info.Joined() && !info.Private {
			joined = append(joined, info)
		}
	}
	if len(joined) == 0 {
		return "It is in no room."
	}
	return "It is in " + ids(joined) + "."
}

// ids lists rooms by their ids, a few of them.
func ids(list []rooms.Info) string {
	const most = 10
	var b strings.Builder
	for i, info := range list {
		if i == most {
			fmt.Fprintf(&b, " and %d more", len(list)-most)
			break
		}
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(string(info.ID))
	}
	return b.String()
}

// title returns what a room is called, zero where that says no more than its id.
func title(tx *store.Tx, id protocol.RoomID) string {
	info, ok := rooms.Get(tx, id)
	if t := info.Title(); ok && t != string(id) {
		return t
	}
	return ""
}

// findPerson returns the number of a person who is named by id, or by the part of it after the colon where only one
// network knows such a person. Nobody is 0.
func findPerson(tx *store.Tx, bus *events.Bus, text string) (events.Number, error) {
	if n := bus.Lookup(tx, protocol.UserID(text)); n != 0 {
		return n, nil
	}
	var found []protocol.UserID
	for network := range networks(tx) {
		if id := protocol.UserID(string(network) + ":" + text); bus.Lookup(tx, id) != 0 {
			found = append(found, id)
		}
	}
	switch len(found) {
	case 0:
		return 0, notFound("No fact names a person %s. Write the identifier as it appears in the log, such as console:ann.", protocol.Quoted(text, 0))
	case 1:
		return bus.Lookup(tx, found[0]), nil
	}
	return 0, ambiguous("Several people are called %s; write one of %s.", protocol.Quoted(text, 0), found)
}

// networks goes through the networks of the rooms that are known, in order.
func networks(tx *store.Tx) iter.Seq[protocol.Network] {
	return func(yield func(protocol.Network) bool) {
		var last protocol.Network
		for info := range rooms.All(tx) { // by id, so by network
			if n := info.ID.Network(); n != last {
				if last = n; !yield(n) {
					return
				}
			}
		}
	}
}

// ago returns how long before the last commit something was, to the second.
func ago(tx *store.Tx, t time.Time) time.Duration { return max(0, tx.Now().Sub(t)).Round(time.Second) }
