package bot

import (
	"moot/protocol"
	"moot/store"
)

// Outcome is what a feature made of an event. The zero value means that it had nothing to do with it.
type Outcome struct {
	Disposition store.Disposition
	Reason      string
}

// Feature is something that the bot does. Its methods are called within transactions, one after another, and do
// nothing but read and write through them. An error, or a panic, makes the event a dead letter.
type Feature interface {
	// Handle handles an event that a network has brought, or an answer, in its scope. It is called for what is new and
	// no history, after the state of the room was brought up to date.
	Handle(tx *store.Tx, ev protocol.Event) (Outcome, error)
	// Told handles what another scope tells this one, and returns false where that is not for this feature.
	Told(tx *store.Tx, what protocol.Internal) (bool, error)
	// Timed handles a timer of the scope, and returns false where it was not set by this feature.
	Timed(tx *store.Tx, t protocol.Timer) (bool, error)
}

// Watcher is a Feature that wants to know when a network can be reached.
type Watcher interface {
	// Online is called when a network can be reached, or no longer. It makes runs of the commit. Its error is one of the
	// store, and ends the machine.
	Online(c *store.Commit, network protocol.Network, up bool) error
}

// A handler is what a feature is that does not know the loop: its outcomes are of a type of its own, of the same shape.
type handler[O outcome] interface {
	Handle(tx *store.Tx, ev protocol.Event) (O, error)
	Told(tx *store.Tx, what protocol.Internal) (bool, error)
	Timed(tx *store.Tx, t protocol.Timer) (bool, error)
}

type outcome interface {
	~struct {
		Disposition store.Disposition
		Reason      string
	}
}

// FeatureOf returns the Feature that a handler is, and a Watcher where it has what makes one.
func FeatureOf[O outcome](h handler[O]) Feature {
	f := feature[O]{h}
	if w, ok := h.(Watcher); ok {
		return watching[O]{f, w}
	}
	return f
}

type feature[O outcome] struct{ handler[O] }

// Handle implements Feature.
func (f feature[O]) Handle(tx *store.Tx, ev protocol.Event) (Outcome, error) {
	o, err := f.handler.Handle(tx, ev)
	return Outcome(o), err
}

type watching[O outcome] struct {
	feature[O]
	Watcher
}
