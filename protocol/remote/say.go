package remote

import (
	"encoding/json"
	"fmt"
	"time"

	"moot/protocol"
	"moot/protocol/remote/wire"
)

// Version is that of what the two processes say to each other. It changes with whatever the other side would misunderstand.
const Version = 2

// What a node calls at the writer, and the writer at a node.
const (
	callHello  = "hello"
	callAdmit  = "admit"
	callCursor = "cursor"
	callTurn   = "turn"
	callSend   = "send"
	callAsk    = "ask"
	tellOver   = "turn-over"
	tellNode   = "node"
	tellWriter = "writer"
)

// Hello is what a node says first.
type Hello struct {
	Version int
	Network protocol.Network
	Node    string // a name of the process, unlike that of any other
	Shards  []int  // those that it wants
	Count   int    // of how many
}

// Welcome is what the writer answers: the shards are the node's, or why they are not.
type Welcome struct {
	Refused string          `json:",omitempty"`
	Final   bool            `json:",omitempty"` // whether asking again is of no use
	Config  json.RawMessage `json:",omitempty"` // what the adapter has to know
}

// batch is what is admitted at once.
type batch struct {
	Events []protocol.Event `json:",omitempty"`
	Cursor protocol.Cursor  `json:",omitzero"`
}

// Pulse is how a node says, once a second and whenever that changes, how its shards are.
type Pulse struct {
	Up     bool  // whether its adapter reaches the network
	Online []int // the shards that are connected
}

// load is how the writer says, four times a second, how much waits there.
type load struct {
	Backlog int
	Held    bool
}

// try is an attempt. Times are told by how far away they are, so that the clocks of two machines need not agree.
type try struct {
	Send *protocol.Outgoing `json:",omitempty"`
	Ask  *protocol.Ask      `json:",omitempty"`

	N        int
	Original protocol.Ref  `json:",omitzero"`
	Age      time.Duration `json:",omitempty"` // since the first attempt
	Left     time.Duration `json:",omitempty"` // until it expires; zero means that it does not
	Earlier  bool          `json:",omitempty"`
}

func tryOf(a protocol.Attempt) try {
	t := try{N: a.N, Original: a.Original, Earlier: a.Earlier}
	if !a.First.IsZero() {
		t.Age = max(time.Since(a.First), 1)
	}
	if !a.Until.IsZero() {
		if t.Left = time.Until(a.Until); t.Left == 0 {
			t.Left = -1
		}
	}
	return t
}

func (t try) attempt() protocol.Attempt {
	a := protocol.Attempt{N: t.N, Original: t.Original, Earlier: t.Earlier}
	if t.Age != 0 {
		a.First = time.Now().Add(-t.Age)
	}
	if t.Left != 0 {
		a.Until = time.Now().Add(t.Left)
	}
	return a
}

// outcome is what has come of a try that has worked.
type outcome struct {
	Ref  protocol.Ref `json:",omitzero"`
	Body *wire.Body   `json:",omitempty"`
}

// ownCursor reports whether a cursor is one of a network, as all of its adapter are.
func ownCursor(name string, network protocol.Network) error {
	if prefix := string(network) + "/"; len(name) <= len(prefix) || name[:len(prefix)] != prefix {
		return fmt.Errorf("the cursor %q is none of %s", protocol.Shorten(name, 60), network)
	}
	return nil
}
