package challenges

import (
	"moot/events"
	"moot/protocol"
	"moot/store"
)

// keyNumber names somebody in a fact who has no name any more.
const keyNumber = "number"

// expireForgotten lifts the challenge of somebody who was forgotten. The fact names them by their number alone.
func (f *Feature) expireForgotten(tx *store.Tx, n events.Number) error {
	err := f.bus.Publish(tx, events.Draft{Kind: KindRestore, Keys: map[string]string{keyBy: byExpiry, keyNumber: n.String()}})
	if err != nil {
		return err
	}
	f.lifted(tx, n)
	f.Changed(tx, "")
	return nil
}

// challengeForgotten takes in the challenge of somebody who was forgotten from the room that this one goes on from.
func (f *Feature) challengeForgotten(tx *store.Tx, n events.Number, p payload) error {
	if tx.Has(challenged, key(protocol.RoomID(tx.Scope()), n)) {
		return nil
	}
	keys := map[string]string{keyBy: byUpgrade, keyNumber: n.String()}
	if err := f.bus.Publish(tx, events.Draft{Kind: KindChallenge, Keys: keys, Payload: p}); err != nil {
		return err
	}
	if !p.Until.IsZero() {
		tx.SetTimer(timerExpire+n.String(), p.Until, nil)
	}
	return nil
}
