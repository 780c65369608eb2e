package votes

import (
	"strconv"
	"strings"
	"time"

	"moot/protocol"
	"moot/store"
)

// The timers of a room. Those of a vote have its number behind them.
const (
	timerDeadline = "votes.deadline/" // the vote ends
	timerEarly    = "votes.early/"    // from here on it may end before
	timerClose    = "votes.close/"    // it closes, though nobody has answered about the reactions
	timerEdit     = "votes.edit/"     // its message is brought up to date
	timerNotice   = "votes.notice/"   // was the target told in private?
	timerSecret   = "votes.secret/"   // secret ballots go into the log
	timerRemind   = "votes.remind/"
	timerUnsaid   = "votes.unsaid" // says which votes have ended while the bot was away
	timerVoid     = "votes.void"   // nobody could vote for too long
	timerPulse    = "votes.pulse"  // makes a commit, so that the store knows when the bot was last alive
	timerGone     = "votes.gone"   // forgets who left long ago
	timerElect    = "votes.elect"  // looks at the next members for a vote that opens
	timerClear    = "votes.clear"  // clears away what an opening has noted
	timerElders   = "votes.elders" // notes the next elders of the successor; data: from whom on
)

// pulse is how often the store learns that the bot is alive, while a vote is open.
const pulse = 30 * time.Second

// Timed handles a timer of the scope, and returns false where it was not set here.
func (f *Feature) Timed(tx *store.Tx, t protocol.Timer) (bool, error) {
	room := protocol.RoomID(tx.Scope())
	switch t.Name {
	case timerVoid:
		return true, f.voidAll(tx, room)
	case timerPulse:
		f.beat(tx, room)
		return true, nil
	case timerGone:
		f.sweepGone(tx, room)
		return true, nil
	case timerElect:
		return true, f.elect(tx, room)
	case timerUnsaid:
		return true, f.sayUnsaid(tx, room)
	case timerClear:
		f.clearElecting(tx, room)
		return true, nil
	case timerElders:
		f.noteElders(tx, room, protocol.UserID(t.Data))
		return true, nil
	}
	name, number, ok := strings.Cut(t.Name, "/")
	do := map[string]func(*store.Tx, protocol.RoomID, Vote) error{
		timerDeadline: f.deadline, timerEarly: f.early, timerClose: f.unanswered, timerEdit: f.edit,
		timerNotice: f.notice, timerSecret: f.flush, timerRemind: f.remind,
	}[name+"/"]
	if !ok || do == nil {
		return false, nil
	}
	id, err := strconv.ParseUint(number, 10, 64)
	if err != nil {
		return false, nil
	}
	v, ok := Get(tx, room, id)
	if !ok {
		return true, nil
	}
	return true, do(tx, room, v)
}

// start sets the timers of a vote that is open, as its times are now.
func (f *Feature) start(tx *store.Tx, v Vote) {
	n := v.Number()
	tx.SetTimer(timerDeadline+n, v.Deadline, nil)
	if at := v.Tally.Soonest(v.clock(tx.Now())); !at.IsZero() {
		tx.SetTimer(timerEarly+n, at, nil)
	}
	if v.Rules.Remind {
		runs := v.Deadline.Sub(v.Opened)
		if at := v.Opened.Add(runs - runs/4); at.After(tx.Now()) {
			tx.SetTimer(timerRemind+n, at, nil)
		}
	}
	if tx.Timer(timerPulse).IsZero() {
		f.beat(tx, protocol.RoomID(tx.Scope()))
	}
}

// stop takes away the timers of a vote that has ended. What its message shows is still brought up to date.
func (f *Feature) stop(tx *store.Tx, v Vote) {
	for _, name := range []string{timerDeadline, timerEarly, timerClose, timerSecret, timerRemind, timerNotice} {
		tx.StopTimer(name + v.Number())
	}
}

// beat makes the next commit of a room in which votes are open. All rooms beat at the same time, in one commit.
func (f *Feature) beat(tx *store.Tx, room protocol.RoomID) {
	if hasOpen(tx, room) {
		tx.SetTimer(timerPulse, tx.Now().Truncate(pulse).Add(pulse), nil)
	}
}
