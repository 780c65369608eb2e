package invites

import (
	"bytes"
	"encoding/json"
	"fmt"
	"time"

	"moot/events"
	"moot/internal/say"
	"moot/protocol"
	"moot/store"
)

// KindName is the name of the kind of facts.
const KindName = "invite"

// RoleBy is the role of the person who invited the bot.
const RoleBy = "by"

// State is what has become of an invitation.
type State string

// The states. The first four are open: they stand until another one follows.
const (
	Waiting   State = "waiting"  // for somebody who may decide
	Held      State = "held"     // the person has invited too often within an hour
	Accepted  State = "accepted" // and not joined yet
	Failed    State = "failed"   // accepted, and the room could not be joined
	Joined    State = "joined"
	Withdrawn State = "withdrawn" // by the person who invited
	Declined  State = "declined"  // by an operator
)

func (s State) open() bool {
	return s == Waiting || s == Held || s == Accepted || s == Failed
}

const (
	keyWhat = "what"
	keyFrom = "from"

	fromOwn       = "own"
	fromElsewhere = "elsewhere"
)

// open is the projection: the open invitation of a room, if there is one.
var open = store.ScopedBucket("invites")

// invitation is a row of open.
type invitation struct {
	State State         `json:"s"`
	By    events.Number `json:"b"`
	Own   bool          `json:"o,omitempty"` // the inviter is of the bot's own server
	At    time.Time     `json:"t"`
}

// Kind returns the kind of the facts about invitations.
func Kind() events.Kind {
	return events.Kind{
		Name: KindName, Version: 1, Disposable: true, Describe: describe,
		Buckets: []store.Bucket{open},
		Apply: func(tx *store.Tx, f events.Fact) error {
			row, err := rowOf(f)
			if err != nil {
				return err
			}
			if row == nil {
				tx.Delete(open, string(f.Scope))
			} else {
				tx.Put(open, string(f.Scope), row)
			}
			return nil
		},
		// Facts leave in their order, so a row goes when its own fact does, and stays where a later one has written it.
		Drop: func(tx *store.Tx, f events.Fact) error {
			row, err := rowOf(f)
			if err != nil {
				return err
			}
			if row != nil && bytes.Equal(tx.Get(open, string(f.Scope)), row) {
				tx.Delete(open, string(f.Scope))
			}
			return nil
		},
	}
}

// rowOf returns the row that a fact leaves; nil where the invitation is over.
func rowOf(f events.Fact) ([]byte, error) {
	state := State(f.Keys[keyWhat])
	switch {
	case f.Scope == "":
		return nil, fmt.Errorf("an %s names no room", KindName)
	case !state.open():
		return nil, nil
	}
	return json.Marshal(invitation{state, f.People[RoleBy], f.Keys[keyFrom] == fromOwn, f.Time})
}

// describe says what became of an invitation.
func describe(l say.Language, f events.Fact) string {
	if s, id := catalogue.In(l), "fact-"+f.Keys[keyWhat]; s.Has(id) {
		return s.Plain(id)
	}
	return ""
}

// find returns the open invitation of a room.
func find(tx *store.Tx, room protocol.RoomID) (invitation, bool) {
	var i invitation
	v := tx.Get(open, string(room))
	return i, v != nil && json.Unmarshal(v, &i) == nil
}

// publish publishes what became of the invitation to the room of the transaction.
func (f *Feature) publish(tx *store.Tx, state State, by protocol.UserID, own bool) error {
	d := events.Draft{Kind: KindName, Keys: map[string]string{keyWhat: string(state), keyFrom: fromElsewhere}}
	if own {
		d.Keys[keyFrom] = fromOwn
	}
	if by != "" {
		d.People = map[string]protocol.UserID{RoleBy: by}
	}
	return f.Bus.Publish(tx, d)
}
