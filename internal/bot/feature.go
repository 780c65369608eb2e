package bot

import (
	"iter"
	"time"

	"moot/protocol"
	"moot/store"
)

// Feature is something that the bot does. Its methods are called within transactions, one after another, and do
// nothing but read and write through them. An error, or a panic, discards the transaction and makes a dead letter of what
// was handled; the bot goes on.
type Feature interface {
	// Handle handles an event that a network has brought, or an answer, in its scope. It is called for what is new and
	// no history, after the state of the room was brought up to date.
	Handle(tx *store.Tx, ev protocol.Event) (store.Outcome, error)
	// Told handles what another scope tells this one, and returns false where that is not for this feature.
	Told(tx *store.Tx, what protocol.Internal) (bool, error)
	// Timed handles a timer of the scope, and returns false where it was not set by this feature.
	Timed(tx *store.Tx, t protocol.Timer) (bool, error)
}

// Watcher is a Feature that has to hear when a network comes into reach, and when it is lost.
type Watcher interface {
	// Reach goes through the scopes that have to hear that the network came into reach (up), or was lost, at the given
	// time, with what to tell each. It reads only. Each scope is told in its turn, behind what waits for it already, in a
	// transaction of its own; that one may be told the same again after a crash.
	//
	// At a start all networks are lost, since the last commit of the run before: network is then zero. Nothing else is
	// handled until all scopes have heard of it.
	Reach(tx *store.Tx, network protocol.Network, up bool, at time.Time) iter.Seq[store.Told]
}
