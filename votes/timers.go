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
	timerDeadline   = "votes.deadline/"  // the vote ends
	timerEarly      = "votes.early/"     // from here on it may end before
	timerClose      = "votes.close/"     // it closes, though nobody has answered about the reactions
	timerRecast     = "votes.recast/"    // a ballot by reactions that has waited is cast
	timerEdit       = "votes.edit/"      // its message is brought up to date
	timerNotice     = "votes.notice/"    // was the target told in private?
	timerRemind     = "votes.remind/"    // says in the room that it soon ends
	timerHalf       = "votes.half/"      // reminds the next in private who have not voted; data: from whom on
	timerUnsaid     = "votes.unsaid"     // says which votes have ended while the bot was away
	timerVoid       = "votes.void"       // nobody could vote for too long
	timerPulse      = "votes.pulse"      // makes a commit, so that the store knows when the bot was last alive
	timerDepartures = "votes.departures" // forgets who left long ago
	timerEnrol      = "votes.enrol"      // looks at the next members for a vote that opens
	timerClear      = "votes.clear"      // clears away what an opening has noted
	timerTenures    = "votes.tenures"    // notes the next elders of the successor; data: from whom on
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
	case timerDepartures:
		f.sweepDepartures(tx, room)
		return true, nil
	case timerEnrol:
		return true, f.elect(tx, room)
	case timerUnsaid:
		return true, f.sayUnsaid(tx, room)
	case timerClear:
		f.clearElecting(tx, room)
		return true, nil
	case timerTenures:
		f.noteTenures(tx, room, protocol.UserID(t.Data))
		return true, nil
	}
	if rest, ok := strings.CutPrefix(t.Name, timerHold); ok {
		f.limitOver(tx, room, rest)
		return true, nil
	}
	name, number, ok := strings.Cut(t.Name, "/")
	half := func(h *atHand) error { return h.remindVoters(t.Data) }
	do := map[string]func(*atHand) error{
		timerDeadline: (*atHand).deadline, timerEarly: (*atHand).early, timerClose: (*atHand).unanswered,
		timerEdit: (*atHand).edit, timerNotice: (*atHand).notice, timerRemind: (*atHand).remind,
		timerRecast: (*atHand).recastDue, timerHalf: half,
	}[name+"/"]
	if !ok || do == nil {
		return false, nil
	}
	id, err := strconv.ParseUint(number, 10, 64)
	if err != nil {
		return false, nil
	}
	if v := f.find(tx, room, id); v != nil {
		return true, do(v)
	}
	return true, nil
}

// start sets the timers of a vote that is open, as its times are now.
func (h *atHand) start() {
	n := h.Number()
	h.tx.SetTimer(timerDeadline+n, h.Deadline, nil)
	if at := h.Tally.Soonest(h.now()); !at.IsZero() {
		h.tx.SetTimer(timerEarly+n, at, nil)
	}
	h.remindsAt()
	if h.tx.Timer(timerPulse).IsZero() {
		h.beat(h.tx, protocol.RoomID(h.tx.Scope()))
	}
}

// stop takes away the timers of a vote that has ended. What its message shows is still brought up to date.
func (h *atHand) stop() {
	for _, name := range []string{timerDeadline, timerEarly, timerClose, timerRemind, timerHalf, timerNotice, timerRecast} {
		h.tx.StopTimer(name + h.Number())
	}
}

// Pulse reports whether a timer of that name only makes a commit.
func (f *Feature) Pulse(name string) bool { return name == timerPulse }

// beat makes the next commit of a room in which votes are open. All rooms beat at the same time, in one commit.
func (f *Feature) beat(tx *store.Tx, room protocol.RoomID) {
	if hasOpen(tx, room) {
		tx.SetTimer(timerPulse, tx.Now().Truncate(pulse).Add(pulse), nil)
	}
}
