package challenges

import (
	"moot/internal/say"
	"moot/outbox"
	"moot/protocol"
	"moot/rooms"
	"moot/store"
)

// tellChallenged tells somebody in private that they are challenged from now on, why, and what they can do.
func (f *Feature) tellChallenged(tx *store.Tx, room protocol.RoomID, target protocol.UserID) error {
	s, _, is := f.lookup(tx, room, target)
	if !is {
		return nil
	}
	info, speak := seenBy(tx, room, target), to(tx, target, room)
	id, slots := s.until("challenged", titled(info), say.Part("Why", f.reason(tx, speak, s, privately(info))),
		say.Code("Appeal", privately(info)("vote appeal REASON")))
	return f.whisper(tx, target, speak.Say(id, slots...))
}

// until returns a message and its slots; where the challenge ends by itself, those of the message that says so.
func (s standing) until(id string, slots ...say.Slot) (string, []say.Slot) {
	if s.Until.IsZero() {
		return id, slots
	}
	return id + "-until", append(slots, say.Moment("Until", s.Until))
}

// tellRestored tells somebody in private that they are challenged no longer.
func (f *Feature) tellRestored(tx *store.Tx, room protocol.RoomID, target protocol.UserID, keys map[string]string,
	p payload) error {
	info, speak := seenBy(tx, room, target), to(tx, target, room)
	because := speak.Say("why-expiry")
	switch keys[keyBy] {
	case byVote:
		because = speak.Say("why-vote-restored", say.Number("Vote", keys[keyVote]))
	case byOverride:
		because = f.reason(tx, speak, standing{By: byOverride, Text: p.Text}, privately(info))
	}
	return f.whisper(tx, target, speak.Say("restored", titled(info), say.Part("Why", because)))
}

// titled is the room as a sentence names it.
func titled(info rooms.Info) say.Slot {
	return say.Place("Room", protocol.Plain(protocol.Quoted(info.Title(), 0)))
}

// seenBy is the room as it is shown to somebody, who may be out of it.
func seenBy(tx *store.Tx, room protocol.RoomID, user protocol.UserID) rooms.Info {
	info, _ := rooms.Get(tx, room)
	return rooms.SeenBy(tx, info, user)
}

// privately shows a command about a room as it is typed in a private conversation.
func privately(info rooms.Info) func(string) protocol.Text {
	return func(line string) protocol.Text { return protocol.Code(line + " --in " + info.Word()) }
}

func (f *Feature) whisper(tx *store.Tx, user protocol.UserID, text protocol.Text) error {
	_, err := outbox.Send(tx, protocol.Outgoing{Expires: outbox.Never, Act: protocol.Whisper{User: user, Text: text}})
	return err
}
