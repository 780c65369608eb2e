package votes

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"moot/protocol"
	"moot/store"
)

// because is why nobody can vote in a room for the time being.
type because string

const (
	becauseRemoved     because = "removed"     // the bot is not in the room
	becauseUnreachable because = "unreachable" // the network cannot reach the room
	becauseOffline     because = "offline"     // the bot is not connected to the network, or not running
)

// hold is that the votes of a room stand still. It is no projection; what follows from it is.
type hold struct {
	Since time.Time
	Why   map[because]bool
	// Removed is whether the bot was out of the room meanwhile: then any time is given back, however short.
	Removed bool `json:",omitempty"`
}

// is tells whether the votes stand still.
func (h hold) is() bool { return len(h.Why) > 0 }

var holds = store.ScopedBucket("votes-holds")

func held(tx *store.Tx, room protocol.RoomID) (h hold) {
	if data := tx.Get(holds, string(room)); data != nil {
		_ = json.Unmarshal(data, &h) // it was written here
	}
	return h
}

func putHold(tx *store.Tx, room protocol.RoomID, h hold) error {
	if !h.is() {
		letGo(tx, room)
		return nil
	}
	data, err := json.Marshal(h)
	if err != nil {
		return err
	}
	tx.Put(holds, string(room), data)
	return nil
}

func letGo(tx *store.Tx, room protocol.RoomID) {
	tx.Delete(holds, string(room))
	tx.StopTimer(timerVoid)
}

// suspend lets the votes of a room stand still from now on.
func (f *Feature) suspend(tx *store.Tx, room protocol.RoomID, why because) error {
	return f.suspendAt(tx, room, why, tx.Now())
}

func (f *Feature) suspendAt(tx *store.Tx, room protocol.RoomID, why because, since time.Time) error {
	if !hasOpen(tx, room) {
		return nil
	}
	h := held(tx, room)
	if !h.is() {
		h = hold{Since: since.Round(0), Why: map[because]bool{}}
		tx.SetTimer(timerVoid, since.Add(f.Void), nil)
	}
	h.Why[why] = true
	h.Removed = h.Removed || why == becauseRemoved
	return putHold(tx, room, h)
}

// resume takes away one reason why votes stand still. When none is left they go on, and end as much later as they stood
// still.
func (f *Feature) resume(tx *store.Tx, room protocol.RoomID, why because) error {
	h := held(tx, room)
	if !h.Why[why] {
		return nil
	}
	delete(h.Why, why)
	if h.is() {
		return putHold(tx, room, h)
	}
	gap := tx.Now().Sub(h.Since).Round(time.Second)
	if gap > f.Void {
		h.Why[why] = true
		if err := f.voidAll(tx, room); err != nil {
			return err
		}
		letGo(tx, room)
		return nil
	}
	letGo(tx, room)
	var moved []string
	var place protocol.PlaceID
	for v := range OpenIn(tx, room) {
		if v.Status == Running && (gap > f.Outage || h.Removed && gap > 0) {
			if err := f.publish(tx, v, whatExtended, nil, extended{By: gap, Why: string(why)}); err != nil {
				return err
			}
			v, _ = Get(tx, room, v.ID)
			moved, place = append(moved, v.Number()), v.Place
		}
		if v.Status == Running {
			f.start(tx, v)
		} else if err := f.read(tx, room, v); err != nil {
			return err
		}
		if v, _ = Get(tx, room, v.ID); !v.Open() {
			continue
		}
		// Soon, but not at once: who came back does not know yet what people are called.
		tx.SetTimer(timerEdit+v.Number(), tx.Now().Add(settle), nil)
	}
	if len(moved) == 0 {
		return nil
	}
	what := "Vote " + moved[0] + " ends"
	if len(moved) > 1 {
		what = "Votes " + strings.Join(moved, ", ") + " end"
	}
	return f.announce(tx, room, place, protocol.Join("I was away from ", protocol.Moment(h.Since), " to ",
		protocol.Moment(tx.Now()), ". ", what, " that much later: by ", length(gap), "."))
}

// length writes how long something took, in its two largest units.
func length(d time.Duration) string {
	units := []struct {
		name string
		d    time.Duration
	}{{"day", day}, {"hour", time.Hour}, {"minute", time.Minute}, {"second", time.Second}}
	for i, u := range units {
		if d < u.d && i < len(units)-1 {
			continue
		}
		words := count(int(d/u.d), u.name)
		if i < 2 {
			if rest := int(d % u.d / units[i+1].d); rest > 0 {
				words += " and " + count(rest, units[i+1].name)
			}
		}
		return words
	}
	return ""
}

// settle is how long after its return the bot shows votes anew.
const settle = 10 * time.Second

// Start is called once, before the first commit of a run: from the last commit of the run before on, nobody could vote.
// Votes then go on when Online says that their network is there.
func (f *Feature) Start(s *store.Store) error {
	var alive time.Time
	err := s.View(func(tx *store.Tx) error {
		alive = tx.Now()
		return nil
	})
	if err != nil {
		return fmt.Errorf("votes: read the time of the last commit: %w", err)
	}
	// The zero time makes it the smallest step after the commit before: the clock is the loop's.
	err = s.Commit(time.Time{}, func(c *store.Commit) error {
		return f.eachRoom(c, "", "start", func(tx *store.Tx, room protocol.RoomID) error {
			return f.suspendAt(tx, room, becauseOffline, alive)
		})
	})
	if err != nil {
		return fmt.Errorf("votes: start: %w", err)
	}
	return nil
}

// Online says whether a network can be reached. It makes runs of the commit: one for each room with an open vote.
func (f *Feature) Online(c *store.Commit, network protocol.Network, up bool) error {
	what := "offline"
	if up {
		what = "online"
	}
	return f.eachRoom(c, network, what, func(tx *store.Tx, room protocol.RoomID) error {
		if up {
			return f.resume(tx, room, becauseOffline)
		}
		return f.suspend(tx, room, becauseOffline)
	})
}

// eachRoom runs something in each room of a network (zero means all) in which a vote is open.
func (f *Feature) eachRoom(c *store.Commit, network protocol.Network, what string, do func(*store.Tx, protocol.RoomID) error) error {
	var list []protocol.RoomID
	for k := range c.Read().Range(openVotes, "", "") {
		room := protocol.RoomID(k[:len(k)-8-len(store.Sep)])
		if (network == "" || room.Network() == network) && (len(list) == 0 || list[len(list)-1] != room) {
			list = append(list, room)
		}
	}
	var errs []error
	for _, room := range list {
		cause := protocol.Ref{Room: room, Event: protocol.EventID("votes/" + what + "/" + strconv.FormatInt(c.Now().UnixNano(), 10))}
		err := c.Run(protocol.Scope(room), cause, func(tx *store.Tx) error { return do(tx, room) })
		if err != nil {
			errs = append(errs, fmt.Errorf("room %s: %w", room, err))
		}
	}
	return errors.Join(errs...)
}
