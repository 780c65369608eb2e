package rooms

import (
	"encoding/json"
	"time"

	"moot/protocol"
	"moot/store"
)

// Timers and internal events of this package.
const (
	timerSweep     = "rooms.sweep" // data: the user to go on from
	timerRead      = "rooms.read"  // data: how often reading the list has failed, as a number
	tellShared     = "rooms.shared"
	tellSucceeds   = "rooms.succeeds"
	tellTalk       = "rooms.talk"
	timerTalk      = "rooms.talk"
	sweepSlice     = 500
	firstRetry     = 30 * time.Second
	longestRetry   = time.Hour
	listDeadline   = 10 * time.Minute
	joinDeadline   = time.Hour
	nameLength     = 200 // characters kept of what people call rooms and themselves
	failuresToHour = 7   // doublings of firstRetry until longestRetry
)

// Note is something about a room that others may want to know.
type Note struct {
	What   What
	Room   protocol.RoomID
	User   protocol.UserID // who did it; zero where the network does not say
	Detail string          // the new name, the successor, the reason
}

// What says what a Note is about.
type What string

// The kinds of notes.
const (
	BotJoined  What = "joined"
	BotLeft    What = "left"
	BotKicked  What = "kicked"
	BotBanned  What = "banned"
	RoomNamed  What = "renamed"
	RoomMoved  What = "upgraded"
	ListRead   What = "members-known"
	ListFailed What = "members-unknown"
)

// Result is what became of an event.
type Result struct {
	Notes []Note
	// Ignored is why the event changes nothing; zero means that it was none of those.
	Ignored string
}

// sharing is the data of tellShared: whether a person is in a room with the bot.
type sharing struct {
	Room protocol.RoomID
	In   bool
}

// applier is one call of Apply.
type applier struct {
	tx     *store.Tx
	ev     protocol.Event
	info   Info
	dirty  bool // whether info is to be written
	result Result
	err    error
	// looked is whether it was looked if anybody was put out of the room, and anyOut what came of it.
	looked, anyOut bool
}

func (a *applier) note(what What, detail string) {
	a.result.Notes = append(a.result.Notes, Note{what, a.ev.Room, a.ev.Sender, detail})
}

func (a *applier) fail(err error) {
	if a.err == nil {
		a.err = err
	}
}

func (a *applier) tell(user protocol.UserID, in bool) { tellSharing(a.tx, user, a.ev.Room, in) }

func tellSharing(tx *store.Tx, user protocol.UserID, room protocol.RoomID, in bool) {
	data, err := json.Marshal(sharing{room, in})
	if err != nil {
		panic(err) // a string and a bool can be encoded
	}
	tx.Tell(protocol.Scope(user), protocol.Internal{Kind: tellShared, Data: data})
}

// power keeps who may moderate. Unknown leaves what is known.
func (a *applier) power(user protocol.UserID, p protocol.Power) {
	key := store.Key(a.ev.Room, string(user))
	switch p {
	case protocol.PowerModerator:
		a.tx.Put(moderators, key, nil)
	case protocol.PowerMember:
		a.tx.Delete(moderators, key)
	}
}

// place writes a row and keeps the counts.
func (a *applier) place(user protocol.UserID, r row, stayed bool, was row) {
	if !stayed {
		a.info.Count++
		a.tell(user, true)
	}
	if rd := a.info.Reading; rd != nil && (!stayed || was.Mark < rd.Mark) {
		rd.Count++
	}
	a.dirty = true
	putRow(a.tx, a.ev.Room, user, r)
}
