package votes

import (
	"encoding/json"
	"errors"
	"fmt"

	"moot/commands"
	"moot/events"
	"moot/internal/say"
	"moot/outbox"
	"moot/protocol"
	"moot/rooms"
	"moot/store"
)

// Opening a vote in a large room. To look at each member takes a while, so it is done in slices, by timers, and
// others have their turn between them. Nothing of it is a projection: the fact that the vote was opened holds what
// came of it. Who joins or leaves meanwhile changes nothing: the newcomer is no member for long enough, and whoever
// was counted stays so.
var (
	enrolments = store.ScopedBucket("votes-enrolments") // room → opening (JSON)
	electing   = store.ScopedBucket("votes-electing")   // room ␟ number of person → 1 where they were active, else 0
)

// DefaultAtOnce is the largest room in which a vote is opened in one go.
const DefaultAtOnce = 500

// publishAt is how many times as many people one fact names as one step looks at: 5,000 by default.
const publishAt = 10

// enrolment is a vote that is about to be opened.
type enrolment struct {
	Proposal proposal
	// Of the command, which is answered in the end.
	Cause   protocol.Ref
	Handle  string
	Place   protocol.PlaceID
	Private bool

	Generation uint64 // of the membership of the bot
	// Asked is the ask for those who hold the role, until it is answered.
	Asked protocol.Key `json:",omitempty"`
	// While members are looked at: from whom on the next ones are, and how those before them were.
	Next   protocol.UserID
	Counts electors
	// While it is published who may vote: the number of the vote, how many were published, and from whom on the next ones are.
	Vote      uint64
	Published int
	From      events.Number `json:",omitempty"`
}

// enrolsAnother reports whether it is being found out who may vote in a vote of the room. One that does not go on any
// more, because a fault has ended it, is cleared away.
func (f *Feature) enrolsAnother(tx *store.Tx, room protocol.RoomID) bool {
	if !tx.Timer(timerEnrol).IsZero() || !tx.Timer(timerClear).IsZero() {
		return true
	}
	tx.Delete(enrolments, string(room))
	tx.Delete(roleHolders, string(room))
	f.clearElecting(tx, room)
	return !tx.Timer(timerClear).IsZero()
}

// enrol begins to find out who may vote.
func (o *opening) enrol(c *commands.Call) error {
	if why := o.cannotOpen(c); why != nil {
		return o.privately(c, why)
	}
	if err := continueEnrolment(c.Tx, c.Room.ID, o.enrolment(c)); err != nil {
		return err
	}
	return c.Answer(o.Say("enrolling", say.Number("Members", c.Room.Count)))
}

// cannotOpen tells somebody why they cannot open it in any case, so that they do not keep others waiting while it is found out who
// may vote; nil where that is not known yet.
func (o *opening) cannotOpen(c *commands.Call) protocol.Text {
	if o.Type == Poll {
		return o.mayPoll()
	}
	if m, in := rooms.Lookup(c.Tx, c.Room.ID, o.Opener); in && !o.appeal() {
		if is := o.votesOn(m); is != isActive && is != isIdle {
			return o.mayBeOpener(electors{Active: o.rules.Voters})
		}
	}
	return nil
}

// enrolment is the proposal as it waits until it is known who may vote.
func (o *opening) enrolment(c *commands.Call) enrolment {
	return enrolment{
		Proposal: o.proposal, Cause: c.Event.Ref(), Handle: c.Event.Handle, Place: c.Event.Place, Private: c.Event.Private,
		Generation: c.Room.Generation,
	}
}

// continueEnrolment keeps how far an opening is, and sets the timer for its next step.
func continueEnrolment(tx *store.Tx, room protocol.RoomID, o enrolment) error {
	if err := putEnrolment(tx, room, o); err != nil {
		return err
	}
	tx.SetTimer(timerEnrol, tx.Now(), nil)
	return nil
}

func putEnrolment(tx *store.Tx, room protocol.RoomID, o enrolment) error {
	data, err := json.Marshal(o)
	if err != nil {
		return fmt.Errorf("encode an opening: %w", err)
	}
	tx.Put(enrolments, string(room), data)
	return nil
}

// enrolmentIn returns the vote that is about to open in a room, if there is one.
func enrolmentIn(tx *store.Tx, room protocol.RoomID) (o enrolment, ok bool) {
	data := tx.Get(enrolments, string(room))
	return o, data != nil && json.Unmarshal(data, &o) == nil
}

