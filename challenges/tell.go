package challenges

import (
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
	info := seenBy(tx, room, target)
	text := protocol.Join("In ", protocol.Quoted(info.Title(), 0), " you are now suspended, ",
		f.reason(tx, s, privately(info)),
		". You cannot use my features there.")
	if !s.Until.IsZero() {
		text = protocol.Join(text, " That ends by itself on ", protocol.Moment(s.Until), ".")
	}
	return f.whisper(tx, target, protocol.Join(text, " You can ask to be restored, once a week: ",
		privately(info)("vote appeal REASON"), "."))
}

// tellRestored tells somebody in private that they are challenged no longer.
func (f *Feature) tellRestored(tx *store.Tx, room protocol.RoomID, target protocol.UserID, keys map[string]string,
	p payload) error {
	info := seenBy(tx, room, target)
	because := protocol.Plain("because the time of the challenge is over")
	switch keys[keyBy] {
	case byVote:
		because = protocol.Join("by vote ", keys[keyVote])
	case byOverride:
		because = f.reason(tx, standing{By: byOverride, Text: p.Text}, privately(info))
	}
	return f.whisper(tx, target, protocol.Join("In ", protocol.Quoted(info.Title(), 0), " you are restored, ", because,
		". You can use all my features there again."))
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
