package inspect

import (
	"encoding/json"
	"slices"
	"time"

	"moot/outbox"
	"moot/protocol"
	"moot/store"
)

// Sending is something that the bot sends or asks, or has.
type Sending struct {
	Key   protocol.Key `json:"key"`
	State store.State  `json:"state"`
	Lane  string       `json:"lane"` // see package outbox; LaneName is where it goes to
	Kind  string       `json:"kind,omitempty"`
	Cause *Ref         `json:"cause,omitempty"`
	Where *Ref         `json:"where,omitempty"` // where it stands in the network
	// Time is of the last change, Created when it was enqueued, and Due when it is tried again.
	Time     time.Time `json:"time,omitzero"`
	Created  time.Time `json:"created,omitzero"`
	Due      time.Time `json:"due,omitzero"`
	Expires  time.Time `json:"expires,omitzero"` // zero means never
	Attempts int       `json:"attempts,omitempty"`
	Reason   string    `json:"reason,omitempty"` // why the last attempt failed, or why it ended so
	Number   uint64    `json:"number"`
}

func showQueued(q store.Queued) Sending {
	return Sending{
		Key: q.Key, State: store.StateQueued, Lane: q.Lane, Kind: kindOf(q.Payload), Cause: refOf(q.Cause),
		Created: q.Created, Due: q.Due, Expires: q.Expires, Attempts: q.Attempts, Reason: q.Fault, Number: q.Number,
	}
}

func showDelivery(s store.Delivery) Sending {
	return Sending{
		Key: s.Key, State: s.State, Lane: s.Lane, Cause: refOf(s.Cause), Where: refOf(s.Ref),
		Time: s.Time, Attempts: s.Attempts, Reason: s.Reason, Number: s.Number,
	}
}

// kindOf returns what an entry does, without what it says.
func kindOf(payload json.RawMessage) string {
	var entry struct {
		Out *protocol.Outgoing
		Ask *protocol.Ask
	}
	if json.Unmarshal(payload, &entry) != nil {
		return ""
	}
	switch {
	case entry.Out != nil:
		return protocol.KindOf(entry.Out.Act)
	case entry.Ask != nil:
		return protocol.KindOf(entry.Ask.Want)
	}
	return ""
}

// OutboxQuery says which entries are wanted.
type OutboxQuery struct {
	Room string `json:"room,omitempty"` // by id or name; zero means all
	// States are those that are wanted; none means all.
	States []store.State `json:"states,omitempty"`
	Limit  int           `json:"limit,omitempty"` // of each of the two lists; zero, and what is above it, means PageSize
}

// OutboxPage is what waits, the first of each lane first, and what has ended, the last first.
type OutboxPage struct {
	Waiting []Sending `json:"waiting"`
	Ended   []Sending `json:"ended"`
	// MoreWaiting and MoreEnded are whether there are others that the query wants.
	MoreWaiting bool `json:"more_waiting,omitempty"`
	MoreEnded   bool `json:"more_ended,omitempty"`
}

// endedScan is how many entries that have ended are looked at for the sake of one page.
const endedScan = 20_000

// Outbox returns what waits to be sent and what became of what was sent last.
func (in *Inspector) Outbox(q OutboxQuery) (page OutboxPage, err error) {
	if q.Limit <= 0 || q.Limit > PageSize {
		q.Limit = PageSize
	}
	page = OutboxPage{Waiting: []Sending{}, Ended: []Sending{}}
	err = in.Store.View(func(tx *store.Tx) error {
		of := func(string) bool { return true }
		if q.Room != "" {
			info, err := oneRoom(tx, q.Room)
			if err != nil {
				return err
			}
			of = func(lane string) bool { return outbox.LaneRoom(lane) == info.ID }
		}
		if q.wants(store.StateQueued) {
			page.waiting(tx, of, q.Limit)
		}
		page.ended(tx, q, of)
		return nil
	})
	return page, err
}

func (q OutboxQuery) wants(s store.State) bool {
	return len(q.States) == 0 || slices.Contains(q.States, s)
}

func (p *OutboxPage) waiting(tx *store.Tx, of func(lane string) bool, limit int) {
	for entry := range tx.Queue("", 0) {
		if !of(entry.Lane) {
			continue
		}
		if len(p.Waiting) == limit {
			p.MoreWaiting = true
			return
		}
		p.Waiting = append(p.Waiting, showQueued(entry))
	}
}

func (p *OutboxPage) ended(tx *store.Tx, q OutboxQuery, of func(lane string) bool) {
	looked := 0
	for s := range tx.RecentDeliveries() {
		if looked++; looked > endedScan {
			p.MoreEnded = true
			return
		}
		if s.State == store.StateQueued || !q.wants(s.State) || !of(s.Lane) {
			continue
		}
		if len(p.Ended) == q.Limit {
			p.MoreEnded = true
			return
		}
		p.Ended = append(p.Ended, showDelivery(s))
	}
}

// LaneName is the room or person of a lane, for people.
func LaneName(lane string) string { return string(outbox.LaneRoom(lane)) }
