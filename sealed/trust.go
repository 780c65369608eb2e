package sealed

import (
	"moot/internal/say"
	"moot/outbox"
	"moot/protocol"
	"moot/rooms"
	"moot/store"
)

// Trust is the feature that refuses what nobody vouches for enough, in encrypted rooms. It is one of the core: no other
// feature sees what it refuses, so that it runs nothing, is no ballot and makes nobody active.
type Trust struct {
	// Unsigned is whether a device counts that the identity of its owner has not signed.
	Unsigned bool
	// NoReactions is whether reactions in encrypted rooms are refused. They are in clear by the specification.
	NoReactions bool
	// Meant reports whether a message is meant for the bot; nil means that all are. Only those who meant the bot are told
	// that it refuses them.
	Meant func(ev protocol.Event, m protocol.Message) bool
	// Polled reports whether a response is to a poll of the bot; nil means that none is. Only those who answered such a poll
	// are told that it refuses them.
	Polled func(tx *store.Tx, ev protocol.Event, r protocol.PollResponse) bool
}

// warned has when a person was told that what they say in a room is refused: room ␟ user → time.
var warned = store.ScopedBucket("sealed-warned")

const unsigned = "from a device that its owner has not signed"

// Handle refuses an event that its sender's program does not vouch for enough.
func (t Trust) Handle(tx *store.Tx, ev protocol.Event) (store.Outcome, error) {
	tx = tx.In(protocol.Scope(ev.Room))
	switch b := ev.Body.(type) {
	case protocol.MemberChange:
		if b.Self && !b.Profile && !ev.History {
			for k := range tx.Prefix(warned, string(ev.Room)+store.Sep) {
				tx.Delete(warned, k)
			}
		}
	case protocol.Message, protocol.Edit, protocol.PollResponse:
		switch {
		case ev.Trust == protocol.TrustClear:
			return t.refuse(tx, ev, "in clear in an encrypted room", "refused-clear")
		case ev.Trust == protocol.TrustUnsigned && !t.Unsigned:
			return t.refuse(tx, ev, unsigned, "refused-unsigned")
		}
	case protocol.ReactionAdded:
		switch { // where reactions in clear count, there is nothing to ask of those that are sealed
		case t.NoReactions && ev.Trust == protocol.TrustClear:
			return store.WasRefused("a reaction in an encrypted room"), nil
		case t.NoReactions && ev.Trust == protocol.TrustUnsigned && !t.Unsigned:
			return store.WasRefused("a reaction " + unsigned), nil
		}
	}
	return store.Outcome{}, nil
}

// refuse refuses a message, and tells its sender so: in private, and once while the bot is in the room. The id is that of what is said; that of
// a poll, and of what is said elsewhere, begins with it.
func (t Trust) refuse(tx *store.Tx, ev protocol.Event, why, id string) (store.Outcome, error) {
	out := store.WasRefused(why)
	key := store.Key(ev.Room, string(ev.Sender))
	if ev.Sender == "" || tx.Has(warned, key) || !t.meant(tx, ev) {
		return out, nil
	}
	tx.Put(warned, key, []byte(store.Time(tx.Now())))
	if _, is := ev.Body.(protocol.PollResponse); is {
		id += "-poll"
	}
	answer := protocol.Outgoing{}
	if ev.Private {
		answer.Room, answer.Act = ev.Room, protocol.Say{Text: to(tx, ev.Sender, "").Say(id), ReplyTo: ev.ID}
	} else {
		info, _ := rooms.Get(tx, ev.Room)
		room := say.Place("Room", protocol.Plain(info.Title()))
		answer.Act = protocol.Whisper{User: ev.Sender, Text: to(tx, ev.Sender, ev.Room).Say(id+"-in", room)}
	}
	_, err := outbox.Send(tx, answer)
	return out, err
}

// meant reports whether the sender of an event that is refused waits for the bot.
func (t Trust) meant(tx *store.Tx, ev protocol.Event) bool {
	switch b := ev.Body.(type) {
	case protocol.Message:
		return !b.Bot && (t.Meant == nil || t.Meant(ev, b))
	case protocol.PollResponse:
		return t.Polled != nil && t.Polled(tx, ev, b)
	}
	return false
}

// Told returns false: nobody tells this feature anything.
func (Trust) Told(*store.Tx, protocol.Internal) (bool, error) { return false, nil }

// Timed returns false: this feature sets no timer.
func (Trust) Timed(*store.Tx, protocol.Timer) (bool, error) { return false, nil }
