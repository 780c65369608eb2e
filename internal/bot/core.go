package bot

import (
	"time"

	"moot/protocol"
	"moot/rooms"
	"moot/sealed"
	"moot/store"
)

// core returns the features that see each event first, in a transaction that the others' failure does not undo.
func core(r rooms.Feature, b barrier, t sealed.Trust, s sealed.Feature) []Feature {
	return []Feature{r, b, receipts{}, t, s}
}

// mute is a Feature that nobody tells anything.
type mute struct{}

func (mute) Told(*store.Tx, protocol.Internal) (bool, error) { return false, nil }
func (mute) Timed(*store.Tx, protocol.Timer) (bool, error)   { return false, nil }

// barrier stops what nobody must act on.
type barrier struct {
	mute
	retention time.Duration
	since     time.Time // of the earliest event that may be acted on; zero means any
}

// Handle implements Feature.
func (b barrier) Handle(tx *store.Tx, ev protocol.Event) (store.Outcome, error) {
	if why := b.stops(tx, ev); why != "" {
		return store.Outcome{Disposition: store.Ignored, Reason: why, Final: true}, nil
	}
	return store.Outcome{}, nil
}

// stops returns why the event must not be acted on, zero if it may.
func (b barrier) stops(tx *store.Tx, ev protocol.Event) string {
	if ev.History {
		return "from before the bot joined"
	}
	if isState(ev.Body) {
		return ""
	}
	switch {
	case ev.Time.IsZero():
	case ev.Time.Before(latest(tx.Now().Add(-b.retention), b.since)):
		// What was swept from the record of the seen could not be told from what is new.
		return "older than what the bot remembers"
	}
	if !ev.Private {
		if info, _ := rooms.Get(tx, ev.Room); !info.Joined() {
			return "the bot is not in the room"
		}
	}
	return ""
}

// isState reports whether a body says how things are, rather than that somebody wants something.
func isState(b protocol.Body) bool {
	switch b.(type) {
	case protocol.MemberChange, protocol.MemberList, protocol.RoomChange, protocol.Receipt, protocol.Answer, protocol.ReactionSet,
		protocol.Gap:
		return true
	}
	return false
}

// receipts says what the bot's own messages are when the network shows them.
type receipts struct{ mute }

// Handle implements Feature.
func (receipts) Handle(tx *store.Tx, ev protocol.Event) (out store.Outcome, _ error) {
	r, ok := ev.Body.(protocol.Receipt)
	switch {
	case !ok:
		return out, nil
	case tx.Delivery(r.Key).Number == 0: // which was settled from this event
		out = store.WasHandled("we sent it, and no longer knew")
	default:
		out = store.WasHandled("we sent it")
	}
	out.Final = true
	return out, nil
}
