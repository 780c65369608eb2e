package outbox

import (
	"bytes"
	"encoding/json"
	"fmt"
	"time"

	"moot/protocol"
	"moot/store"
)

// DefaultExpiry is after what time an answer is of no use any more.
const DefaultExpiry = 15 * time.Minute

// Never is the Expires of what is sent however late.
var Never = time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)

// envelope is the payload of an entry: one of the two.
type envelope struct {
	Out *protocol.Outgoing `json:",omitempty"`
	Ask *protocol.Ask      `json:",omitempty"`
}

// sealed returns the payload of an envelope that holds one thing under a name, and the form that it is read as; nil where that may be
// another than what was given.
func sealed(name string, it json.Marshaler, e envelope) (payload []byte, form any, err error) {
	data, err := it.MarshalJSON()
	if err != nil {
		return nil, nil, err
	}
	payload = make([]byte, 0, len(data)+len(name)+5)
	payload = append(append(append(payload, `{"`...), name...), `":`...)
	payload = append(append(payload, data...), '}')
	if !bytes.Contains(data, []byte(`\ufffd`)) { // what JSON cannot write
		form = e
	}
	return payload, form, nil
}

// open returns what an entry holds.
func open(q store.Queued) (e envelope, err error) {
	if e, is := q.Form.(envelope); is {
		return e, nil
	}
	// What sealed has written needs no look at the envelope.
	if inner, ok := bytes.CutPrefix(q.Payload, []byte(`{"Ask":`)); ok {
		e.Ask = &protocol.Ask{}
		if e.Ask.UnmarshalJSON(inner[:len(inner)-1]) == nil {
			return e, nil
		}
	}
	if inner, ok := bytes.CutPrefix(q.Payload, []byte(`{"Out":`)); ok {
		e.Out = &protocol.Outgoing{}
		if e.Out.UnmarshalJSON(inner[:len(inner)-1]) == nil {
			return e, nil
		}
	}
	e = envelope{}
	return e, json.Unmarshal(q.Payload, &e)
}

// Send puts o into the outbox and returns its key. Where o has no key it gets the next one of its cause, where it has
// no cause that of the transaction, and where it has no time of expiry (Never is one) it expires after DefaultExpiry.
func Send(tx *store.Tx, o protocol.Outgoing) (protocol.Key, error) {
	if o.Key == "" {
		o.Key = tx.NewKey()
	}
	if o.Cause == (protocol.Ref{}) {
		o.Cause = tx.Cause()
	}
	o.Expires = expiry(tx, o.Expires)
	payload, form, err := sealed("Out", o, envelope{Out: &o})
	if err != nil {
		return "", fmt.Errorf("encode an outgoing: %w", err)
	}
	e := store.Entry{Key: o.Key, Lane: sendLane(o), Message: o.Key, Expires: o.Expires, Cause: o.Cause, Payload: payload, Form: form}
	switch act := o.Act.(type) {
	case protocol.Revise:
		e.Message, e.Edit = act.Original, true
	case protocol.React:
		e.Message = act.Original
	case protocol.EndPoll:
		e.Message = act.Original
	}
	tx.Enqueue(e)
	return o.Key, tx.Err()
}

// Ask puts a into the outbox and returns its key; what is not set is filled in as Send does. Asks have lanes of their
// own, so that a slow answer holds up no message.
func Ask(tx *store.Tx, a protocol.Ask) (protocol.Key, error) {
	if a.Key == "" {
		a.Key = tx.NewKey()
	}
	a.Expires = expiry(tx, a.Expires)
	payload, form, err := sealed("Ask", a, envelope{Ask: &a})
	if err != nil {
		return "", fmt.Errorf("encode an ask: %w", err)
	}
	e := store.Entry{Key: a.Key, Expires: a.Expires, Cause: tx.Cause(), Payload: payload, Form: form}
	if want, ok := a.Want.(protocol.AskReactions); ok {
		e.Message = want.Original
	}
	if a.Room != "" {
		e.Lane = askWay + string(a.Room)
	} // Enqueue refuses what goes nowhere
	tx.Enqueue(e)
	return a.Key, tx.Err()
}

// Waiting reports whether an ask of the room for the same kind of thing waits, of which no attempt has begun: what it is going
// to tell is as new as what another would. It does not see what the transaction itself has asked.
func Waiting(tx *store.Tx, room protocol.RoomID, want protocol.Want) bool {
	for q := range tx.Queue(askWay+string(room), 0) {
		if q.Attempts > 0 {
			continue
		}
		if e, err := open(q); err == nil && e.Ask != nil && protocol.KindOf(e.Ask.Want) == protocol.KindOf(want) {
			return true
		}
	}
	return false
}

// expiry returns when something expires, as it is read again.
func expiry(tx *store.Tx, at time.Time) time.Time {
	switch {
	case at.IsZero():
		at = tx.Now().Add(DefaultExpiry)
	case at.Equal(Never):
		return time.Time{}
	}
	return at.Round(0).UTC()
}
