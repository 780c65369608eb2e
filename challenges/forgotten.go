package challenges

import (
	"moot/events"
	"moot/protocol"
	"moot/store"
)

// keyNumber names somebody in a fact who has no name any more.
const keyNumber = "number"

// restoreForgotten lifts the challenge of somebody who was forgotten. The fact names them by their number alone.
func (f *Feature) restoreForgotten(tx *store.Tx, n events.Number, keys map[string]string) error {
	if !f.Standing(tx, protocol.RoomID(tx.Scope()), n) {
		return nil
	}
	keys[keyNumber] = n.String()
	if err := f.bus.Publish(tx, events.Draft{Kind: KindRestore, Keys: keys}); err != nil {
		return err
	}
	f.lifted(tx, n)
	f.Changed(tx, "")
	return nil
}

// challengeForgotten makes somebody challenged who was forgotten.
func (f *Feature) challengeForgotten(tx *store.Tx, n events.Number, keys map[string]string, p payload) error {
	if f.Standing(tx, protocol.RoomID(tx.Scope()), n) {
		return nil
	}
	keys[keyNumber] = n.String()
	if err := f.bus.Publish(tx, events.Draft{Kind: KindChallenge, Keys: keys, Payload: p}); err != nil {
		return err
	}
	f.began(tx, n, p.Until)
	f.Changed(tx, "")
	return nil
}
