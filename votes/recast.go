package votes

import (
	"time"

	"moot/events"
	"moot/protocol"
	"moot/store"
	"moot/votes/tally"
)

// Whoever reacts and takes it back and reacts again makes no more than one fact about a vote in the time between two
// edits of its message. What comes sooner than that waits, and only the last of it is cast: when the time is over, or
// the vote ends.
//
// Room ␟ vote ␟ person → time of the last fact; 1, or 2 for a response to a poll, and the ballot if one waits.
var recasts = store.ScopedBucket("votes-recasts")

// recast is a row of recasts.
type recast struct {
	last   time.Time
	waits  bool
	poll   bool         // whether it is a response to a poll
	ballot tally.Ballot // empty withdraws
}

func (r recast) encode() []byte {
	if !r.waits {
		return []byte(store.Time(r.last))
	}
	from := byte(1)
	if r.poll {
		from = 2
	}
	return append(append([]byte(store.Time(r.last)), from), encodeBallot(r.ballot)...)
}

func decodeRecast(data []byte) (r recast) {
	if len(data) >= 8 {
		r.last = store.ParseTime(string(data))
	}
	if r.waits = len(data) > 8; r.waits {
		r.poll = data[8] == 2
		r.ballot = decodeBallot(data[9:])
	}
	return r
}

// castByReaction casts the ballot that the reactions of somebody make, or their response to a poll, at once or when it may become a fact.
func (h *atHand) castByReaction(user protocol.UserID, b tally.Ballot, via string) error {
	key := h.voterKey(voter(h.bus.Number(h.tx, user)))
	r := decodeRecast(h.tx.Get(recasts, key))
	if due := r.last.Add(h.edits()); via != viaRead && due.After(h.tx.Now()) {
		r.waits, r.poll, r.ballot = true, via == viaPoll, b
		h.tx.Put(recasts, key, r.encode())
		if h.tx.Timer(timerRecast + h.Number()).IsZero() {
			h.tx.SetTimer(timerRecast+h.Number(), due, nil)
		}
		return nil
	}
	if r.waits {
		h.tx.Put(recasts, key, recast{last: r.last}.encode()) // this one is newer, also where it ends the vote
	}
	changed, err := h.castBy(user, b, via, "")
	if changed && err == nil && h.Open() { // one that has ended has forgotten them
		h.tx.Put(recasts, key, recast{last: h.tx.Now()}.encode())
	}
	return err
}

// cameOtherwise drops the ballot by reactions that waits, as the person has cast theirs in another way since.
func (h *atHand) cameOtherwise(n events.Number) {
	key := h.voterKey(voter(n))
	if r := decodeRecast(h.tx.Get(recasts, key)); r.waits {
		h.tx.Put(recasts, key, recast{last: r.last}.encode())
	}
}

// castWaiting casts what waits: all of it where the vote ends, else what has waited for long enough. It reports
// whether it changed anything.
func (h *atHand) castWaiting(ends bool) (changed bool, err error) {
	var next time.Time
	prefix := h.voterKey("")
	for k, data := range h.tx.Prefix(recasts, prefix) {
		r := decodeRecast(data)
		due := r.last.Add(h.edits())
		switch {
		case !r.waits:
			continue
		case !ends && due.After(h.tx.Now()):
			if next.IsZero() || due.Before(next) {
				next = due
			}
			continue
		}
		h.tx.Put(recasts, k, recast{last: h.tx.Now()}.encode())
		user, known := h.bus.Who(h.tx, parseVoter(k[len(prefix):]))
		if !known {
			continue // their last ballot that is a fact stands
		}
		via := viaReaction
		if r.poll {
			via = viaPoll
		}
		did, err := h.record(user, r.ballot, via, "")
		if err != nil {
			return changed, err
		}
		changed = changed || did
	}
	if !next.IsZero() {
		h.tx.SetTimer(timerRecast+h.Number(), next, nil)
	}
	return changed, nil
}

// recastDue is the timer at which what waits is cast.
func (h *atHand) recastDue() error {
	if h.Status != Running {
		return nil
	}
	changed, err := h.castWaiting(false)
	if err != nil || !changed {
		return err
	}
	return h.counted()
}
