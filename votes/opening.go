package votes

import (
	"encoding/json"
	"errors"
	"fmt"

	"moot/commands"
	"moot/events"
	"moot/outbox"
	"moot/protocol"
	"moot/rooms"
	"moot/store"
)

// Opening a vote in a large room. To look at each member takes a while, so it is done in slices, by timers, and others have
// their turn between them. Nothing of it is a projection: the fact that the vote was opened holds what came of it. Who
// joins or leaves meanwhile changes nothing: the newcomer is no member for long enough, and whoever was counted stays so.
var (
	openings = store.ScopedBucket("votes-openings") // room → opening (JSON)
	electing = store.ScopedBucket("votes-electing") // room ␟ number of person → 1 where they were active, else 0
)

// DefaultAtOnce is the largest room in which a vote is opened in one go.
const DefaultAtOnce = 500

// opening is a vote that is about to be opened.
type opening struct {
	Wish wish
	// Of the command, which is answered in the end.
	Cause   protocol.Ref
	Handle  string
	Place   protocol.PlaceID
	Private bool

	Generation uint64 // of the membership of the bot
	Next       protocol.UserID
	Fresh      int
}

// prepare begins to find out who may vote.
func (f *Feature) prepare(c *commands.Call, w wish) error {
	room := c.Room.ID
	if c.Tx.Has(openings, string(room)) || anyElecting(c.Tx, room) {
		return commands.Sorryf("I am still finding out who may vote in another vote that opens here. Try again in a moment.")
	}
	o := opening{
		Wish: w, Cause: c.Event.Ref(), Handle: c.Event.Handle, Place: c.Event.Place, Private: c.Event.Private,
		Generation: c.Room.Generation,
	}
	if err := putOpening(c.Tx, room, o); err != nil {
		return err
	}
	c.Tx.SetTimer(timerElect, c.Tx.Now(), nil)
	return c.Answer(protocol.Plainf("I am finding out who of the %d members may vote. The vote opens in a moment.", c.Room.Count))
}

func putOpening(tx *store.Tx, room protocol.RoomID, o opening) error {
	data, err := json.Marshal(o)
	if err != nil {
		return fmt.Errorf("encode an opening: %w", err)
	}
	tx.Put(openings, string(room), data)
	return nil
}

// elect looks at the next members, and opens the vote when all were looked at.
func (f *Feature) elect(tx *store.Tx, room protocol.RoomID) error {
	var o opening
	data := tx.Get(openings, string(room))
	if data == nil || json.Unmarshal(data, &o) != nil {
		return nil
	}
	info, _ := rooms.Get(tx, room)
	err := f.mayOpen(tx, info)
	if err == nil && (!info.Joined() || info.Generation != o.Generation) {
		err = commands.Sorryf("I was put out of the room while I was finding out who may vote. Open the vote once more.")
	}
	if err != nil {
		return f.abandon(tx, room, o, err)
	}
	rules := f.settings.Rules(tx, room)
	n := 0
	for m := range rooms.MembersFrom(tx, room, o.Next) {
		if n++; n > f.AtOnce {
			o.Next = m.User
			tx.SetTimer(timerElect, tx.Now(), nil)
			return putOpening(tx, room, o)
		}
		switch f.votesOn(tx, info, o.Wish, m, rules) {
		case isFresh:
			o.Fresh++
		case isIdle:
			putElector(tx, room, f.bus.Number(tx, m.User), 0)
		case isActive:
			putElector(tx, room, f.bus.Number(tx, m.User), 1)
		}
	}
	return f.elected(tx, info, o, rules)
}

func putElector(tx *store.Tx, room protocol.RoomID, n events.Number, active byte) {
	tx.Put(electing, store.Key(room, voter(n)), []byte{active})
}

// elected opens the vote, if all that was looked at before still holds.
func (f *Feature) elected(tx *store.Tx, info rooms.Info, o opening, rules Rules) error {
	room := info.ID
	e := electors{fresh: o.Fresh}
	prefix := store.Key(room, "")
	for k, active := range tx.Prefix(electing, prefix) {
		n := parseVoter(k[len(prefix):])
		if len(active) == 1 && active[0] == 1 {
			e.active = append(e.active, n)
		} else {
			e.idle = append(e.idle, n)
		}
	}
	if err := f.withinLimits(tx, room, o.Wish, rules, f.code); err != nil {
		return f.abandon(tx, room, o, err)
	}
	if why := f.mayBeOpener(tx, info, o.Wish, e, rules); why != nil {
		return f.abandon(tx, room, o, commands.Sorry(why))
	}
	v, err := f.begin(tx, room, o.Wish, e, rules)
	if err != nil {
		return f.abandon(tx, room, o, err)
	}
	f.endOpening(tx, room)
	if !o.Private && o.Wish.Place == o.Place {
		return nil // its message says it
	}
	return f.tell(tx, info, o, protocol.Join("Vote ", v.ID, " is open, until ", protocol.Moment(v.Deadline), "."))
}

// abandon ends an opening that leads to no vote, and says why to whoever wanted it. Any other error than a Mistake is a
// fault.
func (f *Feature) abandon(tx *store.Tx, room protocol.RoomID, o opening, err error) error {
	var m *commands.Mistake
	if !errors.As(err, &m) {
		return err
	}
	f.endOpening(tx, room)
	info, _ := rooms.Get(tx, room)
	return f.tell(tx, info, o, m.Text)
}

func (f *Feature) tell(tx *store.Tx, info rooms.Info, o opening, text protocol.Text) error {
	_, err := outbox.Send(tx, protocol.Outgoing{Cause: o.Cause, Handle: o.Handle, Act: protocol.Whisper{
		User: o.Wish.Opener, Text: protocol.Join("In ", protocol.Quoted(info.Title(), 0), ": ", text),
	}})
	return err
}

// clearSlice is how many rows of an opening one step clears away.
const clearSlice = 2000

// endOpening ends an opening. What it has noted is cleared away in slices.
func (f *Feature) endOpening(tx *store.Tx, room protocol.RoomID) {
	tx.Delete(openings, string(room))
	f.clearElecting(tx, room)
}

func (f *Feature) clearElecting(tx *store.Tx, room protocol.RoomID) {
	n := 0
	for k := range tx.Prefix(electing, store.Key(room, "")) {
		if n++; n > clearSlice {
			tx.SetTimer(timerClear, tx.Now(), nil)
			return
		}
		tx.Delete(electing, k)
	}
}

func anyElecting(tx *store.Tx, room protocol.RoomID) bool {
	for range tx.Prefix(electing, store.Key(room, "")) {
		return true
	}
	return false
}
