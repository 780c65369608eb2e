package sealed

import (
	"iter"

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
			name := rooms.Titled(tx, info, user)
			if waits > 0 && !yield(protocol.Join("Encrypted messages of yours in ", name, " that I cannot read yet, as I got them: ",
				waits, ". They are gone when their key comes, or does not.")) {
				return
			}
			if v := tx.Get(told, store.Key(info.ID, string(user))); v != nil && !yield(protocol.Join(
				"I have told ", name, " that I could not read what you wrote, at ", protocol.Moment(store.ParseTime(string(v))), ".")) {
				return
			}
		}
	}
}
