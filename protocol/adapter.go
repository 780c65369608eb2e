package protocol

import "context"

// Cursor is a place in what a network delivers. It is saved in the transaction that handles the last event before
// it. The zero value means that the network has no such place.
type Cursor struct {
	Name  string // unique to the adapter
	Value string // opaque to all but the adapter
}

// Admitter takes what a network delivers.
type Admitter interface {
	// Admit hands over events in their order. It returns nil when all of them and the cursor are durable, each with
	// a disposition; a bad event gets one too and is no error. It blocks while the bot has more to do than it can
	// hold. After an error the same events are to be handed over again, by the next run if need be.
	//
	// It may be called concurrently; events of one room must then come from one goroutine. The slice belongs to
	// the callee.
	Admit(ctx context.Context, events []Event, cursor Cursor) error
	// Cursor returns the value saved under the name, zero if there is none.
	Cursor(name string) (string, error)
}

// Connectivity is what an Admitter may have: it wants to know when the network can be reached, and when not. It is
// said to be reachable when Run begins.
type Connectivity interface {
	// Connected says whether the network can be reached from now on. It does not block for long. Saying the same
	// twice does no harm.
	Connected(up bool)
}

// Loaded is what an Admitter may have: an adapter that has to acknowledge a command in time does so at once where much waits.
type Loaded interface {
	// Backlog returns how many events and answers of the network wait at this moment. It does not block.
	Backlog() int
	// Held reports whether nothing is admitted until somebody has put the machine right: its clock is wrong, or its disk
	// full. Admit waits meanwhile. It does not block.
	Held() bool
}

// Adapter connects one network.
type Adapter interface {
	// Network returns the name with which the identifiers of the network begin.
	Network() Network
	// Run reads the network and admits what it says until the context ends, which is no error. Any other end is an error
	// whose sentence tells the operator what to do, and a [RunError] where the adapter knows whether another Run can help.
	// The other networks go on meanwhile. Run returns when all its goroutines have ended, and may be called again then.
	Run(ctx context.Context, to Admitter) error
	// Send sends once and returns where the message then stands (zero where there is nothing to stand). It may
	// block until the context ends, which it does with Run; it is called concurrently for different lanes.
	// The error is a *SendError where the adapter knows more than that it failed.
	Send(ctx context.Context, out Outgoing, attempt Attempt) (Ref, error)
	// Ask asks once and returns what it learned; otherwise as Send.
	Ask(ctx context.Context, ask Ask, attempt Attempt) (Body, error)
}

// Auxiliary is what an Adapter may have that is no chat network, as a service is none: the bot ends when all others have.
type Auxiliary interface {
	// Paused reports whether the network begins out of reach, until the adapter says by Connectivity that it is connected.
	Paused() bool
	// AtOnce is how many asks it takes at the same time.
	AtOnce() int
}
