package sealed

import (
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
	case protocol.Message, protocol.Edit:
		switch {
		case ev.Trust == protocol.TrustClear:
			return t.refuse(tx, ev, "in clear in an encrypted room", protocol.Plain(
				"I do not act on it: it came in clear, and the room is encrypted, so anybody who runs one of its servers could have "+
					"written it in your name. Write with a program that encrypts there."))
		case ev.Trust == protocol.TrustUnsigned && !t.Unsigned:
			return t.refuse(tx, ev, unsigned, protocol.Plain(
				"I do not act on it: your program's session is not verified, so it could be somebody else's. Verify the session "+
					"with another of yours or with your recovery key; if your account has neither, set up recovery (also called secure "+
					"backup) first. Then write again."))
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

// refuse refuses a message, and tells its sender so: in private, and once while the bot is in the room.
func (t Trust) refuse(tx *store.Tx, ev protocol.Event, why string, say protocol.Text) (store.Outcome, error) {
	out := store.WasRefused(why)
	m, ok := ev.Body.(protocol.Message)
	key := store.Key(ev.Room, string(ev.Sender))
	switch {
	case !ok || m.Bot || ev.Sender == "" || tx.Has(warned, key):
		return out, nil
	case t.Meant != nil && !t.Meant(ev, m):
		return out, nil
	}
	tx.Put(warned, key, []byte(store.Time(tx.Now())))
	const you = "You wrote to me, or somebody did in your name"
	answer := protocol.Outgoing{Room: ev.Room, Act: protocol.Say{Text: protocol.Join(you, ". ", say), ReplyTo: ev.ID}}
	if !ev.Private {
		info, _ := rooms.Get(tx, ev.Room)
		answer.Room = ""
		answer.Act = protocol.Whisper{User: ev.Sender, Text: protocol.Join(you, ", in ", info.Title(), ". ", say)}
	}
	_, err := outbox.Send(tx, answer)
	return out, err
}

// Told returns false: nobody tells this feature anything.
func (Trust) Told(*store.Tx, protocol.Internal) (bool, error) { return false, nil }

// Timed returns false: this feature sets no timer.
func (Trust) Timed(*store.Tx, protocol.Timer) (bool, error) { return false, nil }
