package invites

import (
	"moot/outbox"
	"moot/protocol"
	"moot/rooms"
	"moot/store"
)

// look has the bot leave a room in which it is alone, and stay where it is not. Moved is whether somebody has
// just come or gone: being alone then, it alone remains, and only that says of a private conversation that its person will
// not come any more.
func (f *Feature) look(tx *store.Tx, room protocol.RoomID, moved bool) {
	switch info, _ := rooms.Get(tx, room); {
	case !alone(info):
		tx.StopTimer(timerAlone)
	case info.Private && !moved, !tx.Timer(timerAlone).IsZero():
	default:
		tx.SetTimer(timerAlone, tx.Now().Add(f.Alone), nil)
	}
}

// alone reports whether nobody but the bot is known to be in the room, or invited by it. Where the members are not known,
// nobody can tell.
func alone(info rooms.Info) bool {
	return info.Joined() && info.Members == rooms.Known && info.Count <= 1 && info.With == ""
}

// leave leaves a room when the time is over.
func (f *Feature) leave(tx *store.Tx, room protocol.RoomID) error {
	info, _ := rooms.Get(tx, room)
	switch {
	case info.Joined() && info.Members != rooms.Known:
		tx.SetTimer(timerAlone, tx.Now().Add(f.Alone), nil)
		return nil
	case !alone(info):
		return nil
	}
	key, err := outbox.Ask(tx, protocol.Ask{Room: room, Want: protocol.AskLeave{Reason: "nobody else is left here"}})
	if err != nil {
		return err
	}
	a := getAsks(tx, room)
	a.Leave = key
	putAsks(tx, room, a)
	return nil
}
