package bot

import (
	"time"

	"moot/outbox"
	"moot/protocol"
)

// Input is something that a Step takes: one of the types below.
type Input interface{ input() }

// Admitted is a batch from an adapter.
type Admitted struct{ Batch *Batch }

// Sent is how an attempt to send ended.
type Sent struct {
	Key protocol.Key
	Ref protocol.Ref
	Err error
}

// Answered is how an attempt to ask ended.
type Answered struct {
	Ask     protocol.Ask
	Attempt int
	Result  protocol.Body
	Err     error
}

// Online says whether a network can be reached.
type Online struct {
	Network protocol.Network
	Up      bool
}

// Slept says that the loop was not running for a while, though the networks never noticed: nobody could be heard.
type Slept struct{ Since time.Time }

// RetryDead wants a dead letter to be tried again.
type RetryDead struct{ ID uint64 }

// Ending says that no attempt is to begin any more: what waits is left to the next run.
type Ending struct{}

// DropDead wants a dead letter to be forgotten.
type DropDead struct{ ID uint64 }

func (DropDead) input()  {}
func (Admitted) input()  {}
func (Sent) input()      {}
func (Answered) input()  {}
func (Online) input()    {}
func (Slept) input()     {}
func (RetryDead) input() {}
func (Ending) input()    {}

// Effects is what is to be done in the world after a Step.
type Effects struct {
	Done     []*Batch                 // their Admit returns
	Attempts []outbox.Attempt         // to be made
	Appended bool                     // the log of facts has grown
	More     bool                     // there is work left for the next Step
	Wake     time.Time                // when the next Step has something to do at the latest; zero means never
	Quiet    bool                     // nothing is waiting, due or being sent
	Backlog  map[protocol.Network]int // answers that wait for others to be sent; nil where none does
	Counts   Counts                   // what it has done
}
