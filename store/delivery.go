package store

import (
	"encoding/json"
	"time"

	"moot/protocol"
)

// Entry is something to be sent. It is enqueued once and never changes; what changes is in Queued.
type Entry struct {
	Key protocol.Key
	// Lane is within what order is kept: the next entry of a lane waits for the end of the one
	// before it.
	Lane string
	// Message is the key of the message that the entry belongs to, and Edit is whether it edits
	// that message: then a newer edit of it makes this one superseded.
	Message protocol.Key `json:",omitempty"`
	Edit    bool         `json:",omitempty"`
	Expires time.Time    `json:",omitzero"` // zero means never
	Cause   protocol.Ref `json:",omitzero"`
	Payload json.RawMessage
	// Form is what Payload was encoded from by encoding/json, and is read as; neither changes any more. It is there for the commits
	// that follow, which need not decode the payload then, and is nil where an entry was written long ago or by somebody else.
	Form any `json:"-"`
}

// Queued is an entry that waits in its lane, or is being sent.
type Queued struct {
	Entry
	Number   uint64
	Created  time.Time
	Attempts int       `json:",omitempty"` // those begun
	First    time.Time `json:",omitzero"`  // when the first attempt began
	Due      time.Time `json:",omitzero"`  // not before
	Fault    string    `json:",omitempty"` // of the last attempt
	// Doubt is since when the entry may stand in the network although no attempt is known: the store
	// was put back from a backup, and what was done after that is lost. Zero means that it does not.
	Doubt time.Time `json:",omitzero"`
}

// State is what became of an entry.
type State string

// The states. Queued is the only one that is not an end.
const (
	StateQueued     State = "queued"
	StateSent       State = "sent"
	StateFailed     State = "failed"
	StateExpired    State = "expired"
	StateSuperseded State = "superseded" // by a newer edit of the same message
	StateReplaced   State = "replaced"   // it could not be sent, and something else is in its place
	StateAmbiguous  State = "ambiguous"  // it cannot be known whether it was sent
	StateEnded      State = "ended"      // the bot left the room, or nobody wants it any more
)

// Delivery is what is kept of an entry for as long as events are: where it stands, or why it does
// not.
type Delivery struct {
	Key      protocol.Key `json:"-"`
	State    State
	Lane     string
	Number   uint64
	Ref      protocol.Ref `json:",omitzero"` // where it stands in the network
	Reason   string       `json:",omitempty"`
	Cause    protocol.Ref `json:",omitzero"`
	Time     time.Time    // of the last change
	Attempts int          `json:",omitempty"`
}
