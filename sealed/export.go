package sealed

import (
	"iter"

	"moot/internal/say"
	"moot/protocol"
	"moot/rooms"
	"moot/store"
)

// Export goes through what is kept of a person: their messages that cannot be read yet, and when a room was told of them.
func (f Feature) Export(tx *store.Tx, user protocol.UserID) iter.Seq[protocol.Text] {
	return func(yield func(protocol.Text) bool) {
		for info := range rooms.All(tx) {
			waits := 0
			for ev := range All(tx, info.ID) {
				if ev.Sender == user {
					waits++
				}
			}
			name, speak := say.Place("Room", rooms.Titled(tx, info, user)), to(tx, user, info.ID)
			if waits > 0 && !yield(speak.Say("stored-waits", name, say.Number("N", waits))) {
				return
			}
			if v := tx.Get(told, store.Key(info.ID, string(user))); v != nil &&
				!yield(speak.Say("stored-told", name, say.Moment("At", store.ParseTime(string(v))))) {
				return
			}
		}
	}
}