// elect makes the next step of an opening.
func (f *Feature) elect(tx *store.Tx, room protocol.RoomID) error {
	n, ok := enrolmentIn(tx, room)
	if !ok {
		return nil
	}
	o := f.reopened(tx, room, n)
	err := error(nil)
	if n.Asked != "" { // nobody has answered
		err = sorry(o.Speaker, "role-unread", o.role())
	} else {
		o.holders = holdersKept(tx, room)
		err = o.nextElectors(&n)
	}
	if err != nil {
		return f.abandon(tx, o.room, n, err)
	}
	return nil
}

// reopened returns the proposal of an enrolment at hand once more.
func (f *Feature) reopened(tx *store.Tx, room protocol.RoomID, n enrolment) *opening {
	info, _ := rooms.Get(tx, room)
	return f.opening(tx, info, n.Proposal, f.to(tx, room, n.Proposal.Opener))
}

// nextElectors looks at the next members or, when all were looked at, publishes the next of those who may vote. When
// all are published it opens the vote.
func (o *opening) nextElectors(n *enrolment) error {
	if err := o.mayOpen(); err != nil {
		return err
	}
	if !o.room.Joined() || o.room.Generation != n.Generation {
		return sorry(o.Speaker, "put-out")
	}
	if n.Vote == 0 {
		return o.lookAtMembers(n)
	}
	return o.publishElectors(n)
}

// lookAtMembers looks at the next members.
func (o *opening) lookAtMembers(n *enrolment) error {
	tx, room, looked := o.tx, o.room.ID, 0
	for m := range o.candidates(n.Next) {
		if looked++; looked > o.AtOnce {
			n.Next = m.User
			return continueEnrolment(tx, room, *n)
		}
		active, is := byte(0), o.votesOn(m)
		n.Counts.add(is)
		switch is {
		case isIdle:
		case isActive:
			active = 1
		default:
			continue
		}
		tx.Put(electing, store.Key(room, voter(o.bus.Number(tx, m.User))), []byte{active})
	}
	if err := o.withinLimits(func(line string) protocol.Text { return o.code(room, line) }); err != nil {
		return err
	}
	if why := o.mayBeOpener(n.Counts); why != nil {
		return commands.Sorry(why)
	}
	if err := o.enough(n.Counts); err != nil {
		return err
	}
	n.Vote = last(tx, room) + 1 // no other opens meanwhile
	return continueEnrolment(tx, room, *n)
}

// publishElectors publishes the next of those who may vote, and then opens the vote.
func (o *opening) publishElectors(n *enrolment) error {
	tx, room := o.tx, o.room.ID
	waived := n.Counts.waived(o.Type, o.settings.rules.Voters)
	prefix := store.Key(room, "")
	part, looked := electingPart{First: n.Published == 0}, 0
	for k, active := range tx.Range(electing, store.Key(room, voter(n.From)), store.After(prefix)) {
		if looked++; looked > publishAt*o.AtOnce {
			n.From = parseVoter(k[len(prefix):]) // rows that were deleted stay in the way until the next checkpoint
			break
		}
		if waived || len(active) == 1 && active[0] == 1 {
			part.Electorate = append(part.Electorate, parseVoter(k[len(prefix):]))
		}
		tx.Delete(electing, k)
	}
	if looked > 0 {
		n.Published += len(part.Electorate)
		if err := o.at(tx, room, Vote{ID: n.Vote, Type: o.Type}).publish(whatElecting, nil, part); err != nil {
			return err
		}
		return continueEnrolment(tx, room, *n)
	}
	tx.Delete(enrolments, string(room))
	tx.Delete(roleHolders, string(room))
	v, err := o.begin(n.Counts, nil)
	if err != nil || !n.Private && o.Place == n.Place {
		return err // its message says it
	}
	return o.tell(tx, o.room, *n, o.isOpen(v))
}

// abandon ends an opening that leads to no vote, and says why to whoever wanted it. Any other error than a Mistake is a
// fault.
func (f *Feature) abandon(tx *store.Tx, info rooms.Info, o enrolment, err error) error {
	var m *commands.Mistake
	if !errors.As(err, &m) {
		return err
	}
	tx.Delete(enrolments, string(info.ID))
	tx.Delete(roleHolders, string(info.ID))
	tx.StopTimer(timerEnrol)
	f.clearElecting(tx, info.ID)
	return f.tell(tx, info, o, m.Text)
}

func (f *Feature) tell(tx *store.Tx, info rooms.Info, o enrolment, text protocol.Text) error {
	opener := o.Proposal.Opener
	_, err := outbox.Send(tx, protocol.Outgoing{Cause: o.Cause, Handle: o.Handle, Act: protocol.Whisper{
		User: opener, Asked: true, Text: inRoom(f.to(tx, info.ID, opener), seenBy(tx, info, opener).Title(), text),
	}})
	return err
}

// clearSlice is how many rows of an opening one step clears away.
const clearSlice = 2000

// clearElecting clears away what an opening has noted that leads to no vote.
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
