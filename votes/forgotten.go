package votes

import (
	"strconv"
	"strings"
	"time"

	"moot/events"
	"moot/protocol"
	"moot/store"
)

// Nobody escapes a vote, or a limit, by being forgotten: who has opened a vote that is open, whom it is about, which
// moderators have taken part in a challenge, and of whom something may not be asked again, is held
// ([people.Registry.Hold]).

// timerHold lets go of somebody when a limit is over; what is limited and the number stand behind it.
const timerHold = "votes.hold/"

// hold is the reason for which somebody is held for the vote.
func (h *atHand) hold() string { return "vote " + string(h.room) + " " + h.Number() }

func limitHold(room protocol.RoomID, what string) string { return "limit " + string(room) + " " + what }

// holdVote holds whom an open vote needs.
func (h *atHand) holdVote() {
	for _, n := range []events.Number{h.Opener, h.Target} {
		h.bus.Hold(h.tx, n, h.hold(), time.Time{})
	}
}

// held returns whom the vote holds: who has opened it, whom it is about, and the moderators who have taken part.
func (h *atHand) held() []events.Number {
	return append([]events.Number{h.Opener, h.Target}, h.partial()...)
}

// partial returns the moderators who have cast a ballot in a challenge.
func (h *atHand) partial() (all []events.Number) {
	prefix := h.voterKey("")
	for k := range h.tx.Prefix(partial, prefix) {
		all = append(all, parseVoter(k[len(prefix):]))
	}
	return all
}

func (h *atHand) letGoVote() {
	for _, n := range h.held() {
		h.bus.LetGo(h.tx, n, h.hold())
		h.tx.Delete(partial, h.voterKey(voter(n)))
	}
}

// handOver lets go of those whom the vote holds, as it goes on in the successor of its room: not before they are held there. Who
// was forgotten meanwhile would be recognised no more.
func (h *atHand) handOver(successor protocol.RoomID) {
	there := h.at(h.tx, successor, h.Vote)
	for _, n := range h.held() {
		h.bus.Hold(h.tx, n, there.hold(), time.Time{})
	}
	h.letGoVote()
}

// partial holds the moderators who have cast a ballot in an open challenge: forgotten, they could cancel it as
// somebody else.
var partial = store.ScopedBucket("votes-partial") // room ␟ vote ␟ person → ∅

// holdPartial holds a moderator who casts a ballot in a challenge.
func (h *atHand) holdPartial(user protocol.UserID, n events.Number) {
	if h.Type == Challenge && h.mayModerate(h.tx, h.room, user) {
		h.tx.Put(partial, h.voterKey(voter(n)), nil)
		h.bus.Hold(h.tx, n, h.hold(), time.Time{})
	}
}

// holdLimits holds people for as long as anything is limited for them.
func (f *Feature) holdLimits(tx *store.Tx, room protocol.RoomID, who ...events.Number) {
	for _, n := range who {
		for _, what := range []string{limitProtected, limitRest, limitRestore, limitAppeal} {
			if until := limited(tx, room, what, n); n != 0 && until.After(tx.Now()) {
				f.bus.Hold(tx, n, limitHold(room, what), until)
				tx.SetTimer(timerHold+what+"/"+n.String(), until, nil)
			}
		}
	}
}

// limitOver lets go of somebody whose limit is over. Where it is not, because it is a newer one or the clock was turned
// back meanwhile, that waits: else they would be held for ever, and be recognised after they were forgotten.
func (f *Feature) limitOver(tx *store.Tx, room protocol.RoomID, name string) {
	what, number, _ := strings.Cut(name, "/")
	id, err := strconv.ParseUint(number, 10, 64)
	if err != nil {
		return
	}
	n := events.Number(id)
	if until := limited(tx, room, what, n); until.After(tx.Now()) {
		tx.SetTimer(timerHold+name, until, nil)
		return
	}
	f.bus.LetGo(tx, n, limitHold(room, what))
}
